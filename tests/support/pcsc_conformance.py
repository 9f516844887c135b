"""How PC/SC behaves: one set of tests, run on the real pcscd and on the in-process stack.

A subclass named ``Test...`` gives the fixture ``bench``.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cardsim.card import CardProtocol
from tests.support.cards import ATR_T1, EchoCard

if TYPE_CHECKING:
    from cardsim.transports.reader import CardReader

_WAIT_MS = 10_000
_COMMAND = [0x00, 0xA4, 0x00, 0x00]
_NO_HANDLE = 4


@dataclass(slots=True)
class Bench:
    """A PC/SC stack with a reader.

    Attributes:
        scard: pyscard's module, or what has its interface.
        name: the reader in PC/SC.
        reader: where cards go in and out.
    """

    scard: Any
    name: str
    reader: CardReader

    def context(self) -> int:
        """Establish a context."""
        result, context = self.scard.SCardEstablishContext(self.scard.SCARD_SCOPE_SYSTEM)
        assert result == 0
        return int(context)

    def await_state(self, context: int, wanted: int, state: int = 0) -> int:
        """Wait until the reader's state has the bit ``wanted``; return the state."""
        while True:
            result, [(_, state, _)] = self.scard.SCardGetStatusChange(context, _WAIT_MS, [(self.name, state)])
            assert result == 0, hex(result)
            if state & wanted:
                return int(state)

    def insert(self, context: int, protocol: CardProtocol = CardProtocol.T1) -> EchoCard:
        """Insert a card and wait until it is seen."""
        card = EchoCard(protocol)
        self.reader.insert(card)
        self.await_state(context, self.scard.SCARD_STATE_PRESENT)
        return card

    def remove(self, context: int) -> None:
        """Remove the card and wait until that is seen."""
        self.reader.remove()
        self.await_state(context, self.scard.SCARD_STATE_EMPTY)

    def connect(self, context: int, share_mode: int | None = None) -> int:
        """Connect; return the handle."""
        mode = self.scard.SCARD_SHARE_SHARED if share_mode is None else share_mode
        result, handle, _ = self.scard.SCardConnect(context, self.name, mode, self.scard.SCARD_PROTOCOL_ANY)
        assert result == 0, hex(result)
        return int(handle)

    def transmit(self, handle: int) -> int:
        """Send a command; return the result, having checked the answer of a success."""
        result, answer = self.scard.SCardTransmit(handle, self.scard.SCARD_PCI_T1, _COMMAND)
        assert result or answer == [*_COMMAND, 0x90, 0x00]
        return int(result)


