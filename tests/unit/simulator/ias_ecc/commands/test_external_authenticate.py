"""EXTERNAL AUTHENTICATE, and the access rules that it satisfies."""

from __future__ import annotations

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from cardsim.ias_ecc.files import ElementaryFile, FileRules
from cardsim.ias_ecc.system import IasEccCard
from tests.unit.simulator.conftest import MakeHost
from tests.unit.simulator.host import Host

KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
SET_KEY = "002281A40683018180010C"
DOCP = "00CB3FFF0A4D087006BF8A0102A080"


@pytest.fixture
def administered(make_host: MakeHost) -> Host:
    """A card with an administration key, and a file that external authentication by environment 5 opens."""
    host = make_host(content_changes={"administration_key": KEY})
    assert isinstance(host.card, IasEccCard)
    host.card.master_file.add(
        ElementaryFile(0xEE01, bytearray(b"for administration"), FileRules(bytes.fromhex("0125")))
    )
    return host


def cryptogram(challenge: str) -> str:
    """The proof of knowing the key."""
    encryptor = Cipher(TripleDES(KEY + KEY[:8]), modes.ECB()).encryptor()  # noqa: S305  (the card's own cipher)
    return (encryptor.update(bytes.fromhex(challenge)) + encryptor.finalize()).hex().upper()


def challenge(host: Host) -> str:
    """GET CHALLENGE."""
    answer = host.send("0084000008")
    assert answer.endswith("9000")
    return answer[:-4]


def may_read(host: Host) -> bool:
    """Whether the file is open."""
    host.send("00A4090C043F00EE01")
    return host.send("00B0000012") == b"for administration".hex().upper() + "9000"


def test_the_rule_is_satisfied_until_the_reset(administered: Host) -> None:
    """6982 before, the content after, 6982 after a reset."""
    assert not may_read(administered)
    assert administered.send(SET_KEY) == "9000"
    assert administered.send("0082000008" + cryptogram(challenge(administered))) == "9000"
    assert may_read(administered)
    administered.reset()
    assert not may_read(administered)


def test_wrong_cryptograms_to_the_end(administered: Host) -> None:
    """Each costs a try and what was authenticated before; the right one restores all; none left: 6983."""
    administered.send(SET_KEY)
    administered.send("0082000008" + cryptogram(challenge(administered)))
    challenge(administered)
    assert administered.send("0082000008" + 8 * "00") == "63CE"
    assert not may_read(administered)
    assert administered.ask(DOCP) == "7016BF8A0112A0109A010F9B010E80020010A1048C0201009000"
    assert administered.send("0082000008" + cryptogram(challenge(administered))) == "9000"
    for left in range(14, -1, -1):
        challenge(administered)
        assert administered.send("0082000008" + 8 * "00") == f"63C{left:X}"
    assert administered.send("0082000008" + cryptogram(challenge(administered))) == "6983"


def test_a_challenge_serves_once(administered: Host) -> None:
    """6985 without one, or with one that was answered already."""
    administered.send(SET_KEY)
    assert administered.send("0082000008" + 8 * "00") == "6985"
    proof = cryptogram(challenge(administered))
    assert administered.send("0082000008" + proof) == "9000"
    assert administered.send("0082000008" + proof) == "6985"


@pytest.mark.parametrize(
    ("command", "answer"),
    [("0082010008" + 8 * "00", "6A86"), ("0082000007" + 7 * "00", "6700"), ("002281A40683018280010C", "6A88")],
)
def test_refusals(administered: Host, command: str, answer: str) -> None:
    """No try is lost by them."""
    administered.send(SET_KEY)
    challenge(administered)
    assert administered.send(command) == answer
    assert "9B010F" in administered.ask(DOCP)


def test_a_card_without_the_key(host: Host) -> None:
    """It cannot be named, and nothing is there to authenticate by."""
    assert host.send(SET_KEY) == "6A88"
    challenge(host)
    assert host.send("0082000008" + 8 * "00") == "6985"
