"""CHANGE REFERENCE DATA and RESET RETRY COUNTER of the CPS4."""

from __future__ import annotations

import pytest

from tests.unit.simulator.host import Host
from tests.unit.simulator.ias_ecc.cps4.conftest import VERIFY_PIN, VERIFY_PUK

WRONG_PIN = "012000010430303030"
STATUS = "01200001"
CHANGE = "0124010104"
RESET = "012C0381"


def block(host: Host) -> None:
    assert [host.send(WRONG_PIN) for _ in range(3)] == ["63C2", "63C1", "6983"]
    assert host.send(STATUS) == "6983"


def test_a_verified_pin_is_changed_by_the_new_one_alone(host: Host) -> None:
    assert host.send(CHANGE + "35363738") == "6982"
    assert host.send(VERIFY_PIN) == host.send(CHANGE + "35363738") == "9000"
    host.reset()
    host.send("01A4040C088025000001FF0100")
    assert host.send(VERIFY_PIN) == "63C2"
    assert host.send("0120000104" + "35363738") == "9000"


def test_the_puk_resets_the_counter_and_then_the_pin_takes_a_new_value(host: Host) -> None:
    block(host)
    assert host.send(RESET) == "6982"
    assert host.send(VERIFY_PUK) == host.send(RESET) == "9000"
    assert host.send(STATUS) == "63C3"
    assert host.send(CHANGE + "35363738") == "9000"
    assert host.send(CHANGE + "30303030") == "6982", "good for one new value"
    assert host.send("0120000104" + "35363738") == "9000"


def test_the_old_value_stays_until_there_is_a_new_one(host: Host) -> None:
    block(host)
    assert host.send(VERIFY_PUK) == host.send(RESET) == host.send(VERIFY_PIN) == "9000"


def test_the_power_takes_the_right_to_a_new_value(host: Host) -> None:
    assert host.send(VERIFY_PUK) == host.send(RESET) == "9000"
    host.reset()
    host.send("01A4040C088025000001FF0100")
    assert host.send(CHANGE + "35363738") == "6982"


def test_the_puk_alone_changes_no_pin(host: Host) -> None:
    assert host.send(VERIFY_PUK) == "9000"
    assert host.send(CHANGE + "35363738") == "6982"


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("0124000108" + "3132333435363738", "6A86"),  # old and new: a CPS3's
        (CHANGE[:-2] + "0335" * 1 + "3637", "6700"),
        (CHANGE + "3536373A", "6A80"),
        ("0124010304" + "35363738", "6A88"),
        ("012C020104" + "35363738", "6A86"),  # with the new PIN: a CPS3's
        ("012C0301", "6A88"),  # without bit 8
        ("012C0383", "6A88"),
        (RESET + "0435363738", "6700"),
    ],
)
def test_forms_that_are_refused(host: Host, command: str, answer: str) -> None:
    assert host.send(VERIFY_PIN) == host.send(VERIFY_PUK) == "9000"
    assert host.send(command) == answer
