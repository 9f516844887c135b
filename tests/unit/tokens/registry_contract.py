"""What every registry must hold; a test class of each kind of registry inherits it."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from datetime import timedelta

import pytest

from cardd.errors import InvalidArgument
from cardd.tokens.errors import RegistryUnavailable, TokenExists, TokenUnknown
from cardd.tokens.registry import Revocation, TokenRecord, TokenRegistry
from cardd.tokens.strict import base64url
from tests.unit.tokens.support import HOUR, NOW


def record(**changes: object) -> TokenRecord:
    """A record of a new token."""
    made = TokenRecord(
        token_id=base64url(secrets.token_bytes(16)),
        token_hash=secrets.token_bytes(32),
        subject="899900000011",
        kind="device",
        issuer="urn:example:daemon",
        audience=("urn:example:daemon", "https://dossier.example/é"),
        card_id="8025000001/2600000011",
        certificate="ab" * 32,
        thumbprint="A" * 43,
        authenticated_at=NOW - HOUR,
        issued_at=NOW,
        expires_at=NOW + HOUR,
        minted_by="uid:1000",
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # fields by name, as a test changes them


class RegistryContract:
    """Needs a fixture `registry`."""

    async def test_what_is_added_is_got(self, registry: TokenRegistry) -> None:
        one = record()
        await registry.add(one)
        assert await registry.get(one.token_id) == one
        assert not await registry.is_revoked(one.token_id)

    async def test_an_id_is_taken_once(self, registry: TokenRegistry) -> None:
        one = record()
        await registry.add(one)
        with pytest.raises(TokenExists):
            await registry.add(record(token_id=one.token_id))
        assert await registry.get(one.token_id) == one

    async def test_what_is_not_there_is_unknown(self, registry: TokenRegistry) -> None:
        with pytest.raises(TokenUnknown):
            await registry.get("nothing")
        with pytest.raises(TokenUnknown):
            await registry.is_revoked("nothing")
        with pytest.raises(TokenUnknown):
            await registry.list_tokens(limit=10, after="nothing")
        with pytest.raises(TokenUnknown):
            await registry.revoke("nothing", reason="lost", by="uid:0", at=NOW)

    async def test_pages_go_through_all_in_order(self, registry: TokenRegistry) -> None:
        added = [record() for _ in range(7)]
        for one in added:
            await registry.add(one)
        seen: list[TokenRecord] = []
        after = None
        while page := await registry.list_tokens(limit=3, after=after):
            assert len(page) <= 3
            seen.extend(page)
            after = page[-1].token_id
        assert seen == added

    async def test_a_minter_s_tokens_are_listed_alone(self, registry: TokenRegistry) -> None:
        added = [record(minted_by=f"uid:{number % 2}") for number in range(6)]
        for one in added:
            await registry.add(one)
        own = await registry.list_tokens(limit=2, minted_by="uid:1")
        assert list(own) == [added[1], added[3]]
        assert await registry.list_tokens(limit=2, after=own[-1].token_id, minted_by="uid:1") == (added[5],)
        assert await registry.list_tokens(limit=2, minted_by="uid:2") == ()

    @pytest.mark.parametrize("limit", [0, -1, 1001])
    async def test_a_limit_out_of_bounds_is_refused(self, registry: TokenRegistry, limit: int) -> None:
        with pytest.raises(InvalidArgument):
            await registry.list_tokens(limit=limit)

    async def test_a_revocation_is_kept_and_listed(self, registry: TokenRegistry) -> None:
        one = record()
        await registry.add(one)
        given = await registry.revoke(
            one.token_id, reason="téléphone perdu", by="uid:0", at=NOW + timedelta(seconds=1.5)
        )
        assert given == Revocation(one.token_id, "téléphone perdu", "uid:0", NOW + timedelta(seconds=1))
        assert await registry.is_revoked(one.token_id)
        assert (await registry.list_tokens(limit=1))[0].revocation == given

    async def test_the_first_revocation_stands(self, registry: TokenRegistry) -> None:
        one = record()
        await registry.add(one)
        heard: list[Revocation] = []
        registry.on_revoked(heard.append)
        first = await registry.revoke(one.token_id, reason="lost", by="uid:0", at=NOW)
        assert await registry.revoke(one.token_id, reason="found", by="uid:1", at=NOW + HOUR) == first
        assert heard == [first]

    @pytest.mark.parametrize("reason", ["", "x" * 201, "a\nb", "a\x1b[2J", "a\u202eb"])
    async def test_a_reason_that_does_not_print_is_refused(self, registry: TokenRegistry, reason: str) -> None:
        one = record()
        await registry.add(one)
        with pytest.raises(InvalidArgument):
            await registry.revoke(one.token_id, reason=reason, by="uid:0", at=NOW)
        with pytest.raises(InvalidArgument):
            await registry.revoke(one.token_id, reason="lost", by=reason, at=NOW)
        assert not await registry.is_revoked(one.token_id)

    async def test_observers_hear_before_the_caller_goes_on_and_until_they_stop(self, registry: TokenRegistry) -> None:
        one, two = record(), record()
        await registry.add(one)
        await registry.add(two)
        heard: list[str] = []
        stop = registry.on_revoked(lambda revocation: heard.append(revocation.token_id))
        await registry.revoke(one.token_id, reason="lost", by="uid:0", at=NOW)
        assert heard == [one.token_id]
        stop()
        await registry.revoke(two.token_id, reason="lost", by="uid:0", at=NOW)
        assert heard == [one.token_id]

    async def test_a_revocation_given_up_by_its_caller_is_heard_of(self, registry: TokenRegistry) -> None:
        one = record()
        await registry.add(one)
        heard = asyncio.Event()
        registry.on_revoked(lambda _revocation: heard.set())
        revoking = asyncio.create_task(registry.revoke(one.token_id, reason="lost", by="uid:0", at=NOW))
        await asyncio.sleep(0)
        revoking.cancel()
        async with asyncio.timeout(20):
            await heard.wait()
        assert await registry.is_revoked(one.token_id)

    async def test_many_at_once(self, registry: TokenRegistry) -> None:
        added = [record() for _ in range(50)]
        await asyncio.gather(*map(registry.add, added))
        got = await asyncio.gather(*(registry.get(one.token_id) for one in added))
        assert list(got) == added

    async def test_closed_it_refuses(self, registry: TokenRegistry) -> None:
        await registry.close()
        await registry.close()
        with pytest.raises(RegistryUnavailable, match="closed"):
            await registry.add(record())
        with pytest.raises(RegistryUnavailable, match="closed"):
            await registry.get("nothing")
