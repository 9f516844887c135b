"""The room of tokens, opened with its registry and key. Imported on first use: the JOSE library comes with it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509

from cardd.access.caller import Caller
from cardd.errors import NotTrusted
from cardd.holder.errors import MalformedCertificate
from cardd.holder.professional import professional_from
from cardd.pki.blocklist import BlockList
from cardd.pki.trust import CertificateUse, Trust, TrustReason
from cardd.sessions.believed import marks_of
from cardd.sessions.presence import Environment
from cardd.sessions.session import Session
from cardd.sessions.token_session import Clocks
from cardd.sessions.token_settings import MintOrder, TokenSettings, who
from cardd.tokens.assertion import assert_by_card, assert_by_daemon
from cardd.tokens.chain import StoreJudge
from cardd.tokens.challenges import Challenges
from cardd.tokens.daemon_key import DaemonKey, load_or_make
from cardd.tokens.keys import PublicKey
from cardd.tokens.mint import DEFAULT_KIND, Authenticated, MintedToken, Minter, MintRequest
from cardd.tokens.redeem import Redeemer, TokenHolder
from cardd.tokens.registry_sqlite import SqliteTokenRegistry
from cardd.tokens.verify import TokenVerifier


@dataclass(frozen=True, slots=True)
class TokenRoom:
    """The parts, put together; made by `open`.

    Args:
        environment: trust store and clock.
        key: the daemon's.
        registry: of tokens.
        challenges: that are open.
        judge: of the certificates that tokens carry.
        minter: makes tokens.
        redeemer: redeems them.
    """

    environment: Environment
    key: DaemonKey
    registry: SqliteTokenRegistry
    challenges: Challenges
    judge: StoreJudge
    minter: Minter
    redeemer: Redeemer

    @classmethod
    async def open(cls, settings: TokenSettings, environment: Environment, clocks: Clocks) -> TokenRoom:
        """Read or make the key, open or make the registry.

        Raises:
            DaemonKeyUnusable, RegistryUnavailable.
        """
        key = await asyncio.to_thread(load_or_make, settings.key)
        registry = await SqliteTokenRegistry.open(settings.registry, clock=clocks.wall)
        name = key.public.urn
        audience = settings.audience or name
        challenges = Challenges(clocks.boot)
        minter = Minter(issuer=name, audience=audience, rules=settings.rules, registry=registry, clock=clocks.wall)
        judge = StoreJudge(
            environment.trust,
            revocation=lambda: environment.trust().revocation,
            blocked=lambda certificate: _is_blocked(environment.blocks(), certificate),
        )
        redeemer = Redeemer(
            daemon=name,
            audiences=frozenset({name, audience}),
            verifier=TokenVerifier(judge, clocks.wall),
            registry=registry,
            challenges=challenges,
            clock=clocks.wall,
        )
        return cls(environment, key, registry, challenges, judge, minter, redeemer)

    async def close(self) -> None:
        """Give registry and key back."""
        self.redeemer.stop()
        await self.registry.close()

    async def mint(self, session: Session, caller: Caller, order: MintOrder, journal_head: str) -> MintedToken:
        """Have the session's card sign a token, and register it.

        Args:
            session: whose card signs.
            caller: who asks.
            order: what for.
            journal_head: where the journal stands, empty where that is not known.

        Raises:
            KeyRefused: the device's key.
            CarddError: as `Minter.mint`, and what the session refuses.
        """
        device = order.device
        key = PublicKey.from_spki(device) if isinstance(device, bytes) else PublicKey.from_jwk_text(device)
        kind = DEFAULT_KIND if order.kind is None else order.kind
        request = MintRequest(
            key,
            lifetime=order.lifetime,
            audience=order.audience,
            kind=kind,
            by=who(caller),
            journal_head=journal_head,
        )
        return await self.minter.mint(self._authenticated(session, caller, interactive=order.interactive), request)

    async def assert_by_card(
        self, session: Session, caller: Caller, audience: str, nonce: bytes, *, interactive: bool = True
    ) -> str:
        """Have the session's card tell an audience who its holder is.

        Args:
            session: whose card signs.
            caller: who asks.
            audience, nonce: as `cardd.tokens.assertion.assert_by_card`.
            interactive: as `Session.sign`.

        Raises:
            CarddError: as `cardd.tokens.assertion.assert_by_card`, and what the session refuses.
        """
        holder, issuer = self._authenticated(session, caller, interactive=interactive), self.key.public.urn
        return await assert_by_card(holder, issuer=issuer, audience=audience, nonce=nonce, now=self._now())

    def speak(self, holder: TokenHolder, audience: str, nonce: bytes) -> str:
        """Tell an audience whom a token stands for (see `cardd.sessions.token_session.Speak`)."""
        return assert_by_daemon(holder, self.key, audience=audience, nonce=nonce, now=self._now())

    def verdict(self, holder: TokenHolder) -> Trust:
        """What is to be thought now of the certificate that signed a token."""
        return self.judge.judge(holder.chain, self._now())

    async def withdraw(self, token_id: str) -> None:
        """Revoke a token that could not be handed out: nobody has its text."""
        await self.registry.revoke(token_id, reason="never handed out", by="cardd", at=self._now())

    def _authenticated(self, session: Session, caller: Caller, *, interactive: bool) -> Authenticated:
        presence = session.presence
        professional, certificate = presence.professional, presence.certificate
        if professional is None:
            raise NotTrusted(reason=TrustReason.MALFORMED.value)

        async def sign(digest: bytes) -> bytes:
            return await session.sign_statement(caller, digest, interactive=interactive)

        store = self.environment.trust()
        # Judged anew: the session may be hours old.
        trust = store.verify(certificate, CertificateUse.AUTHENTICATION, self._now())
        return Authenticated.of(
            professional,
            certificate,
            trust=trust,
            authorities=store.authorities,
            since=session.since,
            sign=sign,
            activity=session.situation,
        )

    def _now(self) -> datetime:
        return self.environment.clock().astimezone(UTC)


def _is_blocked(blocks: BlockList, certificate: x509.Certificate) -> bool:
    if not len(blocks):
        return False
    try:
        professional = professional_from(certificate)
    except MalformedCertificate:
        return True  # of nobody; it is refused for that as well
    return blocks.blocks(marks_of(professional, certificate))
