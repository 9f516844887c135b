"""What real cards may do in one way or another, as switches: nobody has published which way a CPS3 goes."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class LogoutRule(enum.Enum):
    """Which SELECT drops the verified state of the PINs."""

    ANY_AID = "any-aid"
    """The root AID and every application AID; selection by path or file identifier does not."""
    ROOT_AID = "root-aid"
    """The root AID alone."""
    NEVER = "never"


class PastEnd(enum.Enum):
    """How READ BINARY answers when Le reaches past the end of the file."""

    WARN = "6282"
    """What there is, and 6282."""
    CORRECT_LENGTH = "6cxx"
    """No data; 6Cxx tells how many bytes there are."""
    SILENT = "9000"
    """What there is, and 9000."""


class BlockingTry(enum.Enum):
    """Answer to the wrong PIN that takes the last try."""

    NO_TRY_LEFT = "63c0"
    BLOCKED = "6983"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The switches of one card.

    Args:
        logout: which SELECT drops verified PINs. GUESS: the root AID is the applet's own, and re-selecting an applet
            drops its transient state; an application's AID is a DF name inside it, and OpenSC selects one between PIN
            and use. A real card settles it (VERIFY, SELECT AID, status VERIFY).
        past_end: READ BINARY past the end. GUESS: 6282, which both known middlewares take; a real card settles it.
        blocking_try: answer to the wrong PIN that blocks. GUESS: 63C0, then 6983; settled only by blocking a card.
        pin_for_each_signature: PSO COMPUTE DIGITAL SIGNATURE consumes the verified state. GUESS: no, since no
            userConsent was seen in key objects.
        environment_lost_after_use: a computation clears the security environment. GUESS: no.
    """

    logout: LogoutRule = LogoutRule.ROOT_AID
    past_end: PastEnd = PastEnd.WARN
    blocking_try: BlockingTry = BlockingTry.NO_TRY_LEFT
    pin_for_each_signature: bool = False
    environment_lost_after_use: bool = False
