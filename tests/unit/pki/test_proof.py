"""The card's answer to a challenge."""

from __future__ import annotations

import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, utils

from cardd.pki.errors import ChallengeMismatch
from cardd.pki.proof import verify_challenge
from tests.unit.pki import factory

CHALLENGE = bytes(range(32))
DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def holder() -> x509.Certificate:
    return factory.holder(factory.intermediate())


def answer(challenge: bytes = CHALLENGE, key: str = "holder", bits: int = 2048) -> bytes:
    return factory.rsa_key(key, bits).sign(challenge, padding.PKCS1v15(), hashes.SHA256())


def test_the_keys_answer_holds() -> None:
    verify_challenge(holder(), CHALLENGE, answer())


def test_what_a_card_does_with_a_digest_info_holds() -> None:
    digest_info = DIGEST_INFO + hashlib.sha256(CHALLENGE).digest()
    key = factory.rsa_key("holder")
    padded = b"\x00\x01" + b"\xff" * (256 - 3 - len(digest_info)) + b"\x00" + digest_info
    numbers = key.private_numbers()
    signature = pow(int.from_bytes(padded, "big"), numbers.d, numbers.public_numbers.n).to_bytes(256, "big")
    verify_challenge(holder(), CHALLENGE, signature)


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        bytes(256),
        b"\xff" * 256,
        answer(bytes(32)),
        answer(key="another"),
        answer() + b"\x00",
        answer()[:-1],
        factory.rsa_key("holder").sign(CHALLENGE, padding.PKCS1v15(), hashes.SHA512()),
        factory.rsa_key("holder").sign(CHALLENGE, padding.PKCS1v15(), utils.Prehashed(hashes.SHA256())),
        factory.rsa_key("holder").sign(CHALLENGE, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()),
    ],
    ids=[
        "empty",
        "zeros",
        "above-modulus",
        "other-challenge",
        "other-key",
        "longer",
        "shorter",
        "sha512",
        "raw",
        "pss",
    ],
)
def test_any_other_is_a_mismatch(signature: bytes) -> None:
    with pytest.raises(ChallengeMismatch):
        verify_challenge(holder(), CHALLENGE, signature)


def test_a_short_key_proves_nothing() -> None:
    certificate = factory.holder(factory.intermediate(), key=factory.rsa_key("short", 1024))
    with pytest.raises(ChallengeMismatch):
        verify_challenge(certificate, CHALLENGE, answer(key="short", bits=1024))


def test_a_key_of_another_kind_proves_nothing() -> None:
    with pytest.raises(ChallengeMismatch):
        verify_challenge(factory.holder(factory.intermediate(), key=factory.ec_key()), CHALLENGE, answer())


def test_a_short_challenge_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        verify_challenge(holder(), bytes(15), answer(bytes(15)))
