"""What a device signs to show that it holds the key that a token is bound to."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec

from cardd.tokens.jose import Type, sign_by_key, token_hash
from cardd.tokens.keys import PublicKey
from cardd.tokens.strict import JsonObject, base64url


def proof_claims(daemon: str, challenge: bytes, token_hash: bytes) -> JsonObject:
    """What a device signs: whom it answers, what, and for which token (names of RFC 9449).

    Args:
        daemon: the redeeming daemon's name.
        challenge: that it gave.
        token_hash: SHA-256 of the token's text, 32 bytes.
    """
    return {"aud": daemon, "nonce": base64url(challenge), "ath": base64url(token_hash)}


def prove(key: ec.EllipticCurvePrivateKey, token: str, *, daemon: str, challenge: bytes) -> str:
    """The proof of a device whose key is at hand: a compact JWS.

    Args:
        key: the device's, on P-256.
        token: its text.
        daemon, challenge: as `proof_claims`.

    Raises:
        KeyRefused: the key is on another curve.
    """
    public = PublicKey.of(key.public_key())
    header = {"typ": Type.PROOF.value, "jwk": public.jwk}
    return sign_by_key(header, proof_claims(daemon, challenge, token_hash(token)), key)
