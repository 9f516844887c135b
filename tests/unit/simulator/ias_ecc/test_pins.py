"""PIN objects, and the PIN's life on a card as a state machine."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cardsim.card import CardProtocol
from cardsim.ias_ecc.pins import Pin, PinPolicy
from cardsim.ias_ecc.system import IasEccCard
from cardsim.layouts import cps3
from cardsim.layouts.build import master_file
from cardsim.layouts.content import CardContent, KeyPair
from cardsim.rsa import RsaKey
from tests.unit.simulator.host import Host

POLICY = PinPolicy(min_length=4, max_length=6, stored_length=8)
DIGITS = st.sampled_from(["1234", "4321", "0000"])
PUKS = st.sampled_from(["12345678", "87654321"])
_KEY = RsaKey(rsa.generate_private_key(65537, 2048))


def test_padding() -> None:
    """Digits, then FF."""
    assert POLICY.pad_digits("12345") == b"12345\xff\xff\xff"


@pytest.mark.parametrize("digits", ["123", "1234567", "12a4", "١٢٣٤", ""])
def test_what_is_no_pin(digits: str) -> None:
    """Refused without being repeated."""
    with pytest.raises(ValueError, match=r"^not 4 to 6 digits$"):
        POLICY.pad_digits(digits)


@pytest.mark.parametrize(
    ("stored", "good"),
    [
        (b"1234\xff\xff\xff\xff", True),
        (b"123456\xff\xff", True),
        (b"1234567\xff", False),
        (b"123\xff\xff\xff\xff\xff", False),
        (b"12\xff4\xff\xff\xff\xff", False),
        (b"1234", False),
        (b"abcd\xff\xff\xff\xff", False),
        (b"\xff" * 8, False),
    ],
)
def test_new_values(stored: bytes, good: bool) -> None:
    """Digits and padding only."""
    assert POLICY.accepts(stored) is good


def test_value_stays_out_of_repr() -> None:
    """Neither the digits nor their bytes."""
    pin = Pin(1, POLICY, b"4711\xff\xff\xff\xff", 3, 3, b"")
    assert "4711" not in repr(pin)


def _card() -> IasEccCard:
    pair = KeyPair(_KEY, b"certificate")
    content = CardContent("26000001", "label", "1234", "12345678", 3, 10, pair, pair, ())
    return IasEccCard(master_file(cps3.LAYOUT, content), atr=cps3.ATR, protocol=CardProtocol.T0)


class PinLife(RuleBasedStateMachine):
    """Every way in which a holder, a program or a thief can treat PIN and PUK, against a model of a few lines."""

    def __init__(self) -> None:
        super().__init__()
        self.host = Host(_card())
        self.pin, self.tries, self.verified = "1234", 3, False
        self.puk_tries, self.puk_verified = 10, False

    def _present(self, digits: str) -> str:
        """The answer that a presented PIN deserves, and what it does."""
        if self.tries == 0:
            return "6983"
        if digits == self.pin:
            self.tries = 3
            return "9000"
        self.tries -= 1
        self.verified = False
        return f"63C{self.tries}"

    @rule(digits=DIGITS)
    def verify(self, digits: str) -> None:
        """VERIFY."""
        expected = self._present(digits)
        self.verified = expected == "9000" or (self.verified and self.tries > 0)
        assert self.host.send("0020000108" + stored(digits)) == expected

    @rule(old=DIGITS, new=DIGITS)
    def change(self, old: str, new: str) -> None:
        """CHANGE REFERENCE DATA."""
        expected = self._present(old)
        if expected == "9000":
            self.pin = new
        assert self.host.send("0024000110" + stored(old) + stored(new)) == expected

    @rule(digits=PUKS)
    def verify_puk(self, digits: str) -> None:
        """VERIFY of the PUK."""
        if self.puk_tries == 0:
            expected = "6983"
        elif digits == "12345678":
            expected, self.puk_tries, self.puk_verified = "9000", 10, True
        else:
            self.puk_tries -= 1
            self.puk_verified = False
            expected = f"63C{self.puk_tries:X}"
        assert self.host.send("0020000208" + digits.encode().hex()) == expected

    @rule(new=DIGITS)
    def unblock(self, new: str) -> None:
        """RESET RETRY COUNTER."""
        expected = "9000" if self.puk_verified else "6982"
        if self.puk_verified:
            self.pin, self.tries, self.verified = new, 3, False
        assert self.host.send("002C020108" + stored(new)) == expected

    @rule()
    def lose_power(self) -> None:
        """Take the card out and put it in again."""
        self.host.card.power_off()
        self.host.card.power_on()
        self.verified = self.puk_verified = False

    @rule()
    def log_out(self) -> None:
        """Select the root AID."""
        assert self.host.send("00A4040C088025000001FF0100") == "9000"
        self.verified = self.puk_verified = False

    @invariant()
    def status_tells_the_truth(self) -> None:
        """The empty VERIFY, of both."""
        status = "6983" if self.tries == 0 else "9000" if self.verified else f"63C{self.tries}"
        assert self.host.send("00200001") == status
        puk = "6983" if self.puk_tries == 0 else "9000" if self.puk_verified else f"63C{self.puk_tries:X}"
        assert self.host.send("00200002") == puk


def stored(digits: str) -> str:
    """The stored form in hexadecimal."""
    return digits.encode().hex() + "FF" * 4


PinLife.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
test_pin_life = PinLife.TestCase
