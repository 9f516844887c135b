"""RSA paddings of RFC 8017 on the host's side, for cards whose key is a raw private operation.

Removing a padding touches secrets: whoever learns in which way the padding of an altered cryptogram was wrong can
decipher others (Bleichenbacher for PKCS#1 v1.5, Manger for OAEP). So `remove_pkcs1` and `remove_oaep` look at every
byte, whatever they find, collect what is wrong in one number, branch on that number once, at their end, and raise one
error without a reason. Python promises no constant time below this level: objects are allocated, and small numbers are
cached. What is left of that is far below what exchanges with a card vary by.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable

from cardd_drivers.contract import DecipherFailed

RandomBytes = Callable[[int], bytes]
"""Gives so many random bytes."""

PKCS1_DECIPHER_OVERHEAD = 11
"""00 02, 8 bytes of padding at least, 00 (RFC 8017 7.2.1)."""
_HASH_SIZE = 32
"""Bytes of SHA-256."""
_SHA256_DIGEST_INFO = bytes.fromhex("3031300D060960864801650304020105000420")
"""DigestInfo before the digest (RFC 8017 9.2, note 1)."""
_EMPTY_LABEL_HASH = hashlib.sha256(b"").digest()
_PSS_TRAILER = 0xBC


def sha256_digest_info(digest: bytes) -> bytes:
    """The DigestInfo of a SHA-256 digest of 32 bytes (RFC 8017 9.2)."""
    return _SHA256_DIGEST_INFO + digest


def encode_pkcs1(digest: bytes, size: int) -> bytes:
    """EMSA-PKCS1-v1_5 with SHA-256 (RFC 8017 9.2).

    Args:
        digest: 32 bytes.
        size: bytes of the modulus.

    Raises:
        ValueError: the modulus is too short.
    """
    info = sha256_digest_info(digest)
    if size < len(info) + PKCS1_DECIPHER_OVERHEAD:
        raise ValueError(f"a modulus of {size} bytes is too short to sign a SHA-256 digest")
    return b"\x00\x01" + b"\xff" * (size - len(info) - 3) + b"\x00" + info


def encode_pss(digest: bytes, modulus_bits: int, random_bytes: RandomBytes = secrets.token_bytes) -> bytes:
    """EMSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes (RFC 8017 9.1.1, as RFC 7518 3.5 has PS256).

    Args:
        digest: 32 bytes.
        modulus_bits: size of the modulus.
        random_bytes: where the salt comes from.

    Returns:
        A block as long as the modulus.

    Raises:
        ValueError: the modulus is too short.
    """
    bits = modulus_bits - 1
    size = (bits + 7) // 8
    zeros = size - 2 * _HASH_SIZE - 2
    if zeros < 0:
        raise ValueError(f"a modulus of {modulus_bits} bits is too short for PS256")
    salt = random_bytes(_HASH_SIZE)
    inner = hashlib.sha256(bytes(8) + digest + salt).digest()
    block = bytearray(zeros) + b"\x01" + salt
    _mask(block, mgf1(inner, len(block)))
    block[0] &= 0xFF >> (8 * size - bits)
    encoded = bytes(block) + inner + bytes((_PSS_TRAILER,))
    return encoded.rjust((modulus_bits + 7) // 8, b"\x00")


def mgf1(seed: bytes | bytearray, length: int) -> bytes:
    """MGF1 with SHA-256 (RFC 8017 B.2.1)."""
    blocks = -(-length // _HASH_SIZE)
    return b"".join(hashlib.sha256(seed + count.to_bytes(4, "big")).digest() for count in range(blocks))[:length]


def remove_pkcs1(block: bytes) -> bytearray:
    """The message of a block padded as EME-PKCS1-v1_5 (RFC 8017 7.2.2, step 3).

    Args:
        block: what the raw private operation gave; as long as the modulus.

    Returns:
        The message; the caller's to wipe.

    Raises:
        DecipherFailed: the block is not so padded.
    """
    if len(block) < PKCS1_DECIPHER_OVERHEAD:
        raise DecipherFailed
    bad = block[0] | (block[1] ^ 0x02)
    found, separator = _first(0x00, block, 2)
    bad |= found ^ 1
    bad |= _less(separator, PKCS1_DECIPHER_OVERHEAD - 1)
    if bad:
        raise DecipherFailed
    return bytearray(block[separator + 1 :])


def remove_oaep(block: bytes) -> bytearray:
    """The message of a block padded as EME-OAEP with SHA-256, MGF1 with SHA-256, no label (RFC 8017 7.1.2, step 3).

    Args:
        block: what the raw private operation gave; as long as the modulus.

    Returns:
        The message; the caller's to wipe.

    Raises:
        DecipherFailed: the block is not so padded.
    """
    if len(block) < 2 * _HASH_SIZE + 2:
        raise DecipherFailed
    seed, data = bytearray(block[1 : 1 + _HASH_SIZE]), bytearray(block[1 + _HASH_SIZE :])
    try:
        _mask(seed, mgf1(data, _HASH_SIZE))
        _mask(data, mgf1(seed, len(data)))
        bad = block[0]
        bad |= 1 ^ hmac.compare_digest(data[:_HASH_SIZE], _EMPTY_LABEL_HASH)
        found, separator = _first(0x01, data, _HASH_SIZE)
        bad |= found ^ 1
        bad |= _any_but_zero_before(data, _HASH_SIZE, separator)
        if bad:
            raise DecipherFailed
        return data[separator + 1 :]
    finally:
        for secret in (seed, data):
            for index in range(len(secret)):
                secret[index] = 0


def _first(wanted: int, data: bytes | bytearray, start: int) -> tuple[int, int]:
    """Whether (1 or 0) a byte value occurs in `data` from `start` on, and where first; every byte is looked at."""
    position, found = 0, 0
    for index in range(start, len(data)):
        here = _is_zero(data[index] ^ wanted) & (found ^ 1)
        position |= index * here
        found |= here
    return found, position


def _any_but_zero_before(data: bytearray, start: int, end: int) -> int:
    """Not 0 where a byte from `start` up to `end` is not zero; every byte is looked at."""
    seen = 0
    for index in range(start, len(data)):
        seen |= data[index] * _less(index, end)
    return seen


def _is_zero(octet: int) -> int:
    """1 for 0, else 0, for numbers from 0 to 255."""
    return (octet - 1) >> 8 & 1


def _less(left: int, right: int) -> int:
    """1 where left < right, else 0, for numbers below 65536."""
    return (left - right) >> 16 & 1


def _mask(data: bytearray, mask: bytes) -> None:
    for index, octet in enumerate(mask):
        data[index] ^= octet
