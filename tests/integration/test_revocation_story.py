"""A whole cardd: CRLs and block lists that come while it runs, and what their cards make of it."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from cardd.client import Card, CarddClient, Session
from cardd.errors import NotTrusted
from cardd.tokens.errors import ChainRefused
from cardsim import profiles
from cardsim.pki.revocation import RevokedEntry, create_crl
from tests.support.core import PATIENCE, pki_store
from tests.support.running import Running, emptied, identified, running_cardd
from tests.support.tokens import minted_by_card

NUMBER = 1_000_000
"""Above those of the simulator's own lists."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    mirror = tmp_path_factory.mktemp("mirror")
    with running_cardd(sections={"revocation": f'mirror = "{mirror}"'}) as running:
        yield running


@pytest.fixture
def mirror(running: Running) -> Path:
    [line] = [line for line in running.cardd.config.read_text().splitlines() if line.startswith("mirror")]
    return Path(line.split('"')[1])


@pytest.fixture
async def client(running: Running) -> AsyncIterator[CarddClient]:
    async with running.client() as client:
        await emptied(client)
        yield client
        if await client.cards():
            running.remove()


def issue(mirror: Path, number: int, *profile_names: str, base: int | None = None, name: str = "list") -> None:
    """Put a CRL of the intermediate where an administrator would."""
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    entries = [
        RevokedEntry(x509.load_der_x509_certificate(der).serial_number, now, x509.ReasonFlags.certificate_hold)
        for profile in profile_names
        for der in (pki_store().card(profiles.load(profile)).authentication.certificate,)
    ]
    crl = create_crl(pki_store().intermediate(), number, now, entries, base=base)
    partial = mirror / f".{name}"
    partial.write_bytes(crl.public_bytes(Encoding.DER))
    partial.rename(mirror / f"{name}.crl")


async def until(client: CarddClient, state: str, reason: str) -> None:
    """Wait until the card that is in is judged so."""
    async with asyncio.timeout(PATIENCE):
        while True:
            [card] = await client.cards()
            if (card.trust.state, card.trust.reason) == (state, reason):
                return
            await asyncio.sleep(0.02)


async def opened(running: Running, client: CarddClient, profile: str = "physician") -> tuple[Card, Session]:
    running.insert(profile)
    card = await identified(client)
    return card, await card.authenticate(pin=bytearray(b"1234"))


async def test_a_trusted_card_says_by_which_data(running: Running, client: CarddClient) -> None:
    running.insert()
    trust = (await identified(client)).trust
    assert (trust.state, trust.revocation) == ("trusted", "good")
    assert (trust.revocation_policy, trust.revocation_source) == ("grace", "crl")
    assert trust.revocation_as_of is not None
    assert trust.revocation_next_update is not None
    assert trust.revocation_as_of < datetime.datetime.now(datetime.UTC) < trust.revocation_next_update


async def test_a_revoked_card_opens_nothing(running: Running, client: CarddClient) -> None:
    running.insert("revoked")
    card = await identified(client)
    assert (card.trust.reason, card.trust.revocation, card.trust.revocation_reason) == (
        "revoked",
        "revoked",
        "keyCompromise",
    )
    assert card.trust.revoked_at is not None
    with pytest.raises(NotTrusted):
        await card.authenticate(pin=bytearray(b"1234"))


async def test_a_list_that_comes_during_a_session_ends_it(running: Running, client: CarddClient, mirror: Path) -> None:
    """Without Reload, and a delta lifts the hold again."""
    issue(mirror, NUMBER)
    _, session = await opened(running, client)
    issue(mirror, NUMBER + 1, "physician")
    async with asyncio.timeout(PATIENCE):
        assert await session.wait_ended() == "revoked"
    await until(client, "untrusted", "revoked")
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    serial = x509.load_der_x509_certificate(
        pki_store().card(profiles.load("physician")).authentication.certificate
    ).serial_number
    lifted = [RevokedEntry(serial, now, x509.ReasonFlags.remove_from_crl)]
    delta = create_crl(pki_store().intermediate(), NUMBER + 2, now, lifted, base=NUMBER + 1)
    (mirror / "delta.crl").write_bytes(delta.public_bytes(Encoding.DER))
    await until(client, "trusted", "ok")
    (mirror / "delta.crl").unlink()
    issue(mirror, NUMBER + 3)


