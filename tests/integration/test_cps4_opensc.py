"""OpenSC, as Debian ships it, and a CPS4: it knows none, and takes the one that speaks T=0 only for a CPS3."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from cardsim.transports.vpcd import VpcdAddress, VpcdReader
from tests.support.core import card_of
from tests.support.pcscd import PcscdUnavailable, PrivatePcscd

pytestmark = pytest.mark.skipif(shutil.which("pkcs15-tool") is None, reason="opensc is not installed")


@pytest.fixture(scope="module")
def pcscd() -> Iterator[PrivatePcscd]:
    """One private pcscd for this module."""
    try:
        with PrivatePcscd() as running:
            yield running
    except PcscdUnavailable as reason:
        pytest.skip(f"pcscd unavailable: {reason}")


@pytest.mark.parametrize(
    ("profile", "reason"),
    [
        ("physician-cps4", "Card is invalid or cannot be handled"),
        # Its ATR fits OpenSC's mask of the CPS3, and class 00 is refused.
        ("nurse-cps4-t0", "Unsupported CLA byte in APDU"),
    ],
)
def test_it_can_use_neither_and_costs_no_try(pcscd: PrivatePcscd, profile: str, reason: str) -> None:
    card = card_of(profile)
    reader = VpcdReader(VpcdAddress(port=pcscd.ports[0]))
    reader.insert(card)
    answers: list[bytes] = []
    reader.exchanges.watch(lambda entry: answers.append(entry.answer) if entry.control is None else None)
    try:
        command = ["pkcs15-tool", "-D"]
        listed = subprocess.run(command, env=pcscd.environment, capture_output=True, text=True, check=False)
    finally:
        reader.remove()
    assert listed.returncode != 0
    assert reason in listed.stderr
    assert set(answers) <= {b"\x6a\x82", b"\x6e\x00"}, "every command was refused"
    assert answers
    card.power_on()
    assert card.transmit(bytes.fromhex("01A4040C088025000001FF0100")) == b"\x90\x00"
    assert [card.transmit(bytes((0x01, 0x20, 0x00, reference))) for reference in (1, 2)] == [b"\x63\xc3"] * 2
