"""Keys and algorithms as callers name them."""

from __future__ import annotations

from typing import TypeVar

from cardd.errors import AlgorithmNotSupported, DigestLength, InvalidArgument, UnknownKey, shown
from cardd_drivers.contract import DecipherAlgorithm, KeyName, SignatureAlgorithm

DIGEST_LENGTH = 32
"""Bytes of a SHA-256, which RS256 and PS256 sign."""

E = TypeVar("E", SignatureAlgorithm, DecipherAlgorithm)


def signature_of(key: str, algorithm: str, digest: bytes) -> tuple[KeyName, SignatureAlgorithm]:
    """What is to be signed, from a caller's words (see `Session.sign`).

    Raises:
        UnknownKey, InvalidArgument, AlgorithmNotSupported, DigestLength.
    """
    name = key_name(key)
    if name not in (KeyName.SIGNATURE, KeyName.AUTHENTICATION):
        raise InvalidArgument(argument="key", reason=f"the {key} key does not sign")
    wanted = member(SignatureAlgorithm, algorithm, key)
    if len(digest) != DIGEST_LENGTH:
        raise DigestLength(expected=DIGEST_LENGTH, given=len(digest))
    return name, wanted


def key_name(key: str) -> KeyName:
    """The key that a caller named.

    Raises:
        UnknownKey.
    """
    try:
        return KeyName(key)
    except ValueError:
        raise UnknownKey(key=shown(key)) from None


def member(kind: type[E], algorithm: str, key: str) -> E:
    """The algorithm that a caller named.

    Args:
        kind: of what it must be.
        algorithm: JOSE name.
        key: that it is to be used with.

    Raises:
        AlgorithmNotSupported.
    """
    try:
        return kind(algorithm)
    except ValueError:
        raise AlgorithmNotSupported(algorithm=shown(algorithm), key=key) from None
