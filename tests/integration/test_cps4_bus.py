"""A CPS4 on the bus: what an application sees of it, and what its keys do that a CPS3's do not."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import AsyncIterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils

from cardd.client import CarddClient
from tests.support.running import BIN, Running, emptied, identified

DIGEST = hashlib.sha256(b"document").digest()
PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


@pytest.fixture
async def client(cardd: Running) -> AsyncIterator[CarddClient]:
    async with cardd.client() as client:
        await emptied(client)
        yield client
        cardd.remove()


@pytest.mark.parametrize("profile", ["physician-cps4", "nurse-cps4-t0"])
async def test_an_application_signs_and_decrypts_with_what_the_card_offers(
    cardd: Running, client: CarddClient, profile: str
) -> None:
    cardd.insert(profile)
    card = await identified(client)
    assert (card.kind, card.driver) == ("cps4", "ias-ecc")
    assert card.capabilities.sign["signature"] == card.capabilities.sign["authentication"] == ("PS256", "RS256")
    assert card.capabilities.decrypt == {"encryption": ("RSA-OAEP-256", "RSA1_5")}
    keys: dict[str, rsa.RSAPublicKey] = {}
    for name, der in (await card.get_certificates()).items():
        key = x509.load_der_x509_certificate(der).public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        keys[name] = key
    session = await card.authenticate(pin=bytearray(b"1234"))
    signature = await session.sign("signature", "PS256", DIGEST)
    keys["signature"].verify(signature, DIGEST, PSS, utils.Prehashed(hashes.SHA256()))
    cryptogram = keys["encryption"].encrypt(b"secret", OAEP)
    assert await session.decrypt("encryption", "RSA-OAEP-256", cryptogram) == b"secret"


async def test_cardctl_names_the_card(cardd: Running, client: CarddClient) -> None:
    cardd.insert("physician-cps4")
    await identified(client)
    command = [str(BIN / "cardctl"), "--bus", cardd.bus.address, "status"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env={"LC_ALL": "C.UTF-8"}).stdout
    assert "CPS4" in shown
