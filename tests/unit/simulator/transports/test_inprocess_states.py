"""The in-process stack as a state machine: whatever happens in whatever order, it keeps to a small model."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from cardsim.transports.inprocess import InProcessPcsc
from tests.support.cards import EchoCard

NAME = "Simulated 00 00"
C = InProcessPcsc


class Readers(RuleBasedStateMachine):
    """One reader, many programs; the model: the card, the counter, and for each handle what its next call returns."""

    handles = Bundle("handles")

    @initialize()
    def start(self) -> None:
        """An empty reader."""
        self.stack = InProcessPcsc(clock=lambda: 0.0)
        self.reader = self.stack.add_reader(NAME)
        self.context = self.stack.SCardEstablishContext(C.SCARD_SCOPE_SYSTEM)[1]
        self.card: EchoCard | None = None
        self.counter = 0
        self.expected: dict[int, int] = {}
        self.exclusive = False

    @precondition(lambda self: self.card is None)
    @rule()
    def insert(self) -> None:
        """A new card."""
        self.card = EchoCard()
        self.reader.insert(self.card)
        self.counter += 1

    @precondition(lambda self: self.card is not None)
    @rule()
    def remove(self) -> None:
        """The card goes, and every handle with it."""
        self.reader.remove()
        self.card = None
        self.counter += 1
        self.expected = dict.fromkeys(self.expected, C.SCARD_W_REMOVED_CARD)

    @precondition(lambda self: self.card is not None)
    @rule(counted=st.booleans())
    def swap(self, counted: bool) -> None:
        """Another card at once."""
        self.card = EchoCard()
        self.reader.swap(self.card, counted)
        self.counter += 2 if counted else 0
        self.expected = dict.fromkeys(self.expected, C.SCARD_W_REMOVED_CARD)

    @rule(target=handles, exclusive=st.booleans())
    def connect(self, exclusive: bool) -> int:
        """A new handle, or the reason why there is none (then 0, which no call accepts)."""
        mode = C.SCARD_SHARE_EXCLUSIVE if exclusive else C.SCARD_SHARE_SHARED
        result, handle, _ = self.stack.SCardConnect(self.context, NAME, mode, C.SCARD_PROTOCOL_ANY)
        if self.exclusive:
            assert result == C.SCARD_E_SHARING_VIOLATION
        elif self.card is None:
            assert result == C.SCARD_E_NO_SMARTCARD
        elif exclusive and self.expected:
            assert result == C.SCARD_E_SHARING_VIOLATION
        else:
            assert result == 0
            self.expected[handle] = 0
            self.exclusive = exclusive
        return int(handle)

    @rule(handle=handles)
    def transmit(self, handle: int) -> None:
        """A command reaches the card of this insertion or none."""
        before = len(self.card.commands) if self.card else 0
        result, answer = self.stack.SCardTransmit(handle, C.SCARD_PCI_T0, [0, 1])
        assert result == self.expected.get(handle, C.SCARD_E_INVALID_HANDLE)
        assert answer == ([0, 1, 0x90, 0] if result == 0 else [])
        if self.card:
            assert len(self.card.commands) == before + (result == 0)

    @rule(handle=consumes(handles), reset=st.booleans())
    def disconnect(self, handle: int, reset: bool) -> None:
        """A handle ends; with a reset every other one hears of it, even one that had lost its card."""
        result = self.stack.SCardDisconnect(handle, C.SCARD_RESET_CARD if reset else C.SCARD_LEAVE_CARD)
        if handle not in self.expected:
            assert result == C.SCARD_E_INVALID_HANDLE
            return
        assert result == 0
        del self.expected[handle]
        self.exclusive = False
        if reset:
            self.expected = dict.fromkeys(self.expected, C.SCARD_W_RESET_CARD)

    @rule()
    def die_and_revive(self) -> None:
        """pcscd restarts: programs begin anew, the counter too."""
        self.stack.die()
        assert self.stack.SCardReleaseContext(self.context) == C.SCARD_E_NO_SERVICE
        self.stack.revive()
        self.context = self.stack.SCardEstablishContext(C.SCARD_SCOPE_SYSTEM)[1]
        self.expected.clear()
        self.exclusive = False
        self.counter = 0

    @invariant()
    def the_state_tells_the_truth(self) -> None:
        """Presence, sharing and counter are what the model says."""
        _, [(_, state, _)] = self.stack.SCardGetStatusChange(self.context, 0, [(NAME, 0)])
        present = self.card is not None
        assert bool(state & C.SCARD_STATE_PRESENT) == present
        assert bool(state & C.SCARD_STATE_EMPTY) != present
        assert bool(state & C.SCARD_STATE_EXCLUSIVE) == self.exclusive
        assert bool(state & C.SCARD_STATE_INUSE) == (present and bool(self.expected) and not self.exclusive)
        assert state >> 16 == self.counter

    def teardown(self) -> None:
        """End the card's thread."""
        self.stack.close()


TestReaders = Readers.TestCase
TestReaders.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
