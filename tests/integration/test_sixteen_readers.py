"""As many readers as pcscd serves, a session on each; and pcscd itself, that dies, restarts, or was never there."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager

import pytest

from cardd.cards.connection import HoldMode
from cardd.errors import SessionEnded
from cardd.readers import pcsclite
from cardd.readers.stack import Code, Disposition, PcscError, Share, load_stack
from cardd.sessions.session import Session
from cardd.sessions.states import EndReason, State
from cardsim.transports.vpcd import VpcdAddress, VpcdReader
from tests.support.core import HOLDER, PATIENCE, CoreOn, card_of, running_core_on_pcscd
from tests.support.pcscd import PcscdUnavailable, PrivatePcscd

DIGEST = hashlib.sha256(b"document").digest()
READERS = 16


@pytest.fixture(scope="module")
def pcscd() -> Iterator[PrivatePcscd]:
    """One private pcscd with as many readers as it serves, two to each copy of the driver."""
    try:
        with PrivatePcscd(READERS) as running:
            yield running
    except PcscdUnavailable as reason:
        pytest.skip(f"pcscd unavailable: {reason}")


@asynccontextmanager
async def readers_of(pcscd: PrivatePcscd, count: int) -> AsyncIterator[tuple[CoreOn[VpcdReader], list[VpcdReader]]]:
    """A core, and the simulator's end of so many slots; they are empty afterwards."""
    slots = [VpcdReader(VpcdAddress(port=port)) for port in pcscd.ports[:count]]
    async with running_core_on_pcscd(slots[0], hold=HoldMode.SESSION) as core:
        try:
            yield core, slots
        finally:
            for slot in slots:
                slot.remove()


async def trusted(core: CoreOn[VpcdReader], count: int) -> None:
    """Wait until so many cards are there and believed."""

    def reached() -> int:
        return sum(one.state is State.TRUSTED for one in core.sessions.presences)

    while (so_far := reached()) < count:  # each has its own time to come
        await core.until(lambda so_far=so_far: reached() > so_far)  # type: ignore[misc]  # bound now
    assert reached() == count


async def sessions_on_all(core: CoreOn[VpcdReader], slots: list[VpcdReader]) -> dict[str, Session]:
    """A session on each reader, by the reader's name."""
    await asyncio.gather(*[asyncio.to_thread(slot.insert, card_of()) for slot in slots])
    await trusted(core, len(slots))
    opened = await asyncio.gather(*[core.authenticate(presence) for presence in core.sessions.presences])
    return {session.card.insertion.reader: session for session in opened}


async def test_sixteen_readers_with_sixteen_sessions(pcscd: PrivatePcscd) -> None:
    async with readers_of(pcscd, READERS) as (core, slots):
        sessions = await sessions_on_all(core, slots)
        assert set(sessions) == set(pcscd.reader_names)
        signatures = [session.sign(HOLDER, "signature", "RS256", DIGEST) for session in sessions.values()]
        assert all(await asyncio.gather(*signatures))
        slots[5].remove()
        await core.until(lambda: core.heard.ends() == [EndReason.CARD_REMOVED])
        assert sessions.pop(pcscd.reader_names[5]).end_reason is EndReason.CARD_REMOVED
        assert all(session.end_reason is None for session in sessions.values())
        await asyncio.to_thread(pcscd.crash)
        await core.until(lambda: len(core.heard.ends()) == READERS)
        assert core.heard.ends()[1:] == [EndReason.PCSCD_LOST] * (READERS - 1)
        for session in sessions.values():
            with pytest.raises(SessionEnded):
                await session.sign(HOLDER, "signature", "RS256", DIGEST)
        await asyncio.to_thread(pcscd.start)
        await trusted(core, READERS - 1)
        again = next(iter(core.sessions.presences))
        assert await (await core.authenticate(again)).sign(HOLDER, "signature", "RS256", DIGEST)


@pytest.mark.parametrize("lose", [PrivatePcscd.stop, PrivatePcscd.crash])
async def test_a_pcscd_that_comes_later_brings_its_readers(
    pcscd: PrivatePcscd, lose: Callable[[PrivatePcscd], None]
) -> None:
    """cardd was there first, as when pcscd is activated by its socket only now, or was stopped for a while."""
    await asyncio.to_thread(lose, pcscd)
    with ExitStack() as restored:
        restored.callback(pcscd.restart)
        slots = [VpcdReader(VpcdAddress(port=pcscd.ports[0]))]
        async with running_core_on_pcscd(slots[0], hold=HoldMode.SESSION) as core:
            async with asyncio.timeout(PATIENCE):
                while core.roster.pcsc_reachable is not False:
                    await asyncio.sleep(0.02)
            await asyncio.to_thread(pcscd.start)
            session = (await sessions_on_all(core, slots))[pcscd.reader_names[0]]
            assert await session.sign(HOLDER, "signature", "RS256", DIGEST)


def test_a_check_before_an_operation_on_the_real_library(pcscd: PrivatePcscd) -> None:
    """Whether the card is there is asked of pcscd; a removal fails it, and so does another program's reset."""
    slot = VpcdReader(VpcdAddress(port=pcscd.ports[0]))
    slot.insert(card_of())
    stack = load_stack("pcsc", {})
    context, other = stack.establish(), stack.establish()
    handle = context.connect(pcscd.reader_names[0], Share.SHARED)
    handle.check()
    raw = handle._handle
    code, _, state, protocol, atr = handle._module.SCardStatus(raw)
    assert pcsclite._status(raw) == (code, "", state, protocol, list(atr))
    other.connect(pcscd.reader_names[0], Share.SHARED).disconnect(Disposition.RESET)
    with pytest.raises(PcscError) as reset:
        handle.check()
    assert reset.value.code == Code.W_RESET_CARD
    handle.disconnect(Disposition.LEAVE)
    handle = context.connect(pcscd.reader_names[0], Share.EXCLUSIVE)
    known = context.look([pcscd.reader_names[0]])
    slot.remove()
    while not context.wait(known, timeout=5000):
        pass
    with pytest.raises(PcscError) as removed:
        handle.check()
    assert removed.value.code == Code.W_REMOVED_CARD
    context.release()
    other.release()
