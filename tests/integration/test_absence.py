"""Nobody is at the machine: what sleep, a lock, a switch of the seat and idleness do to sessions."""

from __future__ import annotations

import asyncio
import hashlib
import threading

import pytest

from cardd.access.caller import Caller
from cardd.access.logins import LoginSession
from cardd.access.ownership import Login
from cardd.cards.connection import HoldMode
from cardd.errors import CardRemoved, SessionEnded
from cardd.journal import Detail, Event, Kind
from cardd.sessions import absence as absences
from cardd.sessions.absence import Absence, AbsencePolicy
from cardd.sessions.account import Account
from cardd.sessions.states import EndReason, State
from tests.support.core import HOLDER, PATIENCE, PIN, Core, Noted, Typed, card_of, running_core

DIGEST = hashlib.sha256(b"document").digest()
ELSEWHERE = Caller(":1.9", uid=1009)


class LoginSessions:
    """Login sessions: "7" is the holder's."""

    present = True

    def session(self, session_id: str) -> LoginSession | None:
        return LoginSession("7", HOLDER.uid, "seat0", active=True, remote=False) if session_id == "7" else None

    def display_session(self, uid: int) -> str | None:
        return "7" if uid == HOLDER.uid else None


def absence_of(core: Core, account: Account | None = None, **policy: bool) -> Absence:
    wanted = AbsencePolicy(**policy)
    account = account or core.sessions.account
    return Absence(wanted, core.roster, account, (core.sessions,), LoginSessions(), core.sessions._desks)


def pin_is_verified(core: Core) -> bool:
    """Ask the card itself, as another program would (VERIFY without data, ISO 7816-4 11.5.6)."""
    pcsc = core.pcsc
    _, context = pcsc.SCardEstablishContext(pcsc.SCARD_SCOPE_SYSTEM)
    code, handle, _ = pcsc.SCardConnect(context, core.reader.name, pcsc.SCARD_SHARE_SHARED, pcsc.SCARD_PROTOCOL_T0)
    assert code == 0, "the card is held no more"
    _, answer = pcsc.SCardTransmit(handle, pcsc.SCARD_PCI_T0, list(bytes.fromhex("0020000100")))
    pcsc.SCardReleaseContext(context)
    return bool(answer == [0x90, 0x00])


async def given_back(core: Core) -> None:
    """Wait until the daemon has let go of the card that stays."""
    (presence,) = core.sessions.presences
    await core.until(lambda: not presence.card.is_held)


@pytest.mark.parametrize("hold", list(HoldMode))
async def test_before_sleep_the_session_ends_the_card_is_reset_and_it_is_written_down(hold: HoldMode) -> None:
    async with running_core(hold=hold) as core:
        session = await core.authenticated(card_of())
        await absence_of(core).falls_asleep()
        assert core.heard.ends() == [EndReason.SUSPEND]
        assert not tuple(core.sessions.presences)
        assert not pin_is_verified(core)
        told = [(event.kind, event.what.get(Detail.REASON)) for event in core.journal.events]
        assert told[-3:] == [
            (Kind.SESSION_ENDED, "suspend"),
            (Kind.CARD_DEPARTED, "suspend"),
            (Kind.MACHINE_SUSPENDED, None),
        ]
        with pytest.raises(SessionEnded):
            await session.sign(HOLDER, "signature", "RS256", DIGEST)


async def test_when_the_machine_wakes_the_card_is_looked_at_anew() -> None:
    async with running_core() as core:
        before = (await core.authenticated(card_of())).presence
        absence = absence_of(core)
        await absence.falls_asleep()
        absence.awakes()
        await core.until(lambda: any(one.state is State.TRUSTED for one in core.sessions.presences))
        (presence,) = core.sessions.presences
        assert presence.number != before.number
        session = await core.authenticate(presence)
        assert await session.sign(HOLDER, "signature", "RS256", DIGEST)
        assert Kind.MACHINE_RESUMED in core.journal.kinds()


async def test_a_card_swapped_in_sleep_without_a_trace_in_pcsc_is_another_card() -> None:
    async with running_core() as core:
        before = (await core.authenticated(card_of())).presence.professional
        absence = absence_of(core)
        await absence.falls_asleep()
        core.reader.swap(card_of("nurse"), counted=False)
        absence.awakes()
        await core.until(lambda: any(one.state is State.TRUSTED for one in core.sessions.presences))
        (presence,) = core.sessions.presences
        assert presence.professional is not None
        assert before is not None
        assert presence.professional.national_id != before.national_id


async def test_a_card_that_comes_while_the_machine_falls_asleep_waits_until_it_wakes() -> None:
    async with running_core() as core:
        absence = absence_of(core)
        await absence.falls_asleep()
        commands: list[bytes] = []
        core.reader.before_apdu(lambda number, command: commands.append(command))
        core.reader.insert(card_of())
        # What the watch thread has seen by now is at the loop when a look that was asked for later is.
        core.reader.remove()
        core.reader.insert(card_of())
        for _ in range(10):
            await asyncio.sleep(0.01)
        assert not tuple(core.sessions.presences)
        assert commands == []
        absence.awakes()
        await core.until(lambda: any(one.state is State.TRUSTED for one in core.sessions.presences))


async def test_an_authentication_that_sleep_interrupts_opens_nothing_and_leaves_no_pin_verified() -> None:
    async with running_core() as core:
        presence = await core.insert(card_of())
        reached, go_on = threading.Event(), threading.Event()

        def at_the_challenge(number: int, command: bytes) -> None:
            if command[1] == 0x88:  # INTERNAL AUTHENTICATE: the PIN is verified by now
                reached.set()
                go_on.wait(PATIENCE)

        core.reader.before_apdu(at_the_challenge)
        authenticating = asyncio.create_task(core.authenticate(presence))
        await asyncio.to_thread(reached.wait, PATIENCE)
        sleeping = asyncio.create_task(absence_of(core).falls_asleep())
        await core.gone()
        go_on.set()
        with pytest.raises(CardRemoved):
            await authenticating
        await sleeping
        core.reader.before_apdu(None)
        assert not pin_is_verified(core)
        assert core.heard.ends() == []


