"""The model of sessions: a state machine that does anything in any order, and says after each step what must be so."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from cardd.access.caller import Caller
from cardd.cards.connection import HoldMode
from cardd.sessions.presence import Presence
from cardd.sessions.session import Session
from cardd.sessions.states import EndReason
from tests.support.core import HOLDER, STRANGER
from tests.support.operations import DrawerCard, Operation
from tests.support.world import Answer, Asked, World

SERVED = st.sampled_from([Operation.SIGN, Operation.DECRYPT, Operation.ASSERT, Operation.MINT])
CALLERS = st.sampled_from([HOLDER, Caller(":1.3", uid=HOLDER.uid), STRANGER])
CALLS_MOST = 6
STEPS_BEFORE_STOP = 30
"""A stop ends a story; it should not end each of them at its beginning."""


class Sessions(RuleBasedStateMachine):
    """One reader, two cards, three clients. A subclass says how cards are held."""

    hold: ClassVar[HoldMode] = HoldMode.SESSION
    steps: ClassVar[int] = 0
    world_now: ClassVar[World | None] = None
    """The core is used again by the next example, unless one stopped it: nothing of an example may be left in it."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = 0
        self.world = self._world()
        self.world.fresh()
        self.last: Session | None = None

    @classmethod
    def _world(cls) -> World:
        if Sessions.world_now is None or Sessions.world_now.hold is not cls.hold:
            cls.discard_world()
            Sessions.world_now = World(cls.hold)
        return Sessions.world_now

    @classmethod
    def discard_world(cls, *, quietly: bool = False) -> None:
        """Stop the core that is kept."""
        world, Sessions.world_now = Sessions.world_now, None
        if world is not None:
            try:
                world.stop()
            except Exception:
                if not quietly:  # of an example that has failed already: what it left behind is no second finding
                    raise

    def _did(self) -> None:
        """A step that was one: what found nothing to do does not count."""
        Sessions.steps += 1

    # -- cards and readers ------------------------------------------------------------------------------------------

    @property
    def _cards(self) -> tuple[DrawerCard, DrawerCard]:
        return self.world.bench.mine, self.world.bench.other

    def _can_insert(self) -> bool:
        return self.world.reachable and self.world.bench.core.reader.card is None

    def _has_card(self) -> bool:
        return self.world.reachable and self.world.bench.core.reader.card is not None

    @precondition(_can_insert)
    @rule(other=st.booleans())
    def insert(self, other: bool) -> None:
        """A card is put in."""
        self._did()
        self.world.bench.core.reader.insert(self._cards[other].card)

    @precondition(_has_card)
    @rule()
    def remove(self) -> None:
        """It is taken out."""
        self._did()
        self.world.due(EndReason.CARD_REMOVED)
        self.world.unseen = False
        self.world.bench.core.reader.remove()
        self.world.gate.shake()

    @precondition(_has_card)
    @rule(counted=st.booleans())
    def swap(self, counted: bool) -> None:
        """It is replaced by the other one between two looks."""
        self._did()
        world = self.world
        world.due(EndReason.CARD_REMOVED)
        world.unseen = not counted
        mine, other = self._cards
        world.bench.core.reader.swap(other.card if world.card_in() is mine else mine.card, counted)
        world.gate.shake()

    @precondition(lambda self: self._has_card() and not self.world.gate.closed)
    @rule()
    def reset(self) -> None:
        """Another program resets the card: possible where it is shared, and where a reader misbehaves."""
        self._did()
        self.world.due(EndReason.CARD_RESET)
        self.world.bench.core.reader.reset_by_other()

    @precondition(lambda self: self.world.reachable)
    @rule()
    def unplug(self) -> None:
        """The reader goes, with the card that is in it."""
        self._did()
        self.world.due(EndReason.READER_REMOVED)
        self.world.unseen = False
        self.world.bench.core.pcsc.remove_reader(self.world.bench.core.reader.name)
        self.world.gate.shake()

    @precondition(lambda self: self.world.bench.core.pcsc.alive and not self.world.reachable)
    @rule()
    def plug(self) -> None:
        """It comes back, empty."""
        self._did()
        self.world.plug()

    @precondition(lambda self: self.world.reachable)
    @rule()
    def pcscd_dies(self) -> None:
        """The service goes."""
        self._did()
        self.world.due(EndReason.PCSCD_LOST)
        self.world.unseen = False
        self.world.bench.core.pcsc.die()
        self.world.gate.shake()

    @precondition(lambda self: not self.world.bench.core.pcsc.alive)
    @rule()
    def pcscd_returns(self) -> None:
        """The service comes back."""
        self._did()
        self.world.bench.core.pcsc.revive()

    @precondition(lambda self: not self.world.asleep)
    @rule()
    def suspend(self) -> None:
        """The machine is about to sleep."""
        self._did()
        self.world.gate.open()
        self.world.due(EndReason.SUSPEND)
        self.world.asleep = True
        self.world.unseen = False
        self.world.run(self.world.bench.core.roster.suspend())

    @precondition(lambda self: self.world.asleep)
    @rule()
    def resume(self) -> None:
        """It is awake again."""
        self._did()
        self.world.asleep = False
        self.world.run(self._resume())

    async def _resume(self) -> None:
        self.world.bench.core.roster.resume()

    # -- clients ----------------------------------------------------------------------------------------------------

    # What the daemon is at is a matter of threads: these look at it when their turn comes, and do nothing where there
    # is nothing to do. A precondition looks at nothing but what the steps before have made so.

    @property
    def _busy(self) -> bool:
        return len(self.world.calls) >= CALLS_MOST

    @rule(caller=CALLERS)
    def authenticate(self, caller: Caller) -> None:
        """A client asks for a session; its user is asked for the PIN."""
        presence = self.world.bench.presence
        if presence is None or self._busy:
            return
        self._did()
        self.world.ask("authenticate", functools.partial(self._authenticate, presence, caller))

    async def _authenticate(self, presence: Presence, caller: Caller, asked: Asked) -> object:
        return await self.world.authenticate(presence, caller, asked)

    @precondition(lambda self: self.world.reachable and not self.world.asleep)
    @rule(answers=st.sampled_from([(Answer.RIGHT,), (Answer.WRONG, Answer.RIGHT)]))
    def log_in(self, answers: tuple[Answer, ...] = (Answer.RIGHT,)) -> None:
        """What mostly happens: a card is in, and its holder gives the PIN, perhaps a wrong one first."""
        world, reader = self.world, self.world.bench.core.reader
        if reader.card is None:
            self.insert(False)
        self.settle()
        for answer in answers:
            self.authenticate(HOLDER)
            world.spin(3)
            self.user(answer, len(world.calls) - 1)
            self.settle()

    @rule(operation=SERVED, consented=st.booleans())
    def call(self, operation: Operation, consented: bool) -> None:
        """A client calls the session that is open, or the one that was the last."""
        session = self.last = self.world.bench.session or self.last
        if session is None or self._busy:
            return
        self._did()
        self.world.ask(operation.value, functools.partial(self._serve, session, operation, consented))

    @precondition(lambda self: self.world.reachable and not self.world.asleep)
    @rule(operations=st.lists(SERVED, min_size=1, max_size=3), surprise=st.booleans())
    def log_in_and_work(self, operations: list[Operation], surprise: bool) -> None:
        """Calls right after the PIN; perhaps the card leaves once they are computed, and nobody has looked yet."""
        self.log_in()
        for operation in operations:
            self.call(operation, False)
        if not surprise:
            self.settle()
        elif self._has_card():
            self.world.run(self.world.computed())
            self.remove()
            self.settle()

    async def _serve(self, session: Session, operation: Operation, consented: bool, asked: Asked) -> object:
        return await self.world.serve(session, operation, asked if consented else None)

    @rule()
    def end(self) -> None:
        """The owner ends the session."""
        session = self.world.bench.session
        if session is None:
            return
        self._did()
        self.world.due(EndReason.ENDED_BY_USER)
        self.world.run(self._end(session))

    async def _end(self, session: Session) -> None:
        self.world.bench.core.sessions.end(session, EndReason.ENDED_BY_USER)

    @rule(answer=st.sampled_from([Answer.RIGHT, Answer.RIGHT, Answer.RIGHT, *Answer]), which=st.integers(0, 5))
    def user(self, answer: Answer, which: int) -> None:
        """Somebody answers a question at last, or his agent leaves the bus."""
        waiting = [call.asked.pending for call in self.world.calls if call.asked.waits]
        if not waiting:
            return
        if answer is Answer.WRONG and min(card.inside.tries[0] for card in self._cards) < 2:
            answer = Answer.DISMISSED  # a blocked PIN would only end the story
        self._did()
        if (pending := waiting[which % len(waiting)]) is not None:
            pending.set_result(answer)
        self.world.spin(1)

    @rule(which=st.integers(0, 5))
    def leave(self, which: int) -> None:
        """A client leaves the bus: its call is cancelled."""
        if not self.world.calls:
            return
        self._did()
        self.world.calls[which % len(self.world.calls)].task.cancel()
        self.world.spin(1)

    # -- time -------------------------------------------------------------------------------------------------------

    @precondition(lambda self: not self.world.gate.closed)
    @rule()
    def hold_up(self) -> None:
        """From here on a command waits on its way to the card."""
        self._did()
        self.world.gate.close()

    @precondition(lambda self: self.world.gate.closed)
    @rule()
    def let_pass(self) -> None:
        """It goes on."""
        self._did()
        self.world.gate.open()

    @rule(rounds=st.integers(1, 8))
    def spin(self, rounds: int) -> None:
        """A little time passes in the loop."""
        self._did()
        self.world.spin(rounds)

    @rule()
    def settle(self) -> None:
        """So much time passes that everything is where it goes by itself."""
        self._did()
        self.world.settle()

    @precondition(lambda self: self.taken > STEPS_BEFORE_STOP)
    @rule()
    def daemon_stops(self) -> None:
        """It is stopped, and started again."""
        self._did()
        self.discard_world()
        self.world = self._world()
        self.world.fresh()
        self.last = None

    @invariant()
    def nothing_is_wrong(self) -> None:
        """What must be so at any moment."""
        self.taken += 1
        self.world.look()

    def teardown(self) -> None:
        """Everything is put back."""
        try:
            self.world.clear_away()
        except BaseException:
            self.discard_world(quietly=True)
            raise


class Insertion(Sessions):
    """Kiosks: held from the insertion on."""

    hold = HoldMode.INSERTION


class Shared(Sessions):
    """Other programs may use the card too."""

    hold = HoldMode.SHARED


MACHINES = (Sessions, Insertion, Shared)


def run_model(machine: type[Sessions], *, seeded: int, examples: int, steps: int = 50) -> None:
    """Run a machine.

    Args:
        machine: which.
        seeded: chooses the examples; the same seed gives the same.
        examples: how many.
        steps: of one example, at most.

    Raises:
        Whatever was found; hypothesis prints the steps that led there.
    """
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    factory: Any = seed(seeded)(machine)
    run_state_machine_as_test(factory, settings=chosen)
