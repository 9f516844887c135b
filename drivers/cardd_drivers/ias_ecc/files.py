"""The card's files: what is selected now, and reading whole files in as few exchanges as the card allows."""

from __future__ import annotations

from dataclasses import dataclass

from cardd_drivers.apdu import SHORT_LE_MAX, SW, Response
from cardd_drivers.contract import MalformedCardData, UnexpectedResponse
from cardd_drivers.exchange import Exchange
from cardd_drivers.ias_ecc import commands
from cardd_drivers.ias_ecc.commands import MASTER_FILE, ShortFileId
from cardd_drivers.ias_ecc.generation import Location, Selection
from cardd_drivers.ias_ecc.objects import Application, Path
from cardd_drivers.ias_ecc.refusal import refusal
from cardd_drivers.tlv import Universal, is_complete, read_header

FILE_MAX = 0x8000
"""What READ BINARY can reach."""
DIRECTORY_MAX = 4 * 1024
CERTIFICATE_MAX = 8 * 1024
_LEAST_READ = 64
"""A card that gives less at a time than this, of a file that goes on, is taken for a hostile one."""
_SAFER_READS = (0xE7, 0x80, _LEAST_READ)
"""Tried in turn where a card refuses a longer read by 6700; the first is what the agency's library asks at most."""
_HEADER_MAX = 5


@dataclass(frozen=True, slots=True)
class _Piece:
    """What one READ BINARY gave; `last` when the card said that the file ends there."""

    data: bytes
    last: bool


