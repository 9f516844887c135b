"""A card whose answers are an attack: errors of the contract alone, an end, bounded memory, and no try lost."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable, Iterable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardd_drivers.apdu import Command, Response, StatusWord
from cardd_drivers.conformance.bench import Inserted, KeptMemory, Step, insert, steps_without_pin
from cardd_drivers.conformance.subject import Subject
from cardd_drivers.contract import CardError

_PEAK = 16 * 1024 * 1024
"""Bytes that a driver may hold at once, whatever it is answered."""
_FIRST_COMMANDS = 60
_WORDS = st.one_of(
    st.sampled_from([0x9000, 0x6282, 0x6700, 0x6982, 0x6983, 0x6985, 0x6A80, 0x6A82, 0x6A86, 0x6A88, 0x6B00, 0x6D00]),
    st.integers(0x6100, 0x61FF),
    st.integers(0x63C0, 0x63CF),
    st.integers(0x6C00, 0x6CFF),
    st.integers(0, 0xFFFF),
).map(StatusWord)
_DATA = st.one_of(st.just(b""), st.binary(max_size=256))
_RESPONSES = st.builds(Response, _DATA, _WORDS)

Change = Callable[[Response], Response]


def _flip(at: int, bit: int) -> Change:
    def change(honest: Response) -> Response:
        data = bytearray(honest.data)
        if data:
            data[at % len(data)] ^= 1 << bit
        return Response(bytes(data), honest.sw)

    return change


_CHANGES: st.SearchStrategy[Change] = st.one_of(
    st.builds(lambda other: lambda _honest: other, _RESPONSES),
    st.builds(lambda word: lambda honest: Response(honest.data, word), _WORDS),
    st.builds(_flip, st.integers(0, 255), st.integers(0, 7)),
    st.builds(lambda length: lambda honest: Response(honest.data[:-length], honest.sw), st.integers(1, 255)),
    st.builds(lambda more: lambda honest: Response((honest.data + more)[:256], honest.sw), st.binary(min_size=1)),
)


def _as_asked(data: bytes, word: int) -> Callable[[int, Command], Response]:
    """A card that answers always the same, as far as it was asked for."""
    return lambda _number, command: Response(data[: command.le or 256], StatusWord(word))


_MONOTONOUS = {
    "success": _as_asked(b"", 0x9000),
    "zeros": _as_asked(bytes(256), 0x9000),
    "more to come, nothing comes": _as_asked(b"", 0x6100),
    "more to come for ever": _as_asked(bytes(256), 0x6100),
    "another length": _as_asked(b"", 0x6C00),
    "a long SEQUENCE": _as_asked(b"\x30\x84\x7f\xff\xff\xff" + bytes(250), 0x9000),
    "nested SEQUENCEs": _as_asked(b"\x30\x80" * 128, 0x9000),
    "an unknown word": _as_asked(b"", 0x1234),
    "nothing like a word": _as_asked(b"\xff" * 256, 0x0000),
    "no try left": _as_asked(b"", 0x63C0),
}


def _attempt(steps: Iterable[Step], inserted: Inserted) -> None:
    """Each step, whatever became of those before; anything but an error of the contract fails the test."""
    for step in steps:
        with suppress(CardError):
            step(inserted.card)


def _present_all(subject: Subject, inserted: Inserted) -> None:
    """Give each secret once; the commands that carry it are no more than the secrets."""
    pin, puk = subject.pin or b"1234", subject.puk or b"12345678"
    uses: list[tuple[int, Step]] = [
        (1, lambda card: card.verify_pin(bytearray(pin))),
        (2, lambda card: card.change_pin(bytearray(pin), bytearray(pin))),
        (2, lambda card: card.unblock_pin(bytearray(puk), bytearray(pin))),
    ]
    for given_secrets, use in uses:
        before = len(inserted.channel.presented)
        _attempt([use], inserted)
        after = inserted.channel.presented
        assert len(after) - before <= given_secrets, "a secret went to the card oftener than it was given"
        assert all(not any(sent.command.data) for sent in after), "a secret was not wiped"


class HostileTests:
    """Whatever a card answers, its driver stays within the contract."""

    examples = 60
    """Of each attack; a class of one's own may ask for more."""

    def test_answers_at_random(self, subject: Subject) -> None:
        @settings(max_examples=self.examples, deadline=None, database=None)
        @given(st.lists(_RESPONSES, min_size=1, max_size=12))
        def attack(responses: list[Response]) -> None:
            endless = itertools.cycle(responses)
            inserted = insert(subject, instead=lambda _number, _command: next(endless))
            _attempt(steps_without_pin(subject), inserted)
            with suppress(CardError):
                assert subject.driver.probe(inserted.channel) in (True, False)
            assert inserted.channel.presented == []

        attack()

    def test_an_honest_card_spoilt_at_some_commands_loses_no_try(self, subject: Subject) -> None:
        places = st.dictionaries(st.integers(0, _FIRST_COMMANDS), _CHANGES, min_size=1, max_size=6)

        @settings(max_examples=self.examples, deadline=None, database=None)
        @given(places)
        def attack(changes: dict[int, Change]) -> None:
            memory = KeptMemory()
            spoilt = insert(subject, memory, after=lambda at, honest: changes[at](honest) if at in changes else honest)
            _attempt(steps_without_pin(subject), spoilt)
            # What was remembered of it is hostile as well, and does no harm to the next insertion.
            again = insert(subject, memory)
            _attempt(steps_without_pin(subject), again)
            assert spoilt.channel.presented == again.channel.presented == []

        attack()
        if subject.pin is not None:
            card = insert(subject).card
            card.identify()
            assert card.pin_status().tries_left in (None, subject.tries)

    def test_a_secret_is_presented_once_whatever_is_answered(self, subject: Subject) -> None:
        @settings(max_examples=self.examples, deadline=None, database=None)
        @given(st.lists(_RESPONSES, min_size=1, max_size=8))
        def attack(responses: list[Response]) -> None:
            endless = itertools.cycle(responses)
            hostile = False
            inserted = insert(subject, instead=lambda _number, _command: next(endless) if hostile else None)
            inserted.card.identify()
            hostile = True
            _present_all(subject, inserted)

        attack()

    @pytest.mark.parametrize("answer", _MONOTONOUS)
    def test_a_card_that_answers_always_the_same_is_given_up(self, subject: Subject, answer: str) -> None:
        inserted = insert(subject, instead=_MONOTONOUS[answer])
        tracemalloc.start()
        try:
            _attempt(steps_without_pin(subject), inserted)
            assert inserted.channel.presented == []
            _present_all(subject, inserted)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < _PEAK
