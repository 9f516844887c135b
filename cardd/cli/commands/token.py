"""`cardctl token`: tokens minted by a card, redeemed without it, listed, revoked."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from cardd.cli import wording
from cardd.cli.choice import choose_session
from cardd.cli.failures import FileUnusable
from cardd.cli.files import read_limited, write_private
from cardd.cli.i18n import _
from cardd.cli.options import CardOption, OutputOption
from cardd.cli.output import Output, Row, Section
from cardd.cli.settings import run_connected
from cardd.client import CarddClient, RegisteredToken
from cardd.errors import N_, InvalidArgument

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey  # slow to import

TOKEN_FILE_MAX = 1 << 16
"""Bytes: above what any token has; the daemon says when it is too long."""
_KEY_FILE_MAX = 1 << 14
_LIFETIME = re.compile(r"([0-9]{1,9})([smhd]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}

TokenFile = Annotated[
    str, typer.Argument(metavar="FILE", help=N_("File that holds the token; - for the standard input."))
]
_TokenId = Annotated[str, typer.Argument(metavar="ID", help=N_("Id of the token, as `cardctl token list` shows it."))]


def mint(
    context: typer.Context,
    device: Annotated[
        str,
        typer.Option(
            "--device",
            metavar="FILE",
            help=N_("Public key of the device that the token is bound to, on P-256: PEM, DER or JWK."),
        ),
    ],
    lifetime: Annotated[
        str | None,
        typer.Option("--lifetime", metavar="TIME", help=N_("How long it lives: 90s, 30m, 8h, 2d. cardd may cut it.")),
    ] = None,
    audience: Annotated[
        list[str] | None,
        typer.Option(
            "--audience", metavar="NAME", help=N_("Who may rely on it; may be repeated. Default: this cardd.")
        ),
    ] = None,
    kind: Annotated[str | None, typer.Option("--kind", metavar="WORD", help=N_("What it is for."))] = None,
    output_file: OutputOption = None,
    card: CardOption = None,
) -> None:
    """Have the card of the open session sign a token for a device."""
    key = _public_key(device)
    wanted = None if lifetime is None else _lifetime(lifetime)

    async def work(client: CarddClient, output: Output) -> None:
        session = await choose_session(client, card)
        minted = await session.mint_token(key, lifetime=wanted, audience=audience or (), kind=kind)
        expires = _expiry(minted.token)
        document = {"id": minted.token_id, "expires_at": expires}
        if output_file is not None:
            write_private(output_file, f"{minted.token}\n".encode())
            output.document({**document, "output": str(output_file)})
            said = _("Token {id} written to {file}; it is good until {time}.")
            output.line(said.format(id=minted.token_id, file=output_file, time=_time(expires)))
        elif output.as_json:
            output.document({**document, "token": minted.token})
        else:
            output.line(minted.token)

    run_connected(context, work)


def list_tokens(
    context: typer.Context,
    everyone: Annotated[bool, typer.Option("--all", help=N_("Those of all users, for an administrator."))] = False,
) -> None:
    """List the tokens that were minted for this user."""

    async def work(client: CarddClient, output: Output) -> None:
        tokens = [one async for one in client.tokens.all(everyone=everyone)]
        output.document({"tokens": tokens})
        if not tokens:
            output.line(_("No token is registered."))
        output.sections(_section(one) for one in tokens)

    run_connected(context, work)


def show(context: typer.Context, token_id: _TokenId) -> None:
    """Show what is registered of one token."""

    async def work(client: CarddClient, output: Output) -> None:
        token = await client.tokens.get(token_id)
        output.document({"token": token})
        output.sections([_section(token, details=True)])

    run_connected(context, work)


def redeem(
    context: typer.Context,
    file: TokenFile,
    key: Annotated[
        str,
        typer.Option("--key", metavar="FILE", help=N_("The device's private key, in PEM, without a password.")),
    ],
) -> None:
    """Open a session with a token and the key of its device."""
    text = token_text(file)
    private = _private_key(key)

    async def work(client: CarddClient, output: Output) -> None:
        session = await client.tokens.redeem_with(text, private)
        holder = await session.get_holder()
        output.document({"session": session, "holder": holder})
        output.line(_("Session opened for {holder}.").format(holder=wording.holder(holder)))
        said = _("It says who you are until {time}, or until `cardctl logout --session {session}`.")
        output.line(said.format(time=_time(session.expires), session=session.path.rpartition("/")[2]))

    run_connected(context, work)


def revoke(
    context: typer.Context,
    token_id: _TokenId,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help=N_("Why; it is kept."))],
) -> None:
    """Revoke a token for ever; what it opened ends at once."""

    async def work(client: CarddClient, output: Output) -> None:
        await client.tokens.revoke(token_id, reason)
        token = await client.tokens.get(token_id)
        output.document({"token": token})
        output.line(_("Token {id} is revoked.").format(id=token_id))

    run_connected(context, work)


def token_text(file: str) -> str:
    """The token in a file; what is no ASCII shows as such to whoever reads it.

    Raises:
        FileUnusable: it cannot be read, or holds far too much.
    """
    return read_limited(file, TOKEN_FILE_MAX).decode("ascii", "replace").strip()


def _section(token: RegisteredToken, *, details: bool = False) -> Section:
    rows: list[Row] = [
        (_("Holder"), token.subject),
        (_("Kind"), token.kind),
        (_("Minted"), _time(token.issued_at)),
        (_("Valid until"), _time(token.expires_at)),
        (_("For"), ", ".join(token.audience)),
    ]
    if details:
        rows += [
            (_("PIN verified"), _time(token.authenticated_at)),
            (_("Card"), token.card_id),
            (_("Certificate"), token.certificate),
            (_("Device"), token.device),
            (_("Minted for"), token.minted_by),
        ]
    if token.revoked_at is not None:
        revoked = _("{time} by {who}: {reason}")
        rows.append(
            (
                _("Revoked"),
                revoked.format(time=_time(token.revoked_at), who=token.revoked_by, reason=token.revocation_reason),
            )
        )
    return Section(_("Token {id}").format(id=token.token_id), tuple(rows))


def _expiry(token: str) -> datetime:
    """When a token ends, as it says of itself; cardd has just made it."""
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return datetime.fromtimestamp(claims["exp"], UTC)


def _time(moment: datetime | None) -> str:
    return "?" if moment is None else wording.clock(moment)


def _lifetime(text: str) -> timedelta:
    found = _LIFETIME.fullmatch(text)
    if found is None:
        raise InvalidArgument(argument="--lifetime", reason=_("it must be a number with s, m, h or d behind it"))
    seconds = int(found[1]) * _UNITS[found[2]]
    if seconds >= 1 << 32:
        raise InvalidArgument(argument="--lifetime", reason=_("it is too long"))
    return timedelta(seconds=seconds)


def _public_key(file: str) -> bytes | str:
    """A device's public key as the daemon takes it: DER, or a JWK as it stands.

    Raises:
        FileUnusable: it cannot be read, or is no public key in PEM.
    """
    content = read_limited(file, _KEY_FILE_MAX)
    if content.lstrip().startswith(b"{"):
        return content.decode("utf-8", "replace").strip()
    if not content.lstrip().startswith(b"-----"):
        return content
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  # cryptography is slow to import
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  # as above

    try:
        key = serialization.load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise FileUnusable(file=file, reason=_("it holds no public key")) from error
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _private_key(file: str) -> EllipticCurvePrivateKey:
    """The private key of a device that is a file.

    Raises:
        FileUnusable: it cannot be read, or is none.
    """
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  # cryptography is slow to import
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey  # noqa: PLC0415  # as above
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415  # as above

    content = read_limited(file, _KEY_FILE_MAX)
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # from None: nothing of the key may be told
        raise FileUnusable(file=file, reason=_("it holds no private key without a password")) from None
    if not isinstance(key, EllipticCurvePrivateKey):
        raise FileUnusable(file=file, reason=_("it holds no elliptic curve key"))
    return key
