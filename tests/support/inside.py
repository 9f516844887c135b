"""What a simulated card knows of itself, read past reader and driver: the truth that invariants are held against."""

from __future__ import annotations

from cardsim.ias_ecc.pins import Pin
from cardsim.ias_ecc.system import IasEccCard

PIN_DIGITS = "1234"
PUK_DIGITS = "12345678"


class Inside:
    """The reference data of one card, whose profile gives it the usual PIN and PUK.

    Args:
        card: as it was personalised; nothing has been presented to it yet.
    """

    def __init__(self, card: IasEccCard) -> None:
        self._card = card
        found = [item for item in card.master_file.objects.values() if isinstance(item, Pin)]
        self.pin = _holding(found, PIN_DIGITS)
        self.puk = _holding(found, PUK_DIGITS)
        self._uses_left = self.puk.uses_left

    @property
    def verified(self) -> bool:
        """Whether the card stands verified now, for whoever speaks to it."""
        return bool(self._card._context.state.verified)

    @property
    def digits(self) -> bytes:
        """The PIN as it is now, as its holder would type it."""
        return self.pin.value.rstrip(bytes([self.pin.policy.pad]))

    @property
    def tries(self) -> tuple[int, int]:
        """Tries left of PIN and PUK."""
        return self.pin.tries_left, self.puk.tries_left

    @property
    def full(self) -> tuple[int, int]:
        """What `tries` is while nothing was lost."""
        return self.pin.tries_max, self.puk.tries_max

    def restore(self) -> None:
        """As it was personalised: values, tries, and the uses of the PUK, which a card has few of."""
        self.pin.replace(self.pin.policy.pad_digits(PIN_DIGITS))
        self.puk.replace(self.puk.policy.pad_digits(PUK_DIGITS))
        self.puk.uses_left = self._uses_left


def _holding(found: list[Pin], digits: str) -> Pin:
    (pin,) = (each for each in found if len(digits) <= each.policy.max_length and _accepts(each, digits))
    return pin


def _accepts(pin: Pin, digits: str) -> bool:
    try:
        return pin.value == pin.policy.pad_digits(digits)
    except ValueError:
        return False
