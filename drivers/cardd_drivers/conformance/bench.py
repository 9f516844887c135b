"""Where a card lies under test: a channel that sees all, a memory that keeps all, and steps through the contract."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import methodcaller
from typing import TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding

from cardd_drivers.apdu import Command, Response, Secrecy
from cardd_drivers.conformance.subject import Subject
from cardd_drivers.contract import (
    Capabilities,
    Card,
    Channel,
    DecipherAlgorithm,
    KeyName,
    SecurityStatusNotSatisfied,
    SignatureAlgorithm,
    Transport,
)

MEMORY_MAX = 64 * 1024
"""Bytes that the contract lets a memory keep under one name."""
COMMANDS_MOST = 20_000
"""That all steps of a test may take: some thirty, and a response without end takes `exchange` hundreds of commands."""
DIGEST = hashlib.sha256(b"a document").digest()
CRYPTOGRAM = bytes(256)
ENCRYPTION_PADDINGS: dict[DecipherAlgorithm, AsymmetricPadding] = {
    DecipherAlgorithm.RSA1_5: padding.PKCS1v15(),
    DecipherAlgorithm.RSA_OAEP_256: padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None),
}
_INTERINDUSTRY = 0x80
"""Clear in the class byte of a command of ISO 7816-4 (5.4.1)."""
_PIN_INSTRUCTIONS = frozenset({0x20, 0x21, 0x24, 0x25, 0x2C, 0x2D})
"""VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER (ISO 7816-4, 11.5)."""

Instead = Callable[[int, Command], Response | None]
"""From a command and its number to what is answered in the card's place; None lets the card answer."""
After = Callable[[int, Response], Response]
"""What becomes of the card's answer."""
Step = Callable[[Card], object]

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Sent:
    """One command as the driver gave it, and its data as it was then."""

    command: Command
    data: bytes

    @property
    def presents_secret(self) -> bool:
        """Whether it may cost a try: it says that it is secret, or it is a PIN command of ISO 7816-4 with data."""
        command = self.command
        standard = not command.cla & _INTERINDUSTRY and command.ins in _PIN_INSTRUCTIONS
        secret = command.secrecy is Secrecy.SECRET_DATA or command.entry is not None
        return bool(self.data) and (secret or standard)


class WatchedChannel:
    """A channel that keeps what was sent, and may answer in the card's place.

    Args:
        way: to the card.
        instead: see `Instead`; it may raise an error of the channel.
        after: see `After`.
    """

    def __init__(self, way: Channel, instead: Instead | None = None, after: After | None = None) -> None:
        self._way = way
        self._instead = instead
        self._after = after
        self.sent: list[Sent] = []

    @property
    def atr(self) -> bytes:
        """The card's."""
        return self._way.atr

    @property
    def transport(self) -> Transport:
        """The card's."""
        return self._way.transport

    def transmit(self, command: Command) -> Response:
        """Send one command, unless there were too many."""
        number = len(self.sent)
        if number >= COMMANDS_MOST:
            pytest.fail(f"the driver does not come to an end: {COMMANDS_MOST} commands, the last is {command!r}")
        self.sent.append(Sent(command, bytes(command.data)))
        response = self._instead(number, command) if self._instead else None
        if response is None:
            response = self._way.transmit(command)
        return self._after(number, response) if self._after else response

    @property
    def presented(self) -> list[Sent]:
        """The commands that may cost a try."""
        return [sent for sent in self.sent if sent.presents_secret]


class KeptMemory:
    """A memory that keeps what it is given, and fails the test where that is more than the contract allows."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], bytes] = {}

    def get(self, serial: str, name: str) -> bytes | None:
        """As the contract has it."""
        return self.kept.get((serial, name))

    def put(self, serial: str, name: str, value: bytes) -> None:
        """As the contract has it."""
        if len(value) > MEMORY_MAX:
            pytest.fail(f"the driver remembers {len(value)} bytes as {name!r}: the contract allows {MEMORY_MAX}")
        self.kept[serial, name] = bytes(value)

    def forget(self, serial: str) -> None:
        """As the contract has it."""
        self.kept = {key: value for key, value in self.kept.items() if key[0] != serial}


@dataclass(frozen=True, slots=True)
class Inserted:
    """A card in its reader, open and not asked for anything yet."""

    subject: Subject
    channel: WatchedChannel
    memory: KeptMemory
    card: Card

    def verify(self) -> None:
        """Present the right PIN, if the card has one."""
        if self.subject.pin is not None:
            self.card.verify_pin(bytearray(self.subject.pin))

    def verified(self, use: Callable[[], _Result]) -> _Result:
        """Use a key, with the PIN again where the card wants it for each use."""
        try:
            return use()
        except SecurityStatusNotSatisfied:
            self.verify()
            return use()


def public_key(inserted: Inserted, key: KeyName) -> rsa.RSAPublicKey:
    """The key of a certificate of the card."""
    found = x509.load_der_x509_certificate(inserted.card.read_certificate(key)).public_key()
    assert isinstance(found, rsa.RSAPublicKey)
    return found


def useful_keys(can: Capabilities) -> tuple[KeyName, ...]:
    """The keys that can do something."""
    deciphers = (KeyName.ENCRYPTION,) if can.decipher else ()
    possession = (can.possession,) if can.possession else ()
    return tuple(dict.fromkeys((*can.signature, *deciphers, *possession)))


def insert(
    subject: Subject, memory: KeptMemory | None = None, instead: Instead | None = None, after: After | None = None
) -> Inserted:
    """Put the card in.

    Args:
        subject: driver and card.
        memory: what is known of it; nothing where it is left out.
        instead, after: see `WatchedChannel`.
    """
    channel = WatchedChannel(subject.insert(), instead, after)
    kept = memory or KeptMemory()
    return Inserted(subject, channel, kept, subject.driver.open(channel, kept))


def steps_without_pin(subject: Subject) -> Iterator[Step]:
    """Every use of the contract that may not cost a try."""
    yield lambda card: card.identify()
    for key in KeyName:
        yield methodcaller("read_certificate", key)
    for label in (*subject.objects, "no such object"):
        yield methodcaller("read_object", label)
    yield lambda card: card.pin_status()
    yield lambda card: card.puk_status()
    for key in KeyName:
        yield methodcaller("authenticate", key, b"a challenge")
        for signing in SignatureAlgorithm:
            yield methodcaller("sign", key, signing, DIGEST)
        for deciphering in DecipherAlgorithm:
            yield methodcaller("decipher", key, deciphering, CRYPTOGRAM)
