"""Logical channels of the CPS4 and the applications beside IAS ECC."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cardsim.behaviour import LogoutRule
from cardsim.ias_ecc.pins import Pin
from tests.unit.simulator.host import Host
from tests.unit.simulator.ias_ecc.cps4.conftest import SELECT_APPLET, VERIFY_PIN, MakeCps4
from tests.unit.simulator.ias_ecc.test_system import well_formed

SELECT_DOMAIN = "01A4040C07A0000001510000"
SELECT_OLDER_SIDE = "00A4040C088025000001FF0002"
STATUS = "01200001"


def test_channel_1_is_closed_after_a_reset_and_opened_by_the_aid(make_cps4: MakeCps4) -> None:
    host = make_cps4()
    assert host.send(STATUS) == host.send("01B09C000C") == "6881"
    assert host.send(SELECT_APPLET) == "9000"
    assert host.send(STATUS) == "63C3"
    host.reset()
    assert host.send(STATUS) == "6881"


@pytest.mark.parametrize("aid", ["8025000001FF01", "8025000001FF010000", "E828BD080F8025000001FF0010", "A000000151"])
def test_another_aid_opens_nothing(make_cps4: MakeCps4, aid: str) -> None:
    host = make_cps4()
    assert host.send(f"01A4040C{len(aid) // 2:02X}{aid}") == "6A82"
    assert host.send(STATUS) == "6881"


@pytest.mark.parametrize("channel", ["02", "03"])
def test_other_channels_are_closed(host: Host, channel: str) -> None:
    assert host.send(channel + STATUS[2:]) == host.send(channel + SELECT_APPLET[2:]) == "6881"


@pytest.mark.parametrize("command", ["00200001", "00A4090C043F000001", "00B09C000C", "10200001"])
def test_a_cps3_s_classes_reach_nothing(host: Host, command: str) -> None:
    assert host.send(command) == "6E00"
    assert host.send("00" + SELECT_APPLET[2:]) == "6A82"


@pytest.mark.parametrize("command", ["A0A40000023F00", "0C200001", "81200001", "05200001"])
def test_other_classes_are_refused(host: Host, command: str) -> None:
    assert host.send(command) == "6E00"


def test_another_application_takes_the_channel_and_the_pin_with_it(make_cps4: MakeCps4) -> None:
    host = make_cps4(logout=LogoutRule.NEVER)
    assert host.send(SELECT_APPLET) == host.send(VERIFY_PIN) == host.send(SELECT_APPLET) == host.send(STATUS) == "9000"
    assert host.send(SELECT_DOMAIN) == "9000"
    assert host.send(STATUS) == "6E00"
    assert host.send("01A4040C0D" + "E828BD080F8025000001FF0010") == "6A82"
    assert host.send(SELECT_APPLET) == "9000"
    assert host.send(STATUS) == "63C3"


def test_the_older_side_is_on_the_basic_channel_and_leaves_the_application_alone(host: Host) -> None:
    assert host.send(VERIFY_PIN) == "9000"
    assert host.send(SELECT_OLDER_SIDE) == "9000"
    assert host.send("01" + SELECT_OLDER_SIDE[2:]) == "6A82"
    assert host.send(STATUS) == "9000"


def test_a_sleeping_application_is_found_behind_the_domain(make_cps4: MakeCps4) -> None:
    host = make_cps4(applet_asleep=True)
    assert host.send(SELECT_APPLET) == "6A82"
    assert host.send(SELECT_DOMAIN) == host.send(SELECT_OLDER_SIDE) == host.send(SELECT_APPLET) == "9000"
    host.reset()
    assert host.send(SELECT_APPLET) == "6A82"


def test_an_aid_outside_the_application_breaks_a_chain(host: Host) -> None:
    assert host.send("112A808601AA") == "9000"
    assert host.send(SELECT_OLDER_SIDE) == "9000"
    assert host.send("012A808601AA00") == "6985"


COMMANDS = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda cla, ins, p1, p2, data, le: bytes([cla, ins, p1, p2, len(data)]) + data + le,
        st.sampled_from([0x01, 0x11, 0x00, 0x02, 0xA0]),
        st.sampled_from([0x20, 0x22, 0x24, 0x2A, 0x2C, 0x84, 0x88, 0xA4, 0xB0, 0xC0, 0xCB, 0xD6]),
        st.sampled_from([0x00, 0x01, 0x03, 0x04, 0x08, 0x41, 0x80, 0x81, 0x9C, 0x9E]) | st.integers(0, 255),
        st.sampled_from([0x00, 0x01, 0x02, 0x04, 0x0C, 0x81, 0x86, 0x9A, 0xB6, 0xB8]) | st.integers(0, 255),
        st.binary(max_size=255)
        | st.sampled_from(
            [
                bytes.fromhex(data)
                for data in ("3F00", "0001", "00015031", "910228A1", "91022CA0", "830120", "8025000001FF0100")
            ]
        ),
        st.sampled_from([b"", b"\x00", b"\x10"]),
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(commands=st.lists(COMMANDS, max_size=12), verified=st.booleans())
def test_any_bytes_get_a_status_word(make_cps4: MakeCps4, commands: list[bytes], verified: bool) -> None:
    """Whatever comes in whatever order; and nothing but PIN commands with data costs a try."""
    card = make_cps4().card
    for first in (SELECT_APPLET, VERIFY_PIN if verified else STATUS):
        card.transmit(bytes.fromhex(first))
    for command in commands:
        before = tries(card)
        assert well_formed(card.transmit(command))
        assert tries(card) == before or command[1] in (0x20, 0x2C)


def tries(card: object) -> list[int]:
    """Tries left of PIN and PUK."""
    objects = card.master_file.objects.values()  # type: ignore[attr-defined]  # a Host keeps any card
    return [item.tries_left for item in objects if isinstance(item, Pin)]
