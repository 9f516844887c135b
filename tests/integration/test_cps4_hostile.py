"""Hostile CPS4 cards: whatever the answers, only errors of the contract, few commands, and no try lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardd_drivers.apdu import Command
from cardd_drivers.contract import Card, CardError, DecipherAlgorithm, KeyName, Transport
from cardd_drivers.ias_ecc import driver
from cardsim.card import CardProtocol
from cardsim.layouts import cps4
from tests.support.core import card_of
from tests.support.replay import DictMemory, ScriptedChannel, encode
from tests.unit.drivers.ias_ecc.test_hostile import (
    CHANGES,
    HONEST_COMMANDS,
    PIN_COMMANDS,
    WITH_PIN,
    WITHOUT_PIN,
    presented,
    run,
)

PROFILES = ("physician-cps4", "nurse-cps4-t0")
STEPS: tuple[Callable[[Card], object], ...] = (
    *WITHOUT_PIN,
    lambda card: card.decipher(KeyName.ENCRYPTION, DecipherAlgorithm.RSA_OAEP_256, bytes(256)),
)
PRESENTED = (0x20, 0x20, 0x24, 0x20, 0x24)
"""The PIN commands with data that `WITH_PIN` sends, in their order; errors may leave some out."""


class Spoilt:
    """A simulated card behind a channel that changes its answers at chosen commands.

    Args:
        profile: which card.
        changes: by number of the command, what becomes of the honest answer.
    """

    def __init__(self, profile: str, changes: dict[int, Callable[[bytes], bytes]]) -> None:
        self._card = card_of(profile)
        self._changes = changes
        self._number = 0
        atr = self._card.power_on()
        transport = Transport.T0 if self._card.protocol is CardProtocol.T0 else Transport.T1
        self.channel = ScriptedChannel(self._answer, transport, atr)

    def _answer(self, command: Command) -> bytes:
        change = self._changes.get(self._number, bytes)
        self._number += 1
        return change(self._card.transmit(encode(command)))


Changes = dict[int, Callable[[bytes], bytes]]
SPOILT = st.dictionaries(st.integers(0, HONEST_COMMANDS), CHANGES, min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PROFILES), SPOILT)
def test_an_honest_card_spoilt_at_some_commands(profile: str, changes: Changes) -> None:
    memory = DictMemory()
    for spoiling in (changes, {}):  # what was remembered of it is hostile as well
        channel = Spoilt(profile, spoiling).channel
        run(channel, memory, STEPS)
        assert presented(channel) == []
        assert len(channel.sent) < 1_000


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PROFILES), SPOILT)
def test_a_pin_is_presented_once_for_each_time_it_was_given(profile: str, changes: Changes) -> None:
    channel = Spoilt(profile, changes).channel
    run(channel, DictMemory(), WITH_PIN)
    remaining = iter(PRESENTED)
    assert all(command.ins in remaining for command in presented(channel))
    assert all(not any(command.data) for command in channel.given if command.ins in PIN_COMMANDS)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(min_size=2, max_size=258), min_size=1, max_size=12))
def test_a_card_that_answers_at_random(raw: list[bytes]) -> None:
    turn = 0

    def answer(_command: Command) -> bytes:
        nonlocal turn
        turn += 1
        return raw[turn % len(raw)]

    channel = ScriptedChannel(answer, Transport.T1, cps4.ATR)
    run(channel, DictMemory(), STEPS)
    assert presented(channel) == []
    assert len(channel.sent) < 10_000


@pytest.mark.parametrize("size", ["0000", "0001", "FFFF", "", "00000000FF"])
def test_a_size_that_lies_loses_no_object(size: str) -> None:
    """The FCI's size is a hint: directories are read on to the end of their objects."""
    template = bytes.fromhex(f"80{len(size) // 2:02X}{size}820101")
    lying = b"\x6f" + bytes((len(template),)) + template + b"\x90\x00"
    card = card_of("physician-cps4")
    card.power_on()

    def answer(command: Command) -> bytes:
        honest = card.transmit(encode(command))
        return lying if command.ins == 0xA4 and honest.startswith(b"\x6f") else honest

    opened = driver.open(ScriptedChannel(answer, Transport.T1, cps4.ATR), DictMemory())
    opened.identify()
    assert set(opened.capabilities().signature) == {KeyName.AUTHENTICATION, KeyName.SIGNATURE}
    assert opened.read_certificate(KeyName.SIGNATURE)


@pytest.mark.parametrize("fci", ["", "6F", "6F05", "6F0180", "6F028001", "62048002000C", "FFFF", "6F00"])
def test_an_fci_that_cannot_be_read_is_done_without(fci: str) -> None:
    card = card_of("physician-cps4")
    card.power_on()

    def answer(command: Command) -> bytes:
        honest = card.transmit(encode(command))
        return bytes.fromhex(fci) + b"\x90\x00" if honest.startswith(b"\x6f") else honest

    opened = driver.open(ScriptedChannel(answer, Transport.T1, cps4.ATR), DictMemory())
    assert opened.identify().serial == "26000041"
    assert opened.read_certificate(KeyName.AUTHENTICATION)


def test_secrets_are_in_no_error_and_no_repr() -> None:
    card = card_of("physician-cps4")
    card.power_on()
    channel = ScriptedChannel(
        lambda command: b"\x6f\x00" if command.ins in PIN_COMMANDS and command.data else card.transmit(encode(command)),
        Transport.T1,
        cps4.ATR,
    )
    opened = driver.open(channel, DictMemory())
    texts = []
    for step in WITH_PIN:
        with pytest.raises(CardError) as refused:
            step(opened)
        texts.append(repr(refused.value) + str(refused.value))
    texts += [repr(command) for command in channel.sent if command.data and command.ins in PIN_COMMANDS]
    assert len(texts) == 6
    assert not any(secret in text for text in texts for secret in ("1234", "31323334", "4321", "34333231"))
