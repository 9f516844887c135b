"""READ BINARY and UPDATE BINARY with odd INS (ISO 7816-4, 11.2.3 and 11.2.5; INS B1 and D7): offset and data in TLV.

GUESS: whether a CPS3 knows them; no middleware uses them, so they are a switch.
"""

from __future__ import annotations

from cardsim import tlv
from cardsim.apdu import SHORT_LE_MAX, CommandApdu, Response
from cardsim.ias_ecc.access_rules import FileAccess
from cardsim.ias_ecc.context import CardContext
from cardsim.ias_ecc.files import ElementaryFile
from cardsim.status_words import StatusError, StatusWord

TAG_OFFSET, TAG_DATA = 0x54, 0x53
_SFI_MAX = 30


def read_binary_odd(card: CardContext, command: CommandApdu) -> Response:
    """``54 L offset`` is answered with ``53 L data``, as much as the file has and Le leaves room for.

    Raises:
        StatusError: 6D00 the card does not know it; 6A80 not one offset; 6982; 6986; 6A82; 6B00.
    """
    objects = _objects(card, command, (TAG_OFFSET,))
    file = _addressed(card, command)
    card.demand_file_access(file, FileAccess.READ)
    offset = int.from_bytes(objects[0], "big")
    if offset >= len(file.content):
        raise StatusError(StatusWord.WRONG_OFFSET)
    # In T=0 Le never reaches the card with the data.
    most = command.le or SHORT_LE_MAX
    data = bytes(file.content[offset : offset + most])
    while len(tlv.encode(TAG_DATA, data)) > most:
        data = data[:-1]
    return Response(tlv.encode(TAG_DATA, data))


def update_binary_odd(card: CardContext, command: CommandApdu) -> Response:
    """``54 L offset 53 L data`` writes.

    Raises:
        StatusError: 6D00 the card does not know it; 6A80 not an offset and data; 6982; 6986; 6A82; 6A84.
    """
    position, data = _objects(card, command, (TAG_OFFSET, TAG_DATA))
    file = _addressed(card, command)
    card.demand_file_access(file, FileAccess.UPDATE)
    offset = int.from_bytes(position, "big")
    if offset + len(data) > len(file.content):
        raise StatusError(StatusWord.NOT_ENOUGH_MEMORY)
    file.content[offset : offset + len(data)] = data
    return Response()


def _objects(card: CardContext, command: CommandApdu, tags: tuple[int, ...]) -> list[bytes]:
    if not card.behaviour.odd_instructions:
        raise StatusError(StatusWord.INS_NOT_SUPPORTED)
    try:
        objects = tlv.parse(command.data)
    except tlv.TlvError:
        raise StatusError(StatusWord.INCORRECT_DATA) from None
    if tuple(item.tag for item in objects) != tags or not all(item.value for item in objects):
        raise StatusError(StatusWord.INCORRECT_DATA)
    return [item.value for item in objects]


def _addressed(card: CardContext, command: CommandApdu) -> ElementaryFile:
    """P1-P2: 0000 the current EF; 1 to 30 a short identifier; else a file identifier. A named EF becomes current."""
    name = command.p1 << 8 | command.p2
    if not name:
        if card.state.current_ef is None:
            raise StatusError(StatusWord.NO_CURRENT_EF)
        return card.state.current_ef
    current = card.state.current_df
    file = current.by_short_identifier(name) if name <= _SFI_MAX else current.children.get(name)
    if not isinstance(file, ElementaryFile):
        raise StatusError(StatusWord.FILE_NOT_FOUND)
    card.select(file)
    return file
