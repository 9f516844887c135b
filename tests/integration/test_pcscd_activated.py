"""A pcscd that is started by its socket: cardd is its first client, and keeps it."""

from __future__ import annotations

import asyncio

import pytest

from cardd.cards.connection import HoldMode
from cardd.sessions.states import EndReason, State
from cardsim.transports.vpcd import VpcdAddress, VpcdReader
from tests.support.core import HOLDER, PATIENCE, card_of, running_core_on_pcscd
from tests.support.pcscd import PcscdUnavailable, PrivatePcscd

DIGEST = bytes(32)


async def test_cardd_starts_pcscd_by_its_socket_and_is_served() -> None:
    try:
        pcscd = PrivatePcscd(activated=True)
        pcscd.__enter__()
    except PcscdUnavailable as reason:
        pytest.skip(f"pcscd unavailable: {reason}")
    try:
        process_file = pcscd.socket_path.resolve().with_name("pcscd.pid")
        assert not process_file.exists(), "nobody has asked it yet"
        slot = VpcdReader(VpcdAddress(port=pcscd.ports[0]))
        async with running_core_on_pcscd(slot, hold=HoldMode.SESSION) as core:
            await core.until(lambda: ("reader-added", pcscd.reader_names[0]) in core.heard.news)
            assert process_file.exists()
            presence = await core.insert(card_of())
            session = await core.authenticate(presence)
            assert await session.sign(HOLDER, "signature", "RS256", DIGEST)
            slot.remove()
            await core.until(lambda: core.heard.ends() == [EndReason.CARD_REMOVED])
            await core.insert(card_of(), until=State.TRUSTED)
        async with asyncio.timeout(PATIENCE):
            while "Started by systemd" not in pcscd.log:  # its log comes by another thread
                await asyncio.sleep(0.02)
    finally:
        pcscd.__exit__()
