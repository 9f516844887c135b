"""One session: what a verified PIN lets its owner do with the card, until it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from cardd.access.caller import Caller
from cardd.errors import (
    CarddError,
    InvalidArgument,
    LevelTooLow,
    SessionEnded,
)
from cardd.holder.activities import Activity
from cardd.journal import Detail, Kind
from cardd.sessions import idle
from cardd.sessions.account import Account, What
from cardd.sessions.activities import details_of, named, read_activities, read_speciality
from cardd.sessions.failures import as_client_error, client_errors
from cardd.sessions.key_words import key_name, member, signature_of
from cardd.sessions.pin import Purpose, require_pin_tries
from cardd.sessions.pin_again import PinAgain, PinAsker
from cardd.sessions.presence import Presence
from cardd.sessions.secret import Secret
from cardd.sessions.states import EndReason
from cardd.sessions.waiting import settled_before
from cardd_drivers.contract import (
    Assurance,
    Card,
    CardMute,
    CardReset,
    DecipherAlgorithm,
    KeyName,
    PinIncorrect,
    SecurityStatusNotSatisfied,
    SignatureAlgorithm,
)

T = TypeVar("T")

HEAD_START_SECONDS = 0.003
"""How long `Ended` is on its way before waiting calls fail: with 20 clients, their failures would overtake it in the
clients' own queues (measured: 8 ms at p99 without)."""
PULLED_SECONDS = 0.6
"""How much later than its driver PC/SC may tell that a card was pulled; vpcd is asked every 0.4 s."""
MODULUS_MAX = 512
"""Bytes of the largest modulus that a cryptogram may be as long as (RSA 4096)."""


