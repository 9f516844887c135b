"""The host side of a simulated card in tests: commands and answers in hexadecimal."""

from __future__ import annotations

from cardsim.card import SimulatedCard

PIN = "31323334FFFFFFFF"
WRONG_PIN = "30303030FFFFFFFF"
PUK = "3132333435363738"
VERIFY_PIN = f"0020000108{PIN}"
VERIFY_WRONG_PIN = f"0020000108{WRONG_PIN}"
VERIFY_PUK = f"0020000208{PUK}"
SELECT_APPLICATION = "00A4090C043F000001"


class Host:
    """Sends commands to a card.

    Args:
        card: a card; it is powered on.
    """

    def __init__(self, card: SimulatedCard) -> None:
        self.card = card
        card.power_on()

    def send(self, command: str) -> str:
        """One exchange; upper-case hexadecimal both ways."""
        return self.card.transmit(bytes.fromhex(command)).hex().upper()

    def ask(self, command: str) -> str:
        """One exchange, and GET RESPONSE for whatever 61xx announces."""
        answer = self.send(command)
        while answer[-4:-2] == "61":
            answer = answer[:-4] + self.send("00C00000" + answer[-2:])
        return answer

    def reset(self) -> None:
        """Warm reset."""
        self.card.power_on()

    def ready(self) -> Host:
        """Verify the PIN and enter the application."""
        assert self.send(VERIFY_PIN) == "9000"
        assert self.send(SELECT_APPLICATION) == "9000"
        return self
