"""`cardctl sign` and `cardctl decrypt`: the card's keys used in the open session."""

from __future__ import annotations

import base64
from typing import Annotated

import typer

from cardd.cli.choice import choose_session
from cardd.cli.files import read_limited, sha256_of, show_binary, write_private, write_public, write_standard
from cardd.cli.i18n import _
from cardd.cli.options import CardOption, OutputOption
from cardd.cli.output import Output
from cardd.cli.settings import run_connected
from cardd.client import CarddClient
from cardd.client.secret import wipe
from cardd.errors import N_, InvalidArgument

_CRYPTOGRAM_MAX = 1 << 16
"""Bytes: far above one block of the largest RSA key."""

_FileArgument = Annotated[
    str | None, typer.Argument(metavar="FILE", help=N_("What to sign; - for the standard input."))
]


def sign(
    context: typer.Context,
    file: _FileArgument = None,
    digest: Annotated[
        str | None, typer.Option("--digest", metavar="HEX", help=N_("Sign this SHA-256 instead of a file's."))
    ] = None,
    key: Annotated[str, typer.Option("--key", help=N_("Key of the card: signature or authentication."))] = "signature",
    algorithm: Annotated[
        str, typer.Option("--alg", metavar="ALG", help=N_("RS256, or PS256 if the card can."))
    ] = "RS256",
    output_file: OutputOption = None,
    card: CardOption = None,
) -> None:
    """Sign a file with the card's key: the raw signature, in base64 on a terminal."""
    hashed = _digest(file, digest)

    async def work(client: CarddClient, output: Output) -> None:
        session = await choose_session(client, card)
        signature = await session.sign(key, algorithm, hashed)
        document = {"key": key, "algorithm": algorithm, "digest": hashed.hex()}
        if output_file is not None:
            write_public(output_file, signature)
            output.document({**document, "output": str(output_file), "bytes": len(signature)})
            output.line(
                _("Signature written to {file} ({count} bytes).").format(file=output_file, count=len(signature))
            )
        elif output.as_json:
            output.document({**document, "signature": base64.b64encode(signature).decode()})
        else:
            show_binary(output, signature)

    run_connected(context, work)


def decrypt(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help=N_("One RSA block; - for the standard input."))],
    key: Annotated[str, typer.Option("--key", help=N_("Key of the card."))] = "encryption",
    algorithm: Annotated[
        str, typer.Option("--alg", metavar="ALG", help=N_("RSA1_5, or RSA-OAEP-256 if the card can."))
    ] = "RSA1_5",
    output_file: OutputOption = None,
    card: CardOption = None,
) -> None:
    """Decrypt one RSA block with the card's key; a file of plaintext is its owner's alone (0600)."""
    cryptogram = read_limited(file, _CRYPTOGRAM_MAX)

    async def work(client: CarddClient, output: Output) -> None:
        session = await choose_session(client, card)
        plaintext = await session.decrypt(key, algorithm, cryptogram)
        count = len(plaintext)
        try:
            if output_file is not None:
                write_private(output_file, plaintext)
                output.document({"output": str(output_file), "bytes": count})
                output.line(_("Plaintext written to {file} ({count} bytes).").format(file=output_file, count=count))
            elif output.as_json:
                output.document({"plaintext": base64.b64encode(plaintext).decode(), "bytes": count})
            else:
                write_standard(plaintext)
        finally:
            wipe(plaintext)

    run_connected(context, work)


def _digest(file: str | None, digest: str | None) -> bytes:
    """The SHA-256 to sign: of a file, or given in hexadecimal digits.

    Raises:
        InvalidArgument: neither, both, or no hexadecimal digits.
        FileUnusable: the file cannot be read.
    """
    if (file is None) == (digest is None):
        raise InvalidArgument(argument="FILE", reason=_("give a file or --digest, one of them"))
    if digest is None:
        return sha256_of(file or "-")
    try:
        return bytes.fromhex(digest)
    except ValueError as error:
        raise InvalidArgument(argument="--digest", reason=_("it must be hexadecimal digits")) from error
