"""Cards and sessions over a real bus: what is sent, what comes back, which failure is raised."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os

import pytest
from dbus_next.signature import Variant

from cardd import errors
from cardd.client import Agent, Card, CarddClient, EndReason, PinRequest, Session
from cardd.client.errors import AccessDenied, NoReply, RemoteError, UnexpectedReply
from tests.support.bus import PrivateBus
from tests.unit.client.fake import CARD, FakeDaemon, Refusal, plaintext_of, signature_over

DIGEST = hashlib.sha256(b"document").digest()


class ScriptedAgent(Agent):
    """Answers from a list, and notes what it was asked."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.asked: list[PinRequest] = []

    async def request_pin(self, request: PinRequest) -> bytearray | None:
        self.asked.append(request)
        answer = self.answers.pop(0)
        return None if answer is None else bytearray(answer)


@pytest.fixture
async def card(client: CarddClient) -> Card:
    (found,) = await client.cards()
    return found


@pytest.fixture
async def session(card: Card) -> Session:
    return await card.authenticate(pin=bytearray(b"1234"))


async def test_the_pin_is_sent_and_wiped(card: Card, daemon: FakeDaemon) -> None:
    pin = bytearray(b"1234")
    session = await card.authenticate(pin=pin)
    assert session.path == daemon.session_path
    assert session.card == card.path
    assert pin == bytes(4)


async def test_a_wrong_pin_tells_the_tries_left(card: Card) -> None:
    with pytest.raises(errors.PinIncorrect) as raised:
        await card.authenticate(pin=bytearray(b"0000"))
    assert raised.value.fields == {"tries_left": 2}


async def test_an_agent_for_one_call(card: Card, daemon: FakeDaemon) -> None:
    agent = ScriptedAgent(b"1234")
    session = await card.authenticate(agent=agent)
    assert session.path == daemon.session_path
    (request,) = agent.asked
    assert request == PinRequest(
        card=card.path,
        purpose="authenticate",
        minimum=4,
        maximum=8,
        tries_left=3,
        holder="Camille ÉPREUVE",
        reader="Fictional Reader 00 00",
    )
    assert daemon.agents == []


async def test_a_dismissed_question(card: Card, daemon: FakeDaemon) -> None:
    with pytest.raises(errors.NotAuthorizedDismissed):
        await card.authenticate(agent=ScriptedAgent(None))
    assert daemon.agents == []


async def test_nobody_is_asked_when_told_so(card: Card) -> None:
    with pytest.raises(errors.NotAuthorizedCanObtain):
        await card.authenticate(interactive=False)


async def test_an_open_session_is_joined(card: Card, session: Session) -> None:
    assert await card.authenticate(interactive=False) == session


async def test_change_pin_without_asking(card: Card, daemon: FakeDaemon) -> None:
    current, new = bytearray(b"1234"), bytearray(b"567890")
    await card.change_pin(current=current, new=new)
    assert daemon.pin == b"567890"
    assert not any(current + new)


async def test_answers_that_were_not_asked_for_are_wiped(card: Card, daemon: FakeDaemon) -> None:
    daemon.failures["ChangePin"] = Refusal("NoPin")
    current, new = bytearray(b"1234"), bytearray(b"567890")
    with pytest.raises(errors.NoPin):
        await card.change_pin(current=current, new=new)
    assert not any(current + new)
    assert daemon.agents == []


async def test_unblock_with_a_wrong_code_asks_for_nothing_more(card: Card) -> None:
    with pytest.raises(errors.PukIncorrect) as raised:
        await card.unblock_pin(puk=bytearray(b"00000000"), new=bytearray(b"4321"))
    assert raised.value.fields == {"tries_left": 9}


async def test_unblock_by_agent(card: Card, daemon: FakeDaemon) -> None:
    daemon.tries_left = 0
    agent = ScriptedAgent(b"12345678", b"4321")
    await card.unblock_pin(agent=agent)
    assert [request.purpose for request in agent.asked] == ["unblock-puk", "unblock-new"]
    assert (daemon.pin, daemon.tries_left) == (b"4321", 3)


async def test_reading_a_card(card: Card) -> None:
    assert (await card.get_holder()).profession_label == "Médecin"
    assert await card.get_certificates() == {"authentication": b"\x30\x00"}
    assert await card.read_object("CPS_DATA") == b"CPS_DATA"


async def test_sign(session: Session) -> None:
    assert await session.sign("signature", "RS256", DIGEST) == signature_over(DIGEST)


async def test_an_error_with_fields(session: Session) -> None:
    with pytest.raises(errors.DigestLength) as raised:
        await session.sign("signature", "RS256", b"short")
    assert raised.value.fields == {"expected": 32, "given": 5}


async def test_decrypt_by_pipe(session: Session) -> None:
    cryptogram = bytes(range(256))
    assert await session.decrypt("encryption", "RSA1_5", cryptogram) == plaintext_of(cryptogram)


