"""VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER."""

from __future__ import annotations

import pytest

from cardsim.behaviour import BlockingTry, PinStatusAnswer
from tests.unit.simulator.conftest import MakeHost
from tests.unit.simulator.host import PIN, PUK, VERIFY_PIN, VERIFY_PUK, VERIFY_WRONG_PIN, WRONG_PIN, Host

NEW_PIN = "34333231FFFFFFFF"
PIN_DOCP = "00CB3FFF0A4D087006BF810102A080"
PUK_DOCP = "00CB3FFF0A4D087006BF810202A080"


def block(host: Host) -> None:
    """Spend all tries."""
    for _ in range(3):
        host.send(VERIFY_WRONG_PIN)


@pytest.mark.parametrize("status", ["00200001", "0020000100"])
def test_status_costs_nothing(host: Host, status: str) -> None:
    """63C3, 9000 once verified, 6983 when blocked; however often it is asked."""
    assert [host.send(status) for _ in range(5)] == ["63C3"] * 5
    host.send(VERIFY_PIN)
    assert host.send(status) == "9000"
    block(host)
    assert host.send(status) == "6983"


def test_wrong_pins_to_the_end(host: Host) -> None:
    """63C2, 63C1, 63C0; then 6983, for the right one too."""
    assert [host.send(VERIFY_WRONG_PIN) for _ in range(3)] == ["63C2", "63C1", "63C0"]
    assert host.send(VERIFY_PIN) == "6983"
    assert host.send(VERIFY_WRONG_PIN) == "6983"


def test_blocking_try_answer_is_a_switch(make_host: MakeHost) -> None:
    """6983 at once."""
    host = make_host(blocking_try=BlockingTry.BLOCKED)
    assert [host.send(VERIFY_WRONG_PIN) for _ in range(3)] == ["63C2", "63C1", "6983"]


def test_right_pin_gives_all_tries_back(host: Host) -> None:
    """After two wrong ones."""
    block_all_but_one = [host.send(VERIFY_WRONG_PIN) for _ in range(2)]
    assert block_all_but_one == ["63C2", "63C1"]
    assert host.send(VERIFY_PIN) == "9000"
    assert host.send(VERIFY_WRONG_PIN) == "63C2"


def test_wrong_pin_takes_the_verification(host: Host) -> None:
    """Verified before, not after."""
    host.send(VERIFY_PIN)
    host.send(VERIFY_WRONG_PIN)
    assert host.send("00200001") == "63C2"


@pytest.mark.parametrize("data", ["31323334", "31", "31323334FFFFFFFFFF"])
def test_other_lengths_cost_no_try(host: Host, data: str) -> None:
    """6700."""
    assert host.send(f"00200001{len(data) // 2:02X}{data}") == "6700"
    assert host.send("00200001") == "63C3"


@pytest.mark.parametrize(
    ("command", "sw"),
    [("0020FF01", "6A86"), ("0020FF0108" + PIN, "6A86"), ("00200003", "6A88"), ("0020008108" + PIN, "6A88")],
)
def test_other_references(host: Host, command: str, sw: str) -> None:
    """P1 other than 00, references that do not exist."""
    assert host.send(command) == sw


def test_puk_counts_for_itself(host: Host) -> None:
    """Ten tries; its status; 100 uses that only right ones spend."""
    assert host.send("00200002") == "63CA"
    assert host.send("0020000208" + "30" * 8) == "63C9"
    assert host.ask(PUK_DOCP) == "701ABF810216A0149A010A9B01099D020064A1088C06F3FF00FFFF009000"
    assert host.send(VERIFY_PUK) == "9000"
    assert host.ask(PUK_DOCP) == "701ABF810216A0149A010A9B010A9D020063A1088C06F3FF00FFFF009000"
    assert host.send("00200001") == "63C3"


def test_a_used_up_puk(host: Host) -> None:
    """6984 after 100 uses."""
    assert {host.send(VERIFY_PUK) for _ in range(100)} == {"9000"}
    assert host.send(VERIFY_PUK) == "6984"


def test_pin_counter_is_shown(host: Host) -> None:
    """Tag 9B follows."""
    host.send(VERIFY_WRONG_PIN)
    assert host.ask(PIN_DOCP) == "7016BF810112A0109A01039B0102A1088C06F3000013FF009000"


def test_change(host: Host) -> None:
    """Old and new; the old one is then wrong. Changing verifies nothing."""
    assert host.send("0024000110" + PIN + NEW_PIN) == "9000"
    assert host.send("00200001") == "63C3"
    assert host.send(VERIFY_PIN) == "63C2"
    assert host.send("0020000108" + NEW_PIN) == "9000"


def test_change_with_a_wrong_old_pin(host: Host) -> None:
    """Costs a try, changes nothing; blocks as VERIFY does."""
    assert host.send("0024000110" + WRONG_PIN + NEW_PIN) == "63C2"
    assert host.send(VERIFY_PIN) == "9000"
    block(host)
    assert host.send("0024000110" + PIN + NEW_PIN) == "6983"


