"""What the model of sessions acts on: the real core, two cards, users who answer late, and all that can go wrong."""

from __future__ import annotations

import asyncio
import enum
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TypeVar

from cryptography.exceptions import InvalidSignature

from cardd import errors
from cardd.access.caller import Caller
from cardd.cards.connection import HoldMode
from cardd.cards.present import CardState
from cardd.journal import Detail, Kind
from cardd.sessions.pin import PinQuestion
from cardd.sessions.presence import Presence
from cardd.sessions.secret import Secret
from cardd.sessions.session import Session
from cardd.sessions.states import EndReason
from tests.support.operations import DIGEST, PLAINTEXT, DrawerCard, Operation, Workbench, workbench

T = TypeVar("T")

PATIENCE = 30.0
WRONG_PIN = b"0000"
SEEN: Counter[str] = Counter()
"""What was met, over all worlds: a machine that meets nothing finds nothing."""
PIN_INSTRUCTIONS = (0x20, 0x24, 0x2C)
"""VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER (ISO 7816-4, 7.5.6, 7.5.7, 7.5.10)."""
_HEADER_AND_LC = 5


class Answer(enum.Enum):
    """What a user, or the lack of one, does with a question."""

    RIGHT = "right PIN"
    WRONG = "wrong PIN"
    DISMISSED = "dismissed"
    AGENT_LEFT = "agent left"


class Asked:
    """An agent that has a question and takes its time: a `PinSource`, and the giver of consents."""

    def __init__(self) -> None:
        self.asks_user = True
        self.may_be_last_try = False
        self.pending: asyncio.Future[Answer] | None = None
        self.count: Callable[[bool], bytes] = _nobody

    @property
    def waits(self) -> bool:
        """Whether the user has not answered yet."""
        return self.pending is not None and not self.pending.done()

    async def answer(self, question: PinQuestion) -> Secret:
        """See PinSource."""
        del question
        return Secret(bytearray(self.count(await self.decided() is Answer.RIGHT)))

    async def decided(self) -> Answer:
        """Wait for the user.

        Raises:
            NotAuthorizedDismissed, AgentFailed.
        """
        self.pending = asyncio.get_running_loop().create_future()
        answer = await self.pending
        if answer is Answer.DISMISSED:
            raise errors.NotAuthorizedDismissed
        if answer is Answer.AGENT_LEFT:
            raise errors.AgentFailed(reason="it left")
        return answer


def _nobody(right: bool) -> bytes:
    raise RuntimeError(f"a PIN ({right}) that nobody asked for")


class Gate:
    """Stands between reader and card: closed, a command waits there for as long as its card stays."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._closed = False
        self._generation = 0
        self.secrets = 0
        """Commands with a secret in them that were on their way."""

    def hook(self, number: int, command: bytes) -> None:
        """Runs on the card's worker thread, before the card sees the command."""
        del number
        with self._changed:
            self.secrets += command[1] in PIN_INSTRUCTIONS and len(command) > _HEADER_AND_LC
            began = self._generation
            self._changed.wait_for(lambda: not self._closed or self._generation != began, PATIENCE)

    def close(self) -> None:
        """Let nothing pass."""
        with self._changed:
            self._closed = True

    def open(self) -> None:
        """Let everything pass."""
        with self._changed:
            self._closed = False
            self._changed.notify_all()

    def shake(self) -> None:
        """The card, the reader or pcscd went: what waits here goes on, and learns of it."""
        with self._changed:
            self._generation += 1
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether commands wait."""
        return self._closed


@dataclass(slots=True)
class Expected:
    """One session as the model has it.

    Args:
        card: that was in when it was opened.
        due: reasons for which it may or must end, in the order in which they happened.
        ended: the reasons that were told; one at most is right.
    """

    card: DrawerCard
    due: list[EndReason] = field(default_factory=list)
    ended: list[EndReason] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Call:
    """One call of a client's that is under way."""

    operation: str
    task: asyncio.Task[object]
    asked: Asked

    @property
    def queued(self) -> bool:
        """It waits for another one's question to be answered."""
        return self.operation.startswith("authenticate") and self.asked.pending is None


