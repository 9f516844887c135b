"""A card as small as can be, and its driver, for tests of what stands between them and the daemon."""

from __future__ import annotations

import threading
from collections.abc import Callable

from cardd_drivers.apdu import SW, Command, Secrecy
from cardd_drivers.contract import (
    Capabilities,
    Card,
    CardKind,
    Channel,
    DecipherAlgorithm,
    Identity,
    KeyName,
    Match,
    Memory,
    ObjectNotFound,
    PinBlocked,
    PinIncorrect,
    PinRules,
    PinStatus,
    SecurityStatusNotSatisfied,
    SignatureAlgorithm,
    UnexpectedResponse,
)
from cardd_drivers.secret_memory import SecretBytes
from cardsim.card import CardProtocol

ATR = bytes.fromhex("3B021450")
PIN = b"1234"


class SmallCard:
    """A `cardsim.card.SimulatedCard`: a serial number, a PIN, and a signature that needs it.

    Args:
        serial: 8 ASCII characters.
        atr: answer to reset.
    """

    def __init__(self, serial: str = "SERIAL-1", atr: bytes = ATR) -> None:
        self.serial = serial
        self.atr = atr
        self.protocol = CardProtocol.T0
        self.verified = False
        self.tries = 3
        self.resets = 0
        self.commands: list[bytes] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.computing = threading.Event()

    def power_on(self) -> bytes:
        """Reset."""
        self.verified = False
        self.resets += 1
        return self.atr

    def power_off(self) -> None:
        """Lose power."""
        self.verified = False

    def transmit(self, command: bytes) -> bytes:
        """Answer."""
        self.commands.append(command)
        self.computing.set()
        self.may_answer.wait()
        match command[1]:
            case 0xB0:
                return self.serial.encode() + b"\x90\x00"
            case 0x20 if command[4]:
                return self._verify(command[5 : 5 + command[4]])
            case 0x20:
                return (0x9000 if self.verified else 0x63C0 + self.tries).to_bytes(2, "big")
            case 0x2A:
                return b"signature\x90\x00" if self.verified else b"\x69\x82"
        return b"\x6d\x00"

    def _verify(self, pin: bytes) -> bytes:
        if not self.tries:
            return b"\x69\x83"
        self.verified = pin == PIN
        self.tries = 3 if self.verified else self.tries - 1
        return b"\x90\x00" if self.verified else (0x63C0 + self.tries).to_bytes(2, "big")


class SmallCardDriven:
    """A `cardd_drivers.contract.Card` for it: one command an operation."""

    def __init__(self, channel: Channel, memory: Memory) -> None:
        self._channel = channel
        self._memory = memory
        self._serial = ""

    def identify(self) -> Identity:
        response = self._channel.transmit(Command(0, 0xB0, 0x9C, 0, le=8))
        if response.sw != SW.SUCCESS:
            raise UnexpectedResponse(response.sw, Command(0, 0xB0, 0x9C, 0, le=8))
        self._serial = response.data.decode("ascii", "replace")
        return Identity(self._serial, CardKind.OTHER)

    def read_certificate(self, key: KeyName) -> bytes:
        known = self._memory.get(self._serial, key)
        if known is not None:
            return known
        if key is not KeyName.AUTHENTICATION:
            raise ObjectNotFound(key)
        self._channel.transmit(Command(0, 0xB0, 0, 0, le=8))
        certificate = b"certificate of " + self._serial.encode()
        self._memory.put(self._serial, key, certificate)
        return certificate

    def read_object(self, label: str) -> bytes:
        raise ObjectNotFound(label)

    def pin_status(self) -> PinStatus:
        response = self._channel.transmit(Command(0, 0x20, 0, 1))
        return PinStatus(response.sw.tries_left, verified=response.sw == SW.SUCCESS)

    def puk_status(self) -> PinStatus:
        raise ObjectNotFound("PUK")

    def verify_pin(self, pin: SecretBytes) -> None:
        response = self._channel.transmit(Command(0, 0x20, 0, 1, pin, secrecy=Secrecy.SECRET_DATA))
        if response.sw == SW.AUTHENTICATION_METHOD_BLOCKED:
            raise PinBlocked
        if response.sw != SW.SUCCESS:
            raise PinIncorrect(response.sw.tries_left)

    def verify_pin_on_pad(self) -> None:
        raise NotImplementedError

    def change_pin(self, old: SecretBytes, new: SecretBytes) -> None:
        raise NotImplementedError

    def change_pin_on_pad(self) -> None:
        raise NotImplementedError

    def unblock_pin_on_pad(self) -> None:
        raise NotImplementedError

    def unblock_pin(self, puk: SecretBytes, new: SecretBytes) -> None:
        raise NotImplementedError

    def sign(self, key: KeyName, algorithm: SignatureAlgorithm, digest: bytes) -> bytes:
        command = Command(0, 0x2A, 0x9E, 0x9A, le=256)
        response = self._channel.transmit(command)
        if response.sw == SW.SECURITY_STATUS_NOT_SATISFIED:
            raise SecurityStatusNotSatisfied
        if response.sw != SW.SUCCESS:
            raise UnexpectedResponse(response.sw, command)
        return response.data

    def decipher(self, key: KeyName, algorithm: DecipherAlgorithm, cryptogram: bytes) -> bytearray:
        raise NotImplementedError

    def authenticate(self, key: KeyName, challenge: bytes) -> bytes:
        return self.sign(key, SignatureAlgorithm.RS256, challenge)

    def capabilities(self) -> Capabilities:
        return Capabilities({}, frozenset(), PinRules(4, 8, digits_only=True), None)


class SmallDriver:
    """A `cardd_drivers.contract.Driver` for it."""

    def __init__(
        self,
        name: str = "small",
        matches: Callable[[bytes], Match] = lambda atr: Match.CERTAIN if atr == ATR else Match.NO,
        *,
        probe: bool = True,
    ) -> None:
        self.name = name
        self.probes = 0
        self._matches = matches
        self._probe = probe

    def matches(self, atr: bytes) -> Match:
        return self._matches(atr)

    def probe(self, channel: Channel) -> bool:
        self.probes += 1
        channel.transmit(Command(0, 0xB0, 0x9C, 0, le=8))
        return self._probe

    def open(self, channel: Channel, memory: Memory) -> Card:
        return SmallCardDriven(channel, memory)


def sign(card: Card) -> bytes:
    """An operation."""
    return card.sign(KeyName.SIGNATURE, SignatureAlgorithm.RS256, bytes(32))


def verify(card: Card) -> None:
    """An operation that presents the right PIN."""
    card.verify_pin(bytearray(PIN))