class PcscConformance:
    """The tests. What they claim was observed on pcsc-lite 1.9.9."""

    def test_shapes_of_success(self, bench: Bench) -> None:
        scard, context = bench.scard, bench.context()
        bench.insert(context)
        assert scard.SCardListReaders(context, [])[0] == 0
        assert bench.name in scard.SCardListReaders(context, [])[1]
        result, handle, protocol = scard.SCardConnect(
            context, bench.name, scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_ANY
        )
        assert (result, protocol) == (0, scard.SCARD_PROTOCOL_T1)
        result, name, state, protocol, atr = scard.SCardStatus(handle)
        assert (result, name, state & 0xFFFF, protocol, bytes(atr)) == (
            0,
            bench.name,
            0x34,
            scard.SCARD_PROTOCOL_T1,
            ATR_T1,
        )
        assert scard.SCardTransmit(handle, scard.SCARD_PCI_T1, _COMMAND) == [0, [*_COMMAND, 0x90, 0x00]]
        assert scard.SCardReconnect(
            handle, scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_ANY, scard.SCARD_LEAVE_CARD
        ) == [
            0,
            scard.SCARD_PROTOCOL_T1,
        ]
        assert scard.SCardDisconnect(handle, scard.SCARD_LEAVE_CARD) == 0
        assert scard.SCardIsValidContext(context) == 0
        assert scard.SCardReleaseContext(context) == 0
        assert scard.SCardIsValidContext(context) == scard.SCARD_E_INVALID_HANDLE

    def test_numbers_that_nobody_gave_out_are_refused(self, bench: Bench) -> None:
        scard, no = bench.scard, _NO_HANDLE
        invalid = scard.SCARD_E_INVALID_HANDLE
        assert scard.SCardTransmit(no, scard.SCARD_PCI_T1, [0]) == [invalid, []]
        assert scard.SCardStatus(no) == [invalid, "", 0, 0, []]
        assert scard.SCardReconnect(no, 2, 3, 0)[0] == invalid
        assert scard.SCardConnect(no, bench.name, 2, 3)[0] == invalid
        assert scard.SCardGetAttrib(no, scard.SCARD_ATTR_ATR_STRING) == [invalid, []]
        assert scard.SCardControl(no, 1, []) == [invalid, []]
        assert scard.SCardListReaders(no, []) == [invalid, []]
        assert scard.SCardGetStatusChange(no, 0, [(bench.name, 0)]) == [invalid, [(bench.name, 0, [])]]
        assert scard.SCardGetStatusChange(no, 0, []) == [0, []]
        for function in (
            scard.SCardIsValidContext,
            scard.SCardReleaseContext,
            scard.SCardCancel,
            scard.SCardBeginTransaction,
        ):
            assert function(no) == invalid
        assert scard.SCardEndTransaction(no, 0) == invalid
        assert scard.SCardDisconnect(no, 0) == invalid

    def test_bad_arguments_have_their_own_results(self, bench: Bench) -> None:
        scard, context = bench.scard, bench.context()
        bench.insert(context)
        handle = bench.connect(context)
        assert scard.SCardEstablishContext(55)[0] == scard.SCARD_E_INVALID_VALUE
        assert scard.SCardConnect(context, "nobody", 2, 3)[0] == scard.SCARD_E_UNKNOWN_READER
        assert scard.SCardConnect(context, bench.name, 9, 3)[0] == scard.SCARD_E_INVALID_VALUE
        assert scard.SCardConnect(context, bench.name, 2, 0)[0] == scard.SCARD_E_PROTO_MISMATCH
        assert scard.SCardConnect(context, bench.name, 2, scard.SCARD_PROTOCOL_T0)[0] == scard.SCARD_E_PROTO_MISMATCH
        assert scard.SCardDisconnect(handle, 9) == scard.SCARD_E_INVALID_VALUE
        assert scard.SCardReconnect(handle, 9, 3, 0)[0] == scard.SCARD_E_INVALID_VALUE
        assert scard.SCardReconnect(handle, 2, 3, 7)[0] == scard.SCARD_E_INVALID_VALUE
        assert scard.SCardEndTransaction(handle, 9) == scard.SCARD_E_INVALID_VALUE
        assert scard.SCardTransmit(handle, scard.SCARD_PCI_T0, _COMMAND) == [scard.SCARD_E_PROTO_MISMATCH, []]
        assert scard.SCardTransmit(handle, 77, _COMMAND)[0] == scard.SCARD_E_INVALID_PARAMETER
        assert scard.SCardTransmit(handle, scard.SCARD_PCI_T1, [])[0] == scard.SCARD_E_INVALID_PARAMETER
        assert scard.SCardGetStatusChange(context, 0, [(bench.name, 0), ("nobody", 0)]) == [
            scard.SCARD_E_UNKNOWN_READER,
            [(bench.name, 0, []), ("nobody", 0, [])],
        ]
        scard.SCardReleaseContext(context)

    def test_bad_types_raise(self, bench: Bench) -> None:
        scard, context = bench.scard, bench.context()
        bad_calls: list[tuple[type[Exception], Any]] = [
            (TypeError, lambda: scard.SCardGetStatusChange(context, 0, ("a",))),
            (TypeError, lambda: scard.SCardGetStatusChange(context, 0, [["a", 0]])),
            (TypeError, lambda: scard.SCardGetStatusChange(context, 0, [("a",)])),
            (TypeError, lambda: scard.SCardGetStatusChange(context, 0, [(b"a", 0)])),
            (TypeError, lambda: scard.SCardGetStatusChange(context, 0, [("a", "0")])),
            (UnicodeEncodeError, lambda: scard.SCardGetStatusChange(context, 0, [("\xe9", 0)])),
            (SystemError, lambda: scard.SCardGetStatusChange(context, -1, [(bench.name, 0)])),
            (TypeError, lambda: scard.SCardTransmit(4, 2, b"\x00\x01")),
            (TypeError, lambda: scard.SCardConnect(context, b"x", 2, 3)),
            (TypeError, lambda: scard.SCardEstablishContext("a")),
            (TypeError, lambda: scard.SCardListReaders(context, None)),
        ]
        for expected, call in bad_calls:
            try:
                call()
            except expected:
                continue
            raise AssertionError(f"no {expected.__name__}")
        scard.SCardReleaseContext(context)

    def test_states_follow_the_card_and_count_its_comings_and_goings(self, bench: Bench) -> None:
        scard, context = bench.scard, bench.context()
        empty = bench.await_state(context, scard.SCARD_STATE_EMPTY)
        assert empty & 0xFFFF == scard.SCARD_STATE_EMPTY | scard.SCARD_STATE_CHANGED
        bench.insert(context)
        present = bench.await_state(context, scard.SCARD_STATE_PRESENT, empty)
        assert present & 0xFFFF == scard.SCARD_STATE_PRESENT | scard.SCARD_STATE_CHANGED
        assert present >> 16 == (empty >> 16) + 1
        bench.remove(context)
        bench.insert(context)
        again = bench.await_state(context, scard.SCARD_STATE_PRESENT, present)
        assert again >> 16 == (present >> 16) + 2
        scard.SCardReleaseContext(context)

    def test_nothing_new_is_a_timeout_that_tells_the_state(self, bench: Bench) -> None:
        scard, context = bench.scard, bench.context()
        bench.insert(context)
        state = bench.await_state(context, scard.SCARD_STATE_PRESENT)
        unchanged = state & ~scard.SCARD_STATE_CHANGED
        result, [(name, event, atr)] = scard.SCardGetStatusChange(context, 0, [(bench.name, state)])
        assert (result, name, event, bytes(atr)) == (scard.SCARD_E_TIMEOUT, bench.name, unchanged, ATR_T1)
        pnp = "\\\\?PnP?\\Notification"
        assert scard.SCardGetStatusChange(context, 0, [(pnp, 0)]) == [scard.SCARD_E_TIMEOUT, [(pnp, 0, [])]]
        assert scard.SCardGetStatusChange(context, 0, [(bench.name, scard.SCARD_STATE_IGNORE)]) == [
            0,
            [(bench.name, 0, [])],
        ]
        scard.SCardReleaseContext(context)

    def test_sharing_shows_in_the_state(self, bench: Bench) -> None:
        scard, context, other = bench.scard, bench.context(), bench.context()
        bench.insert(context)
        bench.connect(context)
        assert bench.await_state(other, scard.SCARD_STATE_INUSE) & scard.SCARD_STATE_EXCLUSIVE == 0
        scard.SCardReleaseContext(context)
        context = bench.context()
        bench.connect(context, scard.SCARD_SHARE_EXCLUSIVE)
        assert bench.await_state(other, scard.SCARD_STATE_EXCLUSIVE) & scard.SCARD_STATE_INUSE == 0
        scard.SCardReleaseContext(context)
        scard.SCardReleaseContext(other)

    def test_exclusive_and_shared_exclude_each_other(self, bench: Bench) -> None:
        scard, context, other = bench.scard, bench.context(), bench.context()
        bench.insert(context)
        shared = bench.connect(context)
        violation = scard.SCARD_E_SHARING_VIOLATION
        assert scard.SCardConnect(other, bench.name, scard.SCARD_SHARE_EXCLUSIVE, 3)[0] == violation
        scard.SCardDisconnect(shared, scard.SCARD_LEAVE_CARD)
        exclusive = bench.connect(context, scard.SCARD_SHARE_EXCLUSIVE)
        assert scard.SCardConnect(other, bench.name, scard.SCARD_SHARE_SHARED, 3)[0] == violation
        assert scard.SCardConnect(other, bench.name, scard.SCARD_SHARE_EXCLUSIVE, 3)[0] == violation
        bench.remove(context)
        assert scard.SCardConnect(other, bench.name, scard.SCARD_SHARE_SHARED, 3)[0] == violation
        scard.SCardDisconnect(exclusive, scard.SCARD_LEAVE_CARD)
        assert scard.SCardConnect(other, bench.name, scard.SCARD_SHARE_SHARED, 3)[0] == scard.SCARD_E_NO_SMARTCARD
        scard.SCardReleaseContext(context)
        scard.SCardReleaseContext(other)

    def test_a_handle_does_not_outlive_its_insertion(self, bench: Bench) -> None:
        scard, context = bench.scard, bench.context()
        bench.insert(context)
        handle = bench.connect(context)
        assert bench.transmit(handle) == 0
        bench.remove(context)
        removed = scard.SCARD_W_REMOVED_CARD
        assert bench.transmit(handle) == removed
        bench.insert(context)
        assert bench.transmit(handle) == removed
        assert scard.SCardStatus(handle) == [removed, "", 0, 0, []]
        assert scard.SCardBeginTransaction(handle) == removed
        assert scard.SCardEndTransaction(handle, scard.SCARD_LEAVE_CARD) == removed
        assert scard.SCardDisconnect(handle, scard.SCARD_LEAVE_CARD) == 0
        assert bench.transmit(bench.connect(context)) == 0
        scard.SCardReleaseContext(context)

    def test_a_reset_is_heard_of_by_every_other_handle(self, bench: Bench) -> None:
        scard, context, other = bench.scard, bench.context(), bench.context()
        card = bench.insert(context)
        handle, resetting = bench.connect(context), bench.connect(other)
        before = card.power_ups
        assert scard.SCardDisconnect(resetting, scard.SCARD_RESET_CARD) == 0
        assert card.power_ups == before + 1
        reset = scard.SCARD_W_RESET_CARD
        assert bench.transmit(handle) == reset
        assert scard.SCardStatus(handle)[0] == reset
        assert scard.SCardBeginTransaction(handle) == reset
        assert scard.SCardReconnect(handle, scard.SCARD_SHARE_SHARED, 3, scard.SCARD_LEAVE_CARD)[0] == 0
        assert bench.transmit(handle) == 0
        scard.SCardReleaseContext(context)
        scard.SCardReleaseContext(other)

    def test_transactions_nest_and_end(self, bench: Bench) -> None:
        scard, context = bench.scard, bench.context()
        bench.insert(context)
        handle = bench.connect(context)
        not_transacted = scard.SCARD_E_NOT_TRANSACTED
        assert scard.SCardEndTransaction(handle, 0) == not_transacted
        assert [scard.SCardBeginTransaction(handle) for _ in range(2)] == [0, 0]
        assert [scard.SCardEndTransaction(handle, 0) for _ in range(3)] == [0, 0, not_transacted]
        scard.SCardReleaseContext(context)

    def test_a_transaction_makes_others_wait_for_its_end(self, bench: Bench) -> None:
        scard, context, other = bench.scard, bench.context(), bench.context()
        bench.insert(context)
        handle, waiting = bench.connect(context), bench.connect(other)
        assert scard.SCardBeginTransaction(handle) == 0
        results: list[int] = []
        thread = threading.Thread(target=lambda: results.append(bench.transmit(waiting)))
        thread.start()
        assert bench.transmit(handle) == 0
        assert results == []
        assert scard.SCardEndTransaction(handle, scard.SCARD_LEAVE_CARD) == 0
        thread.join()
        assert results == [0]
        scard.SCardReleaseContext(context)
        scard.SCardReleaseContext(other)

    def test_releasing_a_context_in_a_transaction_resets_the_card(self, bench: Bench) -> None:
        scard, context, other = bench.scard, bench.context(), bench.context()
        bench.insert(context)
        handle = bench.connect(context)
        scard.SCardBeginTransaction(bench.connect(other))
        assert scard.SCardReleaseContext(other) == 0
        assert bench.transmit(handle) == scard.SCARD_W_RESET_CARD
        scard.SCardReleaseContext(context)

    def test_releasing_a_context_without_transaction_leaves_the_card(self, bench: Bench) -> None:
        scard, context, other = bench.scard, bench.context(), bench.context()
        bench.insert(context)
        handle = bench.connect(context)
        bench.connect(other)
        assert scard.SCardReleaseContext(other) == 0
        assert bench.transmit(handle) == 0
        scard.SCardReleaseContext(context)

    def test_cancel_ends_a_wait_and_is_lost_without_one(self, bench: Bench) -> None:
        scard, context = bench.scard, bench.context()
        state = bench.await_state(context, scard.SCARD_STATE_EMPTY)
        assert scard.SCardCancel(context) == 0
        assert scard.SCardGetStatusChange(context, 0, [(bench.name, state)])[0] == scard.SCARD_E_TIMEOUT
        results: list[int] = []

        def wait() -> None:
            results.append(scard.SCardGetStatusChange(context, scard.INFINITE, [(bench.name, state)])[0])

        thread = threading.Thread(target=wait)
        thread.start()
        while thread.is_alive():  # one that comes before the wait has begun is lost
            assert scard.SCardCancel(context) == 0
            thread.join(0.01)
        assert results == [scard.SCARD_E_CANCELLED]
        assert scard.SCardGetStatusChange(context, 1, [(bench.name, state)])[0] == scard.SCARD_E_TIMEOUT
        scard.SCardReleaseContext(context)

    def test_a_wait_ends_with_the_removal(self, bench: Bench) -> None:
        scard, context = bench.scard, bench.context()
        bench.insert(context)
        state = bench.await_state(context, scard.SCARD_STATE_PRESENT)
        seen: list[Any] = []
        thread = threading.Thread(
            target=lambda: seen.append(scard.SCardGetStatusChange(context, _WAIT_MS, [(bench.name, state)]))
        )
        thread.start()
        bench.reader.remove()
        thread.join()
        [[result, [(_, event, atr)]]] = seen
        assert (result, atr) == (0, [])
        assert event & 0xFFFF == scard.SCARD_STATE_EMPTY | scard.SCARD_STATE_CHANGED
        scard.SCardReleaseContext(context)

    def test_no_card(self, bench: Bench) -> None:
        scard, context = bench.scard, bench.context()
        bench.await_state(context, scard.SCARD_STATE_EMPTY)
        assert scard.SCardConnect(context, bench.name, scard.SCARD_SHARE_SHARED, 3)[0] == scard.SCARD_E_NO_SMARTCARD
        result, handle, protocol = scard.SCardConnect(context, bench.name, scard.SCARD_SHARE_DIRECT, 0)
        assert (result, protocol) == (0, scard.SCARD_PROTOCOL_UNDEFINED)
        assert scard.SCardTransmit(handle, scard.SCARD_PCI_T1, _COMMAND)[0] == scard.SCARD_E_NO_SMARTCARD
        assert scard.SCardControl(handle, scard.SCARD_CTL_CODE(1), []) == [scard.SCARD_E_UNSUPPORTED_FEATURE, []]
        scard.SCardReleaseContext(context)

    def test_reconnecting_to_a_card_that_left_hears_of_the_attempted_reset(self, bench: Bench) -> None:
        scard, context = bench.scard, bench.context()
        bench.insert(context)
        handle = bench.connect(context)
        bench.remove(context)
        for initialization in (scard.SCARD_LEAVE_CARD, scard.SCARD_RESET_CARD):
            assert scard.SCardReconnect(handle, 2, 3, initialization)[0] == scard.SCARD_E_NO_SMARTCARD
        bench.insert(context)
        assert bench.transmit(handle) == scard.SCARD_W_RESET_CARD
        scard.SCardReleaseContext(context)

    def test_unpowering_leaves_a_card_that_the_next_connection_powers(self, bench: Bench) -> None:
        scard, context = bench.scard, bench.context()
        card = bench.insert(context)
        assert scard.SCardDisconnect(bench.connect(context), scard.SCARD_UNPOWER_CARD) == 0
        before = card.power_ups
        assert bench.transmit(bench.connect(context)) == 0
        assert card.power_ups == before + 1
        scard.SCardReleaseContext(context)
