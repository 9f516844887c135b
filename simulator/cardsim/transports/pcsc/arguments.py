"""The arguments of pyscard's functions: taken and refused as pyscard does."""

from __future__ import annotations

from cardsim.transports.pcsc.constants import ScardConstants as C
from cardsim.transports.pcsc.status import ReaderStatus

_BYTE_MASK = 0xFF
_STATE_MASK = 0xFFFFFFFF
_SHORTEST_STATE, _LONGEST_STATE = 2, 3


def integer(value: object) -> int:
    """Return a number.

    Raises: ``TypeError``.
    """
    if not isinstance(value, int):
        raise TypeError("Expected a python integer or long.")
    return int(value)


def text(value: object) -> str:
    """Return a reader's name.

    Raises: ``TypeError``.
    """
    if not isinstance(value, str):
        raise TypeError("Expected a string as reader name.")
    return value


def byte_list(value: object) -> bytes:
    """Return the bytes of a list of numbers, each cut to its low eight bits.

    Raises: ``TypeError``.
    """
    if not isinstance(value, list):
        raise TypeError("Expected a list object.")
    if not all(isinstance(each, int) for each in value):
        raise TypeError("Expected a list of bytes.")
    return bytes(each & _BYTE_MASK for each in value)


def reader_statuses(value: object, *, ascii_names: bool = True) -> list[ReaderStatus]:
    """Return the lines of SCardGetStatusChange from tuples of name, state and perhaps an ATR.

    The bit SCARD_STATE_CHANGED is taken off, so that what a call returned can go into the next.

    Args:
        value: the list.
        ascii_names: other names are refused, as pyscard does.

    Raises: ``TypeError``; ``UnicodeEncodeError`` for a name that is not ASCII.
    """
    if not isinstance(value, list):
        raise TypeError("Expected a list object.")
    return [_reader_status(each, ascii_names) for each in value]


def _reader_status(value: object, ascii_names: bool) -> ReaderStatus:
    if not isinstance(value, tuple):
        raise TypeError("Expected a list of tuples.")
    if not _SHORTEST_STATE <= len(value) <= _LONGEST_STATE:
        raise TypeError("Expecting two or three items in tuple.")
    name = text(value[0])
    if ascii_names:
        name.encode("ascii")
    if not isinstance(value[1], int):
        raise TypeError("Expected an Int as second tuple item.")
    if len(value) == _LONGEST_STATE and not isinstance(value[2], list):
        raise TypeError("Expected a list as third tuple item.")
    return ReaderStatus(name, value[1] & _STATE_MASK & ~C.SCARD_STATE_CHANGED)
