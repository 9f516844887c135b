"""What tells one generation of the CPS from another; files, PINs, keys, access rules and transmission are common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from cardsim.apdu import CommandApdu, Response
from cardsim.ias_ecc.context import CardContext

CommandFunction = Callable[[CardContext, CommandApdu], Response]


class Applications(Protocol):
    """Which of the card's applications a class byte speaks to (ISO 7816-4, 5.4.1: logical channels)."""

    def answer(self, command: CommandApdu) -> Response | None:
        """The answer of whatever is not the IAS ECC application; None where the command is for that one.

        Raises:
            StatusError: 6E00, or 6881 where the logical channel is not open.
        """

    def reset(self) -> None:
        """The power was lost."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation of cards.

    Args:
        commands: the commands of its IAS ECC application by instruction byte; GET RESPONSE belongs to transmission.
        applications: makes what decides between that application and others, for one card.
    """

    commands: Mapping[int, CommandFunction]
    applications: Callable[[CardContext], Applications]
