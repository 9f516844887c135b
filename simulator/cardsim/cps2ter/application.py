"""The commands of class A0: SELECT, GET RESPONSE, READ BINARY; others were never observed.

GUESS: what is answered where no recording shows it (a length that does not fit: 6700; GET RESPONSE with nothing
waiting: 6F00; a read before the PIN: 9804). A real card's class A0 settles each.
"""

from __future__ import annotations

import enum
from collections.abc import Callable

from cardsim.apdu import CommandApdu, Response
from cardsim.cps2ter.files import MASTER_FILE, FileType, OlderFile
from cardsim.cps2ter.status_words import OlderStatusWord, answer_available
from cardsim.status_words import StatusError, StatusWord

CLASS = 0xA0


class PinState(enum.Enum):
    """How the holder's PIN stands, as the IAS ECC application knows it."""

    VERIFIED = enum.auto()
    NOT_VERIFIED = enum.auto()
    BLOCKED = enum.auto()


class OlderApplication:
    """The older side from one reset on.

    Args:
        master_file: its files.
        pin_state: how the PIN stands now.
    """

    def __init__(self, master_file: OlderFile, pin_state: Callable[[], PinState]) -> None:
        self._master_file = master_file
        self._pin_state = pin_state
        self._current = master_file
        self._waiting = b""

    def reset(self) -> None:
        """The master file is current, nothing waits."""
        self._current, self._waiting = self._master_file, b""

    def answer(self, command: CommandApdu) -> Response:
        """One command of class A0.

        Raises:
            StatusError: 6D00, 6B00, 6700, 9402, 9404, 9408, 9804, 9840, 6F00.
        """
        waiting, self._waiting = self._waiting, b""
        match command.ins:
            case 0xA4:
                return self._select(command)
            case 0xB0:
                return self._read_binary(command)
            case 0xC0:
                return _get_response(command, waiting)
        raise StatusError(StatusWord.INS_NOT_SUPPORTED)

    def _select(self, command: CommandApdu) -> Response:
        """The master file, or what lies beside or directly below the current DF."""
        if command.p1 or command.p2:
            raise StatusError(StatusWord.WRONG_OFFSET)
        if len(command.data) != 2:
            raise StatusError(StatusWord.WRONG_LENGTH)
        self._current = self._find(int.from_bytes(command.data, "big"))
        self._waiting = self._current.describe()
        return Response(sw=answer_available(len(self._waiting)))

    def _find(self, fid: int) -> OlderFile:
        if fid == MASTER_FILE:
            return self._master_file
        current = self._current
        directory = current.parent if current.type is FileType.ELEMENTARY and current.parent else current
        found = directory.children.get(fid)
        if found is None:
            raise StatusError(OlderStatusWord.FILE_NOT_FOUND)
        return found

    def _read_binary(self, command: CommandApdu) -> Response:
        file = self._current
        if command.le is None or command.data:
            raise StatusError(StatusWord.WRONG_LENGTH)
        if file.type is not FileType.ELEMENTARY:
            raise StatusError(OlderStatusWord.WRONG_FILE_TYPE)
        match self._pin_state():
            case PinState.BLOCKED:
                raise StatusError(OlderStatusWord.PIN_BLOCKED)
            case PinState.NOT_VERIFIED:
                raise StatusError(OlderStatusWord.PIN_NOT_PRESENTED)
        offset = command.p1 << 8 | command.p2
        if offset >= len(file.content):
            raise StatusError(OlderStatusWord.WRONG_ADDRESS)
        if offset + command.le > len(file.content):
            raise StatusError(StatusWord.WRONG_LENGTH)
        return Response(file.content[offset : offset + command.le])


def _get_response(command: CommandApdu, waiting: bytes) -> Response:
    if command.p1 or command.p2:
        raise StatusError(StatusWord.WRONG_OFFSET)
    if not waiting:
        raise StatusError(StatusWord.NO_PRECISE_DIAGNOSIS)
    if command.le is None or command.le > len(waiting):
        raise StatusError(StatusWord.WRONG_LENGTH)
    return Response(waiting[: command.le])
