"""SELECT (ISO 7816-4, 11.1.1; INS A4), as a CPS3 takes it."""

from __future__ import annotations

import enum

from cardsim.apdu import CommandApdu, Response
from cardsim.behaviour import DfAnswer
from cardsim.ias_ecc import fcp
from cardsim.ias_ecc.context import CardContext
from cardsim.ias_ecc.files import MASTER_FILE, DedicatedFile, ElementaryFile, File
from cardsim.status_words import StatusError, StatusWord


class SelectBy(enum.IntEnum):
    """P1."""

    FILE_IDENTIFIER = 0x00
    CHILD_DF = 0x01
    EF_UNDER_CURRENT_DF = 0x02
    PARENT_DF = 0x03
    DF_NAME = 0x04
    PATH_FROM_MF = 0x08
    PATH_FROM_CURRENT_DF = 0x09


class Answer(enum.IntEnum):
    """P2: what SELECT returns."""

    FCI = 0x00
    FCP = 0x04
    NOTHING = 0x0C


def select(card: CardContext, command: CommandApdu) -> Response:
    """Select a file and return its FCP if it is asked for.

    Raises:
        StatusError: 6A86 mode unknown, or FCI asked where the card gives none; 6A82 no such file; 6700 odd path.
    """
    mode, answer = modes(command)
    if answer is Answer.NOTHING and not card.behaviour.select_without_answer:
        raise StatusError(StatusWord.INCORRECT_P1_P2)
    file, parent = FINDERS[mode](card, command.data)
    if answer is Answer.FCI and file is not card.master_file:
        # Published: P2=00 is refused for an application's AID and for an EF; the root AID answers 9000 without data.
        raise StatusError(StatusWord.INCORRECT_P1_P2)
    make_current(card, mode, file, parent)
    if answer is not Answer.FCP or _silent(mode, file, card.behaviour.df_answer):
        return Response()
    return Response(fcp.encode(file, rules_last=card.behaviour.fcp_rules_last))


def modes(command: CommandApdu) -> tuple[SelectBy, Answer]:
    """What P1-P2 ask.

    Raises:
        StatusError: 6A86.
    """
    try:
        return SelectBy(command.p1), Answer(command.p2)
    except ValueError:
        raise StatusError(StatusWord.INCORRECT_P1_P2) from None


def make_current(card: CardContext, mode: SelectBy, file: File, parent: DedicatedFile) -> None:
    """Make a file current that was found, and with an EF the DF it is in."""
    if isinstance(file, ElementaryFile):
        card.enter_df_of(file, parent)
        return
    card.select(file)
    if mode is SelectBy.DF_NAME:
        card.selected_by_name(file)


def _silent(mode: SelectBy, file: File, rule: DfAnswer) -> bool:
    """Published of one card: SELECT by path with the path 3F00 answers 9000 without an FCP, whatever P2 asks."""
    if isinstance(file, ElementaryFile) or rule is DfAnswer.FCP:
        return False
    return rule is DfAnswer.SILENT or (mode is SelectBy.PATH_FROM_CURRENT_DF and file.parent is None)


Found = tuple[File, DedicatedFile]
"""A file, and the DF that an EF is in (the DF itself for a DF)."""


def _identifiers(data: bytes) -> list[int]:
    if not data or len(data) % 2:
        raise StatusError(StatusWord.WRONG_LENGTH)
    return [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]


def _follow(start: DedicatedFile, path: list[int]) -> Found:
    file = start.by_path(path)
    if file is None:
        raise StatusError(StatusWord.FILE_NOT_FOUND)
    if isinstance(file, DedicatedFile):
        return file, file
    parent = start.by_path(path[:-1])
    if not isinstance(parent, DedicatedFile):
        raise StatusError(StatusWord.FILE_NOT_FOUND)
    return file, parent


def _single(data: bytes) -> int:
    identifiers = _identifiers(data)
    if len(identifiers) != 1:
        raise StatusError(StatusWord.WRONG_LENGTH)
    return identifiers[0]


def _by_identifier(card: CardContext, data: bytes) -> Found:
    """The master file (also by no identifier), the current DF itself, or a file directly under it."""
    fid = _single(data) if data else MASTER_FILE
    if fid == MASTER_FILE:
        return card.master_file, card.master_file
    current = card.state.current_df
    return (current, current) if fid == current.fid else _follow(current, [fid])


def _child_df(card: CardContext, data: bytes) -> Found:
    file, parent = _follow(card.state.current_df, [_single(data)])
    if not isinstance(file, DedicatedFile):
        raise StatusError(StatusWord.FILE_NOT_FOUND)
    return file, parent


def _ef_under_current_df(card: CardContext, data: bytes) -> Found:
    """An EF of the current DF. Middlewares select 3F00 in this mode too, and the card takes it."""
    fid = _single(data)
    if fid == MASTER_FILE:
        return card.master_file, card.master_file
    file, parent = _follow(card.state.current_df, [fid])
    if not isinstance(file, ElementaryFile):
        raise StatusError(StatusWord.FILE_NOT_FOUND)
    return file, parent


def _parent_df(card: CardContext, data: bytes) -> Found:
    parent = card.state.current_df.parent
    if data:
        raise StatusError(StatusWord.WRONG_LENGTH)
    if parent is None:
        raise StatusError(StatusWord.FILE_NOT_FOUND)
    return parent, parent


def _by_name(card: CardContext, data: bytes) -> Found:
    file = card.master_file.by_name(data)
    if file is None:
        raise StatusError(StatusWord.FILE_NOT_FOUND)
    return file, file


def _path_from_mf(card: CardContext, data: bytes) -> Found:
    return _follow(card.master_file, _identifiers(data))


def _path_from_current_df(card: CardContext, data: bytes) -> Found:
    """Published: a path that begins with 3F00 restarts at the master file."""
    path = _identifiers(data)
    if path[0] == MASTER_FILE:
        return _follow(card.master_file, path[1:])
    return _follow(card.state.current_df, path)


FINDERS = {
    SelectBy.FILE_IDENTIFIER: _by_identifier,
    SelectBy.CHILD_DF: _child_df,
    SelectBy.EF_UNDER_CURRENT_DF: _ef_under_current_df,
    SelectBy.PARENT_DF: _parent_df,
    SelectBy.DF_NAME: _by_name,
    SelectBy.PATH_FROM_MF: _path_from_mf,
    SelectBy.PATH_FROM_CURRENT_DF: _path_from_current_df,
}
"""How each mode finds a file."""
