"""How the CPS4 is selected on, and reading by the size that its FCI tells."""

from __future__ import annotations

import pytest

from cardd_drivers.contract import Transport, UnexpectedResponse
from cardd_drivers.ias_ecc.commands import ShortFileId
from cardd_drivers.ias_ecc.cps4 import CPS4
from cardd_drivers.ias_ecc.discovery import read_serial
from cardd_drivers.ias_ecc.files import DIRECTORY_MAX, FILE_MAX, Files
from cardd_drivers.ias_ecc.objects import Application, Path
from tests.support.replay import ScriptedChannel, answers

APPLICATION = Application(b"\xe8" * 13, "", bytes.fromhex("3F000001"))
PATHLESS = Application(bytes.fromhex("E828BD080F8025000001FF0010"), "", None)
SELECT_APPLET = "01A4040C088025000001FF0100"
SERIAL = "5A0A8025000001260001234F"
DIRECTORY = "3003020101" * 52  # 260 bytes


def scripted(*raw: str) -> tuple[Files, ScriptedChannel]:
    channel = ScriptedChannel(answers(*raw), Transport.T1)
    return Files(*CPS4.way(channel)), channel


def fci(size: int) -> str:
    return f"6F0B8002{size:04X}82010183027001" + "9000"


def read(files: Files, application: Application = APPLICATION, *, structured: bool = True) -> bytes:
    return files.read_file(application, Path(bytes.fromhex("7001")), FILE_MAX, structured=structured)


def test_the_application_is_selected_before_anything_is_read() -> None:
    files, channel = scripted("9000", SERIAL + "9000", SERIAL + "9000")
    for _ in range(2):
        assert files.read_short(ShortFileId.EF_SN, 12).hex().upper() == SERIAL
    assert channel.lines == [SELECT_APPLET, "01B09C000C", "01B09C000C"]


def test_a_refused_application_is_woken_by_a_detour() -> None:
    files, channel = scripted("6A82", "9000", "6A82", "9000")
    files.select_master_file()
    assert channel.lines == [
        SELECT_APPLET,
        "01A4040C07A0000001510000",
        "00A4040C088025000001FF0002",
        SELECT_APPLET,
    ]


def test_an_application_that_stays_away_is_given_up() -> None:
    files, channel = scripted(*["6A82"] * 4)
    with pytest.raises(UnexpectedResponse):
        files.select_master_file()
    assert len(channel.sent) == 4


def test_once_opened_the_master_file_is_selected_without_the_aid() -> None:
    files, channel = scripted("9000", "9000", "9000", "9000")
    for _ in range(2):
        files.select_master_file()
        files.select_df(bytes.fromhex("3F000001"))
    assert channel.lines == [SELECT_APPLET, "01A40800020001", "01A40000023F00", "01A40800020001"]


def test_without_short_identifiers_the_serial_is_read_by_its_path() -> None:
    files, channel = scripted("9000", "6A82", "6F048002000C9000", SERIAL + "9000")
    assert read_serial(files) == "26000123"
    assert channel.lines[-2:] == ["01A4080002D00300", "01B000000C"]


def test_a_file_is_read_in_its_size_and_no_further() -> None:
    files, channel = scripted(fci(260), DIRECTORY[:512] + "9000", DIRECTORY[512:] + "9000")
    assert read(files).hex().upper() == DIRECTORY
    assert channel.lines == ["01A40800040001700100", "01B0000000", "01B0010004"]


def test_an_unstructured_file_needs_no_read_behind_its_end() -> None:
    files, channel = scripted(fci(3), "AABBCC9000")
    assert read(files, structured=False) == b"\xaa\xbb\xcc"
    assert channel.lines[1:] == ["01B0000003"]


def test_a_size_that_is_too_small_cuts_no_object() -> None:
    files, channel = scripted(fci(4), "300302019000", "019000")
    assert read(files) == bytes.fromhex("3003020101")
    assert channel.lines[1:] == ["01B0000004", "01B0000400"]


@pytest.mark.parametrize("template", ["", "6F", "6F0382020000", "620480020005", "6F0180"])
def test_without_a_size_the_end_is_found_by_reading(template: str) -> None:
    files, channel = scripted(template + "9000", "30030201019000")
    assert read(files) == bytes.fromhex("3003020101")
    assert channel.lines[1:] == ["01B0000000"]


def test_a_size_does_not_outlive_its_file() -> None:
    files, channel = scripted("9000", fci(3), "AABBCC9000", "9000", SERIAL + "9000")
    files.select_master_file()
    read(files, structured=False)
    assert files.read_short(ShortFileId.EF_SN, 12).hex().upper() == SERIAL
    assert channel.lines[-2:] == ["01A40000023F00", "01B09C000C"]


def test_an_application_without_a_path_is_entered_by_its_name() -> None:
    files, channel = scripted("9000", fci(5), "30030201019000")
    files.read_file(PATHLESS, Path(bytes.fromhex("7001")), DIRECTORY_MAX, structured=True)
    assert channel.lines[:2] == ["01A4040C0DE828BD080F8025000001FF0010", "01A4000002700100"]


def test_a_refused_file_is_told() -> None:
    files, _ = scripted("6A82")
    with pytest.raises(UnexpectedResponse):
        read(files)
