"""SHA-1 and SHA-256 (FIPS 180-4) that can begin from an intermediate state.

A card that closes a hash (PSO HASH with tag 90) is given the chaining value of the blocks hashed outside, how many
bits those were, and the last block; hashlib cannot begin there, so the compression functions are written out.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

BLOCK_SIZE = 64
_MASK = 0xFFFFFFFF

Compress = Callable[[tuple[int, ...], bytes], tuple[int, ...]]


def _rotate_left(value: int, count: int) -> int:
    return (value << count | value >> (32 - count)) & _MASK


def _rotate_right(value: int, count: int) -> int:
    return _rotate_left(value, 32 - count)


def _words(block: bytes) -> list[int]:
    return [int.from_bytes(block[i : i + 4], "big") for i in range(0, BLOCK_SIZE, 4)]


def _sha1_round(t: int, b: int, c: int, d: int) -> int:
    """f_t and K_t of FIPS 180-4, 4.1.1 and 4.2.1, added."""
    if t < 20:
        return (b & c | ~b & d) + 0x5A827999
    if t < 40:
        return (b ^ c ^ d) + 0x6ED9EBA1
    if t < 60:
        return (b & c | b & d | c & d) + 0x8F1BBCDC
    return (b ^ c ^ d) + 0xCA62C1D6


def _sha1_compress(state: tuple[int, ...], block: bytes) -> tuple[int, ...]:
    w = _words(block)
    for t in range(16, 80):
        w.append(_rotate_left(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1))
    a, b, c, d, e = state
    for t in range(80):
        new = (_rotate_left(a, 5) + _sha1_round(t, b, c, d) + e + w[t]) & _MASK
        a, b, c, d, e = new, a, _rotate_left(b, 30), c, d
    return tuple((old + new) & _MASK for old, new in zip(state, (a, b, c, d, e), strict=True))


def _primes(count: int) -> list[int]:
    found: list[int] = []
    candidate = 2
    while len(found) < count:
        if all(candidate % prime for prime in found):
            found.append(candidate)
        candidate += 1
    return found


def _integer_root(value: int, degree: int) -> int:
    low, high = 0, 1 << (value.bit_length() // degree + 1)
    while low < high - 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**degree <= value else (low, middle)
    return low


# FIPS 180-4, 4.2.2: first 32 bits of the fractional parts of the cube roots of the first 64 primes.
_K256 = [_integer_root(prime << 96, 3) & _MASK for prime in _primes(64)]


def _sha256_compress(state: tuple[int, ...], block: bytes) -> tuple[int, ...]:
    w = _words(block)
    for t in range(16, 64):
        s0 = _rotate_right(w[t - 15], 7) ^ _rotate_right(w[t - 15], 18) ^ w[t - 15] >> 3
        s1 = _rotate_right(w[t - 2], 17) ^ _rotate_right(w[t - 2], 19) ^ w[t - 2] >> 10
        w.append((w[t - 16] + s0 + w[t - 7] + s1) & _MASK)
    a, b, c, d, e, f, g, h = state
    for t in range(64):
        s1 = _rotate_right(e, 6) ^ _rotate_right(e, 11) ^ _rotate_right(e, 25)
        t1 = h + s1 + (e & f ^ ~e & g) + _K256[t] + w[t]
        s0 = _rotate_right(a, 2) ^ _rotate_right(a, 13) ^ _rotate_right(a, 22)
        t2 = s0 + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = (t1 + t2) & _MASK, a, b, c, (d + t1) & _MASK, e, f, g
    return tuple((old + new) & _MASK for old, new in zip(state, (a, b, c, d, e, f, g, h), strict=True))


@dataclass(frozen=True, slots=True)
class _Definition:
    digest_size: int
    initial: tuple[int, ...]
    compress: Compress
    digest_info: bytes


class HashAlgorithm(enum.Enum):
    """The hashes that a CPS3 closes, each with its DigestInfo prefix (RFC 8017, 9.2)."""

    SHA1 = _Definition(
        20,
        (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0),
        _sha1_compress,
        bytes.fromhex("3021300906052B0E03021A05000414"),
    )
    SHA256 = _Definition(
        32,
        tuple(_integer_root(prime << 64, 2) & _MASK for prime in _primes(8)),
        _sha256_compress,
        bytes.fromhex("3031300D060960864801650304020105000420"),
    )

    @property
    def digest_size(self) -> int:
        """Bytes of a digest, and of an intermediate state."""
        return self.value.digest_size

    def digest_info(self, digest: bytes) -> bytes:
        """The DER DigestInfo of a digest of this algorithm."""
        return self.value.digest_info + digest


def finish(algorithm: HashAlgorithm, state: bytes, bits_done: int, last: bytes) -> bytes:
    """Close a hash that was begun elsewhere.

    Args:
        algorithm: which hash.
        state: chaining value, ``digest_size`` bytes, big-endian words; empty when nothing was hashed before.
        bits_done: bits already absorbed into ``state``; a multiple of 512, 0 when ``state`` is empty.
        last: the bytes that remain.

    Raises:
        ValueError: state of a wrong size, or a bit count that no whole blocks have.
    """
    definition = algorithm.value
    if len(state) not in (0, definition.digest_size):
        raise ValueError(f"intermediate state of {len(state)} bytes")
    if bits_done % (8 * BLOCK_SIZE) or (bits_done == 0) != (not state):
        raise ValueError(f"{bits_done} bits are no whole blocks before this state")
    words = tuple(int.from_bytes(state[i : i + 4], "big") for i in range(0, len(state), 4)) or definition.initial
    padded = last + b"\x80" + bytes(-(len(last) + 9) % BLOCK_SIZE) + (bits_done + 8 * len(last)).to_bytes(8, "big")
    for offset in range(0, len(padded), BLOCK_SIZE):
        words = definition.compress(words, padded[offset : offset + BLOCK_SIZE])
    return b"".join(word.to_bytes(4, "big") for word in words)
