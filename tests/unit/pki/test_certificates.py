"""Loading certificates."""

from __future__ import annotations

import pytest

from cardd.pki.certificates import load_certificate
from cardd.pki.errors import UnreadableCertificates
from cardd.pki.files import parse_certificates
from cardd.pki.strength import weakness
from cardd.pki.trust import TrustReason
from tests.unit.pki import factory

SOUND = factory.der(factory.root().certificate)
VERSION_3 = bytes.fromhex("a003020102")


def test_der_is_loaded() -> None:
    assert load_certificate(SOUND) == factory.root().certificate


@pytest.mark.parametrize("version", [3, 9])
def test_a_version_that_nobody_knows_is_the_one_error(version: int) -> None:
    hostile = SOUND.replace(VERSION_3, VERSION_3[:-1] + bytes([version]), 1)
    for load in (load_certificate, parse_certificates):
        with pytest.raises(UnreadableCertificates):
            load(hostile)


def test_version_1_is_malformed_here() -> None:
    body = SOUND.replace(VERSION_3, b"", 1)
    lengths = [int.from_bytes(body[place : place + 2], "big") - len(VERSION_3) for place in (2, 6)]
    version_1 = body[:2] + lengths[0].to_bytes(2, "big") + body[4:6] + lengths[1].to_bytes(2, "big") + body[8:]
    assert weakness(load_certificate(version_1)) is TrustReason.MALFORMED
    assert weakness(load_certificate(SOUND)) is None


def test_unused_bits_of_a_signature_are_malformed_here() -> None:
    for days in range(64):
        certificate = factory.holder(factory.intermediate(), end=factory.NOW + (1 + days) * factory.DAY)
        if certificate.signature[-1] & 1 == 0:
            break
    der = bytearray(factory.der(certificate))
    der[-len(certificate.signature) - 1] = 1
    twin = load_certificate(bytes(der))
    assert factory.fingerprint(twin) != factory.fingerprint(certificate)
    assert weakness(twin) is TrustReason.MALFORMED
