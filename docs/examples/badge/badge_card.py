"""A badge for the tests of its driver: a channel that answers as the card does."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from cardd_drivers.apdu import Command, Response, StatusWord
from cardd_drivers.contract import Transport

PIN, TRIES, SERIAL = b"123456", 3, b"00000042"
ATR = bytes.fromhex("3B86800162616467650163")
AID = bytes.fromhex("F06261646765")
KEY = rsa.generate_private_key(65537, 2048)
SUCCESS, DENIED, BLOCKED, WRONG_DATA, NOT_FOUND, OFFSET = 0x9000, 0x6982, 0x6983, 0x6A80, 0x6A82, 0x6B00
DIGEST_INFO = bytes.fromhex("3031300D060960864801650304020105000420")  # of SHA-256 (RFC 8017 9.2)


def _certificate() -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A member")])
    day = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder(name, name, KEY.public_key(), 42, day, day + datetime.timedelta(days=3650))
    return made.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


FILES = {0x81: SERIAL, 0x82: _certificate()}


class Badge:
    """One badge: what it keeps without power, and what it answers while it has some."""

    atr = ATR
    transport = Transport.T1

    def __init__(self) -> None:
        self._pin, self._tries = PIN.ljust(8, b"\xff"), TRIES
        self.reset()

    def reset(self) -> Badge:
        """Take its power for a moment."""
        self._selected, self._verified, self._file = False, False, b""
        return self

    def transmit(self, command: Command) -> Response:
        """Answer one command."""
        data = bytes(command.data)
        if command.ins == 0xA4:
            self._selected = data == AID
            return _answer(SUCCESS if self._selected else NOT_FOUND)
        if not self._selected:
            return _answer(NOT_FOUND)
        match command.ins:
            case 0xB0:
                return self._read(command)
            case 0x20 if not data:
                return _answer(SUCCESS if self._verified else self._counter())
            case 0x20 | 0x24:
                return self._compare(data[:8], data[8:])
            case 0x2A:
                return self._sign(data)
            case _:
                return _answer(0x6D00)

    def _read(self, command: Command) -> Response:
        offset = command.p1 << 8 | command.p2
        if command.p1 & 0x80:
            self._file, offset = FILES.get(command.p1, b""), command.p2
        if offset >= len(self._file):
            return _answer(OFFSET)
        return _answer(SUCCESS, self._file[offset : offset + (command.le or 0)])

    def _counter(self) -> int:
        return 0x63C0 | self._tries if self._tries else BLOCKED

    def _compare(self, presented: bytes, new: bytes) -> Response:
        self._verified = bool(self._tries) and presented == self._pin
        if not self._verified:
            self._tries = max(0, self._tries - 1)
            return _answer(self._counter())
        self._tries, self._pin = TRIES, new or self._pin
        return _answer(SUCCESS)

    def _sign(self, data: bytes) -> Response:
        if not self._verified:
            return _answer(DENIED)
        if len(data) != len(DIGEST_INFO) + 32 or not data.startswith(DIGEST_INFO):
            return _answer(WRONG_DATA)
        made = KEY.sign(data[len(DIGEST_INFO) :], padding.PKCS1v15(), utils.Prehashed(hashes.SHA256()))
        return _answer(SUCCESS, made)


def _answer(word: int, data: bytes = b"") -> Response:
    return Response(data, StatusWord(word))
