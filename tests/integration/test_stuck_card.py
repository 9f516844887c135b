"""A card that goes mute or never answers: its session ends, nobody is kept waiting, nobody else's PIN is used."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import threading

import pytest

from cardd.cards import present
from cardd.errors import CarddError, CardMute, CardNotReady, SessionEnded
from cardd.sessions.states import EndReason
from tests.support.core import HOLDER, PATIENCE, card_of, running_core
from tests.support.running import identified, running_cardd

E_NOT_TRANSACTED = 0x80100016 - (1 << 32)
"""What pcscd gives when the reader's driver gives up."""
DIGEST = hashlib.sha256(b"document").digest()


async def test_a_session_whose_hold_is_lost_ends_and_never_uses_another_programs_pin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The card goes mute once; another program connects meanwhile and verifies the PIN for itself."""
    async with running_core() as core:
        session = await core.authenticated(card_of())
        transmit, muted = core.pcsc.SCardTransmit, threading.Event()

        def mute_once(handle: int, protocol: int, command: list[int]) -> object:
            if muted.is_set():
                return transmit(handle, protocol, command)
            muted.set()
            return [E_NOT_TRANSACTED, []]

        monkeypatch.setattr(core.pcsc, "SCardTransmit", mute_once)
        with pytest.raises((CardMute, SessionEnded)):
            await session.sign(HOLDER, "signature", "RS256", DIGEST)
        assert session.end_reason is EndReason.CARD_RESET
        assert core.heard.ends() == [EndReason.CARD_RESET]
        _, context = core.pcsc.SCardEstablishContext(core.pcsc.SCARD_SCOPE_SYSTEM)
        _, handle, _ = core.pcsc.SCardConnect(
            context, core.reader.name, core.pcsc.SCARD_SHARE_SHARED, core.pcsc.SCARD_PROTOCOL_T0
        )
        verify = list(bytes.fromhex("002000010831323334FFFFFFFF"))
        assert list(transmit(handle, core.pcsc.SCARD_PCI_T0, verify)) == [0, [0x90, 0x00]]
        with pytest.raises(SessionEnded):
            await session.sign(HOLDER, "signature", "RS256", DIGEST)


async def test_a_card_that_never_answers_is_left_alone_and_everybody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(present, "PATIENCE", 0.3)
    async with running_core() as core:
        session = await core.authenticated(card_of())
        free = threading.Event()

        def never_answer(number: int, command: bytes) -> None:
            free.wait(30)

        core.reader.before_apdu(never_answer)
        waiting = [asyncio.ensure_future(session.sign(HOLDER, "signature", "RS256", DIGEST)) for _ in range(3)]
        results = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), PATIENCE)
        assert all(isinstance(result, CarddError) for result in results)
        assert core.heard.ends() == [EndReason.CARD_RESET]
        (presence,) = core.sessions.presences
        with pytest.raises((CardMute, CardNotReady)):
            await core.authenticate(presence)
        core.reader.before_apdu(None)
        free.set()
        core.reader.remove()
        await core.gone()
        assert (await core.authenticated(card_of())).end_reason is None


@pytest.mark.parametrize("how", ["stop", "bus"])
def test_a_daemon_with_a_stuck_card_ends_all_the_same(how: str) -> None:
    with running_cardd() as running:
        running.insert()

        async def get_stuck() -> None:
            async with running.client() as client:
                session = await (await identified(client)).authenticate(pin=bytearray(b"1234"))
                running.cardsim("fault", "delay@1:60000")
                signing = asyncio.ensure_future(session.sign("signature", "RS256", DIGEST))
                await asyncio.sleep(0.3)
                assert not signing.done()
                signing.cancel()

        asyncio.run(get_stuck())
        if how == "stop":
            os.kill(running.cardd.pid, signal.SIGTERM)
        else:
            running.bus.kill()
        try:
            running.cardd.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            running.cardd.kill()
            pytest.fail("the daemon does not end")
