"""Redeeming a token: it holds, its device proves its key over a fresh challenge, the registry knows it. Then somebody
is who the token says, until it expires, is revoked or is ended.

The proof is an ES256 JWS of a `typ` of its own, not a bare ECDSA signature: the `typ` and the daemon's name in it keep
a signature made here from passing anywhere else, it carries the key of which the token has the thumbprint alone, any
JOSE library makes it, and what can only sign a digest (a card, a phone's key store) signs the JWS's.
"""

from __future__ import annotations

import enum
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from cryptography import x509

from cardd.access.caller import Caller
from cardd.holder.activities import Activity
from cardd.holder.professional import Professional
from cardd.tokens.chain import Chain
from cardd.tokens.challenges import Challenges
from cardd.tokens.claims import TokenClaims
from cardd.tokens.compact import Claims, Expected, Unverified, read_compact
from cardd.tokens.errors import (
    KeyRefused,
    ProofWrong,
    TokenExpired,
    TokenMalformed,
    TokenRevoked,
    TokenUnknown,
)
from cardd.tokens.jose import Algorithm, Type, verifies
from cardd.tokens.keys import PublicKey
from cardd.tokens.mint import Clock
from cardd.tokens.registry import Revocation, TokenRegistry
from cardd.tokens.strict import NotStrict, base64url, base64url_bytes
from cardd.tokens.verify import TokenVerifier, VerifiedToken

PROOF: Final = Expected("proof", Type.PROOF, {"jwk": Algorithm.ES256})
_PROOF_CLAIMS: Final = frozenset({"aud", "nonce", "ath"})


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """Who a redeemed token stands for. Times are UTC.

    Args:
        token_id: `jti`.
        token_hash: SHA-256 of the token's text, 32 bytes.
        claims: what the token says.
        professional: its holder, by the certificate that signed it.
        chain: that certificate, and the authorities that came along.
        thumbprint: of the device's key that was proven.
        expires_at: when the session must end.
        activity: the work situation in which the token was minted, None for none.
    """

    token_id: str
    token_hash: bytes
    claims: TokenClaims
    professional: Professional
    chain: Chain = field(repr=False)
    thumbprint: str
    expires_at: datetime
    activity: Activity | None = None

    @property
    def certificate(self) -> x509.Certificate:
        """The holder's."""
        return self.chain[0]


class RedemptionEnd(enum.StrEnum):
    """Why what a token opened is over."""

    REVOKED = "revoked"
    CLOSED = "closed"
    """Its user of the room was done with it."""


class Redemption:
    """A redeemed token while it is in use.

    Args:
        holder: who.
        closed: called once, when it is over.
    """

    def __init__(self, holder: TokenHolder, closed: Callable[[Redemption], None]) -> None:
        self.holder = holder
        self._closed = closed
        self._end: RedemptionEnd | None = None
        self._observer: Callable[[], None] | None = None

    @property
    def end(self) -> RedemptionEnd | None:
        """Why it is over, None while it is not."""
        return self._end

    def on_revoked(self, observer: Callable[[], None]) -> None:
        """Who is told, on the loop, when the token is revoked; at once where it has been."""
        if self._end is RedemptionEnd.REVOKED:
            observer()
        else:
            self._observer = observer

    def close(self) -> None:
        """The session has ended by itself."""
        self._finish(RedemptionEnd.CLOSED)

    def revoked(self) -> None:
        """The token was revoked: whoever observes is told."""
        observer = self._observer
        if self._finish(RedemptionEnd.REVOKED) and observer is not None:
            observer()

    def _finish(self, end: RedemptionEnd) -> bool:
        if self._end is not None:
            return False
        self._end, self._observer = end, None
        self._closed(self)
        return True