class Files:
    """Selection and reading on one channel. A new channel starts with an unknown selection.

    Args:
        exchange: the way to the card.
        selection: how its generation selects.
    """

    def __init__(self, exchange: Exchange, selection: Selection) -> None:
        self._exchange = exchange
        self._selection = selection
        self._df: bytes | None = None
        self._ef: Location | None = None
        self._size: int | None = None
        self._read_max = SHORT_LE_MAX
        self._longest = 0
        self.read_limit: int | None = None
        """Bytes that the card gives at a time, once it has shown that it gives no more."""

    def select_df(self, df: bytes) -> None:
        """Make a DF the current one, unless it is.

        Args:
            df: its path from 3F00, or its AID.

        Raises:
            UnexpectedResponse: the card does not have it.
        """
        if self._df == df:
            return
        self._forget()
        self._selection.dedicated_file(df)
        self._df = df

    def select_master_file(self) -> None:
        """Make the MF current, whatever went before.

        Raises:
            UnexpectedResponse: the card refuses every way to it.
        """
        self._forget()
        self._selection.master_file()
        self._df = MASTER_FILE

    def read_short(self, sfi: ShortFileId, length: int) -> bytes:
        """Read an EF of the MF by its short identifier, from its first byte; no SELECT unless the card needs one.

        Args:
            sfi: which.
            length: bytes that are expected of it; a shorter file gives less.

        Raises:
            UnexpectedResponse: refused with the MF current.
        """
        command = commands.read_binary_by_sfi(sfi, length)
        if self._df == MASTER_FILE or (self._df is None and self._selection.selected_after_reset):
            response = self._exchange.send(command)
            if _is_read(response):
                self._df = MASTER_FILE
                self._ef = self._size = None
                return response.data
        self.select_master_file()
        response = self._exchange.send(command)
        if not _is_read(response):
            raise UnexpectedResponse(response.sw, command)
        return response.data

    def read_rest(self, start: bytes, most: int) -> bytes:
        """Go on reading the current EF, a string of data objects, behind `start`, which is its beginning.

        Raises:
            MalformedCardData: the file is longer than `most`.
        """
        return self._read_whole(start, most, structured=True)

    def read_file(self, application: Application, path: Path, most: int, structured: bool) -> bytes:
        """A whole file, or the part of it that its path names.

        Args:
            application: what a relative path is relative to.
            path: where it is.
            most: bytes that it may have.
            structured: it is a string of data objects, which tells where it ends.

        Raises:
            MalformedCardData: the path leads nowhere, or the file is longer than `most`.
            SecurityStatusNotSatisfied: it wants the PIN.
            UnexpectedResponse: the card does not have it.
        """
        self._select_ef(locate(application, path))
        return self._read_whole(b"", most, structured, path)

    def read_certificate(self, application: Application, path: Path) -> bytes:
        """A DER certificate, read up to the length that it declares and not a byte further.

        Raises:
            As `read_file`; MalformedCardData also for a content that is no SEQUENCE, ends early or is endless.
        """
        self._select_ef(locate(application, path))
        data = self._read_piece(path.index, self._read_max).data
        tag, length, start = read_header(data[:_HEADER_MAX], 0)
        total = start + length
        if tag != Universal.SEQUENCE:
            raise MalformedCardData(f"a certificate that begins with {tag:02X}", 0)
        if total > CERTIFICATE_MAX:
            raise MalformedCardData(f"an endless certificate: {total} bytes declared", 0)
        if len(data) < min(total, self._read_max):
            self._learn_limit(len(data))
        while len(data) < total:
            piece = self._read_piece(path.index + len(data), min(self._read_max, total - len(data))).data
            if not piece:
                raise MalformedCardData(f"a certificate of {total} bytes was cut", len(data))
            data += piece
        return data[:total]

    def _read_whole(self, start: bytes, most: int, structured: bool, part: Path | None = None) -> bytes:
        data = start
        index, length = (part.index, part.length) if part else (0, None)
        while length is None or len(data) < length:
            asked = self._read_max if length is None else min(self._read_max, length - len(data))
            asked = self._within_file(index + len(data), asked)
            piece = self._read_piece(index + len(data), asked)
            data += piece.data
            if len(data) > most:
                raise MalformedCardData(f"a file longer than {most} bytes", most)
            if not piece.data or self._ends(piece, asked, structured, data):
                break
            if index + len(data) == self._size and not (structured and not is_complete(data)):
                break
        return data

    def _within_file(self, offset: int, length: int) -> int:
        """No more than the file has left, where SELECT told its size; a file that goes on behind it is read on."""
        left = 0 if self._size is None else self._size - offset
        return min(length, left) if left > 0 else length

    def _ends(self, piece: _Piece, asked: int, structured: bool, data: bytes) -> bool:
        """Whether the file ends with this piece. A short one may end the file, or be all that the card gives at a time.

        What tells: an object that is cut, 6282, or that the card gave more at a time before; else the next read does.
        """
        if structured and not is_complete(data):
            if len(piece.data) < min(asked, self._read_max):
                self._learn_limit(len(piece.data))
            return False
        if len(piece.data) >= min(asked, self._read_max):
            return False
        return structured or piece.last or len(piece.data) < self._longest

    def _learn_limit(self, length: int) -> None:
        if length < _LEAST_READ:
            raise MalformedCardData(f"a card that gives {length} bytes of a file at a time")
        self.read_limit = self._read_max = length

    def _read_piece(self, offset: int, length: int) -> _Piece:
        """What lies from an offset on, at most `length` bytes; empty behind the end."""
        if offset > commands.OFFSET_MAX:
            raise MalformedCardData("a file longer than READ BINARY reaches", offset)
        command = commands.read_binary(offset, length)
        response = self._exchange.send(command)
        for safer in _SAFER_READS:
            if response.sw == SW.WRONG_LENGTH and length > safer:
                self._learn_limit(safer)
                command = commands.read_binary(offset, safer)
                response = self._exchange.send(command)
        if _is_read(response):
            self._longest = max(self._longest, len(response.data))
            return _Piece(response.data, response.sw == SW.END_OF_FILE)
        if response.sw == SW.WRONG_OFFSET:
            return _Piece(b"", last=True)
        raise refusal(response, command)

    def _select_ef(self, where: Location) -> None:
        if self._ef == where:
            return
        in_current_df = self._df == where.df
        self._forget()
        self._size = self._selection.elementary_file(where, in_current_df)
        self._df = where.df  # the parent of a selected EF is the current DF (ISO 7816-4 5.3.1)
        self._ef = where

    def _forget(self) -> None:
        """What is current is unknown until the card has agreed."""
        self._df = self._ef = self._size = None


def locate(application: Application, path: Path) -> Location:
    """The DF and the identifier that a path means.

    Raises:
        MalformedCardData: it names no file, or is relative to a DF whose own path is unknown.
    """
    if len(path.value) < 2 or path.value == MASTER_FILE:
        raise MalformedCardData("the path of a file is empty")
    return Location(df_of(application, path.value[:-2]), path.value[-2:])


def df_of(application: Application, path: bytes = b"") -> bytes:
    """The DF of an application (its path, or else its AID), or one that is given by its own path.

    Selecting by AID may drop the PIN on a real card: a path is preferred, and either is selected before VERIFY.

    Args:
        application: whose DF an empty path means.
        path: of a DF, absolute or relative to the application.

    Raises:
        MalformedCardData: the path is relative to an application whose own path is unknown.
    """
    if path.startswith(MASTER_FILE):
        return path
    if not path:
        return application.path or application.aid
    if application.path is None:
        raise MalformedCardData("a relative path under an application whose path is unknown")
    return application.path + path


def _is_read(response: Response) -> bool:
    return response.sw in (SW.SUCCESS, SW.END_OF_FILE)