async def test_a_journal_that_hangs_keeps_no_machine_awake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(absences, "WRITTEN_SECONDS", 0.05)

    class Hanging(Noted):
        async def record(self, event: Event) -> None:
            await asyncio.Event().wait()

    async with running_core() as core:
        await core.authenticated(card_of())
        hanging = Hanging()
        async with asyncio.timeout(PATIENCE):
            await absence_of(core, Account(hanging, hanging)).falls_asleep()
        assert not pin_is_verified(core)


async def test_a_card_that_hangs_keeps_no_machine_awake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(absences, "RESET_SECONDS", 0.05)
    async with running_core() as core:
        session = await core.authenticated(card_of())
        reached, go_on = threading.Event(), threading.Event()

        def hang(number: int, command: bytes) -> None:
            reached.set()
            go_on.wait(PATIENCE)

        core.reader.before_apdu(hang)
        signing = asyncio.create_task(session.sign(HOLDER, "signature", "RS256", DIGEST))
        await asyncio.to_thread(reached.wait, PATIENCE)
        async with asyncio.timeout(PATIENCE):
            await absence_of(core).falls_asleep()
        with pytest.raises(SessionEnded, match="suspend"):
            await signing
        go_on.set()
        core.reader.before_apdu(None)


@pytest.fixture(params=["lock", "seat-switch"])
def leave(request: pytest.FixtureRequest) -> str:
    """How the login session loses its user."""
    return str(request.param)


def tell(absence: Absence, leave: str, session_id: str) -> None:
    if leave == "lock":
        absence.locked(session_id)
    else:
        absence.switched_away(session_id)


@pytest.mark.parametrize("login_session", ["7", None])
async def test_by_configuration_a_lock_or_a_switch_ends_the_sessions_there(
    leave: str, login_session: str | None
) -> None:
    async with running_core() as core:
        presence = await core.insert(card_of())
        await core.sessions.authentication(presence).authenticate(HOLDER, Typed(PIN), login_session)
        tell(absence_of(core, end_on_lock=leave != "lock", end_on_seat_switch=leave == "lock"), leave, "7")
        assert core.heard.ends() == []
        absence = absence_of(core, end_on_lock=leave == "lock", end_on_seat_switch=leave != "lock")
        tell(absence, leave, "8")
        assert core.heard.ends() == []
        tell(absence, leave, "7")
        assert core.heard.ends() == [EndReason.LOCKED]
        await given_back(core)
        assert not pin_is_verified(core)


async def test_where_nobody_is_no_session_lasts_until_somebody_is_back(leave: str) -> None:
    """Its user left while the PIN was with the card, or a program there has a PIN of its own."""
    async with running_core() as core:
        presence = await core.insert(card_of())
        absence = absence_of(core, end_on_lock=True, end_on_seat_switch=True)
        tell(absence, leave, "7")
        for _ in range(2):
            session = await core.sessions.authentication(presence).authenticate(HOLDER, Typed(PIN), "7")
            assert session.end_reason is EndReason.LOCKED
            await given_back(core)
        assert not pin_is_verified(core)
        assert (await core.sessions.authentication(presence).authenticate(HOLDER, Typed(PIN), "8")).end_reason is None
        absence.locked("8")
        await given_back(core)
        (absence.unlocked if leave == "lock" else absence.switched_to)("7")
        session = await core.sessions.authentication(presence).authenticate(HOLDER, Typed(PIN), "7")
        assert session.end_reason is None


async def test_a_lock_that_was_only_wanted_ends_what_is_open_and_bars_nothing() -> None:
    """Without a locker nobody would ever say that it is unlocked."""
    async with running_core() as core:
        presence = await core.insert(card_of())
        absence = absence_of(core, end_on_lock=True)
        await core.sessions.authentication(presence).authenticate(HOLDER, Typed(PIN), "7")
        absence.lock_wanted("7")
        assert core.heard.ends() == [EndReason.LOCKED]
        await given_back(core)
        session = await core.sessions.authentication(presence).authenticate(HOLDER, Typed(PIN), "7")
        assert session.end_reason is None


def test_a_login_session_owns_what_was_opened_in_it() -> None:
    assert Login("7", 1000).owns(1000, "7")
    assert Login("7", 1000).owns(1000, None)
    assert not Login("7", 1000).owns(1000, "8"), "the same user elsewhere"
    assert not Login("7", 1000).owns(1001, None)
    assert not Login("7", None).owns(1000, None)


async def test_an_idle_session_ends_and_the_card_forgets_the_pin() -> None:
    async with running_core(idle=0.05) as core:
        await core.authenticated(card_of())
        await core.until(lambda: core.heard.ends() == [EndReason.IDLE])
        await given_back(core)
        assert not pin_is_verified(core)


async def test_a_session_is_not_idle_while_its_card_works() -> None:
    async with running_core(idle=0.05) as core:
        session = await core.authenticated(card_of())
        go_on = threading.Event()

        def hang(number: int, command: bytes) -> None:
            go_on.wait(PATIENCE)

        core.reader.before_apdu(hang)
        signing = asyncio.create_task(session.sign(HOLDER, "signature", "RS256", DIGEST))
        await asyncio.sleep(0.2)
        assert core.heard.ends() == []
        go_on.set()
        assert await signing
        await core.until(lambda: core.heard.ends() == [EndReason.IDLE])
