"""The whole daemon over a real bus: what applications, agents, other users and hostile callers get."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cardd.bus.descriptors import OwnedFd
from cardd.bus.failures import RemoteError
from cardd.bus.transport import RemoteMethod, Transport, connect
from cardd.bus.wire import variant
from cardd.client import Agent, Card, CarddClient, PinRequest, Session
from cardd.errors import (
    AgentFailed,
    CardRemoved,
    NoAgent,
    NotAuthorizedCanObtain,
    NotAuthorizedDismissed,
    PinIncorrect,
    SessionEnded,
)
from tests.support.core import PATIENCE
from tests.support.running import Running, emptied, identified, running_cardd

DIGEST = hashlib.sha256(b"document").digest()
AUTHENTICATE_WITH_PIN = RemoteMethod("org.cardd1.Card", "AuthenticateWithPin", "ha{sv}", "o")
SIGN = RemoteMethod("org.cardd1.Session", "Sign", "ssaya{sv}", "ay")
DECRYPT = RemoteMethod("org.cardd1.Session", "Decrypt", "ssayha{sv}", "")


class Scripted(Agent):
    """An agent that answers as told and keeps what it was asked."""

    def __init__(self, *answers: bytes | None) -> None:
        self._answers = list(answers)
        self.requests: list[PinRequest] = []
        self.asked = asyncio.Event()
        self.moot = asyncio.Event()

    async def request_pin(self, request: PinRequest) -> bytearray | None:
        self.requests.append(request)
        self.asked.set()
        if not self._answers:
            try:
                await asyncio.Event().wait()
            finally:
                self.moot.set()
        answer = self._answers.pop(0)
        return None if answer is None else bytearray(answer)


@pytest.fixture(autouse=True)
def empty_afterwards(cardd: Running) -> Iterator[None]:
    yield
    cardd.remove()


@pytest.fixture
async def client(cardd: Running) -> AsyncIterator[CarddClient]:
    async with cardd.client() as client:
        await emptied(client)
        yield client


@pytest.fixture
async def card(cardd: Running, client: CarddClient) -> Card:
    cardd.insert()
    return await identified(client)


@pytest.fixture
async def raw(cardd: Running) -> AsyncIterator[Transport]:
    transport = await connect(cardd.bus.address)
    yield transport
    transport.close()


async def open_session(card: Card) -> Session:
    return await card.authenticate(pin=bytearray(b"1234"))


async def test_an_agent_is_told_whose_card_it_is_and_its_answer_opens_a_session(card: Card) -> None:
    agent = Scripted(b"1234")
    session = await card.authenticate(agent=agent)
    (request,) = agent.requests
    assert (request.purpose, request.minimum, request.maximum, request.tries_left) == ("authenticate", 4, 4, 3)
    assert request.holder == "Éloïse O'HARA-LEFÈVRE"
    assert request.reader == "Simulated Reader 00 00"
    assert await session.sign("signature", "RS256", DIGEST)


async def test_a_closed_question_is_an_error_of_its_own(card: Card) -> None:
    with pytest.raises(NotAuthorizedDismissed):
        await card.authenticate(agent=Scripted(None))


async def test_an_agent_that_leaves_before_it_answers_ends_the_question(cardd: Running, card: Card) -> None:
    async with cardd.client() as other:
        agent = Scripted()
        asking = asyncio.create_task((await other.cards())[0].authenticate(agent=agent))
        await asyncio.wait_for(agent.asked.wait(), PATIENCE)
        joined = asyncio.create_task(card.authenticate(agent=Scripted(b"1234")))
    with suppress(Exception):
        await asking
    assert (await asyncio.wait_for(joined, PATIENCE)).level == "card"


async def test_a_card_that_leaves_takes_the_question_off_the_screen(cardd: Running, card: Card) -> None:
    agent = Scripted()
    asking = asyncio.create_task(card.authenticate(agent=agent))
    await asyncio.wait_for(agent.asked.wait(), PATIENCE)
    cardd.remove()
    with pytest.raises(CardRemoved):
        await asyncio.wait_for(asking, PATIENCE)
    await asyncio.wait_for(agent.moot.wait(), PATIENCE)


async def test_an_agent_that_answers_nonsense_is_named(card: Card) -> None:
    class Broken(Agent):
        async def request_pin(self, request: PinRequest) -> bytearray | None:
            raise ValueError("1234")

    with pytest.raises(AgentFailed) as caught:
        await card.authenticate(agent=Broken())
    assert "1234" not in str(caught.value)


async def test_without_an_agent_or_with_no_interaction_nobody_is_asked(card: Card) -> None:
    with pytest.raises(NoAgent):
        await card.authenticate()
    with pytest.raises(NotAuthorizedCanObtain):
        await card.authenticate(interactive=False)


async def test_a_pin_is_changed_and_unblocked_by_agent(cardd: Running, client: CarddClient) -> None:
    cardd.insert("nurse")
    card = await identified(client)
    agent = Scripted(b"1234", b"4321")
    await card.change_pin(agent=agent)
    assert [request.purpose for request in agent.requests] == ["change-current", "change-new"]
    with pytest.raises(PinIncorrect) as caught:
        await card.authenticate(pin=bytearray(b"1234"))
    assert caught.value.fields == {"tries_left": 2}
    agent = Scripted(b"12345678", b"1234")
    await card.unblock_pin(agent=agent)
    assert [request.purpose for request in agent.requests] == ["unblock-puk", "unblock-new"]
    assert (await open_session(card)).level == "card"


async def test_an_unknown_option_is_refused_by_name(card: Card, raw: Transport) -> None:
    session = await open_session(card)
    arguments = ("signature", "RS256", DIGEST, {"batches": variant("b", True)})
    with pytest.raises(RemoteError) as caught:
        await raw.call("org.cardd1", session.path, SIGN, arguments)
    assert caught.value.name == "org.cardd1.Error.UnknownOption"
    assert "batches" in caught.value.message


@pytest.mark.parametrize("content", [b"", b"12", b"12345", b"abcd", b"1234\n", b"9" * 100_000])
async def test_a_pin_that_cannot_be_one_costs_no_try(card: Card, raw: Transport, content: bytes) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    os.write(writing, content)
    os.close(writing)
    with pytest.raises(RemoteError) as caught:
        await raw.call("org.cardd1", card.path, AUTHENTICATE_WITH_PIN, (OwnedFd(reading), {}))
    assert caught.value.name in ("org.cardd1.Error.PinFormat", "org.cardd1.Error.DescriptorUnusable")
    assert (await open_session(card)).level == "card", "three tries are still there"


async def test_a_pin_that_is_never_written_is_given_up_and_the_daemon_serves_on() -> None:
    with running_cardd(sections={"pin": "descriptor-timeout = 0.2"}) as running:
        running.insert()
        async with running.client() as client:
            card = await identified(client)
            raw = await connect(running.bus.address)
            reading, writing = os.pipe()
            with pytest.raises(RemoteError) as caught:
                await raw.call("org.cardd1", card.path, AUTHENTICATE_WITH_PIN, (OwnedFd(reading), {}))
            os.close(writing)
            raw.close()
            assert caught.value.name == "org.cardd1.Error.DescriptorUnusable"
            assert (await open_session(card)).level == "card"


async def test_a_plaintext_goes_to_the_descriptor_only(card: Card, raw: Transport) -> None:
    session = await open_session(card)
    certificate = (await card.get_certificates())["encryption"]
    public = subprocess.run(
        ["openssl", "x509", "-inform", "der", "-noout", "-pubkey"], input=certificate, capture_output=True, check=True
    ).stdout
    key = os.memfd_create("key")
    os.write(key, public)
    cryptogram = subprocess.run(
        ["openssl", "pkeyutl", "-encrypt", "-pubin", "-inkey", f"/proc/self/fd/{key}"],
        input=b"secret", capture_output=True, check=True, pass_fds=(key,),
    ).stdout  # fmt: skip
    os.close(key)
    assert await session.decrypt("encryption", "RSA1_5", cryptogram) == bytearray(b"secret")
    reading, writing = os.pipe()
    os.close(reading)
    arguments: tuple[object, ...] = ("encryption", "RSA1_5", cryptogram, OwnedFd(writing), {})
    with pytest.raises(RemoteError) as caught:
        await raw.call("org.cardd1", session.path, DECRYPT, arguments)
    assert caught.value.name == "org.cardd1.Error.DescriptorUnusable"


async def test_an_ended_session_says_so_at_its_path(cardd: Running, card: Card, raw: Transport) -> None:
    session = await open_session(card)
    cardd.remove()
    assert await asyncio.wait_for(session.wait_ended(), PATIENCE) == "card-removed"
    with pytest.raises(RemoteError) as caught:
        await raw.call("org.cardd1", session.path, SIGN, ("signature", "RS256", DIGEST, {}))
    assert caught.value.name == "org.cardd1.Error.SessionEnded"
    assert caught.value.fields == {"reason": "card-removed"}
    with pytest.raises(RemoteError) as caught:
        await raw.call("org.cardd1", "/org/cardd1/sessions/999", SIGN, ("signature", "RS256", DIGEST, {}))
    assert caught.value.name == "org.freedesktop.DBus.Error.UnknownObject"


async def test_end_resets_the_card_and_another_pin_is_wanted(card: Card) -> None:
    session = await open_session(card)
    await session.end()
    with pytest.raises(SessionEnded):
        await session.sign("signature", "RS256", DIGEST)
    again = await open_session(card)
    assert again.path != session.path


@pytest.mark.skipif(os.geteuid() != 0, reason="another user can be played by root alone")
async def test_another_user_gets_nothing_of_a_session(cardd: Running, card: Card) -> None:
    session = await open_session(card)
    command = ["gdbus", "call", "--address", cardd.bus.address, "--dest", "org.cardd1", "--object-path"]
    sign = [*command, session.path, "--method", "org.cardd1.Session.Sign", "signature", "RS256", str([0] * 32), "{}"]
    stranger = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    process = await asyncio.create_subprocess_exec(*stranger, *sign, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    _, errors = await process.communicate()
    assert b"org.cardd1.Error.NotAuthorized" in errors
    reload = [*command, "/org/cardd1", "--method", "org.cardd1.Manager.Reload"]
    process = await asyncio.create_subprocess_exec(*stranger, *reload, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    _, errors = await process.communicate()
    assert b"org.cardd1.Error.NotAuthorized" in errors


async def test_a_caller_that_leaves_has_its_call_cancelled_and_others_go_on(cardd: Running, card: Card) -> None:
    session = await open_session(card)
    cardd.cardsim("fault", "delay@1:400")
    other = await connect(cardd.bus.address)
    leaving = asyncio.create_task(other.call("org.cardd1", session.path, SIGN, ("signature", "RS256", DIGEST, {})))
    await asyncio.sleep(0.05)
    other.close()
    with suppress(Exception):
        await leaving
    assert await session.sign("signature", "RS256", DIGEST)


async def test_reload_takes_a_new_trust_and_refuses_a_broken_file(cardd: Running, card: Card, raw: Transport) -> None:
    reload = RemoteMethod("org.cardd1.Manager", "Reload")
    before = cardd.cardd.config.read_text()
    try:
        cardd.cardd.config.write_text(before + "\n[pki]\n")
        with pytest.raises(RemoteError) as caught:
            await raw.call("org.cardd1", "/org/cardd1", reload)
        assert caught.value.name == "org.cardd1.Error.ConfigurationInvalid"
        assert str(cardd.cardd.config) in caught.value.message
        cardd.cardd.config.write_text("\n".join(line for line in before.splitlines() if "simulator" not in line))
        await raw.call("org.cardd1", "/org/cardd1", reload)
        async with cardd.client() as client:
            found = await identified(client)
            assert found.trust.state == "untrusted"
            assert (await client.service()).warnings == (
                "No root certificate is trusted: no card can be used. Run `cardctl trust add`.",
                (
                    "Without polkit, every program of a user may use what belongs to that user: "
                    '[access] without-polkit is "same-user".'
                ),
            )
    finally:
        cardd.cardd.config.write_text(before)
        await raw.call("org.cardd1", "/org/cardd1", reload)


async def test_secrets_are_in_no_log(cardd: Running) -> None:
    log = cardd.cardd.log()
    for secret in ("1234", "12345678", "4321", "31323334", "secret"):
        assert secret not in log


def test_stopping_ends_the_session_in_order() -> None:
    with running_cardd() as running:
        running.insert()

        async def story() -> str:
            async with running.client() as client:
                session = await open_session(await identified(client))
                os.kill(running.cardd.pid, signal.SIGTERM)
                return await asyncio.wait_for(session.wait_ended(), PATIENCE)

        assert asyncio.run(story()) == "daemon-stopped"
        assert running.cardd.wait(PATIENCE) == 0


def test_a_lost_bus_ends_the_daemon() -> None:
    with running_cardd() as running:
        running.bus.kill()
        assert running.cardd.wait(PATIENCE) == 69


def test_a_frozen_bus_does_not_keep_the_daemon_from_stopping() -> None:
    with running_cardd() as running:
        running.bus.stop()
        try:
            os.kill(running.cardd.pid, signal.SIGTERM)
            assert running.cardd.wait(PATIENCE) == 0
        finally:
            running.bus.resume()


def test_the_daemon_loads_one_openssl_at_most() -> None:
    """The one inside `cryptography`; Debian's own would be mapped by the standard library (docs/decisions/0004)."""
    with running_cardd() as running:
        mapped = Path(f"/proc/{running.cardd.pid}/maps").read_text()
    assert "libcrypto" not in mapped
    assert "libssl" not in mapped
    assert "cryptography" in mapped
