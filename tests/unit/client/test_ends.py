"""The ledger of sessions' ends."""

from __future__ import annotations

from cardd.client.ends import _REMEMBERED, EndLedger

OWNER = ":1.1"


async def test_the_first_reason_stays() -> None:
    ledger = EndLedger()
    ledger.ended(OWNER, "/s", "card-removed")
    ledger.all_ended("daemon-stopped")
    ledger.ended(OWNER, "/s", "ended-by-user")
    assert ledger.reason(OWNER, "/s") == "card-removed"


async def test_an_end_before_anybody_waits_is_not_missed() -> None:
    ledger = EndLedger()
    ledger.ended(OWNER, "/s", "card-removed")
    assert await ledger.future(OWNER, "/s") == "card-removed"


async def test_the_same_path_of_another_run_is_another_session() -> None:
    ledger = EndLedger()
    ledger.ended(OWNER, "/s", "card-removed")
    assert ledger.reason(":1.2", "/s") is None


async def test_all_that_are_followed_end_together() -> None:
    ledger = EndLedger()
    first, second = ledger.future(OWNER, "/a"), ledger.future(OWNER, "/b")
    ledger.all_ended("bus-lost")
    assert (await first, await second) == ("bus-lost", "bus-lost")


async def test_only_ended_ones_are_forgotten_and_the_oldest_first() -> None:
    ledger = EndLedger()
    waiting = ledger.future(OWNER, "/waiting")
    for number in range(2 * _REMEMBERED):
        ledger.ended(OWNER, f"/{number}", "card-removed")
    assert len(ledger._ends) <= _REMEMBERED + 1
    assert ledger.reason(OWNER, "/0") is None
    assert ledger.reason(OWNER, f"/{2 * _REMEMBERED - 1}") == "card-removed"
    assert ledger.future(OWNER, "/waiting") is waiting
