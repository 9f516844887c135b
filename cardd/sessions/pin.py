"""Asking for a PIN: the question, who answers it, and what is refused before the card could lose a try."""

from __future__ import annotations

import enum
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from cardd.cards.present import PresentCard
from cardd.errors import (
    CarddError,
    ContactNeeded,
    LastPukTry,
    LastTry,
    NoPin,
    PinBlocked,
    PinFormat,
    PukBlocked,
    PukFormat,
)
from cardd.sessions.descriptors import read_secret
from cardd.sessions.presence import Presence
from cardd.sessions.secret import Secret
from cardd_drivers.contract import Capabilities, Card, PinRules

LENGTH_MAX = 64
"""Bytes that are read of any PIN or unblocking code; cards take far fewer."""


class Purpose(enum.StrEnum):
    """What the characters are for; an agent words its question by it."""

    AUTHENTICATE = "authenticate"
    CHANGE_CURRENT = "change-current"
    CHANGE_NEW = "change-new"
    UNBLOCK_PUK = "unblock-puk"
    UNBLOCK_NEW = "unblock-new"
    KEY_USE = "key-use"
    """The session is open, and the card wants its PIN anew for this use of a key."""


@dataclass(frozen=True, slots=True)
class PinQuestion:
    """One question to the user.

    Args:
        card: number of the insertion that it is about.
        purpose: what the characters are for.
        rules: what they may look like.
        tries_left: of this PIN or PUK, None when the card did not say.
        holder: whose card it is, to be shown to the user.
        reader: where the card is, to be shown to the user.
    """

    card: int
    purpose: Purpose
    rules: PinRules
    tries_left: int | None
    holder: str
    reader: str

    @property
    def is_last_try(self) -> bool:
        """Whether a wrong answer blocks the PIN or the PUK."""
        return self.tries_left == 1


class PinSource(Protocol):
    """Who answers: an agent, a descriptor, a PIN pad."""

    @property
    def asks_user(self) -> bool:
        """Whether somebody is asked, so that one question at a time is enough for one user."""

    @property
    def may_be_last_try(self) -> bool:
        """Whether the caller said beforehand that the last try may be spent."""

    async def answer(self, question: PinQuestion) -> Secret:
        """The user's characters; the caller wipes them. Those for a last try mean that the user was told and agreed.

        Raises:
            LastTry, LastPukTry: it is the last try, and neither the caller nor the user can be known to agree.
            CarddError: nobody answers, or the user closed the question.
        """


class PadPrompt(Protocol):
    """The reader's PIN pad, as far as its user is concerned: somebody tells them to type there."""

    @property
    def may_be_last_try(self) -> bool:
        """Whether the caller said beforehand that the last try may be spent; the pad itself cannot say so."""

    def shown(self, question: PinQuestion) -> AbstractAsyncContextManager[None]:
        """Tell the user meanwhile to type on the reader.

        Raises:
            CarddError: nobody may be troubled.
        """


class DescriptorPin:
    """The caller gave the PIN with its call, in a descriptor that this object does not own.

    Args:
        descriptor: readable end of a pipe, or a sealed memfd.
        timeout: seconds until the end of it must have come.
        last_try: the caller says that the last try may be spent.
    """

    def __init__(self, descriptor: int, *, timeout: float, last_try: bool = False) -> None:
        self._descriptor = descriptor
        self.asks_user = False
        self.may_be_last_try = last_try
        self._timeout = timeout

    async def answer(self, question: PinQuestion) -> Secret:
        """Read it; the same for whatever is asked."""
        require_tries(question.purpose, question.tries_left, may_be_last=self.may_be_last_try)
        return await read_secret(self._descriptor, limit=LENGTH_MAX, timeout=self._timeout)


def question_for(presence: Presence, purpose: Purpose, rules: PinRules, tries_left: int | None) -> PinQuestion:
    """What the user is asked about this card."""
    return PinQuestion(
        card=presence.number,
        purpose=purpose,
        rules=rules,
        tries_left=tries_left,
        holder=presence.holder_name,
        reader=presence.card.insertion.reader,
    )


def require_contact(capabilities: Capabilities | None) -> None:
    """Let pass a card to which a PIN may go.

    Args:
        capabilities: the card's; None where they are not known: then other checks refuse.

    Raises:
        ContactNeeded: it has no PIN, and a key that needs none: it is held to a contactless reader.
    """
    if capabilities is not None and capabilities.pin is None and capabilities.possession is not None:
        raise ContactNeeded


def rules_or_refuse(rules: PinRules | None) -> PinRules:
    """The rules of a PIN that the card has.

    Raises:
        NoPin: it has none.
    """
    if rules is None:
        raise NoPin
    return rules


def require_tries(purpose: Purpose, tries_left: int | None, *, may_be_last: bool) -> None:
    """Let pass what has tries left; the last one only for whoever knows.

    Args:
        purpose: what the characters are for.
        tries_left: None when the card does not tell: then nothing can be refused.
        may_be_last: the caller, or the user, knows and agrees.

    Raises:
        PinBlocked, PukBlocked: none is left.
        LastTry, LastPukTry: one is left.
    """
    puk = purpose is Purpose.UNBLOCK_PUK
    if tries_left == 0:
        raise PukBlocked if puk else PinBlocked
    if tries_left == 1 and not may_be_last:
        raise LastPukTry if puk else LastTry


def require_pin_tries(present: PresentCard, card: Card, purpose: Purpose) -> None:
    """Let no PIN go out that could be the last try, unknown to whoever gave it; runs on the card's thread.

    Since the question was put, another program may have spent tries, or another caller of ours.

    Raises:
        PinBlocked, LastTry.
    """
    known = present.certain_pin_status
    if known is None:
        now = card.pin_status()
        known = now if now.tries_left is not None else present.pin_status
    require_tries(purpose, None if known is None else known.tries_left, may_be_last=False)


def require_form(secret: Secret, question: PinQuestion) -> None:
    """Refuse what the card could only refuse, so that no try is spent on it.

    Raises:
        PinFormat, PukFormat: too short, too long, or with characters that the card does not take.
    """
    rules = question.rules
    long_enough = rules.minimum <= len(secret) <= rules.maximum
    digits = all(ord("0") <= one <= ord("9") for one in secret.buffer)
    if not long_enough or (rules.digits_only and not digits):
        raise _form_error(question.purpose, rules)


def _form_error(purpose: Purpose, rules: PinRules) -> CarddError:
    kind = PukFormat if purpose is Purpose.UNBLOCK_PUK else PinFormat
    exact = rules.minimum == rules.maximum
    return kind(length=str(rules.minimum) if exact else f"{rules.minimum}–{rules.maximum}")
