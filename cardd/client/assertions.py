"""For servers: verify what `Session.Assert` gave to a client that logs in.

A server asks with a nonce of its own (random, used once, for as long as an assertion lives), the client's program has
it answered by the daemon, and the server checks the answer here. It needs no card, no bus and no daemon.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from cryptography import x509

from cardd.pki.authorities import Acceptance, Candidate, accept
from cardd.pki.certificates import READ_ERRORS
from cardd.pki.fingerprints import fingerprint_of
from cardd.tokens.assertion import LIFETIME
from cardd.tokens.card_signed import (
    SKEW,
    CardSigned,
    check_card_signature,
    require_audience_among,
    require_in_time,
)
from cardd.tokens.chain import StoreJudge
from cardd.tokens.claims import ACR_CARD, ACR_TOKEN, HOLDER_CLAIMS, moment
from cardd.tokens.compact import Claims, Expected, Unverified, read_compact
from cardd.tokens.errors import IssuerUnknown, NonceRefused, TokenAltered, TokenError, TokenMalformed
from cardd.tokens.jose import Algorithm, Type, token_hash, verifies
from cardd.tokens.keys import PublicKey
from cardd.tokens.strict import JsonObject, base64url
from cardd.tokens.verify import TokenVerifier

ASSERTION: Final = Expected("assertion", Type.ASSERTION, {"x5c": Algorithm.RS256, "kid": Algorithm.ES256})

__all__ = ["AssertedBy", "AssertionVerifier", "TokenError", "VerifiedAssertion"]


class AssertedBy(StrEnum):
    """Whose signature the server goes by: the level of the session."""

    CARD = "card"
    """The card itself, which is in its reader now."""
    TOKEN = "token"  # noqa: S105 - a word
    """A daemon that the server knows: the holder redeemed a token."""


@dataclass(frozen=True, slots=True)
class VerifiedAssertion:
    """Who logs in. Times are UTC.

    Args:
        by: card or token.
        national_id: PS_IdNat.
        claims: the professional claims, by the national identity provider's names.
        issuer: name of the daemon; a card's signature does not vouch for it.
        authenticated_at: when the card's PIN was verified.
        issued_at: when it was asserted.
        token_id: `jti` of the token, None for a card.
    """

    by: AssertedBy
    national_id: str = field(repr=False)
    claims: JsonObject = field(repr=False)
    issuer: str
    authenticated_at: datetime
    issued_at: datetime
    token_id: str | None = None


class AssertionVerifier:
    """Verifies assertions made to one audience.

    Args:
        audience: this server's name, as its clients pass it to `Assert` (its origin).
        roots: the certificates (PEM or DER) of the roots to trust, each taken at its word: compare their fingerprints
            with those that the health PKI publishes. Intermediates come with the assertions, or stand here too.
        daemons: public keys (SubjectPublicKeyInfo, DER; `Manager.GetKey`) of daemons whose token sessions are let in;
            none: cards only.
        clock: the time.

    Raises:
        ValueError: a root cannot be used.
        KeyRefused: a daemon's key cannot be used.
    """

    def __init__(
        self,
        audience: str,
        *,
        roots: Iterable[bytes],
        daemons: Iterable[bytes] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._audience = audience
        self._clock = clock
        accepted = _accepted(roots, clock())
        self._judge = StoreJudge(lambda: accepted)
        self._daemons = {key.thumbprint: key for key in (PublicKey.from_spki(one) for one in daemons)}
        self._tokens = TokenVerifier(self._judge, clock)

    def verify(self, assertion: str, *, nonce: bytes, token: str | None = None) -> VerifiedAssertion:
        """Verify an assertion.

        Args:
            assertion: from the client.
            nonce: that this server gave to this client; it must take each nonce once.
            token: of a token's session, where the client sent it along: it is verified too, and must be the one that
                the assertion refers to.

        Raises:
            TokenTooLarge, TokenMalformed, AlgorithmRefused, TypeRefused: it is no assertion.
            TokenAltered: the signature does not hold, or the token is another one.
            IssuerUnknown: a daemon that is not known here speaks for a token.
            AudienceRefused: it was made for another server.
            NonceRefused: it answers another question.
            TokenExpired, TokenNotYetValid: its time.
            ChainRefused, HolderMismatch: its certificate.
        """
        unverified = read_compact(assertion, ASSERTION)
        if unverified.key_member == "x5c":
            signed = check_card_signature(unverified)
            verified = self._checked(unverified, nonce, AssertedBy.CARD)
            self._believe(signed, verified)
        else:
            self._require_daemon(unverified)
            verified = self._checked(unverified, nonce, AssertedBy.TOKEN)
        if token is not None:
            self._require_same(token, unverified)
        return verified

    def _checked(self, unverified: Unverified, nonce: bytes, by: AssertedBy) -> VerifiedAssertion:
        """The claims of a text whose signature holds."""
        claims = Claims(unverified.claims, ASSERTION.what)
        issued, expires = claims.time("iat"), claims.time("exp")
        if not 0 <= expires - issued <= LIFETIME.total_seconds():
            raise TokenMalformed(what=ASSERTION.what, reason="its times contradict one another")
        begins, ends, now = moment(issued), moment(expires), self._clock().astimezone(UTC)
        require_in_time(ASSERTION.what, begins=begins, ends=ends, now=now, skew=SKEW)
        require_audience_among(ASSERTION.what, (claims.text("aud"),), frozenset({self._audience}))
        if not hmac.compare_digest(claims.text("nonce").encode(), base64url(nonce).encode()):
            raise NonceRefused
        if claims.text("acr") != (ACR_CARD if by is AssertedBy.CARD else ACR_TOKEN):
            raise TokenMalformed(what=ASSERTION.what, reason="its acr is not that of its signer")
        return VerifiedAssertion(
            by=by,
            national_id=claims.text("sub"),
            claims={name: unverified.claims[name] for name in sorted(HOLDER_CLAIMS) if name in unverified.claims},
            issuer=claims.text("iss"),
            authenticated_at=moment(claims.time("auth_time")),
            issued_at=begins,
            token_id=_token_reference(unverified)[0] if by is AssertedBy.TOKEN else None,
        )

    def _believe(self, signed: CardSigned, verified: VerifiedAssertion) -> None:
        signed.require_believed(self._judge, (verified.issued_at, self._clock()))

    def _require_daemon(self, unverified: Unverified) -> None:
        name = unverified.key_value
        key = self._daemons.get(name) if isinstance(name, str) else None
        if key is None:
            raise IssuerUnknown
        if not verifies(unverified.text, key.key):
            raise TokenAltered(what=ASSERTION.what)
        if unverified.claims.get("iss") != key.urn:
            raise IssuerUnknown

    def _require_same(self, token: str, unverified: Unverified) -> None:
        verified = self._tokens.verify(token)
        refers_to = _token_reference(unverified)
        is_it = refers_to == (verified.claims.token_id, base64url(token_hash(token)))
        if not is_it or verified.claims.subject != unverified.claims.get("sub"):
            raise TokenAltered(what="token")


def _token_reference(unverified: Unverified) -> tuple[str, str]:
    """Id and hash of the token that an assertion refers to."""
    members = Claims(unverified.claims, ASSERTION.what).object("token")
    if members is None:
        raise TokenMalformed(what=ASSERTION.what, reason="it refers to no token")
    reference = Claims(members, ASSERTION.what)
    return reference.text("jti"), reference.text("ath")


def _accepted(roots: Iterable[bytes], now: datetime) -> Acceptance:
    certificates = [_certificate(one) for one in roots]
    pins = frozenset(fingerprint_of(one) for one in certificates)
    candidates = [Candidate(one, f"root {number}") for number, one in enumerate(certificates, start=1)]
    acceptance = accept(candidates, unpinned=pins, now=now)
    refused = [f"{problem.source}: {problem.detail}" for problem in acceptance.problems if not problem.used]
    if refused:
        raise ValueError("; ".join(refused))
    return acceptance


def _certificate(encoded: bytes) -> x509.Certificate:
    pem = encoded.lstrip().startswith(b"-----")
    try:
        return x509.load_pem_x509_certificate(encoded) if pem else x509.load_der_x509_certificate(encoded)
    except READ_ERRORS:
        raise ValueError("a root is no certificate in PEM or DER") from None