async def test_a_daemon_that_never_closes_the_plaintext(
    session: Session, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cardd.client.objects._PIPE_PATIENCE", 0.05)
    daemon.hold_open = True
    with pytest.raises(NoReply):
        await session.decrypt("encryption", "RSA1_5", bytes(256))


async def test_no_descriptor_is_left_open(card: Card, session: Session, daemon: FakeDaemon) -> None:
    # What is open settles with the first round; further rounds add nothing, whether they work or fail.
    async def one_round() -> None:
        await session.decrypt("encryption", "RSA1_5", bytes(256))
        await card.change_pin(current=bytearray(b"1234"), new=bytearray(b"1234"))
        daemon.failures["Decrypt"] = daemon.failures["AuthenticateWithPin"] = Refusal("CardMute")
        with pytest.raises(errors.CardMute):
            await session.decrypt("encryption", "RSA1_5", bytes(256))
        with pytest.raises(errors.CardMute):
            await card.authenticate(pin=bytearray(b"1234"))
        daemon.failures.clear()
        with pytest.raises(errors.InvalidArgument):
            await session.decrypt("\0", "RSA1_5", bytes(256))

    await one_round()
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        await one_round()
    assert len(os.listdir("/proc/self/fd")) == before


async def test_the_end_tells_its_reason(session: Session, daemon: FakeDaemon) -> None:
    assert session.ended is None
    waiting = asyncio.create_task(session.wait_ended())
    daemon.end("card-removed")
    assert await waiting == EndReason.CARD_REMOVED
    assert session.ended == "card-removed"


async def test_ending_it_oneself(session: Session) -> None:
    await session.end()
    assert session.ended == EndReason.ENDED_BY_USER


async def test_giving_up_waiting_does_not_stop_others(session: Session, daemon: FakeDaemon) -> None:
    first, second = asyncio.create_task(session.wait_ended()), asyncio.create_task(session.wait_ended())
    await asyncio.sleep(0)
    first.cancel()
    daemon.end("card-removed")
    assert await second == "card-removed"


async def test_an_imitated_end_is_not_believed(session: Session, daemon: FakeDaemon) -> None:
    with FakeDaemonElsewhere(daemon.address) as stranger:
        ended = (session.path, "org.cardd1.Session", "Ended", "s", "card-removed")
        stranger.signal(*ended)
        for line in daemon.connections:
            stranger.signal(*ended, destination=line)
        await session.get_holder()  # a round trip: the stranger's signal would have come before
    assert session.ended is None


async def test_a_card_that_has_gone(card: Card, daemon: FakeDaemon) -> None:
    daemon.withdraw()
    with pytest.raises(errors.CardRemoved):
        await card.get_holder()


async def test_a_session_that_has_gone(session: Session, daemon: FakeDaemon) -> None:
    daemon.failures["Sign"] = Refusal("org.freedesktop.DBus.Error.UnknownObject")
    daemon.end("card-reset")
    with pytest.raises(errors.SessionEnded) as raised:
        await session.sign("signature", "RS256", DIGEST)
    assert raised.value.fields == {"reason": "card-reset"}


async def test_a_card_of_an_earlier_run_is_never_mistaken(shared_bus: PrivateBus) -> None:
    async with await CarddClient.connect(shared_bus.address) as client:
        with FakeDaemon(shared_bus.address):
            (card,) = await client.cards()
            session = await card.authenticate(pin=bytearray(b"1234"))
        assert await session.wait_ended() == EndReason.DAEMON_STOPPED
        with FakeDaemon(shared_bus.address) as again:
            assert again.card_path == card.path
            with pytest.raises(errors.CardRemoved):
                await card.authenticate(pin=bytearray(b"1234"))
            with pytest.raises(errors.SessionEnded) as raised:
                await session.sign("signature", "RS256", DIGEST)
            assert raised.value.fields == {"reason": EndReason.DAEMON_STOPPED}
            assert again.calls == []


async def test_an_unknown_option_or_error_survives(card: Card, daemon: FakeDaemon) -> None:
    daemon.failures["GetHolder"] = Refusal("Novelty", "Something new.")
    with pytest.raises(RemoteError) as raised:
        await card.get_holder()
    assert raised.value.message == "Something new. (org.cardd1.Error.Novelty)"


async def test_access_denied_by_the_bus(card: Card, daemon: FakeDaemon) -> None:
    daemon.failures["GetHolder"] = Refusal("org.freedesktop.DBus.Error.AccessDenied", "rules forbid it")
    with pytest.raises(AccessDenied):
        await card.get_holder()


async def test_a_property_of_the_wrong_type(client: CarddClient, daemon: FakeDaemon) -> None:
    daemon.change(daemon.card_path, CARD, PinTriesLeft=Variant("s", "three"))
    with pytest.raises(UnexpectedReply) as raised:
        await client.cards()
    assert raised.value.fields == {"detail": "PinTriesLeft"}


class FakeDaemonElsewhere(FakeDaemon):
    """Another connection that does not own the name."""

    def __init__(self, address: str) -> None:
        super().__init__(address, reader=False, card=False)
