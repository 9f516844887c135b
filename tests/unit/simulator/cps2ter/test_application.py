"""The older side of a CPS3: class A0."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardsim.apdu import CommandApdu
from cardsim.behaviour import AfterOlderSide
from cardsim.card import CardProtocol
from cardsim.cps2ter import files
from cardsim.cps2ter.application import OlderApplication, PinState
from cardsim.ias_ecc.cps3 import with_older_side
from cardsim.ias_ecc.system import IasEccCard
from cardsim.layouts import build, cps3
from cardsim.layouts.content import CardContent
from cardsim.status_words import StatusError
from tests.unit.simulator.host import SELECT_APPLICATION, VERIFY_PIN, VERIFY_WRONG_PIN, Host

SITUATION = b"billing situation"
SELECT_SITUATION = ("A0A40000023F00", "A0A40000027F01", "A0A40000024000")


def host_of(content: CardContent, after: AfterOlderSide = AfterOlderSide.ROOT_AID) -> Host:
    """A card with its older side."""
    personal = dataclasses.replace(content, billing_situation=SITUATION, older_activities=((1, b"one"), (3, b"three")))
    behaviour = dataclasses.replace(cps3.LAYOUT.behaviour, after_older_side=after)
    return Host(
        IasEccCard(
            build.master_file(cps3.LAYOUT, personal),
            atr=cps3.ATR,
            protocol=CardProtocol.T0,
            generation=with_older_side(build.older_side(personal)),
            behaviour=behaviour,
        )
    )


def test_files_one_level_after_another(content: CardContent) -> None:
    """Each SELECT announces 7 bytes: size, identifier, type."""
    host = host_of(content)
    for command in SELECT_SITUATION:
        assert host.send(command) == "9F07"
    assert host.send("A0C0000007") == "850500114000049000"
    assert host.send("A0A40000023F00") == "9F07"
    assert host.send("A0C0000007") == "850500003F00019000"
    assert host.send("A0A40000024012") == "9F07"
    assert host.send("A0C0000007") == "850500054012049000"


@pytest.mark.parametrize("fid", ["4000", "4011", "7F02", "2F00"])
def test_a_file_that_is_not_here(content: CardContent, fid: str) -> None:
    """9404: unknown, or known elsewhere only. What was selected stays."""
    host = host_of(content)
    assert host.send("A0A4000002" + fid) == "9404"
    assert host.send("A0A40000024010") == "9F07"
    assert host.send("A0A4000002" + fid) == "9404"
    assert host.ask(VERIFY_PIN) == "6E00"


def test_reading_needs_the_pin_of_the_other_side(content: CardContent) -> None:
    """9804 before it, and the content after it."""
    host = host_of(content)
    for command in SELECT_SITUATION:
        host.send(command)
    assert host.send("A0B0000011") == "9804"
    assert host.send("00A40400088025000001FF0100") == "9000"
    assert host.send(VERIFY_PIN) == "9000"
    for command in SELECT_SITUATION:
        host.send(command)
    assert host.send("A0B0000011") == SITUATION.hex().upper() + "9000"
    assert host.send("A0B0000807") == SITUATION[8:15].hex().upper() + "9000"
    assert host.send("A0B0001101") == "9402"
    assert host.send("A0B0000012") == "6700"


def test_a_blocked_pin(content: CardContent) -> None:
    """9840."""
    host = host_of(content)
    for _ in range(3):
        host.send(VERIFY_WRONG_PIN)
    for command in SELECT_SITUATION:
        host.send(command)
    assert host.send("A0B0000011") == "9840"


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("A0A40400023F00", "6B00"),
        ("A0A40000013F", "6700"),
        ("A0B0000001", "9408"),
        ("A0C0000007", "6F00"),
        ("A020000108" + 8 * "31", "6D00"),
    ],
)
def test_refusals(content: CardContent, command: str, answer: str) -> None:
    """Each by its word."""
    assert host_of(content).send(command) == answer


def test_the_way_back(content: CardContent) -> None:
    """The root AID, or nothing; a reset in any case."""
    host = host_of(content)
    host.send("A0A40000023F00")
    assert host.send(SELECT_APPLICATION) == "6E00"
    assert host.send("00A4040C0DE828BD080F8025000001FF0010") == "6E00"
    assert host.send("00A4040C088025000001FF0100") == "9000"
    assert host.send(SELECT_APPLICATION) == "9000"
    host.send("A0A40000023F00")
    host.reset()
    assert host.send(SELECT_APPLICATION) == "9000"
    easy = host_of(content, AfterOlderSide.NOTHING)
    easy.send("A0A40000023F00")
    assert easy.send(SELECT_APPLICATION) == "9000"


BYTE = st.integers(0, 255)


@given(
    commands=st.lists(
        st.builds(
            CommandApdu,
            st.just(0xA0),
            st.sampled_from([0xA4, 0xB0, 0xC0, 0x20]),
            st.sampled_from([0, 1, 0xFF]),
            BYTE,
            st.one_of(st.sampled_from([b"\x3f\x00", b"\x7f\x01", b"\x40\x00", b"\x40\x10"]), st.binary(max_size=4)),
            st.one_of(st.none(), st.integers(1, 256)),
        )
    ),
    pin=st.sampled_from(PinState),
)
def test_every_command_has_an_answer(commands: list[CommandApdu], pin: PinState) -> None:
    """Data, or a status word and nothing else; and no protected byte without the PIN."""
    application = OlderApplication(files.master_file(SITUATION, [(1, b"one")]), lambda: pin)
    for command in commands:
        with contextlib.suppress(StatusError):
            response = application.answer(command)
            if command.ins == 0xB0:
                assert pin is PinState.VERIFIED
                assert response.data in SITUATION or response.data in b"one"
