"""Every name that cardd has on the bus."""

from __future__ import annotations

import enum

SERVICE = "org.cardd1"
ROOT = "/org/cardd1"
READERS = f"{ROOT}/readers"
CARDS = f"{ROOT}/cards"
SESSIONS = f"{ROOT}/sessions"

MANAGER = "org.cardd1.Manager"
READER = "org.cardd1.Reader"
CARD = "org.cardd1.Card"
SESSION = "org.cardd1.Session"
AGENT = "org.cardd1.Agent"
JOURNAL = "org.cardd1.Journal"

OPTION_NO_USER_INTERACTION = "no-user-interaction"
"""Boolean option of every method that may ask the user something."""

OPTION_LAST_TRY = "last-try"
OPTION_WITHOUT_PIN_PAD = "without-pin-pad"
"""Boolean option of the methods that present a PIN or an unblocking code: its last try may be spent."""

NO_OBJECT = "/"
"""Stands in an object path property for "none"."""


class AgentAbility(enum.StrEnum):
    """What an agent can do, as RegisterAgent's option `can` says."""

    PIN = "pin"
    """RequestPin."""
    CONSENT = "consent"
    """Confirm."""
    NOTICE = "notice"
    """Notify."""
    LAST_TRY = "last-try"
    """It says so where RequestPin asks for the last try, and answers only when the user agrees to spend it."""
