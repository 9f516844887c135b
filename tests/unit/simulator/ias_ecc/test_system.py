"""The card as a whole: power, classes, any bytes at all."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cardsim.ias_ecc.files import ElementaryFile, FileRules
from cardsim.ias_ecc.pins import Pin
from cardsim.ias_ecc.sdo import SdoClass, SdoName
from cardsim.ias_ecc.system import IasEccCard
from cardsim.layouts import cps3
from tests.unit.simulator.conftest import MakeHost
from tests.unit.simulator.host import SELECT_APPLICATION, VERIFY_PIN, VERIFY_WRONG_PIN, Host

COMMANDS = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda cla, ins, p1, p2, data, le: bytes([cla, ins, p1, p2, len(data)]) + data + le,
        st.sampled_from([0x00, 0x10, 0xA0, 0x0C, 0x01]),
        st.sampled_from([0x20, 0x22, 0x24, 0x2A, 0x2C, 0x82, 0x84, 0x88, 0xA4, 0xB0, 0xB1, 0xC0, 0xCB, 0xD6, 0xD7]),
        st.sampled_from([0x00, 0x01, 0x02, 0x03, 0x04, 0x08, 0x09, 0x3F, 0x41, 0x80, 0x90, 0x9C, 0x9E])
        | st.integers(0, 255),
        st.sampled_from([0x00, 0x01, 0x02, 0x04, 0x0C, 0x86, 0x9A, 0xA0, 0xA4, 0xAA, 0xB6, 0xB8, 0xFF])
        | st.integers(0, 255),
        st.binary(max_size=70)
        | st.sampled_from(
            [
                bytes.fromhex(data)
                for data in (
                    "3F00",
                    "3F000001",
                    "A001",
                    "800102840182",
                    "4D087006BF810102A080",
                    "9000800161",
                    "540100",
                    "540100530161",
                    "83018180010C",
                )
            ]
        ),
        st.sampled_from([b"", b"\x00", b"\x10"]),
    ),
)


def well_formed(answer: bytes) -> bool:
    """Data, and a status word that ISO 7816-4 knows."""
    return len(answer) >= 2 and (0x61 <= answer[-2] <= 0x6F or answer[-2] == 0x90) and answer[-2:] != b"\x6f\x00"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(commands=st.lists(COMMANDS, max_size=12), verified=st.booleans(), unusual=st.booleans())
def test_any_bytes_get_a_status_word(make_host: MakeHost, commands: list[bytes], verified: bool, unusual: bool) -> None:
    """Whatever comes in whatever order, before and after the PIN, to cards that know little and much."""
    switches = ("odd_instructions", "verify_logout", "extended_length", "unpadded_pin", "reset_with_puk")
    card = make_host(
        content_changes={"administration_key": bytes(16)} if unusual else {}, **dict.fromkeys(switches, unusual)
    ).card
    card.power_on()
    if verified:
        card.transmit(bytes.fromhex(VERIFY_PIN))
        card.transmit(bytes.fromhex(SELECT_APPLICATION))
    for command in commands:
        assert well_formed(card.transmit(command))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(commands=st.lists(COMMANDS, max_size=12))
def test_only_verify_and_change_with_data_cost_a_try(make_host: MakeHost, commands: list[bytes]) -> None:
    """Everything else leaves PIN and PUK as they were."""
    host = make_host()
    for command in commands:
        if len(command) > 5 and command[1] in (0x20, 0x24):
            continue
        host.card.transmit(command)
    host.reset()
    assert host.send("00200001") == "63C3"
    assert host.send("00200002") == "63CA"


def test_answer_to_reset(host: Host) -> None:
    """The ATR of the CPS3, from power on and as a property."""
    assert host.card.power_on() == host.card.atr == bytes.fromhex("3BAC00402A001225006480000310009000")


def test_without_power_it_is_mute(host: Host) -> None:
    """No bytes at all."""
    host.card.power_off()
    assert host.send("0020000100") == ""


def test_power_takes_verification_and_selection(host: Host) -> None:
    """PIN, current file and security environment are volatile."""
    host.ready()
    host.send("002241A406800102840182")
    assert host.ask("0088000003010203")[-4:] == "9000"
    host.card.power_off()
    host.card.power_on()
    assert host.send("0020000100") == "63C3"
    host.ready()
    assert host.send("0088000003010203") == "6985"
    host.reset()
    assert host.send("00B0000010") == "6986"


def test_power_leaves_what_is_in_eeprom(host: Host) -> None:
    """Counters, PIN values and file contents."""
    host.ready()
    assert host.send("00A4020C02D107") == "9000"
    assert host.send("00D6000003AABBCC") == "9000"
    assert host.send("0024000110" + "31323334FFFFFFFF" + "34333231FFFFFFFF") == "9000"
    assert host.send(VERIFY_WRONG_PIN) == "63C2"
    host.card.power_off()
    host.card.power_on()
    assert host.send("0020000100") == "63C2"
    assert host.send("002000010834333231FFFFFFFF") == "9000"
    host.send(SELECT_APPLICATION)
    host.send("00A4020C02D107")
    assert host.send("00B0000004") == "AABBCC009000"


@pytest.mark.parametrize("command", ["A0A40000023F00", "0CA4020C023F00", "01A4020C023F00", "80CA9F7F00"])
def test_other_classes(host: Host, command: str) -> None:
    """6E00."""
    assert host.send(command) == "6E00"


@pytest.mark.parametrize("command", ["00B1000000", "00700000", "00CA3FFF00", "00E00000"])
def test_other_instructions(host: Host, command: str) -> None:
    """6D00."""
    assert host.send(command) == "6D00"


def test_two_cards_share_nothing(make_host: MakeHost) -> None:
    """Each has its own PIN state and its own files."""
    first, second = make_host(), make_host()
    first.send(VERIFY_WRONG_PIN)
    assert second.send("0020000100") == "63C3"
    assert isinstance(first.card, IasEccCard)
    assert first.card.atr == cps3.ATR


def test_rules_of_objects_are_enforced_as_they_are_shown(make_host: MakeHost) -> None:
    """A PIN whose rule says so is neither verified nor shown, at no try's cost."""
    host = make_host()
    assert isinstance(host.card, IasEccCard)
    pin = host.card.master_file.objects[SdoName(SdoClass.PIN, 1)]
    assert isinstance(pin, Pin)
    pin.rule = bytes.fromhex("F300FF13FFFF")
    assert host.send(VERIFY_PIN) == "6982"
    assert host.send("00CB3FFF0A4D087006BF810102A080") == "6982"
    assert host.send("00200001") == "63C3"


@pytest.mark.parametrize(
    ("condition", "before", "after"),
    [
        ("00", "9000", "9000"),
        ("11", "6982", "9000"),
        ("51", "6982", "9000"),
        ("D1", "6982", "6982"),
        ("41", "6982", "6982"),
        ("21", "6982", "6982"),
        ("13", "6982", "6982"),
        ("12", "6982", "6982"),
        ("FF", "6982", "6982"),
    ],
)
def test_conditions(make_host: MakeHost, condition: str, before: str, after: str) -> None:
    """User authentication alone, or with secure messaging as one of two or of both; the PUK's; an SE that is not."""
    host = make_host()
    assert isinstance(host.card, IasEccCard)
    file = host.card.master_file.by_path([0x0001, 0xD120])
    assert isinstance(file, ElementaryFile)
    file.rules = FileRules(bytes.fromhex("7B45FFFFFF45" + condition))
    host.send("00A4090C063F000001D120")
    assert host.send("00B0000001")[-4:] == before
    host.send(VERIFY_PIN)
    assert host.send("00B0000001")[-4:] == after
