"""Tokens over a real bus, for those tests that need one."""

from __future__ import annotations

from dataclasses import dataclass

from cardd.client import CarddClient, MintedToken, Session
from cardd.tokens.keys import PublicKey
from cardd.tokens.proof import prove
from tests.support.core import pki_store
from tests.support.running import Running, emptied, identified
from tests.unit.tokens.support import Device

AUDIENCE = "https://dossier.example"
NONCE = b"nonce of a server, of 32 bytes.."


@dataclass(frozen=True)
class Holder:
    """A device, and the token that was minted for it."""

    device: Device
    minted: MintedToken

    @property
    def token(self) -> str:
        return self.minted.token


async def with_card(running: Running, client: CarddClient) -> Session:
    """A card in its reader, its session open."""
    running.insert()
    return await (await identified(client)).authenticate(pin=bytearray(b"1234"))


async def minted_by_card(running: Running, client: CarddClient) -> Holder:
    """A token; the card is out again."""
    device = Device()
    session = await with_card(running, client)
    minted = await session.mint_token(device.public.spki)
    running.remove()
    await emptied(client)
    return Holder(device, minted)


async def daemon_name(client: CarddClient) -> str:
    return PublicKey.from_spki(await client.tokens.daemon_key()).urn


async def proof_of(client: CarddClient, device: Device, token: str) -> str:
    return prove(device.key, token, daemon=await daemon_name(client), challenge=await client.tokens.challenge())


def root_certificate() -> bytes:
    return pki_store().root_certificate().read_bytes()
