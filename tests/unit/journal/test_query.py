"""Search: what is asked for, in the order asked for, across segments and beside a writer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.journal.entry import body_of
from cardd.journal.event import CallerRef, Detail, Event, HolderRef, Kind
from cardd.journal.query import Query, search
from cardd.journal.store import Store
from tests.unit.journal.disk import MemoryDisk
from tests.unit.journal.support import SteadyClock, commit, small_store

START = datetime.fromtimestamp(1_800_000_000, UTC)
HOLDERS = [None, HolderRef("899700000012", "A"), HolderRef("899700000020", "B")]
CALLERS = [None, CallerRef(1000, 1, "a.scope", "org.a"), CallerRef(1001, 2, "b.scope", "org.b")]
KINDS = [Kind.SIGNED, Kind.DECRYPTED, Kind.REFUSED]
RESULTS = ["ok", "NotAuthorized"]


def event(number: int) -> Event:
    return Event(
        KINDS[number % 3],
        RESULTS[number % 2],
        HOLDERS[number // 2 % 3],
        CALLERS[number // 3 % 3],
        {Detail.NUMBER: number},
    )


def filled() -> tuple[MemoryDisk, Store, list[Event]]:
    disk, clock = MemoryDisk(), SteadyClock()
    store = small_store(disk, clock)
    events = [event(number) for number in range(60)]
    for one in events:
        store.commit([body_of(one, clock.now())])
    return disk, store, events


DISK, STORE, EVENTS = filled()


def numbers(query: Query) -> list[int]:
    return [int(found.entry.what["number"]) for found in search(DISK, query)]


@given(
    holder=st.sampled_from([None, "899700000012", "1"]),
    card=st.sampled_from([None, "A", "B"]),
    uid=st.sampled_from([None, 1000, 7]),
    unit=st.sampled_from([None, "a.scope"]),
    application=st.sampled_from([None, "org.b"]),
    kinds=st.frozensets(st.sampled_from([one.value for one in KINDS])),
    result=st.sampled_from([None, *RESULTS]),
    newest_first=st.booleans(),
    limit=st.sampled_from([None, 1, 5, 1000]),
)
def test_what_is_asked_for_is_found(
    *,
    holder: str | None,
    card: str | None,
    uid: int | None,
    unit: str | None,
    application: str | None,
    kinds: frozenset[str],
    result: str | None,
    newest_first: bool,
    limit: int | None,
) -> None:
    def wanted(one: Event) -> bool:
        who, asked = one.holder, one.caller
        return (
            (holder is None or (who is not None and who.national_id == holder))
            and (card is None or (who is not None and who.card == card))
            and (uid is None or (asked is not None and asked.uid == uid))
            and (unit is None or (asked is not None and asked.unit == unit))
            and (application is None or (asked is not None and asked.application == application))
            and (not kinds or one.kind in kinds)
            and (result is None or one.result == result)
        )

    expected = [number for number, one in enumerate(EVENTS) if wanted(one)]
    if newest_first:
        expected.reverse()
    query = Query(
        holder=holder,
        card=card,
        uid=uid,
        unit=unit,
        application=application,
        kinds=kinds,
        result=result,
        newest_first=newest_first,
        limit=limit,
    )
    assert numbers(query) == expected[:limit]


def test_by_time() -> None:
    times = [found.entry.time for found in search(DISK, Query())]
    assert times == sorted(times)
    assert numbers(Query(since=times[10], until=times[20])) == list(range(10, 20))
    assert numbers(Query(since=times[-1] + timedelta(seconds=1))) == []
    assert times[0] > START


@given(after=st.integers(0, 90), through=st.integers(0, 90), newest_first=st.booleans())
def test_by_number(*, after: int, through: int, newest_first: bool) -> None:
    found = [one.entry.seq for one in search(DISK, Query(after=after, through=through, newest_first=newest_first))]
    everything = [one.entry.seq for one in search(DISK, Query())]
    expected = [seq for seq in everything if after < seq <= through]
    assert found == (expected[::-1] if newest_first else expected)


def test_a_follower_sees_what_is_new() -> None:
    disk, clock = MemoryDisk(), SteadyClock()
    store = small_store(disk, clock)
    last = commit(store, clock, [1, 2])[-1].seq
    assert list(search(disk, Query(after=last))) == []
    commit(store, clock, [3])
    [new] = search(disk, Query(after=last))
    assert new.entry.what["number"] == 3


@pytest.mark.parametrize("newest_first", [False, True])
def test_an_unfinished_or_spoilt_line_is_passed_over(*, newest_first: bool) -> None:
    disk, clock = MemoryDisk(), SteadyClock()
    store = small_store(disk, clock, 1 << 18)
    head = commit(store, clock, range(5))[-1]
    [inode] = [inode for name, inode in disk.inodes.items() if name.startswith("journal-")]
    end = len(bytes(inode.seen).rstrip(b"\0"))
    # Nothing but its newline lacks.
    unfinished = body_of(event(5), clock.now()).line(head.seq + 1, head.digest)[:-1]
    inode.seen[end : end + len(unfinished)] = unfinished
    place = bytes(inode.seen).index(b'"number":2')
    inode.seen[place] = 0
    found = [one.entry.what["number"] for one in search(disk, Query(newest_first=newest_first))]
    assert found == ([4, 3, 1, 0] if newest_first else [0, 1, 3, 4])


def test_a_question_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Query(since=datetime(2026, 1, 1))  # noqa: DTZ001  # what is refused
    with pytest.raises(ValueError, match="limit"):
        Query(limit=0)
