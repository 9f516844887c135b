"""Assertions: who somebody is, told to one audience, now, in answer to its nonce.

A card's session signs with the card's authentication key; a token's session, which has none, is spoken for by the
daemon's key, with reference to the token.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from cardd.errors import InvalidArgument
from cardd.tokens.chain import rsa_key_of, x5c_of
from cardd.tokens.claims import ACR_CARD, ACR_TOKEN, AMR_CARD, CARD_ONLY, holder_claims, seconds
from cardd.tokens.daemon_key import DaemonKey
from cardd.tokens.errors import TokenExpired
from cardd.tokens.jose import Type, sign_by_card
from cardd.tokens.mint import Authenticated, require_audience
from cardd.tokens.redeem import TokenHolder
from cardd.tokens.strict import base64url

LIFETIME: Final = timedelta(seconds=60)
"""An assertion is good for as long as it takes to hand it over."""
NONCE_MIN: Final = 16
NONCE_MAX: Final = 64
"""Bytes of a nonce."""


async def assert_by_card(holder: Authenticated, *, issuer: str, audience: str, nonce: bytes, now: datetime) -> str:
    """An assertion signed by the card.

    Args:
        holder: whose card is open.
        issuer: the daemon's name.
        audience: to whom it is made: an origin ("https://records.example") or another name.
        nonce: the audience's random bytes, `NONCE_MIN` to `NONCE_MAX`.
        now: the time, aware.

    Raises:
        InvalidArgument: audience or nonce.
        ChainRefused: the certificate's key cannot be relied on.
        TokenTooLarge: its certificates make it longer than is read.
        SigningFailed: the card's signature does not hold.
    """
    what = "assertion"
    claims = _claims(issuer, holder.professional.national_id, audience, nonce, now)
    claims["auth_time"] = min(seconds(holder.since), seconds(now))
    claims["acr"] = ACR_CARD
    claims["amr"] = list(AMR_CARD)
    claims.update(holder_claims(holder.professional, holder.certificate, holder.activity))
    header = {"typ": Type.ASSERTION.value, "x5c": x5c_of((holder.certificate, *holder.intermediates))}
    return await sign_by_card(header, claims, rsa_key_of(holder.certificate, what), holder.sign, what)


def assert_by_daemon(holder: TokenHolder, key: DaemonKey, *, audience: str, nonce: bytes, now: datetime) -> str:
    """An assertion for a token's session, signed by the daemon.

    Args:
        holder: whom the token stands for.
        key: the daemon's.
        audience: as `assert_by_card`.
        nonce: as `assert_by_card`.
        now: the time, aware.

    Raises:
        InvalidArgument: audience or nonce.
        TokenExpired: the session should have ended.
    """
    if now >= holder.expires_at:
        raise TokenExpired(what="token")
    claims = _claims(key.public.urn, holder.claims.subject, audience, nonce, now)
    claims["exp"] = min(seconds(now + LIFETIME), seconds(holder.expires_at))
    claims["auth_time"] = seconds(holder.claims.authenticated_at)
    claims["acr"] = ACR_TOKEN
    about = holder_claims(holder.professional, holder.certificate, holder.activity)
    claims.update({name: value for name, value in about.items() if name != CARD_ONLY})
    claims["token"] = {"jti": holder.token_id, "ath": base64url(holder.token_hash)}
    return key.sign(Type.ASSERTION, claims)


def _claims(issuer: str, subject: str, audience: str, nonce: bytes, now: datetime) -> dict[str, object]:
    require_audience(audience)
    if not NONCE_MIN <= len(nonce) <= NONCE_MAX:
        raise InvalidArgument(argument="nonce", reason=f"it must have {NONCE_MIN} to {NONCE_MAX} bytes")
    at = now.astimezone(UTC)
    return {
        "iss": issuer,
        "sub": subject,
        "aud": audience,
        "nonce": base64url(nonce),
        "iat": seconds(at),
        "exp": seconds(at + LIFETIME),
    }
