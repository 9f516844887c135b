"""Hostile cards: whatever the answers, only the contract's errors, a bounded number of commands, and no try lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardd_drivers.apdu import Command
from cardd_drivers.contract import Card, CardError, DecipherAlgorithm, KeyName, SignatureAlgorithm
from cardd_drivers.ias_ecc import driver
from tests.support.desk import LAYOUTS, RECORDED_DIGEST
from tests.support.replay import DictMemory, ScriptedChannel, recorded

PIN_COMMANDS = (0x20, 0x24, 0x2C)
WITHOUT_PIN: tuple[Callable[[Card], object], ...] = (
    lambda card: card.identify(),
    lambda card: card.read_certificate(KeyName.AUTHENTICATION),
    lambda card: card.read_certificate(KeyName.SIGNATURE),
    lambda card: card.pin_status(),
    lambda card: card.read_object("CPS_DATA"),
    lambda card: card.sign(KeyName.AUTHENTICATION, SignatureAlgorithm.RS256, RECORDED_DIGEST),
    lambda card: card.sign(KeyName.SIGNATURE, SignatureAlgorithm.RS256, RECORDED_DIGEST),
    lambda card: card.sign(KeyName.SIGNATURE, SignatureAlgorithm.PS256, RECORDED_DIGEST),
    lambda card: card.decipher(KeyName.ENCRYPTION, DecipherAlgorithm.RSA1_5, bytes(256)),
)
WITH_PIN: tuple[Callable[[Card], object], ...] = (
    lambda card: card.verify_pin(bytearray(b"1234")),
    lambda card: card.change_pin(bytearray(b"1234"), bytearray(b"4321")),
    lambda card: card.unblock_pin(bytearray(b"12345678"), bytearray(b"1234")),
)
HONEST_COMMANDS = 60
"""What the whole story takes on an honest card."""
PRESENTED = (0x20, 0x24, 0x20, 0x2C)
"""The PIN commands with data that `WITH_PIN` sends, in their order; errors may leave some out."""


class Spoiler:
    """An honest recorded card whose answers are changed at chosen commands.

    Args:
        layout: which recorded card.
        changes: by number of the command, what becomes of the honest answer.
    """

    def __init__(self, layout: str, changes: dict[int, Callable[[bytes], bytes]]) -> None:
        self._card = recorded(layout)
        self._changes = changes
        self._number = 0

    def answer(self, command: Command) -> bytes:
        """The honest answer, or what becomes of it."""
        honest = self._card.answer(command)
        change = self._changes.get(self._number, bytes)
        self._number += 1
        return change(honest)


def status(word: int) -> Callable[[bytes], bytes]:
    return lambda _honest: word.to_bytes(2, "big")


def another_status(word: int) -> Callable[[bytes], bytes]:
    return lambda honest: honest[:-2] + word.to_bytes(2, "big")


def flip(at: int, bit: int) -> Callable[[bytes], bytes]:
    def change(honest: bytes) -> bytes:
        spoilt = bytearray(honest)
        spoilt[at % len(spoilt)] ^= 1 << bit
        return bytes(spoilt)

    return change


def truncate(length: int) -> Callable[[bytes], bytes]:
    return lambda honest: honest[: max(0, len(honest) - 2 - length)] + honest[-2:]


def extend(more: bytes) -> Callable[[bytes], bytes]:
    return lambda honest: (honest[:-2] + more)[:256] + honest[-2:]


WORDS = st.one_of(
    st.sampled_from([0x9000, 0x6282, 0x6283, 0x6982, 0x6983, 0x6A82, 0x6A86, 0x6A88, 0x6B00, 0x6700, 0x6F00, 0x6E00]),
    st.integers(0x6100, 0x61FF),
    st.integers(0x6C00, 0x6CFF),
    st.integers(0, 0xFFFF),
)
CHANGES = st.one_of(
    st.builds(status, WORDS),
    st.builds(another_status, WORDS),
    st.builds(flip, st.integers(0, 300), st.integers(0, 7)),
    st.builds(truncate, st.integers(1, 300)),
    st.builds(extend, st.binary(min_size=1, max_size=256)),
    st.builds(lambda raw: lambda _honest: raw, st.binary(min_size=2, max_size=258)),
)


def run(channel: ScriptedChannel, memory: DictMemory, steps: tuple[Callable[[Card], object], ...]) -> None:
    """Every step, whatever became of the one before; anything but the contract's errors is a failure."""
    card = driver.open(channel, memory)
    for step in steps:
        with suppress(CardError):
            step(card)