async def test_garbage_is_said_and_changes_nothing(running: Running, client: CarddClient, mirror: Path) -> None:
    _, session = await opened(running, client)
    (mirror / "page.crl").write_bytes(b"<html>")
    async with asyncio.timeout(PATIENCE):
        while not any("page.crl: not a CRL" in warning for warning in (await client.service()).warnings):
            await asyncio.sleep(0.02)
    await until(client, "trusted", "ok")
    assert session.ended is None
    (mirror / "page.crl").unlink()


async def test_a_blocked_card_loses_its_session_without_a_reload(running: Running, client: CarddClient) -> None:
    blocked = running.folder / "blocked.toml"
    _, session = await opened(running, client)
    blocked.write_text('[[blocked]]\ncard = "2600000011"\nwhy = "lost"\n')
    async with asyncio.timeout(PATIENCE):
        assert await session.wait_ended() == "revoked"
    await until(client, "untrusted", "blocked")
    # What cannot be read leaves the list in force, and is said.
    blocked.write_text("[[blocked]]\nkard = 3\n")
    async with asyncio.timeout(PATIENCE):
        while not any("unknown key 'kard'" in warning for warning in (await client.service()).warnings):
            await asyncio.sleep(0.02)
    await until(client, "untrusted", "blocked")
    blocked.unlink()
    await until(client, "trusted", "ok")


async def test_a_blocked_card_takes_its_tokens_along(running: Running, client: CarddClient) -> None:
    """The session that a token opened ends, and the token opens no other, though no card is in."""
    blocked = running.folder / "blocked.toml"
    holder = await minted_by_card(running, client)
    session = await client.tokens.redeem_with(holder.token, holder.device.key)
    blocked.write_text('[[blocked]]\ncard = "2600000011"\n')
    async with asyncio.timeout(PATIENCE):
        assert await session.wait_ended() == "revoked"
    with pytest.raises(ChainRefused) as refusal:
        await client.tokens.redeem_with(holder.token, holder.device.key)
    assert refusal.value.fields["reason"] == "blocked"
    blocked.unlink()
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await client.tokens.redeem_with(holder.token, holder.device.key)
                break
            except ChainRefused:
                await asyncio.sleep(0.05)


async def test_a_revoked_certificate_takes_its_tokens_along(
    running: Running, client: CarddClient, mirror: Path
) -> None:
    holder = await minted_by_card(running, client)
    session = await client.tokens.redeem_with(holder.token, holder.device.key)
    issue(mirror, NUMBER + 10, "physician")
    async with asyncio.timeout(PATIENCE):
        assert await session.wait_ended() == "revoked"
    with pytest.raises(ChainRefused) as refusal:
        await client.tokens.redeem_with(holder.token, holder.device.key)
    assert refusal.value.fields["reason"] == "revoked"
    issue(mirror, NUMBER + 11)


def test_a_clock_that_was_set_back_is_said_and_an_expired_card_stays_so() -> None:
    """The mark says that it was later once: later than the card's certificate lasts."""
    with running_cardd() as running:
        running.cardd.stop()
        mark = running.folder / "clock-mark"
        later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=4 * 365)
        assert datetime.datetime.fromisoformat(mark.read_text()) <= datetime.datetime.now(datetime.UTC)
        mark.write_text(later.isoformat())
        running.cardd.start()

        async def look() -> None:
            async with running.client() as client:
                assert any("clock was set back" in warning for warning in (await client.service()).warnings)
                running.insert()
                card = await identified(client)
                assert (card.trust.state, card.trust.reason) == ("untrusted", "expired")

        asyncio.run(look())
