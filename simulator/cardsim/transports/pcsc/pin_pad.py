"""The PIN pad of an in-process reader (PC/SC part 10, 2.5 and 2.6): features, FEATURE_VERIFY_PIN_DIRECT, and its keys.

A test or the control socket presses the keys; the digits go into the command that the structure describes, and from
there to the card. The program that asked sees the status word alone.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cardsim.transports.pcsc.constants import ScardConstants as C
from cardsim.transports.pcsc.manager import ScardError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cardsim.transports.pcsc.manager import Handle, Manager

CONTROL_BASE = 0x42000000
"""What SCARD_CTL_CODE of pcsc-lite adds a function number to."""
GET_FEATURE_REQUEST = CONTROL_BASE + 3400
VERIFY_PIN_DIRECT = CONTROL_BASE + 0x330006
_TAG_VERIFY_PIN_DIRECT = 0x06

TIMED_OUT, CANCELLED, WRONG_LENGTH = b"\x64\x00", b"\x64\x01", b"\x64\x03"
"""What a pad answers in the card's place (PC/SC part 10, 2.6.1)."""

_STRUCTURE = struct.Struct("<BBBBBHBBHB3sI")
_IN_BYTES, _RIGHT_JUSTIFIED, _ASCII = 0x80, 0x04, 0x02
_VALIDATION_KEY = 0x02
_HEADER_AND_LC = 5


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a structure asks for.

    Args:
        shortest, longest: digits.
        position: of the PIN in the command's data field.
        block: bytes of the PIN block.
        command: template of the command.
    """

    shortest: int
    longest: int
    position: int
    block: int
    command: bytes

    @classmethod
    def parse(cls, raw: bytes) -> _Entry:
        """Read a PIN_VERIFY_STRUCTURE, of the forms that a pad with ASCII digits takes.

        Raises: ``ScardError`` (SCARD_E_INVALID_PARAMETER).
        """
        if len(raw) < _STRUCTURE.size:
            raise ScardError(C.SCARD_E_INVALID_PARAMETER)
        (_, _, form, block, length_form, digits, validation, _, _, _, _, size) = _STRUCTURE.unpack_from(raw)
        command = raw[_STRUCTURE.size :]
        entry = cls(digits >> 8, digits & 0xFF, form >> 3 & 0x0F, block & 0x0F, command)
        fits = len(command) == size and _HEADER_AND_LC + entry.position + entry.block <= len(command)
        known = (
            form & (_IN_BYTES | _RIGHT_JUSTIFIED | 0x03) == _IN_BYTES | _ASCII and not length_form and not block >> 4
        )
        if not (fits and known and validation == _VALIDATION_KEY and entry.shortest <= entry.longest <= entry.block):
            raise ScardError(C.SCARD_E_INVALID_PARAMETER)
        return entry

    def filled(self, digits: str) -> bytes:
        """The command with the digits in their place; what they do not fill stays as the template has it."""
        start = _HEADER_AND_LC + self.position
        return self.command[:start] + digits.encode("ascii") + self.command[start + len(digits) :]


class PinPad:
    """Keys, and who waits for them. Made by ``InProcessReader.add_pin_pad``.

    Args:
        manager: whose lock guards it.
    """

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._pressed: deque[bytes | str] = deque()
        self._waiting = False

    def enter(self, digits: str) -> None:
        """Press digits and OK; before it is asked for, as well: the pad takes them then."""
        self._press(digits)

    def cancel(self) -> None:
        """Press the cancel key."""
        self._press(CANCELLED)

    def time_out(self) -> None:
        """Let the time for the entry pass."""
        self._press(TIMED_OUT)

    def wait_until_asked(self, seconds: float) -> bool:
        """Wait until a program wants a PIN; gives whether one does."""
        with self._manager.lock:
            return self._manager.turns.wait_for(lambda: self._waiting, seconds)

    def control(self, handle: Handle, code: int, data: bytes, transmit: Callable[[bytes], bytes]) -> bytes:
        """Serve SCardControl, with the manager's lock.

        Args:
            handle: whose connection.
            code: control code.
            data: its input.
            transmit: sends a command to the card.

        Returns: the output.
        Raises: ``ScardError``; SCARD_E_NO_SMARTCARD when the card leaves during the entry.
        """
        if code == GET_FEATURE_REQUEST:
            return bytes((_TAG_VERIFY_PIN_DIRECT, 4)) + VERIFY_PIN_DIRECT.to_bytes(4, "big")
        if code != VERIFY_PIN_DIRECT:
            raise ScardError(C.SCARD_E_UNSUPPORTED_FEATURE)
        entry = _Entry.parse(data)
        pressed = self._next_key(handle)
        if isinstance(pressed, bytes):
            return pressed
        if not entry.shortest <= len(pressed) <= entry.longest:
            return WRONG_LENGTH
        return transmit(entry.filled(pressed))

    def _next_key(self, handle: Handle) -> bytes | str:
        insertion = handle.reader.insertion
        if insertion is None:
            raise ScardError(C.SCARD_E_NO_SMARTCARD)
        self._waiting = True
        self._manager.turns.notify_all()
        try:
            self._manager.wait_turn(
                handle.context, lambda: bool(self._pressed) or insertion.card.gone or handle.reader.unavailable
            )
        finally:
            self._waiting = False
        if insertion.card.gone or handle.reader.unavailable:
            raise ScardError(C.SCARD_E_NO_SMARTCARD)
        return self._pressed.popleft()

    def _press(self, key: bytes | str) -> None:
        with self._manager.lock:
            self._pressed.append(key)
            self._manager.turns.notify_all()
