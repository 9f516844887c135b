"""The CPS3: its IAS ECC application alone, on the basic channel."""

from __future__ import annotations

from cardsim.apdu import CLA_CHAINING, CommandApdu, Response
from cardsim.ias_ecc.commands import COMMANDS
from cardsim.ias_ecc.context import CardContext
from cardsim.ias_ecc.generation import Generation
from cardsim.status_words import StatusError, StatusWord


class OneApplication:
    """Classes 00 and 10 reach the application, which is selected from the reset on.

    Args:
        card: not looked at.
    """

    def __init__(self, card: CardContext) -> None:
        pass

    def answer(self, command: CommandApdu) -> Response | None:
        """None for class 00 and 10.

        GUESS: other classes are refused by 6E00 alike. A real CPS3 takes A0 (its older side) too, and 0C (secure
        messaging) for administration.

        Raises:
            StatusError: 6E00.
        """
        if command.cla & ~CLA_CHAINING:
            raise StatusError(StatusWord.CLA_NOT_SUPPORTED)
        return None

    def reset(self) -> None:
        """Nothing is kept."""


CPS3 = Generation(commands=COMMANDS, applications=OneApplication)
