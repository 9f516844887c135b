"""READ BINARY and UPDATE BINARY (ISO 7816-4, 11.2.3 and 11.2.5; INS B0 and D6)."""

from __future__ import annotations

from cardsim.apdu import SHORT_LE_MAX, CommandApdu, Response
from cardsim.behaviour import OverLimit, PastEnd, ShortIdentifiers
from cardsim.ias_ecc.access_rules import FileAccess
from cardsim.ias_ecc.context import CardContext
from cardsim.ias_ecc.files import EF_SN, ElementaryFile
from cardsim.status_words import StatusError, StatusWord, correct_length

BY_SHORT_IDENTIFIER = 0x80


def read_binary(card: CardContext, command: CommandApdu) -> Response:
    """Read from the current EF, or from the one that P1 names by short identifier.

    Le = 00 reads to the end of the file within 256 bytes. Le past the end, or above the card's limit: as its behaviour
    says.

    Raises:
        StatusError: 6700 no Le, or data; 6982; 6986 no current EF; 6A82 no such short identifier; 6B00 offset past
            the end; 6Cxx.
    """
    if command.le is None or command.data:
        raise StatusError(StatusWord.WRONG_LENGTH)
    file, offset = _addressed(card, command)
    card.demand_file_access(file, FileAccess.READ)
    if offset >= len(file.content):
        raise StatusError(StatusWord.WRONG_OFFSET)
    length = _within_limit(card, command.le, len(file.content) - offset)
    data = bytes(file.content[offset : offset + length])
    past_end = card.behaviour.past_end
    if len(data) < length and past_end is PastEnd.CORRECT_LENGTH:
        raise StatusError(correct_length(len(data)))
    warn = len(data) < length and command.le < SHORT_LE_MAX and past_end is PastEnd.WARN
    return Response(data, StatusWord.END_OF_FILE if warn else StatusWord.SUCCESS, sized=True)


def _within_limit(card: CardContext, length: int, available: int) -> int:
    limit, rule = card.behaviour.read_limit, card.behaviour.over_limit
    if card.behaviour.extended_length and limit == SHORT_LE_MAX:
        return length
    if length > limit and rule is OverLimit.REFUSED:
        raise StatusError(StatusWord.WRONG_LENGTH)
    if length > limit and rule is OverLimit.CORRECT_LENGTH:
        raise StatusError(correct_length(min(limit, available)))
    return min(length, limit)


def update_binary(card: CardContext, command: CommandApdu) -> Response:
    """Write into the current EF, or into the one that P1 names by short identifier.

    Raises:
        StatusError: 6700 no data; 6982; 6986; 6A82; 6A84 past the end of the file.
    """
    if not command.data:
        raise StatusError(StatusWord.WRONG_LENGTH)
    file, offset = _addressed(card, command)
    card.demand_file_access(file, FileAccess.UPDATE)
    if offset + len(command.data) > len(file.content):
        raise StatusError(StatusWord.NOT_ENOUGH_MEMORY)
    file.content[offset : offset + len(command.data)] = command.data
    return Response()


def _addressed(card: CardContext, command: CommandApdu) -> tuple[ElementaryFile, int]:
    """The EF and the offset that P1-P2 name; an EF named by short identifier becomes current."""
    if not command.p1 & BY_SHORT_IDENTIFIER:
        if card.state.current_ef is None:
            raise StatusError(StatusWord.NO_CURRENT_EF)
        return card.state.current_ef, command.p1 << 8 | command.p2
    if command.p1 & 0x60:
        raise StatusError(StatusWord.INCORRECT_P1_P2)
    file = card.state.current_df.by_short_identifier(command.p1 & 0x1F)
    known = card.behaviour.short_identifiers
    if file is None or known is ShortIdentifiers.NONE or (known is ShortIdentifiers.SERIAL and file.fid != EF_SN):
        raise StatusError(StatusWord.FILE_NOT_FOUND)
    card.select(file)
    return file, command.p2
