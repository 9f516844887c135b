"""The registry of tokens: what must hold, whoever keeps it.

- A token is registered before it is handed out; the registry keeps its hash, never its text.
- What a method reported is on the medium: it survives a power cut.
- A revocation is for ever; the first one stands. Observers hear of each once, on the loop, after it is on the medium
  and before the caller of `revoke` goes on, wherever it came from: another daemon on the same registry is one source.
- Several daemons may use one registry at once; ids are unique among them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from cardd.errors import InvalidArgument

LIST_MAX: Final = 1000
"""Records that one listing gives at most."""
REASON_MAX: Final = 200
"""Characters of a reason."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """That and why a token is good no more.

    Args:
        token_id: `jti`.
        reason: for people, up to `REASON_MAX` printable characters.
        by: who revoked it, as the daemon knows them ("uid:1000").
        at: when, UTC, whole seconds.
    """

    token_id: str
    reason: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """One token. Times are UTC, whole seconds.

    Args:
        token_id: `jti`.
        token_hash: SHA-256 of the token's text, 32 bytes.
        subject: the holder's national identifier.
        kind: what it is for.
        issuer: the daemon that minted it.
        audience: who may rely on it.
        card_id: issuer and number of the card, empty where its certificate tells none.
        certificate: SHA-256 of the certificate that signed it, 64 lower-case hexadecimal digits.
        thumbprint: RFC 7638, of the device's key.
        authenticated_at: when the PIN was verified.
        issued_at: when it was minted.
        expires_at: the first moment at which it is no longer good.
        minted_by: for whom it was minted, as the daemon knows callers ("uid:1000"); empty where that was not kept.
        revocation: None while it is not revoked.
    """

    token_id: str
    token_hash: bytes
    subject: str = field(repr=False)
    kind: str
    issuer: str
    audience: tuple[str, ...]
    card_id: str = field(repr=False)
    certificate: str
    thumbprint: str
    authenticated_at: datetime
    issued_at: datetime
    expires_at: datetime
    minted_by: str = ""
    revocation: Revocation | None = None


RevocationObserver = Callable[[Revocation], None]
"""Called on the loop; must not raise."""


class TokenRegistry(Protocol):
    """Where tokens are registered. Every method may raise RegistryUnavailable."""

    async def add(self, record: TokenRecord) -> None:
        """Register a token.

        Raises:
            TokenExists: the id is taken.
        """

    async def get(self, token_id: str) -> TokenRecord:
        """One token.

        Raises:
            TokenUnknown.
        """

    async def list_tokens(
        self, *, limit: int, after: str | None = None, minted_by: str | None = None
    ) -> tuple[TokenRecord, ...]:
        """Tokens in the order in which they were registered.

        Args:
            limit: 1 to `LIST_MAX`.
            after: the id of the last token of the page before; None begins.
            minted_by: only those that were minted for this caller; None: all.

        Raises:
            InvalidArgument: the limit.
            TokenUnknown: `after` is no token's.
        """

    async def revoke(self, token_id: str, *, reason: str, by: str, at: datetime) -> Revocation:
        """Revoke a token; gives the revocation that stands, which is the first.

        Args:
            reason: 1 to `REASON_MAX` printable characters.
            by: who, likewise.
            at: when, aware.

        Raises:
            InvalidArgument: the reason.
            TokenUnknown.
        """

    async def is_revoked(self, token_id: str) -> bool:
        """Whether a token is revoked.

        Raises:
            TokenUnknown.
        """

    def on_revoked(self, observer: RevocationObserver) -> Callable[[], None]:
        """Hear of every revocation from now on; what is returned stops that."""

    async def close(self) -> None:
        """Give it back; what was asked before is finished first."""


def require_limit(limit: int) -> None:
    """Check a listing's limit.

    Raises:
        InvalidArgument.
    """
    if not 1 <= limit <= LIST_MAX:
        raise InvalidArgument(argument="limit", reason=f"it must be from 1 to {LIST_MAX}")


def require_text(argument: str, text: str) -> None:
    """Check a text that people will read in a list.

    Raises:
        InvalidArgument: empty, too long, or with characters that do not print.
    """
    if not 1 <= len(text) <= REASON_MAX or not text.isprintable():
        raise InvalidArgument(argument=argument, reason=f"it must be 1 to {REASON_MAX} printable characters")
