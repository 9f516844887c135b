"""READ BINARY and UPDATE BINARY."""

from __future__ import annotations

import pytest

from cardsim.behaviour import OverLimit, PastEnd, ShortIdentifiers
from tests.unit.simulator.conftest import MakeHost
from tests.unit.simulator.host import Host

SERIAL = "5A0A8025000001992138450F"
CERTIFICATE = (bytes(range(256)) * 3)[:700].hex().upper()


def test_serial_by_short_identifier(host: Host) -> None:
    """Exactly, to the end, past the end; the file becomes current."""
    assert host.send("00B09C000C") == SERIAL + "9000"
    assert host.send("00B09C0000") == SERIAL + "9000"
    assert host.send("00B09C00C0") == SERIAL + "6282"
    assert host.send("00B09C0802") == SERIAL[16:20] + "9000"
    assert host.send("00B000020A") == SERIAL[4:] + "9000"


@pytest.mark.parametrize(
    ("past_end", "exact", "open_end", "beyond"),
    [
        (PastEnd.WARN, SERIAL + "9000", SERIAL + "9000", SERIAL + "6282"),
        (PastEnd.CORRECT_LENGTH, SERIAL + "9000", "6C0C", "6C0C"),
        (PastEnd.SILENT, SERIAL + "9000", SERIAL + "9000", SERIAL + "9000"),
    ],
)
def test_past_the_end(make_host: MakeHost, past_end: PastEnd, exact: str, open_end: str, beyond: str) -> None:
    """The three ways in which cards answer."""
    host = make_host(past_end=past_end)
    assert host.send("00B09C000C") == exact
    assert host.send("00B09C0000") == open_end
    assert host.send("00B09C00C0") == beyond


def test_a_whole_certificate_in_the_largest_reads(host: Host) -> None:
    """Free to read; 256 bytes at a time by offset."""
    host.send("00A4090C063F000001A001")
    parts = [host.send(command) for command in ("00B0000000", "00B0010000", "00B00200BC")]
    assert all(part.endswith("9000") for part in parts)
    assert "".join(part[:-4] for part in parts) == CERTIFICATE


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("00B00000", "6700"),
        ("00B0000002AABB", "6700"),
        ("00B0000C01", "6B00"),
        ("00B07FFF01", "6B00"),
        ("00B0910001", "6A82"),
        ("00B0E10001", "6A86"),
    ],
)
def test_refusals(host: Host, command: str, sw: str) -> None:
    """Lengths, offsets, short identifiers that are none."""
    host.send("00A4090C043F00D003")
    assert host.send(command) == sw


def test_no_current_file(host: Host) -> None:
    """After a reset there is none."""
    assert host.send("00B0000010") == "6986"
    assert host.send("00D6000001AA") == "6986"


def test_private_file_needs_the_pin(host: Host) -> None:
    """6982 before, the content after."""
    host.send("00A4090C063F000001D120")
    assert host.send("00B0000008") == "6982"
    host.send("002000010831323334FFFFFFFF")
    assert host.send("00B0000008") == b"activity".hex().upper() + "9000"


def test_the_user_writes_cps_data_after_the_pin(host: Host) -> None:
    """6982 before; then written at an offset and read back; not past the end, not without data."""
    host.send("00A4090C063F000001D107")
    assert host.send("00D6000002AABB") == "6982"
    host.send("002000010831323334FFFFFFFF")
    assert host.send("00D6007E02AABB") == "9000"
    assert host.send("00B0007D03") == "00AABB9000"
    assert host.send("00D6007F02AABB") == "6A84"
    assert host.send("00D60000") == "6700"


@pytest.mark.parametrize("path", ["2F00", "2F01", "D003", "00015031", "0001D104", "0001D120"])
def test_nothing_else_is_written_by_a_user(host: Host, path: str) -> None:
    """Secure messaging or never, whatever PIN is verified; the content stays."""
    host.send("002000010831323334FFFFFFFF")
    host.send("00200002083132333435363738")
    host.send(f"00A4080C{len(path) // 2:02X}{path}")
    before = host.send("00B0000004")
    assert host.send("00D6000002AABB") == "6982"
    assert host.send("00B0000004") == before


@pytest.mark.parametrize(
    ("over_limit", "answer"),
    [(OverLimit.SILENT, CERTIFICATE[:462] + "9000"), (OverLimit.CORRECT_LENGTH, "6CE7"), (OverLimit.REFUSED, "6700")],
)
def test_above_the_read_limit(make_host: MakeHost, over_limit: OverLimit, answer: str) -> None:
    """The three ways; what is within the limit is read as ever."""
    host = make_host(read_limit=231, over_limit=over_limit)
    host.ask("00A40904063F000001A001")
    assert host.send("00B00000E8") == answer
    assert host.send("00B00000E7") == CERTIFICATE[:462] + "9000"
    if over_limit is OverLimit.CORRECT_LENGTH:
        assert host.send("00B0029400") == "6C28"


@pytest.mark.parametrize(
    ("known", "serial", "directory"),
    [
        (ShortIdentifiers.ALL, "9000", "9000"),
        (ShortIdentifiers.SERIAL, "9000", "6A82"),
        (ShortIdentifiers.NONE, "6A82", "6A82"),
    ],
)
def test_short_identifiers(make_host: MakeHost, known: ShortIdentifiers, serial: str, directory: str) -> None:
    """Which files have one."""
    host = make_host(short_identifiers=known)
    assert (host.send("00B09C0001")[-4:], host.send("00B09E0001")[-4:]) == (serial, directory)
