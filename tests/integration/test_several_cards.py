"""Several readers, several cards: sessions know nothing of each other, and a card that is not ours is left alone."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Sequence

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256

from cardd.access.caller import Caller
from cardd.cards.connection import HoldMode
from cardd.cards.present import CardState
from cardd.errors import ForeignCard, SessionEnded
from cardd.journal import Kind
from cardd.sessions.presence import Presence
from cardd.sessions.session import Session
from cardd.sessions.states import EndReason, State
from cardsim.card import SimulatedCard
from cardsim.control_client import ask
from cardsim.look_alike import VITALE_ATR, LookAlikeCard
from cardsim.transports.inprocess import InProcessPcsc, InProcessReader
from tests.support.core import HOLDER, PATIENCE, Core, card_of, running_core
from tests.support.running import identified, running_cardd

DIGEST = hashlib.sha256(b"document").digest()
TWO_SLOTS = ("Fictional Two-Slot Reader 00 00", "Fictional Two-Slot Reader 00 01")
COLLEAGUE = Caller(":1.7", uid=1007)


async def present(core: Core, reader: InProcessReader, card: SimulatedCard, state: State = State.TRUSTED) -> Presence:
    """Put a card into a reader and wait until it has got that far."""
    reader.insert(card)
    found: list[Presence] = []

    def there() -> bool:
        found[:] = [
            one for one in core.sessions.presences if one.card.insertion.reader == reader.name and one.state is state
        ]
        return bool(found)

    await core.until(there)
    return found[0]


async def signature_is_of(session: Session, caller: Caller = HOLDER) -> bool:
    """Whether a signature of the session verifies under its own card's certificate."""
    signature = await session.sign(caller, "signature", "RS256", DIGEST)
    certificates = await session.presence.read_certificates(caller)
    key = x509.load_der_x509_certificate(certificates["signature"]).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(signature, DIGEST, padding.PKCS1v15(), utils.Prehashed(SHA256()))
    return True


@pytest.mark.parametrize("hold", list(HoldMode))
async def test_a_vitale_beside_the_cps_is_shown_and_left_alone(hold: HoldMode, monkeypatch: pytest.MonkeyPatch) -> None:
    pcsc = InProcessPcsc()
    first, second = (pcsc.add_reader(name) for name in TWO_SLOTS)
    connect, connected = pcsc.SCardConnect, []

    def seen(context: int, reader: str, share: int, protocols: int) -> list[object]:
        connected.append(reader)
        return connect(context, reader, share, protocols)

    monkeypatch.setattr(pcsc, "SCardConnect", seen)
    async with running_core(hold=hold, pcsc=pcsc) as core:
        vitale = LookAlikeCard(VITALE_ATR)
        second.insert(vitale)
        await core.until(lambda: any(one.card.state is CardState.FOREIGN for one in core.sessions.presences))
        (beside,) = core.sessions.presences
        session = await core.authenticate(await present(core, first, card_of()))
        assert await signature_is_of(session)
        assert beside.card.kind == "vitale"
        assert beside.state is State.PRESENT
        with pytest.raises(ForeignCard):
            await core.authenticate(beside)
        with pytest.raises(ForeignCard):
            await beside.read_object(HOLDER, "anything")
        assert second.name not in connected
        assert vitale.commands == []
        assert [event.kind for event in core.journal.events if event.holder is None].count(Kind.IDENTIFIED) == 0
        # The program that may read it finds it free.
        _, context = pcsc.SCardEstablishContext(pcsc.SCARD_SCOPE_SYSTEM)
        code, *_ = connect(context, second.name, pcsc.SCARD_SHARE_EXCLUSIVE, pcsc.SCARD_PROTOCOL_T0)
        assert code == 0
        second.remove()
        await core.until(lambda: len(tuple(core.sessions.presences)) == 1)
        assert session.end_reason is None


async def test_two_professionals_at_one_workstation_do_not_touch_each_other() -> None:
    pcsc = InProcessPcsc()
    first, second = pcsc.add_reader("Fictional Reader 00 00"), pcsc.add_reader("Fictional Reader 01 00")
    async with running_core(pcsc=pcsc) as core:
        doctor = await core.authenticate(await present(core, first, card_of("physician")))
        nurse = await core.authenticate(await present(core, second, card_of("nurse")), caller=COLLEAGUE)
        results = await asyncio.gather(*[signature_is_of(doctor), signature_is_of(nurse, COLLEAGUE)] * 3)
        assert all(results)
        first.remove()
        await core.until(lambda: core.heard.ends() == [EndReason.CARD_REMOVED])
        assert nurse.end_reason is None
        assert await signature_is_of(nurse, COLLEAGUE)
        with pytest.raises(SessionEnded):
            await doctor.sign(HOLDER, "signature", "RS256", DIGEST)


