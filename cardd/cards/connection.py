"""A connection to one insertion of a card: always a fresh one, held exclusively or shared."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cardd.cards.channel import CardChannel, Checkpoint, Traffic, failure, handle_failure, require_present
from cardd.readers.insertion import Insertion
from cardd.readers.stack import CardHandle, Code, Context, Disposition, Flag, PcscError, Share
from cardd_drivers.contract import CardError, CardRemoved

ANOTHER_PROGRAM = "another program"
_LIBRARY = "libpcsclite"
_NAMED_MOST = 3

logger = logging.getLogger(__name__)


class HoldMode(enum.StrEnum):
    """From when on a card is kept from other programs."""

    SESSION = "session"
    """Exclusively from the PIN to the end of the session; no handle between identification and PIN."""
    INSERTION = "insertion"
    """Exclusively from the insertion on."""
    SHARED = "shared"
    """Never: other programs may use a verified PIN. Each operation is one transaction."""

    @property
    def share(self) -> Share:
        """How the card is connected to while it is held."""
        return Share.SHARED if self is HoldMode.SHARED else Share.EXCLUSIVE


class HeldByAnother(CardError):
    """Another program has the card.

    Args:
        holder: which, as far as it can be known.
    """

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


class Connection:
    """One connection; belongs to the thread that opened it. Made by `open_connection`."""

    def __init__(self, handle: CardHandle, insertion: Insertion, channel: CardChannel, share: Share) -> None:
        self._handle = handle
        self._insertion = insertion
        self._share = share
        self.channel = channel
        """The way for a driver."""

    @contextmanager
    def transaction(self, *, forget_pin: bool = False) -> Iterator[None]:
        """Keep other programs from the card meanwhile; on an exclusive connection nobody else is there.

        First of all PC/SC is asked whether the card is still the one of this connection, and was not reset since: that
        costs no command, and tells of a removal that its events have not told yet. Blocks while another program has a
        transaction.

        Args:
            forget_pin: reset the card at the end if a PIN went out, before any other program can use it.

        Raises:
            CardError: as the channel's.
        """
        try:
            if self._share is Share.EXCLUSIVE:
                self._handle.check()
            else:
                self._handle.begin_transaction()
        except PcscError as error:
            raise handle_failure(error, self._insertion) from error
        if self._share is Share.EXCLUSIVE:
            yield
            return
        try:
            yield
        finally:
            forget = forget_pin and self.channel.secret_presented
            disposition = Disposition.RESET if forget else Disposition.LEAVE
            _quietly("end of transaction", lambda: self._handle.end_transaction(disposition))

    def close(self, disposition: Disposition) -> None:
        """End the connection. Never fails: a card that is gone has nothing to be reset."""
        if self._insertion.mark.is_set and disposition is Disposition.RESET:
            # What is in the reader now may be another card.
            disposition = self._after_departure()
        _quietly("disconnect", lambda: self._handle.disconnect(disposition))

    def _after_departure(self) -> Disposition:
        reason = self._insertion.mark.reason
        return Disposition.RESET if reason is not None and reason.card_stays else Disposition.LEAVE


def open_connection(
    context: Context, insertion: Insertion, share: Share, checkpoint: Checkpoint, traffic: Traffic
) -> Connection:
    """Connect afresh to the card of this insertion, and make sure that it is that card.

    PC/SC connects by the reader's name, and the card behind it may have been swapped since the watch thread looked:
    the event counter tells. From then on the connection fails for ever once the card goes.

    Raises:
        HeldByAnother: at once.
        CardError: gone, mute, or the reader failed.
    """
    require_present(insertion)
    try:
        handle = context.connect(insertion.reader, share)
    except PcscError as error:
        if error.code == Code.E_SHARING_VIOLATION:
            raise HeldByAnother(likely_holders()) from error
        raise failure(error) from error
    connection = Connection(handle, insertion, CardChannel(handle, insertion, checkpoint, traffic), share)
    try:
        require_present(insertion)
        _require_same_card(context, insertion)
    except CardError:
        connection.close(Disposition.LEAVE)
        raise
    return connection


def _require_same_card(context: Context, insertion: Insertion) -> None:
    try:
        (state,) = context.look([insertion.reader])
    except PcscError as error:
        raise failure(error) from error
    if not state.flags & Flag.PRESENT or state.counter != insertion.counter:
        raise CardRemoved("another card is in the reader")


def _quietly(what: str, function: Callable[[], None]) -> None:
    try:
        function()
    except PcscError as error:
        logger.debug("%s: %s", what, error)


def likely_holders(proc: Path = Path("/proc")) -> str:
    """Names of the programs that have the PC/SC library loaded, this process apart; "another program" when unknown.

    An unprivileged daemon sees only its own user's programs, so that more often than not it cannot know.

    Args:
        proc: the process file system.
    """
    own = (proc / "self").resolve().name
    names = sorted(
        {name for process in proc.glob("[0-9]*") if process.name != own and (name := _user_of_pcsc(process))}
    )
    if not names:
        return ANOTHER_PROGRAM
    return ", ".join(names[:_NAMED_MOST]) + (", …" if len(names) > _NAMED_MOST else "")


def _user_of_pcsc(process: Path) -> str | None:
    try:
        if _LIBRARY not in (process / "maps").read_text("utf-8", "replace"):
            return None
        name = (process / "comm").read_text("utf-8", "replace").strip()
    except OSError:  # it has ended, or is none of ours to look at
        return None
    return "".join(one if one.isprintable() else "?" for one in name) or None
