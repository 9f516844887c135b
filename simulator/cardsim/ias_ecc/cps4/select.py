"""SELECT (ISO 7816-4, 11.1.1; INS A4), as a CPS4 takes it."""

from __future__ import annotations

from cardsim.apdu import CommandApdu, Response
from cardsim.ias_ecc import fcp
from cardsim.ias_ecc.commands.select import FINDERS, Answer, SelectBy, make_current, modes
from cardsim.ias_ecc.context import CardContext
from cardsim.status_words import StatusError, StatusWord

MODES = frozenset({SelectBy.FILE_IDENTIFIER, SelectBy.DF_NAME, SelectBy.PATH_FROM_MF})
"""GUESS: no others, for the agency's library uses no others; a real card answers the rest with or without 6A86."""


def select(card: CardContext, command: CommandApdu) -> Response:
    """Select a file and return its FCI: the library of the agency asks for it by P2=00 and takes no other template.

    Without Le (T=1) there is no answer but the status word.

    Raises:
        StatusError: 6A86 mode unknown; 6A82 no such file; 6700 odd path.
    """
    mode, answer = modes(command)
    if mode not in MODES or (answer is Answer.NOTHING and not card.behaviour.select_without_answer):
        raise StatusError(StatusWord.INCORRECT_P1_P2)
    file, parent = FINDERS[mode](card, command.data)
    make_current(card, mode, file, parent)
    if answer is Answer.NOTHING:
        return Response()
    template = fcp.TAG_FCI if answer is Answer.FCI else fcp.TAG_FCP
    encoded = fcp.encode(file, rules_last=card.behaviour.fcp_rules_last, template=template)
    return Response(encoded, optional=True)
