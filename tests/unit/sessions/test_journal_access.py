"""Who may read what of the journal."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from cardd.access.caller import Caller
from cardd.errors import NotAuthorized, NotAuthorizedCanObtain, NotAuthorizedDismissed
from cardd.journal.entry import Entry, body_of, parse_entry
from cardd.journal.event import Event, HolderRef, Kind
from cardd.sessions.journal_access import FOR_WHOM, OTHER_HOLDER, Reach, reach_of, root_alone
from tests.unit.journal.support import SteadyClock

ROOT, USER = Caller(":1.1", 0), Caller(":1.2", 1000)


async def reach(
    caller: Caller,
    holders: Iterable[str] = (),
    wanted: str | None = None,
    *,
    all_of_it: bool | None = None,
    quietly: bool = False,
) -> Reach:
    asked: list[tuple[Caller, bool]] = []

    async def decide(one: Caller, interactive: bool) -> bool:
        asked.append((one, interactive))
        return bool(all_of_it)

    found = await reach_of(
        caller,
        wanted,
        may_read_all=root_alone if all_of_it is None else decide,
        holders_of=lambda uid: holders if uid == caller.uid else ["another user's"],
        interactive=True,
    )
    assert all(one == (caller, not quietly) for one in asked)
    return found


async def test_root_reads_everything() -> None:
    assert await reach(ROOT) == Reach()
    assert await reach(ROOT, wanted="8997") == Reach()


async def test_whoever_has_a_session_reads_the_entries_of_its_holder() -> None:
    assert await reach(USER, ["8997", "8998"]) == Reach(frozenset({"8997", "8998"}))
    assert await reach(USER, ["8997"], "8997") == Reach(frozenset({"8997"}))


@pytest.mark.parametrize(
    ("holders", "wanted", "reason"),
    [((), None, FOR_WHOM), ((), "8997", FOR_WHOM), (("",), None, FOR_WHOM), (("8997",), "8998", OTHER_HOLDER)],
    ids=["no-session", "no-session-but-a-name", "card-that-names-nobody", "another-holder"],
)
async def test_nobody_else_reads_anything(holders: Iterable[str], wanted: str | None, reason: str) -> None:
    with pytest.raises(NotAuthorized) as caught:
        await reach(USER, holders, wanted)
    assert caught.value.fields["reason"] == reason


async def test_whoever_decides_may_give_everything() -> None:
    assert await reach(USER, all_of_it=True) == Reach()
    assert await reach(USER, ["8997"], "8998", all_of_it=True) == Reach()
    assert await reach(USER, ["8997"], all_of_it=True, quietly=True) == Reach()
    with pytest.raises(NotAuthorized):
        await reach(ROOT, all_of_it=False)


async def test_a_holder_who_wants_their_own_is_not_asked_for_a_password() -> None:
    """Whoever has a session and names nobody is asked nothing; whoever wants more is."""

    async def password(_caller: Caller, interactive: bool) -> bool:
        if interactive:
            raise NotAuthorizedDismissed
        raise NotAuthorizedCanObtain(reason="a password is wanted")

    async def wanting(wanted: str | None, *holders: str, interactive: bool = True) -> Reach:
        return await reach_of(
            USER, wanted, may_read_all=password, holders_of=lambda _uid: holders, interactive=interactive
        )

    assert await wanting(None, "8997") == Reach(frozenset({"8997"}))
    with pytest.raises(NotAuthorizedDismissed):
        await wanting("8998", "8997")
    with pytest.raises(NotAuthorizedDismissed):
        await wanting(None)
    with pytest.raises(NotAuthorizedCanObtain):
        await wanting(None, interactive=False)


def entry(holder: HolderRef | None) -> Entry:
    return parse_entry(body_of(Event(Kind.SIGNED, holder=holder), SteadyClock().now()).line(2, "0" * 64))


def test_a_reach_admits_the_entries_of_its_holders_alone() -> None:
    own = Reach(frozenset({"8997"}))
    assert own.admits(entry(HolderRef("8997", "26")))
    assert own.admits(entry(HolderRef("8997", "")))
    assert not own.admits(entry(HolderRef("8998", "26")))
    assert not own.admits(entry(HolderRef("", "8997")))
    assert not own.admits(entry(None))
    assert Reach().admits(entry(None))
