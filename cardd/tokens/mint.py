"""Making a token: the claims, the card's signature over them, the entry in the registry, and only then the text."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509

from cardd.errors import InvalidArgument
from cardd.holder.activities import Activity
from cardd.holder.professional import Professional
from cardd.pki.authorities import Authority
from cardd.pki.fingerprints import fingerprint_of
from cardd.pki.trust import Trust
from cardd.tokens.chain import Chain, issuers_of, rsa_key_of, x5c_of
from cardd.tokens.claims import ACR_CARD, TokenClaims, holder_claims, is_kind
from cardd.tokens.errors import ChainRefused
from cardd.tokens.jose import SignDigest, Type, sign_by_card, token_hash
from cardd.tokens.keys import PublicKey
from cardd.tokens.registry import TokenRecord, TokenRegistry
from cardd.tokens.rules import LifetimeRules, ends_at
from cardd.tokens.strict import base64url

TOKEN_ID_BYTES: Final = 16
AUDIENCE_MAX: Final = 256
"""Characters of one audience."""
AUDIENCES_MAX: Final = 8
DEFAULT_KIND: Final = "device"
"""A token for a device of the holder's, whatever it is."""

RandomBytes = Callable[[int], bytes]
Clock = Callable[[], datetime]
"""The time now, aware."""


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A professional whose card is open, as its session knows them.

    Args:
        professional: read from the certificate.
        certificate: the authentication certificate.
        intermediates: from its issuer up, without the root.
        certificate_ends: the last moment at which its whole chain is valid.
        since: when the PIN was verified, UTC.
        sign: the raw RS256 signature of the card's authentication key in this session.
        activity: the work situation that was chosen, None for none.
    """

    professional: Professional
    certificate: x509.Certificate = field(repr=False)
    intermediates: Chain = field(repr=False)
    certificate_ends: datetime
    since: datetime
    sign: SignDigest = field(repr=False)
    activity: Activity | None = None

    @classmethod
    def of(
        cls,
        professional: Professional,
        certificate: x509.Certificate,
        *,
        trust: Trust,
        authorities: Iterable[Authority],
        since: datetime,
        sign: SignDigest,
        activity: Activity | None = None,
    ) -> Authenticated:
        """From what a session's card is judged by.

        Args:
            professional, certificate, since, sign, activity: as above.
            trust: the verdict on the certificate now.
            authorities: those of the trust store that gave it.

        Raises:
            ChainRefused: the certificate is not trusted (any more).
        """
        if (ends := trust.expires) is None:
            raise ChainRefused(what="card", reason=trust.reason.value)
        return cls(professional, certificate, issuers_of(trust, authorities), ends, since, sign, activity)


@dataclass(frozen=True, slots=True)
class MintRequest:
    """What is asked for.

    Args:
        device: the key that the token is bound to.
        lifetime: None for the rule's default.
        audience: who may rely on it; empty for the daemon's own audience.
        kind: what it is for.
        by: who asks, as the daemon knows callers ("uid:1000"): who may look after it later.
        journal_head: where the daemon's journal stands, of which the token is to be a witness; empty for none.
    """

    device: PublicKey
    lifetime: timedelta | None = None
    audience: tuple[str, ...] = ()
    kind: str = DEFAULT_KIND
    by: str = ""
    journal_head: str = ""


@dataclass(frozen=True, slots=True)
class MintedToken:
    """A token, registered.

    Args:
        token_id: `jti`.
        token: its text, for its holder alone.
        expires_at: the first moment at which it is no longer good, UTC.
    """

    token_id: str
    token: str = field(repr=False)
    expires_at: datetime


class Minter:
    """Mints tokens.

    Args:
        issuer: the daemon's name (`DaemonKey.public.urn`).
        audience: of tokens whose request names none: the daemon's name, or a name that a hospital's daemons share.
        rules: how long tokens may live.
        registry: where they are registered.
        clock: the time.
        random: gives random bytes.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        rules: LifetimeRules,
        registry: TokenRegistry,
        clock: Clock,
        random: RandomBytes = secrets.token_bytes,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._rules = rules
        self._registry = registry
        self._clock = clock
        self._random = random

    async def mint(self, holder: Authenticated, request: MintRequest) -> MintedToken:
        """Mint a token. Whatever the session refuses while it signs (its end, the card's removal) passes through.

        Raises:
            InvalidArgument: kind or audience.
            LifetimeRefused: no rule allows it, or the certificate ends.
            ChainRefused: the certificate's key cannot be relied on.
            TokenTooLarge: certificates and audience make it longer than is read.
            SigningFailed: the card's signature does not hold.
            RegistryUnavailable: it could not be registered; there is no token then.
        """
        claims = self._claims(holder, request)
        header = {"typ": Type.TOKEN.value, "x5c": x5c_of((holder.certificate, *holder.intermediates))}
        about_holder = holder_claims(holder.professional, holder.certificate, holder.activity)
        key = rsa_key_of(holder.certificate, "token")
        token = await sign_by_card(header, {**claims.to_json(), **about_holder}, key, holder.sign, "token")
        await self._registry.add(_record(claims, holder, token, str(about_holder.get("card_id", "")), request.by))
        return MintedToken(claims.token_id, token, claims.expires_at)

    def _claims(self, holder: Authenticated, request: MintRequest) -> TokenClaims:
        if not is_kind(request.kind):
            raise InvalidArgument(argument="kind", reason="it is no lower-case word of up to 32 characters")
        audience = request.audience or (self._audience,)
        if len(audience) > AUDIENCES_MAX:
            raise InvalidArgument(argument="audience", reason=f"more than {AUDIENCES_MAX} are named")
        for one in audience:
            require_audience(one)
        issued_at = self._clock().astimezone(UTC).replace(microsecond=0)
        lifetime = self._rules.lifetime(request.kind, holder.professional, request.lifetime)
        return TokenClaims(
            issuer=self._issuer,
            subject=holder.professional.national_id,
            token_id=base64url(self._random(TOKEN_ID_BYTES)),
            issued_at=issued_at,
            expires_at=ends_at(issued_at, lifetime, holder.certificate_ends),
            # A clock that was set back meanwhile must not make a token that contradicts itself.
            authenticated_at=min(holder.since.astimezone(UTC).replace(microsecond=0), issued_at),
            acr=ACR_CARD,
            audience=audience,
            thumbprint=request.device.thumbprint,
            kind=request.kind,
            journal_head=request.journal_head,
        )


def require_audience(audience: str) -> None:
    """Check a name of who may rely on something: a URI or a host's name.

    Raises:
        InvalidArgument: empty, too long, or with characters that are no printable ASCII, or a space.
    """
    plain = audience.isascii() and audience.isprintable() and " " not in audience
    if not 1 <= len(audience) <= AUDIENCE_MAX or not plain:
        reason = f"it must be 1 to {AUDIENCE_MAX} printable ASCII characters without spaces"
        raise InvalidArgument(argument="audience", reason=reason)


def _record(claims: TokenClaims, holder: Authenticated, token: str, card_id: str, by: str) -> TokenRecord:
    return TokenRecord(
        token_id=claims.token_id,
        token_hash=token_hash(token),
        subject=claims.subject,
        kind=claims.kind,
        issuer=claims.issuer,
        audience=claims.audience,
        card_id=card_id,
        certificate=fingerprint_of(holder.certificate),
        thumbprint=claims.thumbprint,
        authenticated_at=claims.authenticated_at,
        issued_at=claims.issued_at,
        expires_at=claims.expires_at,
        minted_by=by,
    )
