"""The PIN pad of an in-process reader (PC/SC part 10, 2.5 and 2.6): FEATURE_VERIFY_PIN_DIRECT and
FEATURE_MODIFY_PIN_DIRECT, and its keys.

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
    from collections.abc import Callable, Mapping

    from cardsim.transports.pcsc.manager import Handle, Manager

CONTROL_BASE = 0x42000000
"""What SCARD_CTL_CODE of pcsc-lite adds a function number to."""
GET_FEATURE_REQUEST = CONTROL_BASE + 3400
VERIFY_PIN_DIRECT = CONTROL_BASE + 0x330006
MODIFY_PIN_DIRECT = CONTROL_BASE + 0x330007
_TAG_VERIFY_PIN_DIRECT, _TAG_MODIFY_PIN_DIRECT = 0x06, 0x07

TIMED_OUT, CANCELLED, MISMATCH, WRONG_LENGTH = b"\x64\x00", b"\x64\x01", b"\x64\x02", b"\x64\x03"
"""What a pad answers in the card's place (PC/SC part 10, 2.6.1)."""

_VERIFY = struct.Struct("<BBBBBHBBHB3sI")
_MODIFY = struct.Struct("<BBBBBBBHBBBHBBB3sI")
_IN_BYTES, _RIGHT_JUSTIFIED, _ASCII = 0x80, 0x04, 0x02
_VALIDATION_KEY = 0x02
_CONFIRM_NEW, _ASK_OLD = 0x01, 0x02
_HEADER_AND_LC = 5


@dataclass(frozen=True, slots=True)
class _Form:
    """How PINs go into a command.

    Args:
        shortest, longest: digits of each.
        block: bytes of each PIN's block.
        command: template of the command.
    """

    shortest: int
    longest: int
    block: int
    command: bytes

    def takes(self, digits: str) -> bool:
        """Whether a PIN has the right number of digits."""
        return self.shortest <= len(digits) <= self.longest

    def has_room(self, position: int) -> bool:
        """Whether a block at that position is within the command's data."""
        return _HEADER_AND_LC + position + self.block <= len(self.command)

    def filled(self, digits: Mapping[int, str]) -> bytes:
        """The command with digits at their positions; what they do not fill stays as the template has it."""
        command = bytearray(self.command)
        for position, pin in digits.items():
            start = _HEADER_AND_LC + position
            command[start : start + len(pin)] = pin.encode("ascii")
        return bytes(command)


def _form(form_string: int, block: int, length_form: int, digits: int, validation: int, command: bytes) -> _Form:
    """What both structures say of their PINs, of the forms that a pad with ASCII digits takes.

    Raises: ``ScardError`` (SCARD_E_INVALID_PARAMETER).
    """
    form = _Form(digits >> 8, digits & 0xFF, block & 0x0F, command)
    known = form_string & (_IN_BYTES | _RIGHT_JUSTIFIED | 0x03) == _IN_BYTES | _ASCII
    plain = not length_form and not block >> 4 and validation == _VALIDATION_KEY
    if not (known and plain and form.shortest <= form.longest <= form.block):
        raise ScardError(C.SCARD_E_INVALID_PARAMETER)
    return form


