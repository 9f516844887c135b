"""Tokens as the bus says them: options in, rows out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from cardd.bus.descriptors import OwnedFd
from cardd.bus.interface import Variant, variant
from cardd.bus.options import may_ask, typed_options
from cardd.errors import InvalidArgument
from cardd.sessions.descriptors import read_secret
from cardd.sessions.token_settings import MintOrder
from cardd.tokens.errors import TokenMalformed, TokenTooLarge

if TYPE_CHECKING:
    from cardd.tokens.registry import TokenRecord  # the JOSE library is behind that room's other files

TOKEN_MAX: Final = 16384
"""Bytes of a token's text: the bound of `cardd.tokens.jose`, looked at before that library is needed."""
PAGE: Final = 50
PAGE_MAX: Final = 64
"""Rows of one ListTokens: with the longest audiences and reasons that a row may have, they fit into a message."""


@dataclass(frozen=True, slots=True)
class ListOrder:
    """What ListTokens is asked for; see `cardd.sessions.tokens.Tokens.list_tokens`."""

    limit: int
    after: str | None
    token_id: str | None
    everyone: bool


def mint_order(options: Mapping[str, Any]) -> MintOrder:
    """The options of MintToken.

    Raises:
        UnknownOption, InvalidArgument: with the option's name.
    """
    known = {"device-key": "ay", "device-jwk": "s", "lifetime": "u", "audience": "as", "kind": "s"}
    given = typed_options(options, known)
    keys = [given[name] for name in ("device-key", "device-jwk") if name in given]
    if len(keys) != 1:
        reason = "a token is bound to one device: give its public key, as device-key or as device-jwk"
        raise InvalidArgument(argument="device-key", reason=reason)
    seconds = given.get("lifetime")
    return MintOrder(
        device=keys[0],
        lifetime=None if seconds is None else timedelta(seconds=seconds),
        audience=tuple(given.get("audience", ())),
        kind=given.get("kind"),
        interactive=may_ask(options),
    )


def proof_of(options: Mapping[str, Any]) -> str:
    """The option of RedeemToken that is no option.

    Raises:
        UnknownOption, InvalidArgument: with the option's name.
    """
    proof = typed_options(options, {"proof": "s"}).get("proof")
    if proof is None:
        raise InvalidArgument(argument="proof", reason="the device must answer a challenge (GetChallenge)")
    return str(proof)


def list_order(options: Mapping[str, Any]) -> ListOrder:
    """The options of ListTokens.

    Raises:
        UnknownOption, InvalidArgument: with the option's name.
    """
    given = typed_options(options, {"limit": "u", "after": "s", "id": "s", "all": "b"})
    limit = given.get("limit", PAGE)
    if not 1 <= limit <= PAGE_MAX:
        raise InvalidArgument(argument="limit", reason=f"it must be from 1 to {PAGE_MAX}")
    if "id" in given and len(given) > 1:
        raise InvalidArgument(argument="id", reason="it names one token; nothing else goes with it")
    return ListOrder(limit, given.get("after"), given.get("id"), given.get("all", False))


async def token_text(descriptor: OwnedFd, *, timeout: float) -> str:
    """A token from a caller's descriptor; the end of line that a file has is left out.

    Args:
        descriptor: a pipe or a sealed memfd.
        timeout: seconds until its end must have come.

    Raises:
        TokenTooLarge, TokenMalformed.
        DescriptorUnusable: it cannot be read.
    """
    too_large = TokenTooLarge(what="token", limit=TOKEN_MAX)
    with await read_secret(descriptor.fileno(), limit=TOKEN_MAX + 2, timeout=timeout, too_long=too_large) as read:
        try:
            return str(read.buffer, "ascii").strip("\r\n")
        except UnicodeDecodeError:  # from None: it quotes the bytes
            raise TokenMalformed(what="token", reason="it is no ASCII text") from None


def token_row(record: TokenRecord) -> dict[str, Variant]:
    """A registered token as ListTokens says it."""
    texts = {
        "id": record.token_id,
        "kind": record.kind,
        "subject": record.subject,
        "issuer": record.issuer,
        "card-id": record.card_id,
        "certificate": record.certificate,
        "device": record.thumbprint,
        "minted-by": record.minted_by,
    }
    row = {name: variant("s", text) for name, text in texts.items() if text}
    row["audience"] = variant("as", list(record.audience))
    row["authenticated-at"] = _moment(record.authenticated_at)
    row["issued-at"] = _moment(record.issued_at)
    row["expires-at"] = _moment(record.expires_at)
    if record.revocation is not None:
        row["revoked-at"] = _moment(record.revocation.at)
        row["revoked-by"] = variant("s", record.revocation.by)
        row["revocation-reason"] = variant("s", record.revocation.reason)
    return row


def _moment(at: datetime) -> Variant:
    return variant("t", int(at.timestamp()))