@pytest.mark.parametrize(
    "new", ["FFFFFFFFFFFFFFFF", "313233FFFFFFFFFF", "3132333435FFFFFF", "41424344FFFFFFFF", "31FF3234FFFFFFFF"]
)
def test_change_to_what_is_no_pin(host: Host, new: str) -> None:
    """6A80, and the old one holds."""
    assert host.send("0024000110" + PIN + new) == "6A80"
    assert host.send(VERIFY_PIN) == "9000"


def test_change_lengths_and_puk(host: Host) -> None:
    """6700 costs no try; the PUK's own rule forbids to change it."""
    assert host.send("0024000108" + PIN) == "6700"
    assert host.send("00240001") == "6700"
    assert host.send("0024000210" + PUK + PUK) == "6982"
    assert host.send("0024010110" + PIN + NEW_PIN) == "6A86"
    assert (host.send("00200001"), host.send("00200002")) == ("63C3", "63CA")


def test_unblock(host: Host) -> None:
    """Blocked; refused without the PUK; with it, a new PIN with three tries, not yet verified."""
    block(host)
    assert host.send("002C020108" + NEW_PIN) == "6982"
    assert host.send(VERIFY_PUK) == "9000"
    assert host.send("002C020108" + NEW_PIN) == "9000"
    assert host.send("00200001") == "63C3"
    assert host.send("0020000108" + NEW_PIN) == "9000"


def test_unblock_takes_the_verification(host: Host) -> None:
    """Whoever unblocks presents the new PIN."""
    host.send(VERIFY_PIN)
    host.send(VERIFY_PUK)
    host.send("002C020108" + NEW_PIN)
    assert host.send("00200001") == "63C3"


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("002C000110" + PUK + NEW_PIN, "6A86"),
        ("002C0301", "6A86"),
        ("002C020108" + "41" * 8, "6A80"),
        ("002C020104" + "34333231", "6700"),
        ("002C020208" + PUK, "6982"),
        ("002C020308" + PUK, "6A88"),
    ],
)
def test_unblock_refusals(host: Host, command: str, sw: str) -> None:
    """Other forms, bad values, the PUK itself."""
    host.send(VERIFY_PUK)
    assert host.send(command) == sw


def test_verification_by_pin_is_not_the_puks(host: Host) -> None:
    """The rule of reset names SE 3, which names the PUK."""
    host.send(VERIFY_PIN)
    assert host.send("002C020108" + NEW_PIN) == "6982"


def test_profile_may_begin_blocked(make_host: MakeHost) -> None:
    """Counters are contents."""
    host = make_host(content_changes={"pin_tries_left": 0})
    assert host.send("00200001") == "6983"
    assert host.send(VERIFY_PIN) == "6983"


def test_a_card_that_tells_no_tries(make_host: MakeHost) -> None:
    """6700 while it is not verified; 9000 and 6983 as ever."""
    host = make_host(pin_status=PinStatusAnswer.REFUSED)
    assert host.send("00200001") == "6700"
    host.send(VERIFY_PIN)
    assert host.send("00200001") == "9000"
    block(host)
    assert host.send("00200001") == "6983"


def test_digits_without_padding(make_host: MakeHost) -> None:
    """Taken where the switch says so, in all three commands; otherwise 6700 and no try is lost."""
    strict, lenient = make_host(), make_host(unpadded_pin=True)
    assert strict.send("002000010431323334") == "6700"
    assert strict.send("00200001") == "63C3"
    assert lenient.send("002000010430303030") == "63C2"
    assert lenient.send("002000010431323334") == "9000"
    assert lenient.send("00240001083132333434333231") == "9000"
    assert lenient.send(VERIFY_PUK) == "9000"
    assert lenient.send("002C02010435363738") == "9000"
    assert lenient.send("002000010835363738FFFFFFFF") == "9000"
    for odd in ("0020000103313233", "00200001053132333435", "002400010731323334333231"):
        assert lenient.send(odd) == "6700"


def test_reset_with_the_puk_in_the_command(make_host: MakeHost) -> None:
    """A wrong PUK costs one of its tries, the right one gives the new PIN; without the switch, 6A86."""
    reset = "002C000110{puk}" + NEW_PIN
    assert make_host().send(reset.format(puk=PUK)) == "6A86"
    host = make_host(reset_with_puk=True)
    block(host)
    assert host.send(reset.format(puk="30" * 8)) == "63C9"
    assert host.send(VERIFY_PIN) == "6983"
    assert host.send(reset.format(puk=PUK)) == "9000"
    assert host.send("0020000108" + NEW_PIN) == "9000"
    assert host.send("002C000108" + PUK) == "6700"
    assert host.send("002C000210" + PUK + PUK) == "6A88"


def test_verification_dropped_on_demand(make_host: MakeHost) -> None:
    """P1=FF, where the switch has it; no try is lost."""
    strict, host = make_host().ready(), make_host(verify_logout=True).ready()
    assert strict.send("0020FF01") == "6A86"
    assert strict.send("00200001") == "9000"
    assert host.send("0020FF0108" + PIN) == "6700"
    assert host.send("0020FF1F") == "6A88"
    assert host.send("00200001") == "9000"
    assert host.send("0020FF01") == "9000"
    assert host.send("00200001") == "63C3"
