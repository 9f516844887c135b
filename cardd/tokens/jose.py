"""The JOSE library behind one file: what is signed and how, signatures made and checked.

The library lays the JWS out; the card signs the digest of that, since its key never leaves it.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import (  # type: ignore[attr-defined]  # its documentation names JWSAlgModel, its __all__ does not
    JWSAlgModel,
    JWSRegistry,
)

from cardd.tokens.errors import SigningFailed, TokenTooLarge
from cardd.tokens.strict import JsonObject, base64url, json_bytes

SignDigest = Callable[[bytes], Awaitable[bytes]]
"""Signs a SHA-256 (32 bytes) by RSASSA-PKCS1-v1_5; gives the signature, as long as the modulus."""

MAX_LENGTH: Final = 16384
"""Characters of a JWS here, checked before anything of it is parsed; a token with its certificates has about 8,000."""


class Algorithm(enum.StrEnum):
    """Signature algorithms (RFC 7518, 3.1) that anything here is signed with."""

    RS256 = "RS256"
    """Cards."""
    ES256 = "ES256"
    """Devices and daemons."""


class Type(enum.StrEnum):
    """`typ` (RFC 8725, 3.11): what one key signs for one purpose never passes for another."""

    TOKEN = "cardd-token+jwt"  # noqa: S105 - a media type
    ASSERTION = "cardd-assertion+jwt"
    PROOF = "cardd-proof+jwt"


class _Registry(JWSRegistry):
    # The library's bounds are for headers without certificates.
    max_header_length = MAX_LENGTH
    max_payload_length = MAX_LENGTH


class _SignedElsewhere(JWSAlgModel):
    """RS256 as far as the layout goes: leaves the signature empty."""

    name = Algorithm.RS256.value
    key_type = "RSA"

    def sign(self, msg: bytes, key: Any) -> bytes:  # the library's signature
        del msg, key
        return b""

    def verify(self, msg: bytes, sig: bytes, key: Any) -> bool:  # the library's signature
        del msg, sig, key
        return False


class _LayoutRegistry(_Registry):
    def get_alg(self, name: str) -> JWSAlgModel:
        if name != Algorithm.RS256:
            raise ValueError("a card signs RS256")
        return _SignedElsewhere()


async def sign_by_card(
    header: JsonObject, claims: JsonObject, key: rsa.RSAPublicKey, sign: SignDigest, what: str
) -> str:
    """A compact JWS (RFC 7515, 7.1) whose signature a card makes.

    Args:
        header: without `alg`.
        claims: the payload.
        key: of the card's certificate; what the card gives is checked against it.
        sign: the card.
        what: names it in sentences.

    Raises:
        TokenTooLarge: nobody would read it; the card was not asked.
        SigningFailed: the card gave something else.
    """
    protected = {"alg": Algorithm.RS256.value, **header}
    layout = jws.serialize_compact(protected, json_bytes(claims), RSAKey.import_key(key), registry=_LayoutRegistry())
    signing_input = layout.removesuffix(".")
    if len(layout) + len(base64url(bytes((key.key_size + 7) // 8))) > MAX_LENGTH:
        raise TokenTooLarge(what=what, limit=MAX_LENGTH)
    signature = await sign(hashlib.sha256(signing_input.encode("ascii")).digest())
    signed = f"{signing_input}.{base64url(signature)}"
    if not verifies(signed, key):
        raise SigningFailed
    return signed


def sign_by_key(header: JsonObject, claims: JsonObject, key: ec.EllipticCurvePrivateKey) -> str:
    """A compact JWS signed ES256 by a P-256 key at hand.

    Args:
        header: without `alg`.
        claims: the payload.
        key: P-256.
    """
    protected = {"alg": Algorithm.ES256.value, **header}
    registry = _Registry(algorithms=[Algorithm.ES256.value])
    return jws.serialize_compact(protected, json_bytes(claims), ECKey.import_key(key), registry=registry)


def verifies(compact: str, key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> bool:
    """Whether a compact JWS is signed by a key: RS256 by an RSA key, ES256 by a P-256 key, nothing else.

    Args:
        compact: at most `MAX_LENGTH` characters; its header names the same algorithm.
    """
    jwk: RSAKey | ECKey
    if isinstance(key, rsa.RSAPublicKey):
        algorithm, jwk = Algorithm.RS256, RSAKey.import_key(key)
    else:
        algorithm, jwk = Algorithm.ES256, ECKey.import_key(key)
    try:
        jws.deserialize_compact(compact, jwk, registry=_Registry(algorithms=[algorithm.value]))
    except JoseError:
        return False
    return True


def token_hash(token: str) -> bytes:
    """SHA-256 of a token's text (32 bytes): names it where its text must not stand (RFC 9449, 4.2, `ath`)."""
    return hashlib.sha256(token.encode("ascii")).digest()