async def test_two_cards_of_one_professional_are_two_cards() -> None:
    """As the two interfaces of one card are, in a reader of each kind: a PIN that one has verified opens the other to
    nobody."""
    pcsc = InProcessPcsc()
    readers = [pcsc.add_reader(name) for name in TWO_SLOTS]
    async with running_core(pcsc=pcsc) as core:
        one, other = [await present(core, reader, card_of()) for reader in readers]
        session = await core.authenticate(one)
        assert other.session is None
        assert other.state is State.TRUSTED
        readers[1].remove()
        await core.until(lambda: len(tuple(core.sessions.presences)) == 1)
        assert session.end_reason is None
        again = await present(core, readers[1], card_of())
        second = await core.authenticate(again)
        readers[0].remove()
        await core.until(lambda: core.heard.ends() == [EndReason.CARD_REMOVED])
        assert await signature_is_of(second)


async def test_thirty_two_readers_with_thirty_two_sessions() -> None:
    pcsc = InProcessPcsc(as_pyscard=False)
    readers = [pcsc.add_reader(f"Fictional Reader {number:02X} 00") for number in range(32)]
    async with running_core(pcsc=pcsc) as core:
        presences = await asyncio.gather(*[present(core, reader, card_of()) for reader in readers])
        sessions = await asyncio.gather(*[core.authenticate(presence) for presence in presences])
        assert len({session.number for session in sessions}) == 32
        assert all(await asyncio.gather(*[signature_is_of(session) for session in sessions]))
        for reader in readers[::2]:
            reader.remove()
        await core.until(lambda: len(core.heard.ends()) == 16)
        assert [session.end_reason is None for session in sessions] == [False, True] * 16
        pcsc.die()
        await core.until(lambda: len(core.heard.ends()) == 32)
        assert core.heard.ends()[16:] == [EndReason.PCSCD_LOST] * 16
        pcsc.revive()
        await core.until(lambda: sum(one.state is State.TRUSTED for one in core.sessions.presences) == 16)


NAMES: Sequence[str] = (
    "Lecteur à contact 00 00",
    "リーダー 00 00",
    "Reader\n00 00\x1b[2J",
    "../../../etc/passwd",
    "/org/cardd1/cards/1",
    os.fsdecode(b"Latin-1 \xe9 00 00"),
    "\u202eredaeR 00 00",
    "\\\\?PnP?\\Notification 00 00",
    "Fictional Reader 00 00",
    "Fictional Reader 01 00",
    "Fictional Reader 00 00 ",
    "fictional reader 00 00",
    " ",
    "x" * 500,
)


async def test_names_of_readers_are_names_whatever_they_hold() -> None:
    pcsc = InProcessPcsc(as_pyscard=False)
    readers = [pcsc.add_reader(name) for name in NAMES]
    async with running_core(pcsc=pcsc) as core:
        presences = [await present(core, reader, card_of()) for reader in readers]
        sessions = [await core.authenticate(presence) for presence in presences]
        for number, reader in enumerate(readers):
            reader.remove()
            await core.until(lambda number=number: len(core.heard.ends()) == number + 1)  # type: ignore[misc]  # bound now
            assert [session.end_reason is None for session in sessions] == [False] * (number + 1) + [True] * (
                len(readers) - number - 1
            )


async def test_hostile_names_on_the_bus_and_a_vitale_at_the_command_line() -> None:
    with running_cardd() as running:
        for name in NAMES[:5]:
            ask(running.control, "add-reader", name=name)
        running.cardsim("insert", "--reader", NAMES[0], "--profile", "vitale")
        async with running.client() as client:
            card = await identified(client)
            assert (card.state, card.kind, card.problem) == ("foreign", "vitale", "org.cardd1.Error.ForeignCard")
            with pytest.raises(ForeignCard, match="vitale"):
                await card.authenticate(pin=bytearray(b"1234"))
            async with asyncio.timeout(PATIENCE):
                while len(found := await client.readers()) < 1 + len(NAMES[:5]):
                    await asyncio.sleep(0.02)
            assert {reader.name for reader in found} >= set(NAMES[:5])
            assert len({reader.path for reader in found}) == len(found)
