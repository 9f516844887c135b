"""What a card does between a command and its answer, and how long it takes."""

from __future__ import annotations

from dataclasses import dataclass

_SELECT, _VERIFY, _CHANGE, _RESET_RETRY_COUNTER = 0xA4, 0x20, 0x24, 0x2C
_UPDATE_BINARY = frozenset({0xD6, 0xD7})
_INTERNAL_AUTHENTICATE, _PERFORM_SECURITY_OPERATION = 0x88, 0x2A
_BY_DF_NAME = 0x04
_COMPUTE_SIGNATURE, _DECIPHER = (0x9E, 0x9A), (0x80, 0x86)
_CHAINING = 0x10
_HEADER = 4


@dataclass(frozen=True, slots=True)
class Work:
    """Seconds by kind of work. Only what a card has done costs: a command that it refuses costs nothing but the line.

    Args:
        select: SELECT by path or file identifier. Published from real cards: 20 to 29 ms, the line's 10 to 13 included.
        select_application: SELECT by DF name. Published: 73 ms for the root AID, the line's 18 included.
        rsa: one operation with a private RSA-2048 key. GUESS: by the data sheets of chips of that age; a signature on a
            real card settles it.
        eeprom_write: one write of EEPROM: a try counter, a PIN, file content. GUESS, from the same data sheets; UPDATE
            BINARY on a real card settles it.
    """

    select: float = 0.012
    select_application: float = 0.055
    rsa: float = 0.5
    eeprom_write: float = 0.005

    def seconds_of(self, command: bytes, answer: bytes) -> float:
        """How long the card works for one command.

        Args:
            command: command APDU.
            answer: response data and status word.
        """
        if len(command) < _HEADER:
            return 0.0
        cla, ins, p1, p2 = command[:_HEADER]
        sw1 = answer[-2:-1]
        # The try counter is written before the comparison, whatever comes of it.
        if ins in (_VERIFY, _CHANGE, _RESET_RETRY_COUNTER) and sw1 in (b"\x90", b"\x63"):
            return self.eeprom_write if len(command) > _HEADER + 1 else 0.0
        if sw1 not in (b"\x90", b"\x61"):
            return 0.0
        if ins == _SELECT:
            return self.select_application if p1 == _BY_DF_NAME else self.select
        if ins in _UPDATE_BINARY:
            return self.eeprom_write
        return self.rsa if _uses_private_key(cla, ins, (p1, p2)) else 0.0


def _uses_private_key(cla: int, ins: int, parameters: tuple[int, int]) -> bool:
    """INTERNAL AUTHENTICATE, COMPUTE DIGITAL SIGNATURE, DECIPHER; of a chain, the last command."""
    if cla & _CHAINING:
        return False
    if ins == _PERFORM_SECURITY_OPERATION:
        return parameters in (_COMPUTE_SIGNATURE, _DECIPHER)
    return ins == _INTERNAL_AUTHENTICATE
