"""SELECT of the CPS4."""

from __future__ import annotations

import pytest

from cardsim.layouts import cps4
from tests.unit.simulator.host import Host
from tests.unit.simulator.ias_ecc.cps4.conftest import SELECT_APPLET, MakeCps4

SERIAL_FCI = "6F188002000C8201018302D0038801E08A0105A1058C0303FF009000"


def test_an_ef_by_path_from_the_mf_gives_its_fci(host: Host) -> None:
    assert host.send("01A4080002D00300") == SERIAL_FCI
    assert host.send("01A40000023F00") == "9000"
    assert host.send("01A4000002D00300") == SERIAL_FCI, "by identifier, in the current DF"


def test_p2_chooses_the_answer(host: Host) -> None:
    assert host.send("01A4080402D00300") == "62" + SERIAL_FCI[2:]
    assert host.send("01A4080C02D003") == "9000"
    assert host.send("01A4080202D003") == "6A86"


def test_in_t1_nothing_is_answered_without_le_and_nothing_waits(host: Host) -> None:
    assert host.send("01A4080002D003") == "9000"
    assert host.send("01C0000018") == "6985"
    assert host.send("01B000000C")[:10] == "5A0A802500"


def test_a_short_le_gives_a_piece_and_the_rest_waits(host: Host) -> None:
    assert host.send("01A4080002D00302") == "6F186118"
    assert host.send("01C0000018") == SERIAL_FCI[4:]


def test_in_t0_the_fci_waits(make_cps4: MakeCps4) -> None:
    host = make_cps4(cps4.T0_LAYOUT)
    assert host.send(SELECT_APPLET) == "9000"
    assert host.send("01A4080002D003") == "611A"
    assert host.send("01C000001A") == SERIAL_FCI
    assert host.send("01A40800020001")[:2] == "61"
    assert host.send("01A4080C020001") == "9000"


@pytest.mark.parametrize("p1", ["01", "02", "03", "09", "0A"])
def test_other_modes_are_refused(host: Host, p1: str) -> None:
    assert host.send(f"01A4{p1}00020001") == "6A86"


@pytest.mark.parametrize("command", ["01A4080004 3F000001", "01A40800020009", "01A4080004 00019999", "01A4040C02AABB"])
def test_what_is_not_there(host: Host, command: str) -> None:
    assert host.send(command.replace(" ", "")) == "6A82"


def test_the_df_of_a_selected_ef_is_current(host: Host) -> None:
    assert host.send("01A4080C0400015031") == "9000"
    assert host.send("01A4000C027001") == "9000"
    assert host.send("01B09C000C") == "6A82", "EF.SN is in the MF"


def test_private_files_want_the_pin(host: Host) -> None:
    assert host.send("01A4080C040001D120") == "9000"
    assert host.send("01B0000008") == "6982"
    assert host.send("012000010431323334") == "9000"
    assert host.send("01B0000008") == b"activity".hex() + "9000"
