"""READ BINARY and UPDATE BINARY with odd INS."""

from __future__ import annotations

import pytest

from cardsim.card import CardProtocol
from tests.unit.simulator.conftest import MakeHost
from tests.unit.simulator.host import VERIFY_PIN, Host

CERTIFICATE = (bytes(range(256)) * 3)[:700]


@pytest.fixture
def knowing(make_host: MakeHost) -> Host:
    """A card that knows odd instructions, at its application."""
    host = make_host(odd_instructions=True)
    host.send("00A4090C043F000001")
    return host


def test_a_card_without_them(host: Host) -> None:
    """6D00, as no middleware minds."""
    assert host.send("00B1000003540100") == "6D00"
    assert host.send("00D7000006540100530100") == "6D00"


def test_the_current_file_from_an_offset(knowing: Host) -> None:
    """Data object 53 of 256 bytes at most, of however long an offset."""
    assert knowing.send("00B1000003540100") == "6986"
    knowing.send("00A4020C02A001")
    for offset, value in (("540100", 0), ("54020100", 256), ("5403000100", 256)):
        answer = knowing.ask(f"00B10000{len(offset) // 2:02X}{offset}")
        assert answer == "5381FD" + CERTIFICATE[value : value + 253].hex().upper() + "9000"
    assert knowing.ask("00B1000004540202B0") == "530C" + CERTIFICATE[688:].hex().upper() + "9000"
    assert knowing.send("00B1000004540202BC") == "6B00"


def test_le_counts_the_whole_data_object(make_host: MakeHost) -> None:
    """T=1: 16 bytes with tag and length."""
    host = make_host(odd_instructions=True, protocol=CardProtocol.T1)
    host.send("00A4090C063F000001A001")
    assert host.send("00B100000354010010") == "530E" + CERTIFICATE[:14].hex().upper() + "9000"


def test_a_file_by_its_names(knowing: Host) -> None:
    """Identifier or short identifier; it becomes current; a DF has no bytes."""
    assert knowing.ask("00B1A00103540100")[:6] == "5381FD"
    assert knowing.ask("00B1000003540100")[:6] == "5381FD"
    assert knowing.send("00B1A00903540100") == "6A82"
    knowing.send("00A4090C023F00")
    assert knowing.ask("00B1001C03540107") == "5305992138450F9000"
    assert knowing.send("00B1000103540100") == "6A82"


@pytest.mark.parametrize("data", ["", "5400", "5401", "530100", "540100540100"])
def test_anything_but_one_offset(knowing: Host, data: str) -> None:
    """6A80."""
    length = f"{len(data) // 2:02X}" if data else ""
    assert knowing.send(f"00B10000{length}{data}") == "6A80"


def test_protected_files(knowing: Host) -> None:
    """The same rules as for even instructions."""
    assert knowing.send("00B1D12003540100") == "6982"
    assert knowing.send("00D7D10706540105530141") == "6982"
    knowing.send(VERIFY_PIN)
    assert knowing.ask("00B1D12003540100") == "5308" + b"activity".hex().upper() + "9000"
    assert knowing.send("00D7D1070854010553034142FF") == "9000"
    assert knowing.ask("00B1D10703540104").startswith("537C004142FF00")
    assert knowing.send("00D7D1070654017F530241") == "6A80"
    assert knowing.send("00D7D1070754017F53024141") == "6A84"
