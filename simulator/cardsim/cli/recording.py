"""``cardsim record`` and ``cardsim replay``: a real card's exchanges kept, and given back."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cardsim.cli.output import VpcdOption, failures
from cardsim.recorder import Bridge, ReplayedCard
from cardsim.trace import Decoder, ExchangeFeed, Mask, TranscriptError, load
from cardsim.transports.vpcd import VpcdAddress, VpcdReader

if TYPE_CHECKING:
    from cardsim.trace import Entry

_STOPPING = (signal.SIGINT, signal.SIGTERM)


def record(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the transcript goes; must not exist.")],
    reader: Annotated[str, typer.Option("--reader", metavar="NAME", help="The real reader, as PC/SC calls it.")],
    vpcd: VpcdOption = VpcdAddress(),  # noqa: B008  # frozen
    protected_reads: Annotated[
        bool, typer.Option("--protected-reads", help="Keep what is read after the PIN: it may tell of persons.")
    ] = False,
) -> None:
    """Record what programs say to the card in a real reader.

    The real reader is held exclusively, and its card appears in pcscd's virtual reader: let the program use it there.
    Prints "ready" whenever a card has appeared. PINs, PUKs, keys and deciphered data are never written; what is read
    after the PIN only with --protected-reads. SIGINT and SIGTERM end it.
    """
    from smartcard import scard  # noqa: PLC0415  # who has no pcscd can use the other commands

    stop = threading.Event()
    for each in _STOPPING:
        signal.signal(each, lambda _signal, _frame: stop.set())
    target = VpcdReader(vpcd, exchanges=ExchangeFeed(mask=Mask(protected_reads=not protected_reads)))
    decoder = Decoder()
    with failures(), os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as transcript:

        def write(entry: Entry) -> None:
            transcript.write(entry.encode(decoder.describe(entry)) + "\n")
            transcript.flush()

        with contextlib.ExitStack() as running:
            running.callback(target.exchanges.watch(write))
            Bridge(scard, reader, target, stop, lambda: print("ready", flush=True)).run()


def _atr(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise typer.BadParameter("an answer to reset is written in hexadecimal") from error


def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A transcript.")],
    vpcd: VpcdOption = VpcdAddress(),  # noqa: B008  # frozen
    atr: Annotated[
        bytes | None,
        typer.Option("--atr", metavar="HEX", parser=_atr, help="Answer to reset, where the transcript tells none."),
    ] = None,
) -> None:
    """Put a recorded card into pcscd, in the foreground: it answers as it did then.

    Prints "ready" once pcscd has it. SIGINT and SIGTERM end it.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    reader = VpcdReader(vpcd)
    with failures():
        entries = load(file)
        try:
            card = ReplayedCard(entries, atr or b"")
        except ValueError as error:
            raise TranscriptError(f"{file}: {error}") from error
        reader.insert(card)
        print("ready", flush=True)
        signal.sigwait(_STOPPING)
        reader.remove()
        if card.not_recorded:
            print(f"{card.not_recorded} commands were not in the recording", flush=True)
