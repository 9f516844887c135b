"""A token of a PKCS#11 module on the bus, from a whole cardd: kind, level, use, and what it may not say."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cardd.client import Card, CarddClient
from cardd.errors import CarddError
from tests.support.running import identified, running_cardd
from tests.support.softhsm import MODULE, PIN, SoftHsm


@pytest.fixture
def section(tmp_path: Path) -> str:
    """The configuration's section [drivers] for a token with a key."""
    hsm = SoftHsm(tmp_path / "softhsm")
    hsm.prepare()
    hsm.add_token()
    hsm.add_key("20")
    hsm.add_key("10", signs=True)
    variables = ", ".join(f'{name} = "{value}"' for name, value in hsm.environment.items())
    return f'pkcs11 = [{{ module = "{MODULE}", environment = {{ {variables} }} }}]'


async def card_of(client: CarddClient) -> Card:
    """The token, once cardd knows it."""
    return await identified(client)


async def test_a_token_is_a_card_on_the_bus_and_its_session_says_what_it_rests_on(section: str) -> None:
    with running_cardd(sections={"drivers": section}) as running:
        async with running.client() as client:
            card = await card_of(client)
            assert (card.kind, card.driver) == ("pkcs11", "pkcs11")
            session = await card.authenticate(pin=bytearray(PIN))
            assert session.level == "software"
            assert len(await session.sign("signature", "RS256", hashlib.sha256(b"document").digest())) == 256
            with pytest.raises(CarddError) as refused:
                await session.assert_to("https://example.invalid", bytes(16))
            assert refused.value.short_name == "LevelTooLow"