def presented(channel: ScriptedChannel) -> list[Command]:
    """Commands that carried a PIN or a PUK."""
    return [command for command in channel.sent if command.ins in PIN_COMMANDS and command.data]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(LAYOUTS), st.dictionaries(st.integers(0, HONEST_COMMANDS), CHANGES, min_size=1, max_size=6))
def test_an_honest_card_spoilt_at_some_commands(layout: str, changes: dict[int, Callable[[bytes], bytes]]) -> None:
    channel = ScriptedChannel(Spoiler(layout, changes).answer)
    memory = DictMemory()
    run(channel, memory, WITHOUT_PIN)
    assert presented(channel) == []
    assert len(channel.sent) < 1_000
    # What was remembered of it is hostile as well, and does no more harm to the next insertion.
    again = ScriptedChannel(recorded(layout).answer)
    run(again, memory, WITHOUT_PIN)
    assert presented(again) == []
    assert len(again.sent) < 1_000


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(LAYOUTS), st.dictionaries(st.integers(0, HONEST_COMMANDS), CHANGES, min_size=1, max_size=4))
def test_a_pin_is_presented_once_for_each_time_it_was_given(
    layout: str, changes: dict[int, Callable[[bytes], bytes]]
) -> None:
    channel = ScriptedChannel(Spoiler(layout, changes).answer)
    run(channel, DictMemory(), WITH_PIN)
    remaining = iter(PRESENTED)
    assert all(command.ins in remaining for command in presented(channel))
    assert all(not any(command.data) for command in channel.given if command.ins in PIN_COMMANDS)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(min_size=2, max_size=258), min_size=1, max_size=12))
def test_a_card_that_answers_at_random(raw: list[bytes]) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield from raw

    answers = endless()
    channel = ScriptedChannel(lambda _command: next(answers))
    run(channel, DictMemory(), WITHOUT_PIN)
    assert presented(channel) == []
    assert len(channel.sent) < 10_000


@pytest.mark.parametrize(
    "raw",
    [
        b"\x90\x00",
        b"\x61\x00",
        b"\x6c\x00",
        b"\x30\x61\x01",
        bytes(256) + b"\x90\x00",
        bytes(256) + b"\x61\x00",
        bytes.fromhex("5A0A8025000001992138450F9000"),
        bytes.fromhex("30821FF0") + bytes(252) + b"\x90\x00",
    ],
    ids=lambda raw: raw[:2].hex() + raw[-2:].hex(),
)
def test_a_card_that_answers_always_the_same(raw: bytes) -> None:
    channel = ScriptedChannel(lambda command: raw[:-2][: command.le or 256] + raw[-2:])
    run(channel, DictMemory(), WITHOUT_PIN + WITH_PIN)
    assert len(channel.sent) < 1_000


def test_a_card_of_endless_files_is_given_up() -> None:
    honest = recorded("cps3-real")

    def answer(command: Command) -> bytes:
        if command.ins == 0xB0 and not command.p1 & 0x80:
            return b"\x30\x82\x01\x00" + b"\x00" * ((command.le or 0) - 4) + b"\x90\x00"
        return honest.answer(command)

    channel = ScriptedChannel(answer)
    run(channel, DictMemory(), WITHOUT_PIN)
    assert len(channel.sent) < 1_000


def test_an_odf_that_points_to_a_thousand_directories_is_refused() -> None:
    card = recorded("cps3-real")
    odf = card.files[bytes.fromhex("3F0000015031")]
    odf[:] = bytes.fromhex("A806300404027001") * 500
    channel = ScriptedChannel(card.answer)
    with pytest.raises(CardError):
        driver.open(channel, DictMemory()).identify()
    assert len(channel.sent) < 30


def test_secrets_are_in_no_error_and_no_repr() -> None:
    honest = recorded("cps3-real")
    channel = ScriptedChannel(lambda command: b"\x6f\x00" if command.ins in PIN_COMMANDS else honest.answer(command))
    card = driver.open(channel, DictMemory())
    texts = []
    for step in WITH_PIN:
        with pytest.raises(CardError) as refused:
            step(card)
        texts.append(repr(refused.value) + str(refused.value))
    texts += [repr(command) for command in channel.sent if command.data and command.ins in PIN_COMMANDS]
    assert len(texts) == 6
    assert not any(secret in text for text in texts for secret in ("1234", "31323334", "4321", "34333231"))
