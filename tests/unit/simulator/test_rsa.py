"""The card's RSA, against the cryptography package."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from cardsim.hashing import HashAlgorithm
from cardsim.rsa import PaddingError, RsaKey


def test_signature_verifies(signature_key: rsa.RSAPrivateKey) -> None:
    """A DigestInfo signed is RSASSA-PKCS1-v1_5."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(b"message")
    signature = RsaKey(signature_key).sign_pkcs1(HashAlgorithm.SHA256.digest_info(digest.finalize()))
    signature_key.public_key().verify(signature, b"message", padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize("plaintext", [b"", b"\x00\x01", b"x" * 245])
def test_deciphers_what_was_enciphered(signature_key: rsa.RSAPrivateKey, plaintext: bytes) -> None:
    """From nothing to the most that fits."""
    cryptogram = signature_key.public_key().encrypt(plaintext, padding.PKCS1v15())
    assert RsaKey(signature_key).decipher_pkcs1(cryptogram) == plaintext


def test_other_padding_is_refused(signature_key: rsa.RSAPrivateKey) -> None:
    """Block type 1, short padding, a number above the modulus, a short cryptogram."""
    key = RsaKey(signature_key)
    numbers = signature_key.public_key().public_numbers()

    def cryptogram(block: bytes) -> bytes:
        return pow(int.from_bytes(block, "big"), numbers.e, numbers.n).to_bytes(256, "big")

    bad = [
        cryptogram(b"\x00\x01" + b"\xff" * 250 + b"\x00aaa"),
        cryptogram(b"\x00\x02" + b"\xff" * 7 + b"\x00" + b"a" * 246),
        cryptogram(b"\x00\x02" + b"\xff" * 254),
        b"\xff" * 256,
        bytes(255),
    ]
    for item in bad:
        with pytest.raises(PaddingError):
            key.decipher_pkcs1(item)
    assert key.decipher_pkcs1(cryptogram(b"\x00\x02" + b"\xff" * 8 + b"\x00" + b"a" * 245)) == b"a" * 245


def test_too_much_to_sign(signature_key: rsa.RSAPrivateKey) -> None:
    """246 bytes do not fit with their padding."""
    with pytest.raises(ValueError, match="do not fit"):
        RsaKey(signature_key).sign_pkcs1(bytes(246))