def _command(raw: bytes, structure: struct.Struct) -> bytes:
    """The template behind a structure, which is as long as the structure's last field says.

    Raises: ``ScardError`` (SCARD_E_INVALID_PARAMETER).
    """
    if len(raw) < structure.size or len(raw) - structure.size != structure.unpack_from(raw)[-1]:
        raise ScardError(C.SCARD_E_INVALID_PARAMETER)
    return raw[structure.size :]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A PIN_VERIFY_STRUCTURE: one PIN, at a position of the data field."""

    form: _Form
    position: int

    @classmethod
    def parse(cls, raw: bytes) -> _Entry:
        """Raises: ``ScardError`` (SCARD_E_INVALID_PARAMETER)."""
        command = _command(raw, _VERIFY)
        (_, _, form_string, block, length_form, digits, validation, *_) = _VERIFY.unpack_from(raw)
        form = _form(form_string, block, length_form, digits, validation, command)
        entry = cls(form, form_string >> 3 & 0x0F)
        if not form.has_room(entry.position):
            raise ScardError(C.SCARD_E_INVALID_PARAMETER)
        return entry

    def typed(self, read: Callable[[], str]) -> bytes:
        """The command with what the user types. Raises: ``_Refused``."""
        digits = read()
        if not self.form.takes(digits):
            raise _Refused(WRONG_LENGTH)
        return self.form.filled({self.position: digits})


@dataclass(frozen=True, slots=True)
class _Change:
    """A PIN_MODIFY_STRUCTURE: a new PIN, perhaps typed twice, perhaps with the present one before it."""

    form: _Form
    old: int | None
    new: int
    confirmed: bool

    @classmethod
    def parse(cls, raw: bytes) -> _Change:
        """Raises: ``ScardError`` (SCARD_E_INVALID_PARAMETER)."""
        command = _command(raw, _MODIFY)
        (_, _, form_string, block, length_form, old, new, digits, wanted, validation, messages, *_) = (
            _MODIFY.unpack_from(raw)
        )
        form = _form(form_string, block, length_form, digits, validation, command)
        change = cls(form, old if wanted & _ASK_OLD else None, new, bool(wanted & _CONFIRM_NEW))
        entries = 1 + bool(wanted & _ASK_OLD) + bool(wanted & _CONFIRM_NEW)
        room = form.has_room(new) and (change.old is None or form.has_room(old))
        if not room or messages != entries or wanted & ~(_ASK_OLD | _CONFIRM_NEW):
            raise ScardError(C.SCARD_E_INVALID_PARAMETER)
        return change

    def typed(self, read: Callable[[], str]) -> bytes:
        """The command with what the user types. Raises: ``_Refused``."""
        digits = {}
        for position in (self.old, self.new):
            if position is not None:
                digits[position] = read()
                if not self.form.takes(digits[position]):
                    raise _Refused(WRONG_LENGTH)
        if self.confirmed and read() != digits[self.new]:
            raise _Refused(MISMATCH)
        return self.form.filled(digits)


class _Refused(Exception):
    """The pad answers in the card's place, with this status word."""

    def __init__(self, status_word: bytes) -> None:
        super().__init__(status_word.hex())
        self.status_word = status_word


class PinPad:
    """Keys, and who waits for them. Made by ``InProcessReader.add_pin_pad``.

    Args:
        manager: whose lock guards it.
        changes_pins: it has FEATURE_MODIFY_PIN_DIRECT, too.
    """

    def __init__(self, manager: Manager, *, changes_pins: bool = True) -> None:
        self._manager = manager
        self._features = {_TAG_VERIFY_PIN_DIRECT: VERIFY_PIN_DIRECT}
        if changes_pins:
            self._features[_TAG_MODIFY_PIN_DIRECT] = MODIFY_PIN_DIRECT
        self._pressed: deque[bytes | str] = deque()
        self._waiting = False

    def enter(self, digits: str) -> None:
        """Press digits and OK, for one PIN; before it is asked for, as well: the pad takes them then."""
        self._press(digits)

    def cancel(self) -> None:
        """Press the cancel key."""
        self._press(CANCELLED)

    def time_out(self) -> None:
        """Let the time for the entry pass."""
        self._press(TIMED_OUT)

    def keys_waiting(self) -> tuple[bytes | str, ...]:
        """Return what was pressed and not taken yet: digits, or the pad's own answer."""
        with self._manager.lock:
            return tuple(self._pressed)

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
            return b"".join(bytes((tag, 4)) + each.to_bytes(4, "big") for tag, each in self._features.items())
        if code not in self._features.values():
            raise ScardError(C.SCARD_E_UNSUPPORTED_FEATURE)
        entry = _Entry.parse(data) if code == VERIFY_PIN_DIRECT else _Change.parse(data)
        try:
            command = entry.typed(lambda: self._next_digits(handle))
        except _Refused as refused:
            return refused.status_word
        return transmit(command)

    def _next_digits(self, handle: Handle) -> str:
        pressed = self._next_key(handle)
        if isinstance(pressed, bytes):
            raise _Refused(pressed)
        return pressed

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
