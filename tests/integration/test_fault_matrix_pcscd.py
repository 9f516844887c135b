"""A sample of the fault matrix over the real pcscd, and pcscd killed (SIGKILL) at each command of a signature."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cardd.cards.connection import HoldMode
from cardd.errors import CarddError, CardFault, CardMute, NotAuthorizedCanObtain, ReaderFault, SessionEnded
from cardd.sessions.session import Session
from cardd.sessions.states import EndReason
from cardsim.faults import Fault
from cardsim.transports.vpcd import VpcdAddress, VpcdReader
from tests.support.core import HOLDER, CoreOn, running_core_on_pcscd
from tests.support.matrix import outcome
from tests.support.operations import DIGEST, DrawerCard
from tests.support.pcscd import PcscdUnavailable, PrivatePcscd
from tests.support.tally import TALLY

COMMANDS_OF_A_SIGNATURE = (1, 2, 3)
ANSWERS = ("sw@{}:6F00", "sw@{}:6982", "garbage@{}", "truncate@{}", "oversize@{}:300", "sw@{}:6C10")
OWED = CardFault | CardMute | NotAuthorizedCanObtain | ReaderFault | SessionEnded
"""For a bad answer; the reader itself fails where PC/SC has no room for it (oversize)."""
WHAT = "cps3 on the real pcscd"


@pytest.fixture(scope="module")
def pcscd() -> Iterator[PrivatePcscd]:
    """A pcscd of its own."""
    try:
        with PrivatePcscd() as running:
            yield running
    except PcscdUnavailable as reason:
        pytest.skip(f"pcscd unavailable: {reason}")


async def signing_again(core: CoreOn[VpcdReader], card: DrawerCard) -> None:
    """The next call works: in the session that is open, else after the PIN."""
    presence = next(iter(core.sessions.presences), None)
    session = None if presence is None else presence.session
    if session is None:
        if presence is None:
            presence = await core.insert(card.card)
        session = await core.authenticate(presence)
    card.verifies("signature", await session.sign(HOLDER, "signature", "RS256", DIGEST), DIGEST)
    assert card.inside.tries == card.inside.full


async def signed(session: Session) -> object:
    """One signature, or why there is none."""
    return await outcome(session.sign(HOLDER, "signature", "RS256", DIGEST))


@pytest.mark.parametrize("hold", [HoldMode.SESSION, HoldMode.SHARED])
async def test_removals_and_bad_answers(pcscd: PrivatePcscd, hold: HoldMode) -> None:
    slot, card = VpcdReader(VpcdAddress(port=pcscd.ports[0])), DrawerCard("cps3", "physician")
    async with running_core_on_pcscd(slot, hold=hold) as core:
        for fault in ("remove@{}", "remove-after@{}", *ANSWERS):
            for at in COMMANDS_OF_A_SIGNATURE:
                await signing_again(core, card)
                (presence,) = core.sessions.presences
                assert presence.session is not None
                ends = len(core.heard.ends())
                slot.faults.arm(Fault.parse(fault.format(at)))
                result = await signed(presence.session)
                cell = f"{fault.format(at)}: {result!r}"
                slot.faults.clear()
                if fault.startswith("remove"):
                    assert isinstance(result, SessionEnded), cell
                    await core.gone()
                    assert core.heard.ends()[ends:] == [EndReason.CARD_REMOVED], cell
                else:
                    assert isinstance(result, bytes | OWED), cell
                    assert core.heard.ends()[ends:] in ([], [EndReason.CARD_RESET]), cell
                TALLY.cells[WHAT] += 1
        await signing_again(core, card)


async def test_pcscd_killed_at_each_command(pcscd: PrivatePcscd) -> None:
    slot, card = VpcdReader(VpcdAddress(port=pcscd.ports[0])), DrawerCard("cps3", "physician")
    async with running_core_on_pcscd(slot, hold=HoldMode.SESSION) as core:
        for at in COMMANDS_OF_A_SIGNATURE:
            await signing_again(core, card)
            (presence,) = core.sessions.presences
            session, ends, seen = presence.session, len(core.heard.ends()), 0
            assert session is not None

            def kill(_: object, at: int = at) -> None:
                nonlocal seen
                seen += 1
                if seen == at:
                    pcscd.crash()

            stop = slot.exchanges.watch(kill)
            result = await signed(session)
            stop()
            assert isinstance(result, CarddError), repr(result)
            assert isinstance(result, SessionEnded), repr(result)
            assert core.heard.ends()[ends:] == [EndReason.PCSCD_LOST]
            slot.remove()
            await core.gone()
            pcscd.start()
            TALLY.cells["cps3, the real pcscd killed"] += 1
        await signing_again(core, card)