class Redeemer:
    """Redeems tokens, and ends what they opened when they are revoked.

    Args:
        daemon: the name that proofs must be addressed to (`DaemonKey.public.urn`).
        audiences: names of which a token must bear one: the daemon's, and that which a hospital's daemons share.
        verifier: of tokens.
        registry: where they are registered.
        challenges: that proofs answer.
        clock: the time.
    """

    def __init__(
        self,
        *,
        daemon: str,
        audiences: frozenset[str],
        verifier: TokenVerifier,
        registry: TokenRegistry,
        challenges: Challenges,
        clock: Clock,
    ) -> None:
        self._daemon = daemon
        self._audiences = audiences
        self._verifier = verifier
        self._registry = registry
        self._challenges = challenges
        self._clock = clock
        self._live: dict[str, list[Redemption]] = {}
        self._stop_observing = registry.on_revoked(self._on_revoked)

    async def redeem(self, token: str, proof: str, caller: Caller) -> Redemption:
        """Redeem a token.

        Args:
            token: its text.
            proof: the device's answer to a challenge given to the same user.
            caller: who redeems.

        Raises:
            TokenError: as `TokenVerifier.verify`; the proof's form as that of a token; ChallengeUnknown,
                ProofReplayed, ProofWrong; TokenUnknown, TokenRevoked, RegistryUnavailable.
        """
        verified = self._verifier.verify(token, audiences=self._audiences)
        # The skew is for strangers' clocks; what is opened here ends at its time.
        if self._clock().astimezone(UTC) >= verified.claims.expires_at:
            raise TokenExpired(what="token")
        self._require_proof(proof, verified, caller)
        redemption = Redemption(_holder(verified), self._forget)
        # Live before the registry is asked: a revocation that comes while it answers is not missed.
        self._live.setdefault(redemption.holder.token_id, []).append(redemption)
        try:
            await self._require_good(redemption)
        except BaseException:
            redemption.close()
            raise
        return redemption

    def stop(self) -> None:
        """Hear of no more revocations."""
        self._stop_observing()

    def _require_proof(self, proof: str, verified: VerifiedToken, caller: Caller) -> None:
        unverified = read_compact(proof, PROOF)
        if set(unverified.claims) != _PROOF_CLAIMS:
            raise TokenMalformed(what=PROOF.what, reason="its claims must be aud, nonce and ath")
        # Used up before anything is checked: one challenge, one attempt.
        self._challenges.take(_nonce(unverified), caller)
        key = _device_key(unverified)
        if not hmac.compare_digest(key.thumbprint, verified.claims.thumbprint):
            raise ProofWrong(reason="it is by another key than the token names")
        if not verifies(proof, key.key):
            raise ProofWrong(reason="its signature does not hold")
        if unverified.claims["aud"] != self._daemon:
            raise ProofWrong(reason="it answers another daemon")
        if unverified.claims["ath"] != base64url(verified.token_hash):
            raise ProofWrong(reason="it was made for another token")

    async def _require_good(self, redemption: Redemption) -> None:
        record = await self._registry.get(redemption.holder.token_id)
        if record.token_hash != redemption.holder.token_hash:
            raise TokenUnknown
        if record.revocation is not None or redemption.end is not None:
            raise TokenRevoked

    def _on_revoked(self, revocation: Revocation) -> None:
        for redemption in tuple(self._live.get(revocation.token_id, ())):
            redemption.revoked()

    def _forget(self, redemption: Redemption) -> None:
        token_id = redemption.holder.token_id
        rest = [one for one in self._live.get(token_id, ()) if one is not redemption]
        if rest:
            self._live[token_id] = rest
        else:
            self._live.pop(token_id, None)


def _nonce(proof: Unverified) -> bytes:
    try:
        return base64url_bytes(Claims(proof.claims, PROOF.what).text("nonce"))
    except NotStrict as error:
        raise TokenMalformed(what=PROOF.what, reason=f"its nonce is {error}") from error


def _device_key(proof: Unverified) -> PublicKey:
    if not isinstance(proof.key_value, dict):
        raise TokenMalformed(what=PROOF.what, reason="its jwk is no object")
    try:
        return PublicKey.from_jwk(proof.key_value)
    except KeyRefused as error:
        raise TokenMalformed(what=PROOF.what, reason=f"its jwk cannot be used, {error.fields['reason']}") from error


def _holder(verified: VerifiedToken) -> TokenHolder:
    claims = verified.claims
    return TokenHolder(
        token_id=claims.token_id,
        token_hash=verified.token_hash,
        claims=claims,
        professional=verified.professional,
        chain=verified.chain,
        thumbprint=claims.thumbprint,
        # The chain may end before the token does where an authority's certificate was replaced meanwhile.
        expires_at=min(claims.expires_at, verified.trust.expires or claims.expires_at),
        activity=verified.activity,
    )
