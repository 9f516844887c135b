"""From a card and a PIN to a session: the PIN to the card, a fresh challenge back from it, and nothing in between."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext

from cardd.access.caller import Caller
from cardd.access.ownership import require_owner
from cardd.cards.seat import CHALLENGE_LENGTH
from cardd.cards.worker import Priority
from cardd.errors import CardChanged, CarddError, CardInUse, ProofFailed
from cardd.journal import Detail, Kind
from cardd.pki.errors import ChallengeMismatch
from cardd.pki.proof import verify_challenge
from cardd.sessions.account import Account
from cardd.sessions.failures import client_errors
from cardd.sessions.pin import (
    PadPrompt,
    PinQuestion,
    PinSource,
    Purpose,
    question_for,
    require_contact,
    require_form,
    require_pin_tries,
    require_tries,
    rules_or_refuse,
)
from cardd.sessions.presence import Presence
from cardd.sessions.secret import Secret
from cardd.sessions.session import Session
from cardd.sessions.states import Event, State
from cardd_drivers.contract import Assurance, Card, KeyName, PinStatus

log = logging.getLogger(__name__)


class Authentication:
    """Opens sessions on one card.

    Args:
        presence: the card in its reader.
        account: what is told to the journal.
        opened: makes a session of a proven card for a caller and its login session; called on the loop.
    """

    def __init__(
        self, presence: Presence, account: Account, opened: Callable[[Presence, Caller, str | None], Session]
    ) -> None:
        self._presence = presence
        self._account = account
        self._opened = opened
        self._asking: dict[int, asyncio.Lock] = {}

    async def authenticate(self, caller: Caller, source: PinSource, login_session: str | None = None) -> Session:
        """The session that is open on the card, or a new one for this caller's PIN.

        A second application of the same user waits for the first one's question and shares its answer's session.

        Args:
            caller: who may be served, as was judged.
            source: gives the PIN.
            login_session: the caller's, None without one.

        Raises:
            CarddError: the card cannot be used, is not believed, is in use; the PIN was not given, wrong, or blocked.
        """
        async with self._turn(caller, source):
            if (session := self._shared(caller)) is not None:
                return session
            question = self._question()
            with await self._presence.while_here(source.answer(question)) as pin:
                require_form(pin, question)
                async with self._presence.proving:
                    if (session := self._shared(caller)) is not None:
                        return session
                    known = source.may_be_last_try or question.is_last_try
                    return await self._open(caller, pin, login_session, may_be_last=known)

    async def authenticate_on_pad(self, caller: Caller, pad: PadPrompt, login_session: str | None = None) -> Session:
        """As `authenticate`, with the PIN typed on the reader: no character of it comes here.

        Args:
            caller, login_session: as there.
            pad: tells the user.

        Raises:
            PinPadTimedOut, PinPadCancelled, PinPadFormat, LastTry; CarddError as `authenticate`.
        """
        async with self._asking.setdefault(caller.uid, asyncio.Lock()):
            if (session := self._shared(caller)) is not None:
                return session
            question = self._question()
            require_tries(Purpose.AUTHENTICATE, question.tries_left, may_be_last=pad.may_be_last_try)
            async with self._presence.proving, pad.shown(question):
                if (session := self._shared(caller)) is not None:
                    return session
                return await self._open(caller, None, login_session, may_be_last=pad.may_be_last_try)

    def _turn(self, caller: Caller, source: PinSource) -> AbstractAsyncContextManager[object]:
        """One question at a time to a user; a PIN that comes with the call keeps nobody else waiting."""
        return self._asking.setdefault(caller.uid, asyncio.Lock()) if source.asks_user else nullcontext()

    def _shared(self, caller: Caller) -> Session | None:
        session = self._presence.session
        if session is not None:
            session.require_open()
            # Judged before, but it may have been opened since, by somebody else.
            require_owner(caller, session.owner_uid)
        return session

    def _question(self) -> PinQuestion:
        """Every reason to refuse that is known before the user is troubled."""
        presence = self._presence
        presence.require_ready()
        capabilities = presence.card.capabilities
        require_contact(capabilities)
        presence.require_trusted()
        rules = rules_or_refuse(None if capabilities is None else capabilities.pin)
        require_tries(Purpose.AUTHENTICATE, presence.tries_left, may_be_last=True)
        if (holder := presence.card.held_by_another()) is not None:
            raise CardInUse(holder=holder)
        return question_for(presence, Purpose.AUTHENTICATE, rules, presence.tries_left)

    async def _open(
        self, caller: Caller, pin: Secret | None, login_session: str | None, *, may_be_last: bool
    ) -> Session:
        """Present the PIN; where there is none, have it typed on the reader."""
        presence = self._presence
        await presence.pause_after_wrong()
        presence.require_ready()
        presence.require_trusted()
        presence.happen(Event.PIN_OFFERED)
        try:
            with client_errors():
                await self._prove(caller, pin, may_be_last=may_be_last)
            # What was learnt while the user typed counts: a CRL came, the card was blocked, its time is over.
            presence.require_trusted()
            presence.require_present()
            await self._account.served(Kind.AUTHENTICATED, presence, caller, {Detail.LEVEL: _level_of(presence)})
            presence.require_present()
        except BaseException as error:
            presence.note_failure(error)
            await asyncio.shield(self._give_back(error))
            raise
        presence.happen(Event.PROVEN)
        return self._opened(presence, caller, login_session)

    async def _prove(self, caller: Caller, pin: Secret | None, *, may_be_last: bool) -> None:
        """Verify the PIN, have a challenge signed, check it; all on one exclusive handle."""
        presence = self._presence
        challenge = secrets.token_bytes(CHALLENGE_LENGTH)

        def present_pin_and_sign(card: Card) -> bytes:
            if not may_be_last:
                require_pin_tries(presence.card, card, Purpose.AUTHENTICATE)
            if pin is None:
                card.verify_pin_on_pad()
            else:
                card.verify_pin(pin.buffer)
            return card.authenticate(KeyName.AUTHENTICATION, challenge)

        await presence.card.hold()
        proof = await presence.card.run(
            present_pin_and_sign, caller=caller.name, user=caller.uid, priority=Priority.AUTHENTICATION
        )
        presence.card.note_pin_status(PinStatus(tries_left=None, verified=True))
        try:
            verify_challenge(presence.certificate, challenge, proof)
        except ChallengeMismatch:
            raise await self._mismatch(caller) from None

    async def _mismatch(self, caller: Caller) -> CarddError:
        """The card's key is not that of the certificate known for it: read it anew, in case it was renewed."""
        presence = self._presence
        before = presence.certificate
        await presence.card.relearn(caller=caller.name, user=caller.uid)
        presence.learn()
        return ProofFailed() if presence.certificate == before else CardChanged()

    async def _give_back(self, error: BaseException) -> None:
        presence = self._presence
        log.info("authentication on card %d refused: %s", presence.number, type(error).__name__)
        await presence.card.release()
        if presence.state is State.AUTHENTICATING:
            presence.happen(Event.REFUSED)
        presence.judge()


def _level_of(presence: Presence) -> str:
    identity = presence.card.identity
    return (Assurance.CARD if identity is None else identity.assurance).value
