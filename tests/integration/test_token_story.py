"""Tokens over a real bus: minted by a card, good without it, gone once revoked."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import textwrap
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from jwcrypto import jwk, jws

from cardd.client import CarddClient
from cardd.client.assertions import AssertedBy, AssertionVerifier
from cardd.errors import NoCardKey, SessionEnded
from cardd.tokens import errors
from tests.integration.test_dbus_contract import contract, served
from tests.support.core import PATIENCE
from tests.support.running import Running, emptied, running_cardd
from tests.support.tokens import (
    AUDIENCE,
    NONCE,
    Holder,
    minted_by_card,
    root_certificate,
    with_card,
)
from tests.unit.tokens.support import Device, decoded


@pytest.fixture
async def client(cardd: Running) -> AsyncIterator[CarddClient]:
    async with cardd.client() as client:
        await emptied(client)
        yield client


@pytest.fixture(autouse=True)
def empty_afterwards(cardd: Running) -> Iterator[None]:
    yield
    cardd.remove()


@pytest.fixture
async def holder(cardd: Running, client: CarddClient) -> Holder:
    return await minted_by_card(cardd, client)


async def test_it_outlives_the_card_and_says_who_it_is_until_it_is_revoked(holder: Holder, client: CarddClient) -> None:
    session = await client.tokens.redeem_with(holder.token, holder.device.key)
    assert (session.level, session.card) == ("token", "/")
    claims = decoded(holder.token.split(".")[1])
    assert session.expires is not None
    assert session.expires.timestamp() == claims["exp"]
    told = await session.get_holder()
    assert (told.national_id, told.profession_label, told.serial) == ("899900000011", "Médecin", None)

    server = AssertionVerifier(AUDIENCE, roots=[root_certificate()], daemons=[await client.tokens.daemon_key()])
    verified = server.verify(await session.assert_to(AUDIENCE, NONCE), nonce=NONCE, token=holder.token)
    assert (verified.by, verified.token_id) == (AssertedBy.TOKEN, holder.minted.token_id)

    await client.tokens.revoke(holder.minted.token_id, "lost")
    assert await asyncio.wait_for(session.wait_ended(), PATIENCE) == "revoked"
    with pytest.raises(SessionEnded) as caught:
        await session.assert_to(AUDIENCE, NONCE)
    assert caught.value.fields == {"reason": "revoked"}
    with pytest.raises(errors.TokenRevoked):
        await client.tokens.redeem_with(holder.token, holder.device.key)


async def test_openssl_accepts_its_chain_and_another_jose_library_its_signature(holder: Holder, tmp_path: Path) -> None:
    """As a stranger would: the token's text, the root, and nothing of cardd's."""
    chain = decoded(holder.token.split(".")[0])["x5c"]
    assert isinstance(chain, list)
    names: list[Path] = []
    for number, der in enumerate(chain):
        names.append(tmp_path / f"{number}.pem")
        body = "\n".join(textwrap.wrap(der, 64))
        names[-1].write_text(f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    leaf, *above = names
    (tmp_path / "root.der").write_bytes(root_certificate())
    subprocess.run(["openssl", "x509", "-in", "root.der", "-out", "root.pem"], cwd=tmp_path, check=True)
    (tmp_path / "above.pem").write_text("".join(one.read_text() for one in above))

    def verifies(*authorities: str) -> bool:
        command = ["openssl", "verify", *authorities, str(leaf)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0

    assert verifies("-CAfile", "root.pem", "-untrusted", "above.pem")
    assert not verifies("-CAfile", "above.pem"), "it is the root that counts"
    jws.JWS().deserialize(holder.token, jwk.JWK.from_pem(leaf.read_bytes()), alg="RS256")


async def test_a_card_s_session_asserts_by_the_card(cardd: Running, client: CarddClient) -> None:
    session = await with_card(cardd, client)
    server = AssertionVerifier(AUDIENCE, roots=[root_certificate()])
    verified = server.verify(await session.assert_to(AUDIENCE, NONCE), nonce=NONCE)
    assert (verified.by, verified.national_id) == (AssertedBy.CARD, "899900000011")


async def test_a_token_s_session_is_what_the_contract_says(cardd: Running, holder: Holder, client: CarddClient) -> None:
    session = await client.tokens.redeem_with(holder.token, holder.device.key)
    assert served(cardd, session.path, "org.cardd1.Session") == contract("org.cardd1.Session")


async def test_a_token_s_session_has_no_key_of_a_card(holder: Holder, client: CarddClient) -> None:
    session = await client.tokens.redeem_with(holder.token, holder.device.key)
    with pytest.raises(NoCardKey):
        await session.sign("signature", "RS256", bytes(32))
    with pytest.raises(NoCardKey):
        await session.decrypt("encryption", "RSA1_5", bytes(256))
    with pytest.raises(NoCardKey):
        await session.mint_token(holder.device.public.spki)


async def test_it_is_one_session_for_one_user_until_its_owner_ends_it(holder: Holder, client: CarddClient) -> None:
    session = await client.tokens.redeem_with(holder.token, holder.device.key)
    assert (await client.tokens.redeem_with(holder.token, holder.device.key)).path == session.path
    await session.end()
    assert await asyncio.wait_for(session.wait_ended(), PATIENCE) == "ended-by-user"
    again = await client.tokens.redeem_with(holder.token, holder.device.key)
    assert again.path != session.path


async def test_what_it_is_asked_for_is_what_it_says(cardd: Running, client: CarddClient) -> None:
    session = await with_card(cardd, client)
    device = Device()
    asked = {"lifetime": timedelta(minutes=5), "audience": (AUDIENCE, "other"), "kind": "kiosk"}
    minted = await session.mint_token(json.dumps(device.public.jwk), **asked)  # type: ignore[arg-type]  # by name
    claims = decoded(minted.token.split(".")[1])
    assert claims["jti"] == minted.token_id
    assert claims["aud"] == [AUDIENCE, "other"]
    assert claims["token_kind"] == "kiosk"
    assert claims["cnf"] == {"jkt": device.public.thumbprint}
    assert int(str(claims["exp"])) - int(str(claims["iat"])) == 300
    long = await session.mint_token(device.public.spki, lifetime=timedelta(days=3))
    claims = decoded(long.token.split(".")[1])
    assert int(str(claims["exp"])) - int(str(claims["iat"])) == 12 * 3600, "cut to the maximum"


async def test_it_is_listed_page_after_page_and_shown_alone(cardd: Running, client: CarddClient) -> None:
    session = await with_card(cardd, client)
    ids = [(await session.mint_token(Device().public.spki)).token_id for _ in range(3)]
    await client.tokens.revoke(ids[1], "perdu")
    found = [one async for one in client.tokens.all()]
    assert [one.token_id for one in found][-3:] == ids
    page = await client.tokens.page(limit=1, after=ids[0])
    assert [one.token_id for one in page] == [ids[1]]
    assert (page[0].revocation_reason, page[0].revoked_by) == ("perdu", f"uid:{os.getuid()}")
    alone = await client.tokens.get(ids[2])
    assert (alone.subject, alone.kind, alone.revoked_at) == ("899900000011", "device", None)
    assert alone.minted_by == f"uid:{os.getuid()}"


@pytest.mark.skipif(os.geteuid() != 0, reason="another user can be played by root alone")
async def test_another_user_gets_nothing_of_it(cardd: Running, holder: Holder, client: CarddClient) -> None:
    session = await client.tokens.redeem_with(holder.token, holder.device.key)
    gdbus = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
             "gdbus", "call", "--address", cardd.bus.address, "--dest", "org.cardd1"]  # fmt: skip

    def call(path: str, method: str, *arguments: str) -> tuple[str, str]:
        command = [*gdbus, "--object-path", path, "--method", f"org.cardd1.{method}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout, done.stderr

    loop = asyncio.get_running_loop()

    async def told(path: str, method: str, *arguments: str) -> tuple[str, str]:
        return await loop.run_in_executor(None, call, path, method, *arguments)

    for method, *arguments in (
        ("Session.GetHolder", "{}"),
        ("Session.Assert", AUDIENCE, str(list(NONCE)), "{}"),
        ("Session.Sign", "signature", "RS256", str([0] * 32), "{}"),
        ("Session.MintToken", "{}"),
        ("Session.End", "{}"),
    ):
        assert "org.cardd1.Error.NotAuthorized" in (await told(session.path, method, *arguments))[1], method
    root = "/org/cardd1"
    _, refused = await told(root, "Manager.RevokeToken", holder.minted.token_id, "mine", "{}")
    assert "org.cardd1.Error.NotAuthorized" in refused
    _, refused = await told(root, "Manager.ListTokens", f"{{'id': <'{holder.minted.token_id}'>}}")
    assert "org.cardd1.Error.NotAuthorized" in refused
    shown, _ = await told(root, "Manager.ListTokens", "{}")
    assert shown.strip() == "(@aa{sv} [],)"
    assert session.ended is None


async def test_who_somebody_is_never_travels_in_a_broadcast(
    cardd: Running, holder: Holder, client: CarddClient
) -> None:
    session = await client.tokens.redeem_with(holder.token, holder.device.key)
    told = await session.get_holder()
    command = ["gdbus", "call", "--address", cardd.bus.address, "--dest", "org.cardd1", "--object-path", "/org/cardd1",
               "--method", "org.freedesktop.DBus.ObjectManager.GetManagedObjects"]  # fmt: skip
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert session.path in shown
    for secret in (told.national_id, told.family_name, told.given_name, told.card_number, holder.minted.token_id):
        assert secret
        assert secret not in shown


async def test_tokens_are_in_no_log(cardd: Running, holder: Holder, client: CarddClient) -> None:
    await client.tokens.redeem_with(holder.token, holder.device.key)
    signature = holder.token.rsplit(".", 1)[1]
    log = cardd.cardd.log() + "".join(path.read_text() for path in (cardd.folder / "journal").glob("*.jsonl"))
    assert holder.minted.token_id in log
    assert signature not in log


def test_a_token_and_its_revocation_outlive_the_daemon() -> None:
    with running_cardd() as running:

        async def mint() -> tuple[Holder, Holder, str]:
            async with running.client() as client:
                good, bad = await minted_by_card(running, client), await minted_by_card(running, client)
                await client.tokens.revoke(bad.minted.token_id, "lost")
                session = await client.tokens.redeem_with(good.token, good.device.key)
                stopping = asyncio.get_running_loop().run_in_executor(None, running.cardd.stop)
                reason = await asyncio.wait_for(session.wait_ended(), PATIENCE)
                assert await stopping == 0
                return good, bad, reason

        good, bad, reason = asyncio.run(mint())
        assert reason == "daemon-stopped"
        running.cardd.start()

        async def redeem() -> None:
            async with running.client() as client:
                session = await client.tokens.redeem_with(good.token, good.device.key)
                assert (await session.get_holder()).national_id == "899900000011"
                with pytest.raises(errors.TokenRevoked):
                    await client.tokens.redeem_with(bad.token, bad.device.key)

        asyncio.run(redeem())


def test_the_session_ends_by_itself_when_its_token_expires() -> None:
    with running_cardd() as running:

        async def story() -> str:
            async with running.client() as client:
                session = await with_card(running, client)
                device = Device()
                minted = await session.mint_token(device.public.spki, lifetime=timedelta(seconds=3))
                opened = await client.tokens.redeem_with(minted.token, device.key)
                reason = await asyncio.wait_for(opened.wait_ended(), PATIENCE)
                with pytest.raises(errors.TokenExpired):
                    await client.tokens.redeem_with(minted.token, device.key)
                return reason

        assert asyncio.run(story()) == "expired"


def test_a_damaged_registry_is_said_and_cards_are_served_on() -> None:
    with running_cardd() as running:
        damaged = running.folder / "tokens.sqlite"
        damaged.write_bytes(b"no database at all, but long enough to be looked at" * 100)
        damaged.chmod(0o600)

        async def story() -> None:
            async with running.client() as client:
                session = await with_card(running, client)
                with pytest.raises(errors.RegistryUnavailable):
                    await session.mint_token(Device().public.spki)
                assert await session.sign("signature", "RS256", bytes(32))
                damaged.unlink()
                assert (await session.mint_token(Device().public.spki)).token

        asyncio.run(story())


def test_a_key_that_others_may_read_is_refused() -> None:
    with running_cardd() as running:
        key = running.folder / "token-key.pem"
        key.write_text("")
        key.chmod(0o644)

        async def story() -> None:
            async with running.client() as client:
                with pytest.raises(errors.DaemonKeyUnusable, match="0600"):
                    await client.tokens.daemon_key()

        asyncio.run(story())


def test_what_happened_is_in_the_journal() -> None:
    with running_cardd() as running:

        async def story() -> Holder:
            async with running.client() as client:
                found = await minted_by_card(running, client)
                session = await client.tokens.redeem_with(found.token, found.device.key)
                await session.assert_to(AUDIENCE, NONCE)
                with pytest.raises(NoCardKey):
                    await session.sign("signature", "RS256", bytes(32))
                await client.tokens.revoke(found.minted.token_id, "lost")
                with pytest.raises(errors.TokenRevoked):
                    await client.tokens.redeem_with(found.token, found.device.key)
                return found

        found = asyncio.run(story())
        running.cardd.stop()
        lines = [
            json.loads(line.rstrip("\0"))
            for path in sorted((running.folder / "journal").glob("*.jsonl"))
            for line in path.read_text().splitlines()
            if line.rstrip("\0 ")
        ]
        entries = {one["kind"]: one for one in lines if one.get("what", {}).get("token") == found.minted.token_id}
        assert entries.keys() == {"token-minted", "token-redeemed", "asserted", "token-revoked"}
        assert entries["token-redeemed"]["holder"] == {"card": "", "id": "899900000011"}
        assert entries["asserted"]["what"]["audience"] == AUDIENCE
        assert entries["token-revoked"]["what"]["reason"] == "lost"
        refusals = {one["result"]: one for one in lines if one["kind"] == "refused"}
        assert refusals.keys() == {"NoCardKey", "TokenRevoked"}
        assert refusals["NoCardKey"]["holder"] == {"card": "", "id": "899900000011"}
        ended = [one["what"]["reason"] for one in lines if one["kind"] == "session-ended"]
        assert sorted(ended) == ["card-removed", "revoked"]


def test_a_daemon_that_has_just_started_has_no_jose_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """45 MB and 300 ms are what it may take; tokens are for those who use them."""
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    with running_cardd() as running:

        async def sign() -> None:
            async with running.client() as client:
                await (await with_card(running, client)).sign("signature", "RS256", bytes(32))

        async def mint() -> None:
            async with running.client() as client:
                (session,) = await client.sessions()
                await session.mint_token(Device().public.spki)

        asyncio.run(sign())
        log = running.cardd.log()
        assert "cardd.sessions.tokens" in log
        for late in ("joserfc", "sqlite3", "cardd.sessions.token_room"):
            assert late not in log
        asyncio.run(mint())
        assert "joserfc" in running.cardd.log(), "the room of tokens was opened now"
