"""The CPS3: its IAS ECC application on the basic channel, and the older side of the chip, which class A0 reaches."""

from __future__ import annotations

from cardsim.apdu import CLA_CHAINING, CommandApdu, Response
from cardsim.behaviour import AfterOlderSide
from cardsim.cps2ter.application import CLASS, OlderApplication, PinState
from cardsim.cps2ter.files import OlderFile
from cardsim.ias_ecc.commands import COMMANDS
from cardsim.ias_ecc.context import CardContext
from cardsim.ias_ecc.generation import Generation
from cardsim.status_words import StatusError, StatusWord

INS_SELECT, BY_DF_NAME = 0xA4, 0x04
USER_AUTHENTICATION = 1
"""The security environment that asks for the holder's PIN."""


class Cps3Applications:
    """Classes 00 and 10 reach the IAS ECC application, which is selected from the reset on; A0 the older side.

    Args:
        card: the IAS ECC application's card.
        older_files: the older side's files, or None for a card without it.
    """

    def __init__(self, card: CardContext, older_files: OlderFile | None = None) -> None:
        self._card = card
        self._older = None if older_files is None else OlderApplication(older_files, self._pin_state)
        self._away = False

    def answer(self, command: CommandApdu) -> Response | None:
        """What the older side answers to class A0; None for class 00 and 10.

        Seen on the recorded cards: after class A0, class 00 is refused by 6E00 until the root AID is selected, or goes
        on as if nothing had been; which, is a switch.

        GUESS: 0C (secure messaging) is refused by 6E00. A real CPS3 takes it for administration.

        Raises:
            StatusError: 6E00, or what the older side refuses with.
        """
        if command.cla == CLASS and self._older is not None:
            self._away = self._card.behaviour.after_older_side is AfterOlderSide.ROOT_AID
            return self._older.answer(command)
        if command.cla & ~CLA_CHAINING:
            raise StatusError(StatusWord.CLA_NOT_SUPPORTED)
        if self._away and not self._returns(command):
            raise StatusError(StatusWord.CLA_NOT_SUPPORTED)
        self._away = False
        return None

    def reset(self) -> None:
        """The IAS ECC application is selected again."""
        self._away = False
        if self._older is not None:
            self._older.reset()

    def _returns(self, command: CommandApdu) -> bool:
        by_name = (command.ins, command.p1) == (INS_SELECT, BY_DF_NAME)
        return by_name and bool(command.data) and command.data == self._card.master_file.aid

    def _pin_state(self) -> PinState:
        if self._card.user_authenticated(USER_AUTHENTICATION):
            return PinState.VERIFIED
        return PinState.BLOCKED if self._card.user_blocked(USER_AUTHENTICATION) else PinState.NOT_VERIFIED


CPS3 = Generation(commands=COMMANDS, applications=Cps3Applications)
"""Without the older side."""


def with_older_side(files: OlderFile) -> Generation:
    """A CPS3 with its older side.

    Args:
        files: the older side's master file.
    """
    return Generation(commands=COMMANDS, applications=lambda card: Cps3Applications(card, files))