class World:
    """A core and its surroundings; owns the loop. Used by the state machine, step by step.

    Args:
        hold: how cards are held.
        layout, profiles: which cards.
    """

    def __init__(
        self, hold: HoldMode, layout: str = "cps3", profiles: tuple[str, str] = ("physician", "nurse")
    ) -> None:
        self.loop = asyncio.new_event_loop()
        self.hold = hold
        self.gate = Gate()
        self.calls: list[Call] = []
        self.sessions: dict[int, Expected] = {}
        self.wrong: list[str] = []
        self.pins_given = 0
        self.wrong_pins_given = 0
        self.unseen = False
        """A card was swapped so that PC/SC's counter does not tell: nobody can know before a command fails."""
        self.asleep = False
        self._stack = AsyncExitStack()
        self.bench: Workbench = self.run(self._stack.enter_async_context(workbench(layout, *profiles, hold=hold)))
        self.bench.core.heard.told = self._heard
        self.plug()

    def run(self, work: Coroutine[object, object, T]) -> T:
        """Let the loop go until this is done."""
        return self.loop.run_until_complete(_in_time(work))

    def spin(self, rounds: int) -> None:
        """Let the loop go a little."""
        self.run(_spin(rounds))

    # -- what happens -----------------------------------------------------------------------------------------------

    def card_in(self) -> DrawerCard | None:
        """Which of the two is in the reader."""
        card = self.bench.core.reader.card
        return next((one for one in (self.bench.mine, self.bench.other) if one.card is card), None)

    def due(self, reason: EndReason) -> None:
        """From here on the sessions that are open have this reason to end."""
        for expected in self.sessions.values():
            if not expected.ended:
                expected.due.append(reason)

    def ask(self, operation: str, work: Callable[[Asked], Coroutine[object, object, object]]) -> None:
        """A client calls."""
        asked = Asked()
        self.calls.append(Call(operation, self.loop.create_task(self._called(operation, asked, work)), asked))
        self.spin(1)

    async def _called(
        self, operation: str, asked: Asked, work: Callable[[Asked], Coroutine[object, object, object]]
    ) -> object:
        try:
            return await work(asked)
        except errors.Internal as error:
            self.wrong.append(f"{operation}: {error!r}")
            raise
        except (errors.CarddError, asyncio.CancelledError) as error:
            SEEN[f"error: {type(error).__name__}"] += 1
            raise
        except Exception as error:
            self.wrong.append(f"{operation} failed with what is no error for a client: {error!r}")
            raise

    async def authenticate(self, presence: Presence, caller: Caller, asked: Asked) -> object:
        """A call of Card.Authenticate."""
        asked.count = self._pin_given
        authentication = self.bench.core.sessions.authentication(presence)
        return await authentication.authenticate(caller, asked)

    async def serve(self, session: Session, operation: Operation, asked: Asked | None) -> object:
        """A call of the session's, after a consent where one is asked for; sent as the bus sends it."""
        if asked is not None:
            await session.while_open(asked.decided())
        result = await self.bench.serve(session, operation, self.sessions[session.number].card)
        if (error := session.guard()) is not None:
            raise error
        # What follows is read past the daemon's own checks.
        expected = self.sessions[session.number]
        if expected.ended or session.card.insertion.mark.is_set:
            self.wrong.append(f"{operation}: a result of session {session.number} was sent after its end")
        self._check(expected.card, operation, result)
        SEEN[f"result: {operation.value}"] += 1
        return result

    def _check(self, card: DrawerCard, operation: Operation, result: object) -> None:
        try:
            match operation:
                case Operation.SIGN:
                    card.verifies("signature", bytes(result) if isinstance(result, bytes) else b"", DIGEST)
                case Operation.DECRYPT:
                    assert isinstance(result, Secret)
                    if bytes(result.buffer) != PLAINTEXT:
                        self.wrong.append("decrypt: another plaintext")
                    result.wipe()
                case _:
                    card.verifies_jws(str(result))
        except InvalidSignature:
            self.wrong.append(f"{operation}: another card's key served the session")

    def _pin_given(self, right: bool) -> bytes:
        self.pins_given += 1
        self.wrong_pins_given += not right
        card = self.card_in() or self.bench.mine
        return card.inside.digits if right else WRONG_PIN

    async def computed(self) -> None:
        """Let time pass until a command is with the card, and then stop the loop until that card has answered: what it
        computed waits for the loop. Nothing is awaited in between, on purpose."""
        before = self.bench.core.reader.before_count
        for _ in range(50):
            if self.bench.core.reader.before_count > before or self.gate.closed:
                break
            await asyncio.sleep(0)
        time.sleep(0.002)  # of the loop, not of the card's thread

    # -- what the daemon tells --------------------------------------------------------------------------------------

    def _heard(self, what: str, about: object) -> None:
        """Each piece of news, the moment it is told."""
        match what:
            case "session-opened":
                assert isinstance(about, int)
                if still := [number for number, one in self.sessions.items() if not one.ended]:
                    self.wrong.append(f"session {about} opened before {still} ended")
                self.sessions[about] = Expected(self._card_of(about))
                if self._card_of(about) is not self.card_in() and not self.unknowable:
                    self.sessions[about].due.append(EndReason.CARD_REMOVED)
            case "session-ended":
                assert isinstance(about, tuple)
                number, reason = about
                self.sessions[number].ended.append(reason)
                SEEN[f"end: {reason.value}"] += 1
            case "card-added" | "reader-added" | "card-removed":
                if still := [number for number, one in self.sessions.items() if not one.ended]:
                    self.wrong.append(f"{what} was told before the end of {still}")

    def _card_of(self, number: int) -> DrawerCard:
        session = self.bench.core.sessions._open[number]
        serial = "" if session.card.identity is None else session.card.identity.serial
        return self.bench.mine if serial == self.bench.mine.serial else self.bench.other

    # -- what must be so --------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Let everything go as far as it goes without its users, then look."""
        self.gate.open()
        self.run(self._at_rest())
        self.look()
        for number, expected in self.sessions.items():
            assert len(expected.ended) <= 1, f"session {number} ended {len(expected.ended)} times: {expected.ended}"
            if expected.ended:
                assert expected.ended[0] in expected.due, (
                    f"session {number} ended by {expected.ended}, due {expected.due}"
                )
        there = self.bench.session
        open_ones = [number for number, one in self.sessions.items() if not one.ended]
        assert open_ones == ([] if there is None else [there.number]), f"{open_ones} are open"
        if open_ones and not self.unknowable:
            assert self.card_in() is self.sessions[open_ones[0]].card, "a session without its card"
            certain = set(self.sessions[open_ones[0]].due) - {EndReason.CARD_RESET}
            assert not certain, f"session {open_ones[0]} should have ended: {certain}"
        self._journal_and_pins()

    def look(self) -> None:
        """What must be so at any moment."""
        assert not self.wrong, "\n".join(self.wrong)
        for number, expected in self.sessions.items():
            assert len(expected.ended) <= 1, f"session {number} ended {len(expected.ended)} times: {expected.ended}"

    def _journal_and_pins(self) -> None:
        events = self.bench.core.journal.events
        told = [(e.what[Detail.SESSION], e.what[Detail.REASON]) for e in events if e.kind is Kind.SESSION_ENDED]
        heard = [(str(number), one.ended[0].value) for number, one in self.sessions.items() if one.ended]
        assert sorted(told) == sorted(heard), f"the journal has {told}, told was {heard}"
        opened = sum(event.kind is Kind.AUTHENTICATED for event in events)
        assert opened >= len(self.sessions), "a session that the journal does not know"
        assert self.gate.secrets <= self.pins_given, f"{self.gate.secrets} PINs went out, {self.pins_given} were given"
        lost = sum(one.inside.full[0] - one.inside.tries[0] for one in (self.bench.mine, self.bench.other))
        assert lost <= self.wrong_pins_given, f"{lost} tries lost by {self.wrong_pins_given} wrong PINs"

    @property
    def unknowable(self) -> bool:
        """The card was changed, and PC/SC tells nobody: it counted nothing, or the counter was 0 before.

        A waiter that gives the counter 0 gives none (pcsc-lite): a card that was in when pcscd started, and was changed
        between two looks, is like the one before, until something is sent to it.
        """
        presence = self.bench.presence
        counted = presence is not None and presence.card.insertion.counter == 0 != self.bench.core.reader.counter
        return self.unseen or counted

    async def _at_rest(self) -> None:
        try:
            while not self._rests():
                await asyncio.sleep(0.0005)
        except asyncio.CancelledError:
            presence = self.bench.presence
            state = None if presence is None else (presence.state, presence.card.state, presence.proving.locked())
            calls = [(call.operation, call.asked.waits, call.queued) for call in self.calls]
            there = self.bench.core.reader.card is not None
            handles = len(self.bench.core.reader.handles)
            counters = presence and presence.card.insertion.counter, self.bench.core.reader.counter
            raise AssertionError(
                f"never at rest: card {there}, {state}, {calls}, {handles} connections, {self.unseen=}, {counters=}"
            ) from None

    def _rests(self) -> bool:
        core, presence = self.bench.core, self.bench.presence
        self.calls = [call for call in self.calls if not call.task.done()]
        waiting = all(call.asked.waits or call.queued for call in self.calls)
        here = self.reachable and core.reader.card is not None and not self.asleep
        if not waiting or core.sessions._tasks or (presence is not None) != here:
            return False
        if presence is None:
            return not core.reader.handles
        known = presence.card.identity
        card = self.card_in()
        if known is not None and card is not None and known.serial != card.serial and not self.unknowable:
            return False
        if presence.card.insertion.counter != core.reader.counter and not self.unknowable:
            return False  # nobody has looked yet
        settled = presence.card.state is not CardState.PRESENT and not presence.proving.locked()
        return settled and (self.bench.held or not core.reader.handles)

    # -- beginning and end ------------------------------------------------------------------------------------------

    @property
    def reachable(self) -> bool:
        """PC/SC and the reader are there."""
        pcsc = self.bench.core.pcsc
        return pcsc.alive and self.bench.core.reader in pcsc.readers()

    def fresh(self) -> None:
        """Before an example: as if nothing had ever been."""
        self.sessions.clear()
        self.wrong.clear()
        self.bench.core.journal.events.clear()
        self.bench.core.heard.news.clear()
        self.bench.mine.inside.restore()
        self.bench.other.inside.restore()
        self.gate.secrets = self.pins_given = self.wrong_pins_given = 0

    def clear_away(self) -> None:
        """After an example: every client leaves, everything is put back, and nothing may be left over."""
        core = self.bench.core
        for call in self.calls:
            call.task.cancel()
        self.gate.open()
        if not core.pcsc.alive:
            self.due(EndReason.PCSCD_LOST)
            core.pcsc.revive()
        self.plug()
        if self.asleep:
            core.roster.resume()
            self.asleep = False
        if core.reader.card is not None:
            self.due(EndReason.CARD_REMOVED)
            core.reader.remove()
        self.unseen = False
        self.settle()
        self.run(self._nothing_left())
        assert not core.sessions._open

    def plug(self) -> None:
        """Put the reader back, if it is not there. Where nobody looked meanwhile, it was never gone: its card is."""
        if self.bench.core.reader not in self.bench.core.pcsc.readers():
            self.due(EndReason.CARD_REMOVED)
        self.bench.replug()
        self.bench.core.reader.before_apdu(self.gate.hook)

    async def _nothing_left(self) -> None:
        """What is under way by itself ends by itself: the threads of cards that left, a look at udev."""
        own = {asyncio.current_task()}
        try:
            while (threads := _of_cards()) or (tasks := asyncio.all_tasks() - own):
                await asyncio.sleep(0.0005)
        except asyncio.CancelledError:
            raise AssertionError(f"left over: {threads or tasks}") from None

    def stop(self) -> None:
        """The daemon stops."""
        self.gate.open()
        self.due(EndReason.DAEMON_STOPPED)
        for call in self.calls:
            call.task.cancel()
        self.run(self._stack.aclose())
        self.look()
        for number, expected in self.sessions.items():
            assert len(expected.ended) == 1, f"session {number} ended {len(expected.ended)} times"
            assert expected.ended[0] in expected.due
        self._journal_and_pins()
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


def _of_cards() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("card-")]


async def _in_time(work: Coroutine[object, object, T]) -> T:
    async with asyncio.timeout(PATIENCE):
        return await work


async def _spin(rounds: int) -> None:
    for _ in range(rounds):
        await asyncio.sleep(0)