class Session:
    """What was authenticated, for whom and since when. Whom it serves is judged before a call comes here.

    Args:
        number: names it; never used again.
        presence: the card that carries it.
        owner: the caller whose PIN opened it.
        login_session: logind's name of the owner's login session, None without one.
        since: when the PIN was verified (UTC).
        expires: the last moment at which the card's chain is valid (UTC).
        account: what is told to the journal before each reply.
        ending: called once, on the loop, when the session finds that the card lost the PIN.
        asker: who asks for the PIN where the card wants it anew; None: nobody can.
    """

    def __init__(
        self,
        number: int,
        presence: Presence,
        owner: Caller,
        login_session: str | None,
        since: datetime,
        expires: datetime,
        account: Account,
        ending: Callable[[Session, EndReason], None],
        asker: PinAsker | None = None,
    ) -> None:
        self.number = number
        self.card = presence.card
        self.presence = presence
        self.owner_uid = owner.uid
        self.owner_session = login_session
        self.since = since
        self.expires = expires
        self.uses = 0
        self.activity = idle.Activity()
        self.situation: Activity | None = None
        """The work situation that was chosen, None while none is."""
        self._activities: tuple[Activity, ...] | None = None
        self._account = account
        self._ending = ending
        self._pin_again = PinAgain(presence, owner.uid, login_session, asker)
        self._asking = asyncio.Lock()
        self._reason: EndReason | None = None
        self._ended = asyncio.get_running_loop().create_future()

    @property
    def end_reason(self) -> EndReason | None:
        """Why it has ended, None while it is open. The watch thread's mark on the insertion counts at once, and so does
        the end of the certificate's time, however late a timer tells it."""
        if self._reason is not None:
            return self._reason
        if (departure := self.card.insertion.mark.reason) is not None:
            return EndReason(departure.value)
        return EndReason.EXPIRED if self.presence.clock() > self.expires else None

    @property
    def level(self) -> Assurance:
        """What keeps the keys that it rests on."""
        identity = self.card.identity
        return Assurance.CARD if identity is None else identity.assurance

    def require_card(self) -> None:
        """Let pass what says that a card was used.

        Raises:
            LevelTooLow: what was used is another device, or a file.
        """
        if self.level is not Assurance.CARD:
            raise LevelTooLow(level=self.level.value)

    def guard(self) -> CarddError | None:
        """What to send instead of a result, should it be sent now."""
        reason = self.end_reason
        return None if reason is None else SessionEnded(reason=reason.value)

    def close(self, reason: EndReason) -> EndReason | None:
        """Mark the end; everything pending fails. Gives the reason that counts, or None where it was closed before."""
        if self._reason is not None:
            return None
        self._reason = self.end_reason or reason
        self._ended.set_result(None)
        self._activities = self.situation = None
        return self._reason

    def require_open(self) -> None:
        """Let a call through while the session is open.

        Raises:
            SessionEnded.
        """
        if (error := self.guard()) is not None:
            raise error

    async def while_open(self, work: Awaitable[T]) -> T:
        """Wait for something outside the card (polkit, the holder's consent), for as long as the session is open.

        Raises:
            SessionEnded: it ended first; the work is cancelled.
        """
        with self.activity.use():
            task = await settled_before(work, self._ended)
        if self.guard() is not None and task.done() and not task.cancelled():
            task.exception()  # seen: the end says more
        self.require_open()
        return task.result()

    async def sign(
        self,
        caller: Caller,
        key: str,
        algorithm: str,
        digest: bytes,
        because: What | None = None,
        *,
        interactive: bool = True,
    ) -> bytes:
        """Sign a digest.

        Args:
            key: "signature" or "authentication".
            algorithm: JOSE name (RFC 7518, 3.1).
            digest: SHA-256, 32 bytes.
            because: what the journal is told beside: which rule and which consent let it pass.
            interactive: the holder may be asked for the PIN, where the card wants it anew.

        Raises:
            CarddError: an argument that cannot be used, the session's end, what the card refused; the PIN that was
                not given, or wrong.
        """
        self.require_open()
        name, wanted = signature_of(key, algorithm, digest)
        situation = self.situation
        with client_errors(key=key, algorithm=algorithm):
            signature = await self._use(caller, lambda card: card.sign(name, wanted, digest), interactive=interactive)
        what = {Detail.KEY: key, Detail.ALGORITHM: algorithm, Detail.DIGEST: digest.hex()}
        await self.tell(Kind.SIGNED, caller, {**what, **details_of(situation), **(because or {})})
        return signature

    async def decrypt(
        self, caller: Caller, key: str, algorithm: str, cryptogram: bytes, *, interactive: bool = True
    ) -> Secret:
        """Decipher one block; the caller wipes the plaintext.

        Args:
            key: "encryption".
            algorithm: JOSE name (RFC 7518, 4.1).
            cryptogram: as long as the key's modulus.
            interactive: as `sign`.

        Raises:
            CarddError: as `sign`.
        """
        self.require_open()
        name = key_name(key)
        if name is not KeyName.ENCRYPTION:
            raise InvalidArgument(argument="key", reason=f"the {key} key does not decipher; use encryption")
        wanted = member(DecipherAlgorithm, algorithm, key)
        if not 1 <= len(cryptogram) <= MODULUS_MAX:
            reason = f"{len(cryptogram)} bytes are no block as long as the key's modulus"
            raise InvalidArgument(argument="cryptogram", reason=reason)
        situation = self.situation
        with client_errors(key=key, algorithm=algorithm):
            deciphered = await self._use(
                caller, lambda card: card.decipher(name, wanted, cryptogram), interactive=interactive
            )
        plaintext = Secret(deciphered)
        try:
            what = {Detail.KEY: key, Detail.ALGORITHM: algorithm, **details_of(situation)}
            await self.tell(Kind.DECRYPTED, caller, what)
        except BaseException:
            plaintext.wipe()
            raise
        return plaintext

    async def sign_statement(self, caller: Caller, digest: bytes, *, interactive: bool = True) -> bytes:
        """Sign, with the authentication key, what cardd itself has written: a token, an assertion.

        The caller chooses no digest here, so that what is said of raw digests under that key does not concern it.
        Whoever uses it tells the journal (`tell`) before anything is handed out.

        Args:
            caller: who asks for the statement.
            digest: SHA-256 of it, 32 bytes.
            interactive: as `sign`.

        Returns:
            RSASSA-PKCS1-v1_5 (RS256), as long as the modulus.

        Raises:
            CarddError: the session's end, what the card refused.
        """
        self.require_open()
        key, algorithm = KeyName.AUTHENTICATION, SignatureAlgorithm.RS256
        with client_errors(key=key.value, algorithm=algorithm.value):
            return await self._use(caller, lambda card: card.sign(key, algorithm, digest), interactive=interactive)

    async def activities(self, caller: Caller, *, interactive: bool = True) -> tuple[Activity, ...]:
        """The holder's work situations, read once; none on a card that tells none.

        Raises:
            CarddError: as `sign`.
        """
        self.require_open()
        if self._activities is None:
            with client_errors():
                found = await self._serve(caller, read_activities, interactive=interactive)
            self._activities = found
        return self._activities

    async def speciality(self, caller: Caller) -> str | None:
        """The code of the holder's speciality, by the certificate or else by the card's own file; None for none.

        Raises:
            CarddError: the session's end, what the card refused.
        """
        self.require_open()
        professional = self.presence.professional
        if professional is not None and professional.specialities:
            return professional.specialities[0]
        with client_errors():
            return await self._serve(caller, read_speciality, interactive=False)

    async def select_activity(self, caller: Caller, activity_id: str, *, interactive: bool = True) -> None:
        """Choose a work situation: what is done from now on is done in it.

        Args:
            caller: who chooses.
            activity_id: of `activities`; empty: none of them.
            interactive: as `sign`.

        Raises:
            NoSuchActivity.
            CarddError: as `sign`; the journal.
        """
        self.require_open()
        chosen = named(await self.activities(caller, interactive=interactive), activity_id) if activity_id else None
        await self.tell(Kind.ACTIVITY_SELECTED, caller, details_of(chosen))
        self.situation = chosen

    async def tell(self, kind: Kind, caller: Caller, what: What) -> None:
        """Write down what was done; a session that ended meanwhile gives nothing.

        Raises:
            JournalUnavailable: it is not written, and so must not be replied.
            SessionEnded.
        """
        await self._account.served(kind, self.presence, caller, {Detail.SESSION: str(self.number), **what})
        if (error := self.guard()) is not None:
            self._account.dropped(self.number)
            raise error

    async def _use(self, caller: Caller, operation: Callable[[Card], T], *, interactive: bool) -> T:
        """As `_serve`, for what a key computes: it counts."""
        result = await self._serve(caller, operation, interactive=interactive)
        self.uses += 1
        return result

    async def _serve(self, caller: Caller, operation: Callable[[Card], T], *, interactive: bool) -> T:
        try:
            with self.activity.use():
                return await self._result_of(caller, operation, interactive=interactive)
        except SessionEnded:
            # `Ended` is told first: it gets the bus and the processors for itself, then the calls that wait fail.
            await asyncio.sleep(HEAD_START_SECONDS)
            raise

    async def _result_of(self, caller: Caller, operation: Callable[[Card], T], *, interactive: bool) -> T:
        try:
            result = await self._with_the_pin(caller, operation, interactive=interactive)
        except (CardReset, SecurityStatusNotSatisfied) as error:
            # The card no longer has the PIN: someone reset it. What the session promises is no longer true.
            self._ending(self, EndReason.CARD_RESET)
            raise SessionEnded(reason=EndReason.CARD_RESET.value) from error
        except CardMute:
            # Mostly a card that is being pulled: its reader's driver noticed before PC/SC tells.
            await asyncio.wait((self._ended,), timeout=PULLED_SECONDS)
            self._raise_if_ended()
            self._end_unless_held()
            raise
        except Exception:
            self._raise_if_ended()
            self._end_unless_held()
            raise
        if (error_at_end := self.guard()) is not None:
            self._discard(result)
            raise error_at_end
        return result

    async def _with_the_pin(self, caller: Caller, operation: Callable[[Card], T], *, interactive: bool) -> T:
        """Run an operation; where the card wants its PIN anew, ask for it and run it again.

        A card that nobody else can reach has not been reset by anybody: it wants its PIN for each use.
        """
        try:
            work = self.card.run(operation, caller=caller.name, user=caller.uid, under_hold=True)
            return await self._unless_ended(work)
        except SecurityStatusNotSatisfied:
            if not self.card.is_ours_alone:
                raise
        async with self._asking:
            return await self._unless_ended(self._presenting(caller, operation, interactive=interactive))

    async def _presenting(self, caller: Caller, operation: Callable[[Card], T], *, interactive: bool) -> T:
        """The PIN and the operation in one go, so that no other operation comes between and uses it up."""
        async with self._pin_again.asked(interactive=interactive) as given:

            def present_and_run(card: Card) -> T:
                if not given.may_be_last:  # while the user typed, a change of the PIN may have spent tries
                    require_pin_tries(self.card, card, Purpose.KEY_USE)
                if given.pin is None:
                    card.verify_pin_on_pad()
                else:
                    card.verify_pin(given.pin.buffer)
                return operation(card)

            async with self.presence.proving:
                self.require_open()
                try:
                    # Where this is cancelled, the card's thread is told first, and then the PIN is wiped.
                    return await self.card.run(present_and_run, caller=caller.name, user=caller.uid, under_hold=True)
                except PinIncorrect as error:
                    self.presence.note_failure(as_client_error(error))
                    raise

    def _end_unless_held(self) -> None:
        """With the held connection goes the certainty that the card's verified PIN is this session's."""
        if not self.card.is_held:
            self._ending(self, EndReason.CARD_RESET)

    def _raise_if_ended(self) -> None:
        if (error := self.guard()) is not None:
            raise error from None

    async def _unless_ended(self, work: Awaitable[T]) -> T:
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait((task, self._ended), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not task.done():
            task.cancel()
            task.add_done_callback(self._drop)
            raise SessionEnded(reason=str(self.end_reason))
        return task.result()

    def _drop(self, task: asyncio.Future[T]) -> None:
        """A result that came after the end is wiped where it can be, and never seen."""
        if not task.cancelled() and task.exception() is None:
            self._discard(task.result())

    def _discard(self, result: object) -> None:
        self._account.dropped(self.number)
        if isinstance(result, bytearray):
            Secret(result).wipe()
