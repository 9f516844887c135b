"""A whole daemon beside a stand-in logind: sleep, and a login session that is locked."""

from __future__ import annotations

import json

import pytest

from cardd.client.values import EndReason
from cardd.errors import SessionEnded
from tests.support.logind import StandInLogind
from tests.support.running import Running, emptied, identified, running_cardd

DIGEST = bytes(32)
PIN = b"1234"


def journal_kinds(running: Running) -> list[str]:
    """What the disk has."""
    lines = [line for path in sorted((running.folder / "journal").glob("journal-*.jsonl")) for line in path.open("rb")]
    return [entry["kind"] for line in lines if (text := line.strip(b"\0\n")) and "kind" in (entry := json.loads(text))]


async def test_sleep_ends_the_session_is_written_down_and_the_card_is_there_again_afterwards() -> None:
    with running_cardd() as running:
        async with StandInLogind(running.bus.address) as logind, running.client() as client:
            await logind.inhibited()
            running.insert()
            session = await (await identified(client)).authenticate(pin=bytearray(PIN))
            logind.prepare_for_sleep(about_to=True)
            await logind.released()
            assert journal_kinds(running)[-3:] == ["session-ended", "card-departed", "machine-suspended"]
            assert await session.wait_ended() == EndReason.SUSPEND
            with pytest.raises(SessionEnded):
                await session.sign("signature", "RS256", DIGEST)
            await emptied(client)
            logind.prepare_for_sleep(about_to=False)
            again = await (await identified(client)).authenticate(pin=bytearray(PIN))
            assert await again.sign("signature", "RS256", DIGEST)
            await logind.inhibited()


async def test_a_daemon_without_logind_serves_and_says_so_once() -> None:
    with running_cardd() as running:
        async with running.client() as client:
            running.insert()
            await (await identified(client)).authenticate(pin=bytearray(PIN))
        assert running.cardd.log().count("no logind on this bus") == 1
