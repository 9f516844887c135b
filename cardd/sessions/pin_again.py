"""A card that wants its PIN anew while its session is open: for each signature, say. Nobody's PIN is remembered, so the
holder is asked each time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from cardd.errors import NoAgent, NotAuthorizedCanObtain
from cardd.sessions.failures import client_errors
from cardd.sessions.pin import PinQuestion, Purpose, question_for, require_form, require_tries, rules_or_refuse
from cardd.sessions.presence import Presence
from cardd.sessions.secret import Secret

CALL_FORBIDS: Final = "the card wants its PIN for this each time, and the call forbids asking"
NOBODY_ASKS: Final = (
    "the card wants its PIN for this each time, and no agent is there to ask for it: run `cardctl agent`, or register "
    "one of your own"
)


class PinAsker(Protocol):
    """Asks the users of login sessions (`cardd.bus.agents.Agents`)."""

    async def ask_in(self, uid: int, login_session: str | None, question: PinQuestion) -> Secret:
        """The user's characters; the caller wipes them. Those for a last try mean that the user was told and agreed.

        Args:
            uid: of the user.
            login_session: logind's name of it, None without one.
            question: what for.

        Raises:
            NoAgent: nothing can ask there.
            LastTry: nothing there tells the user that it is the last one.
            CarddError: what came of asking.
        """

    def told_on_reader(
        self, uid: int, login_session: str | None, question: PinQuestion
    ) -> AbstractAsyncContextManager[None]:
        """Tell the user meanwhile to type on the reader, where something can."""


@dataclass(frozen=True, slots=True)
class PinGiven:
    """What came of asking.

    Args:
        pin: the characters; None: they are to be typed on the reader.
        may_be_last: the user was told that it is the last try, and agreed.
    """

    pin: Secret | None
    may_be_last: bool


class PinAgain:
    """Asks for the PIN of one card, for the owner of the session on it.

    Args:
        presence: the card.
        owner_uid: of the session's owner.
        owner_session: logind's name of the login session in which it was opened, None without one.
        asker: who asks; None: nobody can.
    """

    def __init__(self, presence: Presence, owner_uid: int, owner_session: str | None, asker: PinAsker | None) -> None:
        self._presence = presence
        self._owner = (owner_uid, owner_session)
        self._asker = asker

    @asynccontextmanager
    async def asked(self, *, interactive: bool) -> AsyncIterator[PinGiven]:
        """The PIN, of a form that the card may take, wiped at the end of the block; without it where it is to be typed
        on the reader, as the user is told meanwhile.

        Args:
            interactive: the caller of the method allows that its user is asked.

        Raises:
            NotAuthorizedCanObtain: it must be asked for, and may not or cannot be.
            PinBlocked: no try is left. LastTry: one is, and nothing tells the user so.
            PinFormat, NotAuthorizedDismissed, AgentFailed: what came of asking.
            CarddError: the card did not say how many tries are left.
        """
        if not interactive:
            raise NotAuthorizedCanObtain(reason=CALL_FORBIDS)
        if self._asker is None:
            raise NotAuthorizedCanObtain(reason=NOBODY_ASKS)
        await self._presence.pause_after_wrong()
        question = await self._question()
        if self._presence.card.pin_pad:
            require_tries(question.purpose, question.tries_left, may_be_last=False)
            async with self._asker.told_on_reader(*self._owner, question):
                yield PinGiven(None, may_be_last=False)
            return
        try:
            asking = self._asker.ask_in(*self._owner, question)
            pin = await self._presence.while_here(asking)
        except NoAgent:
            raise NotAuthorizedCanObtain(reason=NOBODY_ASKS) from None
        with pin:
            require_form(pin, question)
            yield PinGiven(pin, may_be_last=question.is_last_try)

    async def _question(self) -> PinQuestion:
        card = self._presence.card
        rules = rules_or_refuse(None if card.capabilities is None else card.capabilities.pin)
        with client_errors():
            status = await card.run(lambda opened: opened.pin_status(), caller="", under_hold=True)
        require_tries(Purpose.KEY_USE, status.tries_left, may_be_last=True)
        return question_for(self._presence, Purpose.KEY_USE, rules, status.tries_left)
