"""What is remembered of a card is a hint: it may save exchanges, and never costs anything."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardd_drivers.conformance.bench import MEMORY_MAX, KeptMemory, insert, steps_without_pin
from cardd_drivers.conformance.subject import Subject
from cardd_drivers.contract import CardError, Identity, KeyName, ObjectNotFound

Read = tuple[Identity, list[bytes | None], dict[str, bytes], int]

_LIES: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _true: b"",
    "half": lambda true: true[: len(true) // 2],
    "zeros": lambda true: bytes(len(true)),
    "more": lambda true: true + b"\xff",
    "another language": lambda _true: b"what another version of the driver kept",
    "as much as there may be": lambda _true: b"\x30" * MEMORY_MAX,
}


def _read(subject: Subject, memory: KeptMemory) -> Read:
    """Insert the card and read all that is public; the last is how many commands that took."""
    inserted = insert(subject, memory)
    identity, certificates = inserted.card.identify(), list[bytes | None]()
    for key in KeyName:
        try:
            certificates.append(inserted.card.read_certificate(key))
        except ObjectNotFound:
            certificates.append(None)
    objects = {label: inserted.card.read_object(label) for label in subject.objects}
    assert inserted.channel.presented == []
    return identity, certificates, objects, len(inserted.channel.sent)


class MemoryTests:
    """The memory of a driver saves exchanges, lies without harm, and holds no secret."""

    def test_a_known_card_is_the_same_and_takes_no_more_commands(self, subject: Subject) -> None:
        memory = KeptMemory()
        unknown, known = _read(subject, memory), _read(subject, memory)
        assert known[:3] == unknown[:3]
        assert known[3] <= unknown[3]

    @pytest.mark.parametrize("lie", _LIES)
    def test_a_memory_that_is_nonsense_changes_nothing(self, subject: Subject, lie: str) -> None:
        memory = KeptMemory()
        true = _read(subject, memory)
        memory.kept = {name: _LIES[lie](value) for name, value in memory.kept.items()}
        assert _read(subject, memory)[:3] == true[:3]

    def test_a_memory_of_another_card_is_not_believed_of_this_one(self, subject: Subject) -> None:
        memory = KeptMemory()
        true = _read(subject, memory)
        other = KeptMemory()
        other.kept = {(f"{serial}0", name): bytes(len(value)) for (serial, name), value in memory.kept.items()}
        assert _read(subject, other)[:3] == true[:3]

    def test_a_memory_spoilt_in_any_byte_gives_errors_of_the_contract_at_worst(self, subject: Subject) -> None:
        true = KeptMemory()
        _read(subject, true)

        @settings(max_examples=30, deadline=None, database=None)
        @given(st.integers(0, MEMORY_MAX), st.integers(1, 255))
        def lie(at: int, change: int) -> None:
            memory = KeptMemory()
            for name, value in true.kept.items():
                spoilt = bytearray(value)
                if spoilt:
                    spoilt[at % len(spoilt)] ^= change
                memory.kept[name] = bytes(spoilt)
            inserted = insert(subject, memory)
            for step in steps_without_pin(subject):
                with suppress(CardError):
                    step(inserted.card)
            assert inserted.channel.presented == []

        lie()

    def test_no_secret_is_remembered(self, subject: Subject) -> None:
        if subject.pin is None:
            pytest.skip("this card has no PIN")
        inserted = insert(subject)
        _read(subject, inserted.memory)
        public = dict(inserted.memory.kept)
        inserted.verify()
        inserted.card.change_pin(bytearray(subject.pin), bytearray(subject.pin))
        secrets = [secret for secret in (subject.pin, subject.puk) if secret]
        added = [value for name, value in inserted.memory.kept.items() if public.get(name) != value]
        assert not any(secret in value for value in added for secret in secrets)
