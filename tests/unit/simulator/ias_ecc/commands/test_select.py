"""SELECT."""

from __future__ import annotations

import pytest

from cardsim.behaviour import DfAnswer, LogoutRule
from tests.unit.simulator.conftest import MakeHost
from tests.unit.simulator.host import VERIFY_PIN, Host

MF = "621E82013883023F0084088025000001FF0100A1088C067AFFFFFFFF458A0105"
DF_0001 = "622382013883020001840DE828BD080F8025000001FF0010A1088C067AFFFFFFFF458A0105"
EF_DIR = "62258002006582010183022F008801F0A1128C077B45FFFFFF45009C077BFFFFFFFFFF008A0105"
EF_A001 = "6222800202BC8201018302A001A1128C077B45FFFFFF11009C077BFFFFFFFFFFFF8A0105"
ROOT_AID = "00A40404088025000001FF0100"
APPLICATION_AID = "00A404{p2}0DE828BD080F8025000001FF0010"


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("00A4000C023F00", ""),
        ("00A40004023F00", MF),
        ("00A40204023F00", MF),
        ("00A4020C023F00", ""),
        ("00A40904023F00", ""),
        ("00A4090C023F00", ""),
        ("00A40400088025000001FF0100", ""),
        (ROOT_AID, MF),
        (APPLICATION_AID.format(p2="0C"), ""),
        (APPLICATION_AID.format(p2="04"), DF_0001),
        ("00A40904043F000001", DF_0001),
        ("00A4090C043F000001", ""),
        ("00A40904043F002F00", EF_DIR),
        ("00A40904022F00", EF_DIR),
        ("00A40204022F00", EF_DIR),
        ("00A40804022F00", EF_DIR),
        ("00A40904063F000001A001", EF_A001),
        ("00A408040400017001", "6222800200BD82010183027001A1128C077B45FFFFFF45009C077BFFFFFFFFFFFF8A0105"),
        ("00A40104020001", DF_0001),
        ("00A40004020001", DF_0001),
    ],
)
def test_from_the_master_file(host: Host, command: str, answer: str) -> None:
    """All modes, with FCP and without."""
    assert host.ask(command) == answer + "9000"


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("00A4020402A001", EF_A001 + "9000"),
        ("00A4090402A001", EF_A001 + "9000"),
        ("00A40904063F000001A001", EF_A001 + "9000"),
        ("00A4080C02A001", "6A82"),
        ("00A40904022F00", "6A82"),
        ("00A40204022F00", "6A82"),
        ("00A40204020001", "6A82"),
        ("00A40104020001", "6A82"),
        ("00A40004020001", DF_0001 + "9000"),
        ("00A40304", MF + "9000"),
        ("00A4030C", "9000"),
    ],
)
def test_from_the_application(host: Host, command: str, answer: str) -> None:
    """What is found depends on the current DF."""
    host.send("00A4090C043F000001")
    assert host.ask(command) == answer


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        (APPLICATION_AID.format(p2="00"), "6A86"),
        ("00A40200022F00", "6A86"),
        ("00A4050C022F00", "6A86"),
        ("00A40208022F00", "6A86"),
        ("00A40904043F00D010", "6A82"),
        ("00A40904063F0000025031", "6A82"),
        ("00A40904063F0050154946", "6A82"),
        ("00A4040C05A000000151", "6A82"),
        ("00A404040CE828BD080F8025000001FF00", "6A82"),
        ("00A4030C", "6A82"),
        ("00A4090C033F0000", "6700"),
        ("00A4090C", "6700"),
        ("00A4020C042F002F00", "6700"),
        ("00A4030C022F00", "6700"),
        ("00A40904063F002F000001", "6A82"),
    ],
)
def test_refusals(host: Host, command: str, sw: str) -> None:
    """Published ones first: P2=00 for an AID and for an EF."""
    assert host.send(command) == sw


def test_refused_selection_changes_nothing(host: Host) -> None:
    """The current file stays."""
    host.send("00A4090C043F002F01")
    for command in ("00A4020C02FFFF", "00A40200022F00"):
        host.send(command)
        assert host.send("00B0000001") == "809000"


def test_absolute_path_to_an_ef_makes_its_df_current(host: Host) -> None:
    """And leaves no EF behind when a DF is selected."""
    host.send("00A4090C063F0000015031")
    assert host.send("00A4020C02A001") == "9000"
    host.send("00A4090C043F000001")
    assert host.send("00B0000001") == "6986"


@pytest.mark.parametrize(
    ("rule", "root", "application"),
    [
        (LogoutRule.ROOT_AID, "63C3", "9000"),
        (LogoutRule.ANY_AID, "63C3", "63C3"),
        (LogoutRule.NEVER, "9000", "9000"),
    ],
)
def test_logout_rule(make_host: MakeHost, rule: LogoutRule, root: str, application: str) -> None:
    """Which AID drops the verified PIN is a switch; a path never does."""
    host = make_host(logout=rule)
    for select, status in (
        (ROOT_AID, root),
        (APPLICATION_AID.format(p2="0C"), application),
        ("00A4090C043F000001", "9000"),
        ("00A4020C023F00", "9000"),
    ):
        host.send(VERIFY_PIN)
        host.send(select)
        assert host.send("0020000100") == status


def test_what_selection_of_another_df_may_drop(make_host: MakeHost) -> None:
    """The PIN, where the switch says so; not when the DF is current already, nor by selecting an EF in it."""
    host = make_host(logout=LogoutRule.ANY_DF)
    host.send("00A4090C043F000001")
    host.send(VERIFY_PIN)
    for stays in ("00A4090C043F000001", "00A4020C02A001", "00A4090C063F0000015031"):
        assert host.send(stays) == "9000"
        assert host.send("00200001") == "9000"
    host.send("00A4090C043F002F00")
    assert host.send("00200001") == "63C3"


@pytest.mark.parametrize(
    ("answer", "path_of_mf", "root_aid", "application"),
    [
        (DfAnswer.FCP, MF, MF, DF_0001),
        (DfAnswer.SILENT_MASTER_FILE, "", MF, DF_0001),
        (DfAnswer.SILENT, "", "", ""),
    ],
)
def test_what_a_df_answers(
    make_host: MakeHost, answer: DfAnswer, path_of_mf: str, root_aid: str, application: str
) -> None:
    """FCP or nothing; an EF gives its FCP in any case."""
    host = make_host(df_answer=answer)
    assert host.ask("00A40904023F00") == path_of_mf + "9000"
    assert host.ask(ROOT_AID) == root_aid + "9000"
    assert host.ask(APPLICATION_AID.format(p2="04")) == application + "9000"
    assert host.ask("00A4020402A001") == EF_A001 + "9000"


def test_a_card_that_always_answers(make_host: MakeHost) -> None:
    """P2=0C is refused, P2=04 taken; and the rules may stand last."""
    host = make_host(select_without_answer=False, fcp_rules_last=True)
    assert host.send("00A4090C043F000001") == "6A86"
    turned = DF_0001.replace("A1088C067AFFFFFFFF458A0105", "8A0105A1088C067AFFFFFFFF45")
    assert host.ask("00A40904043F000001") == turned + "9000"
