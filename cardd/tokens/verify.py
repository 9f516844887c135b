"""Verification of a token by anyone who has its text and the roots. Whether it was revoked is the registry's word."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import Final

from cryptography import x509

from cardd.holder.activities import Activity
from cardd.holder.professional import Professional
from cardd.pki.trust import Trust
from cardd.tokens.activity_claims import activity_in
from cardd.tokens.card_signed import SKEW, check_card_signature, require_audience_among, require_in_time
from cardd.tokens.chain import Chain, ChainJudge
from cardd.tokens.claims import TokenClaims, moment, read_token_claims
from cardd.tokens.compact import Claims, Expected, read_compact
from cardd.tokens.errors import LifetimeRefused
from cardd.tokens.jose import Algorithm, Type, token_hash
from cardd.tokens.mint import Clock
from cardd.tokens.rules import CEILING

TOKEN: Final = Expected("token", Type.TOKEN, {"x5c": Algorithm.RS256})


@dataclass(frozen=True, slots=True)
class VerificationPolicy:
    """What a verifier accepts.

    Args:
        skew: how far the issuer's clock and this one may differ.
        longest: a token made to live longer is refused.
    """

    skew: timedelta = SKEW
    longest: timedelta = CEILING


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """A token that holds, as of now and offline.

    Args:
        claims: what it says.
        professional: whose it is, by the certificate that signed it.
        chain: that certificate, and the authorities that came along.
        trust: the verdict on it now.
        token_hash: SHA-256 of the text, 32 bytes.
        activity: the work situation in which it was minted, None for none.
    """

    claims: TokenClaims
    professional: Professional
    chain: Chain = field(repr=False)
    trust: Trust
    token_hash: bytes
    activity: Activity | None = None

    @property
    def certificate(self) -> x509.Certificate:
        """The holder's."""
        return self.chain[0]


class TokenVerifier:
    """Verifies tokens.

    Args:
        judge: who knows the roots.
        clock: the time.
        policy: what is accepted.
    """

    def __init__(self, judge: ChainJudge, clock: Clock, policy: VerificationPolicy | None = None) -> None:
        self._judge = judge
        self._clock = clock
        self._policy = policy or VerificationPolicy()

    def verify(self, token: str, *, audiences: frozenset[str] | None = None) -> VerifiedToken:
        """Verify a token from a stranger.

        Args:
            token: the text, surrounding white space aside none.
            audiences: the token must be for one of these; None: for whomever.

        Raises:
            TokenTooLarge, TokenMalformed, AlgorithmRefused, TypeRefused: it is no token of ours.
            TokenAltered: the signature does not hold.
            ConfirmationMissing: it is bound to no device.
            TokenExpired, TokenNotYetValid, LifetimeRefused: its times.
            AudienceRefused: it is for others.
            ChainRefused: its certificate is not trusted, when it was signed or now.
            HolderMismatch: it says something else of its holder than its certificate.
        """
        unverified = read_compact(token, TOKEN)
        signed = check_card_signature(unverified)
        claims = read_token_claims(unverified.claims, TOKEN.what)
        now = self._clock().astimezone(UTC)
        not_before = Claims(unverified.claims, TOKEN.what).optional_time("nbf")
        begins = claims.issued_at if not_before is None else max(claims.issued_at, moment(not_before))
        require_in_time(TOKEN.what, begins=begins, ends=claims.expires_at, now=now, skew=self._policy.skew)
        if claims.expires_at - claims.issued_at > self._policy.longest:
            raise LifetimeRefused(reason="the token was made to live longer than is accepted here")
        if audiences is not None:
            require_audience_among(TOKEN.what, claims.audience, audiences)
        trust = signed.require_believed(self._judge, (claims.issued_at, now))
        activity = activity_in(unverified.claims)  # of a good form: the claims agree with it
        return VerifiedToken(claims, signed.professional, signed.chain, trust, token_hash(token), activity)
