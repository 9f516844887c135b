"""Work situations over a real bus: asked for, chosen, in assertions and tokens; a PIN for each signature."""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from cardd.client import Agent, CarddClient, PinPurpose, PinRequest, Session
from cardd.client.assertions import AssertionVerifier
from cardd.errors import NoSuchActivity, NotAuthorizedCanObtain, SessionEnded
from tests.support.running import Running, emptied, identified, running_cardd
from tests.support.tokens import AUDIENCE, NONCE, root_certificate, with_card
from tests.unit.tokens.support import Device

HOSPITAL = "1990000010"
SECTOR = "SA01^1.2.250.1.71.4.2.4"
DIGEST = hashlib.sha256(b"document").digest()


@pytest.fixture(scope="module")
def cardd() -> Iterator[Running]:
    with running_cardd() as running:
        yield running


@pytest.fixture
async def client(cardd: Running) -> AsyncIterator[CarddClient]:
    async with cardd.client() as client:
        await emptied(client)
        yield client
        cardd.remove()


@pytest.fixture
async def session(cardd: Running, client: CarddClient) -> Session:
    return await with_card(cardd, client)


def cardctl(running: Running, *arguments: str) -> tuple[int, str]:
    command = [str(Path(sys.executable).parent / "cardctl"), "--bus", running.bus.address, "--lang", "en", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


async def test_the_holder_of_a_session_has_a_speciality(session: Session) -> None:
    holder = await session.get_holder()
    assert (holder.speciality, holder.speciality_label) == ("SM26", "Qualifié en Médecine générale (SM)")


async def test_one_is_chosen_and_assertions_tell_it(session: Session) -> None:
    assert [(one.activity_id, one.selected) for one in await session.get_activities()] == [("01", False), ("02", False)]
    server = AssertionVerifier(AUDIENCE, roots=[root_certificate()])
    before = server.verify(await session.assert_to(AUDIENCE, NONCE), nonce=NONCE).claims
    assert "Secteur_Activite" not in before
    await session.select_activity("02")
    assert [(one.activity_id, one.selected) for one in await session.get_activities()] == [("01", False), ("02", True)]
    claims = server.verify(await session.assert_to(AUDIENCE, NONCE), nonce=NONCE).claims
    assert (claims["Secteur_Activite"], claims["SubjectOrganizationID"]) == (SECTOR, HOSPITAL)
    with pytest.raises(NoSuchActivity):
        await session.select_activity("03")
    await session.end()
    with pytest.raises(SessionEnded):
        await session.get_activities()


async def test_a_token_keeps_the_one_that_was_chosen(cardd: Running, client: CarddClient, session: Session) -> None:
    await session.select_activity("02")
    device = Device()
    minted = await session.mint_token(device.public.spki)
    cardd.remove()
    await emptied(client)
    redeemed = await client.tokens.redeem_with(minted.token, device.key)
    (one,) = await redeemed.get_activities()
    assert (one.activity_id, one.selected, one.structure_id) == ("02", True, HOSPITAL)
    await redeemed.select_activity("02")
    for other in ("01", ""):
        with pytest.raises(NoSuchActivity):
            await redeemed.select_activity(other)
    server = AssertionVerifier(AUDIENCE, roots=[root_certificate()], daemons=[await client.tokens.daemon_key()])
    verified = server.verify(await redeemed.assert_to(AUDIENCE, NONCE), nonce=NONCE, token=minted.token)
    assert verified.claims["Secteur_Activite"] == SECTOR
    await redeemed.end()


async def test_a_token_without_one(client: CarddClient, session: Session) -> None:
    device = Device()
    minted = await session.mint_token(device.public.spki)
    redeemed = await client.tokens.redeem_with(minted.token, device.key)
    assert await redeemed.get_activities() == ()
    await redeemed.end()


async def test_cardctl_shows_and_chooses(cardd: Running, session: Session) -> None:
    def shown(*arguments: str) -> Any:
        code, text = cardctl(cardd, "--json", *arguments)
        assert code == 0, text
        return json.loads(text)

    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(None, shown, "session", "activities")
    assert [one["structure_id"] for one in found["activities"]] == ["499900000011001", HOSPITAL]
    code, text = await loop.run_in_executor(None, cardctl, cardd, "session", "select", "02")
    assert (code, text) == (0, "Chosen: 02: Hôpital fictif des Tilleuls\n")
    assert [one.selected for one in await session.get_activities()] == [False, True]
    code, text = await loop.run_in_executor(None, cardctl, cardd, "session", "select", "--none")
    assert code == 0, text
    assert not any(one.selected for one in await session.get_activities())
    code, text = await loop.run_in_executor(None, cardctl, cardd, "session", "select")
    assert code != 0
    assert "--none" in text
    code, text = await loop.run_in_executor(None, cardctl, cardd, "session", "select", "07")
    assert code != 0
    assert "There is no work situation 7;" in text


class Typing(Agent):
    """Types the PIN, and keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[PinRequest] = []

    async def request_pin(self, request: PinRequest) -> bytearray | None:
        self.requests.append(request)
        return bytearray(b"1234")


@pytest.fixture
async def jealous(cardd: Running, client: CarddClient, tmp_path: Path) -> Session:
    """The session of a card that wants its PIN for each signature, opened by descriptor alone."""
    physician = resources.files("cardsim.profiles").joinpath("physician.toml").read_text("utf-8")
    profile = tmp_path / "jealous.toml"
    profile.write_text(f"{physician}\n[behaviour]\npin_for_each_signature = true\n", "utf-8")
    cardd.insert(str(profile))
    return await (await identified(client)).authenticate(pin=bytearray(b"1234"))


async def test_a_pin_for_each_signature_is_asked_of_the_agent(client: CarddClient, jealous: Session) -> None:
    agent = Typing()
    registration = await client.register_agent(agent)
    for _ in range(3):
        assert len(await jealous.sign("signature", "RS256", DIGEST)) == 256
    await client.unregister_agent(registration)
    assert [(one.purpose, one.tries_left) for one in agent.requests] == [(PinPurpose.KEY_USE, 3)] * 2


async def test_a_client_that_gives_the_pin_by_descriptor_is_told_what_to_do(jealous: Session) -> None:
    await jealous.sign("signature", "RS256", DIGEST)
    with pytest.raises(NotAuthorizedCanObtain, match="register one of your own"):
        await jealous.sign("signature", "RS256", DIGEST)
    with pytest.raises(NotAuthorizedCanObtain, match="forbids asking"):
        await jealous.sign("signature", "RS256", DIGEST, interactive=False)
    agent = Typing()
    assert len(await jealous.sign("signature", "RS256", DIGEST, agent=agent)) == 256
    assert [one.purpose for one in agent.requests] == [PinPurpose.KEY_USE]
    assert jealous.ended is None
