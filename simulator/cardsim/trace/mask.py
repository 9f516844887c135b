"""Hides what must never be kept of an exchange: PINs, PUKs, keys, plaintexts; at wish what only the PIN opens."""

from __future__ import annotations

_VERIFY, _VERIFY_BER, _CHANGE, _RESET_RETRY_COUNTER = 0x20, 0x21, 0x24, 0x2C
_PUT_DATA, _PUT_DATA_BER, _ENVELOPE = 0xDA, 0xDB, 0xC2
# Their data fields are PINs, PUKs and keys, or may wrap a command that has them (ISO 7816-4, 11.5 and 11.4.2).
_SECRET_DATA = frozenset({_VERIFY, _VERIFY_BER, _CHANGE, _RESET_RETRY_COUNTER, _PUT_DATA, _PUT_DATA_BER, _ENVELOPE})
_GET_RESPONSE = 0xC0
_PERFORM_SECURITY_OPERATION, _DECIPHER = 0x2A, (0x80, 0x86)
_READS = frozenset({0xB0, 0xB1, 0xB2, 0xB3, 0xCA, 0xCB})
_LC = 4
_SW_LENGTH = 2
_SUCCESS = b"\x90\x00"


class Mask:
    """Looks at all exchanges of one card, in order, and hides as they go by.

    Args:
        protected_reads: hide what was read after a successful VERIFY too: nobody can tell from outside which of it the
            PIN had opened, so all of it until the card is reset.
    """

    def __init__(self, *, protected_reads: bool = False) -> None:
        self._protected_reads = protected_reads
        self._verified = False
        # The answer that GET RESPONSE fetches is that of a command whose answer is hidden.
        self._secret_waits = False

    def reset(self) -> None:
        """The card was reset: its PIN is to be verified anew."""
        self._verified = self._secret_waits = False

    def hide(self, command: bytes, answer: bytes) -> tuple[bytes, bytes, bool]:
        """Return command and answer with secret bytes as zeros, and whether there were any.

        Args:
            command: any bytes; those that are no command are hidden behind what may be a header.
            answer: response data and status word; empty where none came.
        """
        ins = command[1] if len(command) >= _LC else None
        hidden = command
        if ins is None or ins in _SECRET_DATA:
            hidden = _hide_data(command)
        shown = answer
        if self._answer_is_secret(command, ins):
            shown = bytes(max(len(answer) - _SW_LENGTH, 0)) + answer[-_SW_LENGTH:]
        if ins in (_VERIFY, _VERIFY_BER) and answer == _SUCCESS:
            self._verified = True
        return hidden, shown, (hidden, shown) != (command, answer)

    def _answer_is_secret(self, command: bytes, ins: int | None) -> bool:
        if ins == _GET_RESPONSE:
            return self._secret_waits
        deciphers = ins == _PERFORM_SECURITY_OPERATION and tuple(command[2:4]) == _DECIPHER
        self._secret_waits = deciphers or (self._protected_reads and self._verified and ins in _READS)
        return self._secret_waits


def _hide_data(command: bytes) -> bytes:
    """Zeros behind the length field: one byte, or three where the first is 00 (ISO 7816-4, 5.2)."""
    extended = len(command) > _LC + 3 and command[_LC] == 0
    kept = _LC + (3 if extended else 1)
    return command[:kept] + bytes(max(len(command) - kept, 0))
