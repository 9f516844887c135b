"""A start for the driver of a simple card: it speaks as ISO 7816-4 has it, and lacks what its driver does not add."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from cardd_drivers.apdu import Command, NewPinEntry, PinEntry, Secrecy
from cardd_drivers.contract import (
    AlgorithmNotSupported,
    Channel,
    DecipherAlgorithm,
    ErrorReference,
    KeyName,
    ObjectNotFound,
    PinFormat,
    PinRules,
    PinStatus,
    SignatureAlgorithm,
)
from cardd_drivers.exchange import Exchange
from cardd_drivers.ias_ecc import pin as words
from cardd_drivers.ias_ecc.refusal import require_success
from cardd_drivers.secret_memory import SecretBytes, secret_room, wipe


class SimpleCard:
    """A card with one PIN of digits at most, in a block padded on the right with FF; without PUK, data objects and
    deciphering. A driver's card inherits it and adds `identify`, `capabilities`, `read_certificate` and `sign`.

    Args:
        channel: the way to the card.
    """

    pin_rules = PinRules(4, 8, digits_only=True)
    """What the PIN may look like; `maximum` is also the length of its block, 15 at most."""
    pin_reference = 0x01
    """P2 of VERIFY and CHANGE REFERENCE DATA (ISO 7816-4, 11.5)."""

    def __init__(self, channel: Channel) -> None:
        self._exchange = Exchange(channel)

    def ask(self, command: Command) -> bytes:
        """The data of a response with 9000.

        Raises:
            The channel's errors, SecurityStatusNotSatisfied, UnexpectedResponse, MalformedCardData.
        """
        response = self._exchange.send(command)
        require_success(response, command)
        return response.data

    def read_object(self, label: str) -> bytes:
        """None is there: ObjectNotFound."""
        raise ObjectNotFound(f"the card has no data objects: {label!r}")

    def pin_status(self) -> PinStatus:
        """Tries left, by an empty VERIFY (ISO 7816-4, 11.5.6)."""
        command = Command(0x00, 0x20, 0x00, self.pin_reference)
        return words.status(self._exchange.send(command), command)

    def puk_status(self) -> PinStatus:
        """None is there: ObjectNotFound."""
        raise ObjectNotFound("the card has no PUK")

    def verify_pin(self, pin: SecretBytes) -> None:
        """VERIFY."""
        self._present(Command(0x00, 0x20, 0x00, self.pin_reference), pin)

    def verify_pin_on_pad(self) -> None:
        """VERIFY with the PIN that the user types on the reader."""
        rules = self.pin_rules
        entry = PinEntry(rules.minimum, rules.maximum, position=0, block=rules.maximum)
        self._present_by_pad(Command(0x00, 0x20, 0x00, self.pin_reference, entry=entry), 1)

    def change_pin_on_pad(self) -> None:
        """CHANGE REFERENCE DATA with both, which the user types on the reader."""
        rules = self.pin_rules
        entry = NewPinEntry(rules.minimum, rules.maximum, block=rules.maximum, old=0, new=rules.maximum)
        self._present_by_pad(Command(0x00, 0x24, 0x00, self.pin_reference, entry=entry), 2)

    def unblock_pin_on_pad(self) -> None:
        """No PUK is there: ObjectNotFound."""
        raise ObjectNotFound("the card has no PUK")

    def change_pin(self, old: SecretBytes, new: SecretBytes) -> None:
        """CHANGE REFERENCE DATA with both (ISO 7816-4, 11.5.7)."""
        self._present(Command(0x00, 0x24, 0x00, self.pin_reference), old, new)

    def unblock_pin(self, puk: SecretBytes, new: SecretBytes) -> None:
        """No PUK is there: ObjectNotFound."""
        raise ObjectNotFound("the card has no PUK")

    def sign(self, key: KeyName, algorithm: SignatureAlgorithm, digest: bytes) -> bytes:
        """No key is there, until a driver has one: AlgorithmNotSupported."""
        raise AlgorithmNotSupported(f"the {key} key does not sign {algorithm}")

    def decipher(self, key: KeyName, algorithm: DecipherAlgorithm, cryptogram: bytes) -> bytearray:
        """No key is there: AlgorithmNotSupported."""
        raise AlgorithmNotSupported(f"the {key} key does not decipher {algorithm}")

    def authenticate(self, key: KeyName, challenge: bytes) -> bytes:
        """RS256 over a challenge, by `sign` with the authentication key alone.

        Raises:
            AlgorithmNotSupported: another key.
        """
        if key is not KeyName.AUTHENTICATION:
            raise AlgorithmNotSupported(f"the {key} key signs no challenge")
        return self.sign(key, SignatureAlgorithm.RS256, hashlib.sha256(challenge).digest())

    def _present(self, command: Command, *secrets: SecretBytes) -> None:
        """Send secrets, each padded to its block; all are judged before the card sees any.

        Raises:
            PinFormat, PinIncorrect, PinBlocked, SecurityStatusNotSatisfied, UnexpectedResponse.
        """
        rules = self.pin_rules
        for secret in secrets:
            digits = all(0x30 <= each <= 0x39 for each in secret) or not rules.digits_only
            if not (digits and rules.minimum <= len(secret) <= rules.maximum):
                raise PinFormat
        block = secret_room(rules.maximum * len(secrets))
        try:
            block[:] = b"\xff" * len(block)
            for start, secret in zip(range(0, len(block), rules.maximum), secrets, strict=True):
                block[start : start + len(secret)] = secret
            command = replace(command, data=block, secrecy=Secrecy.SECRET_DATA)
            words.require_accepted(self._exchange.send(command), command, ErrorReference.PIN)
        finally:
            wipe(block)

    def _present_by_pad(self, command: Command, blocks: int) -> None:
        """Send a command whose PIN blocks the reader fills.

        Raises:
            PinPadFailed, PinIncorrect, PinBlocked, SecurityStatusNotSatisfied, UnexpectedResponse.
        """
        padding = bytearray(b"\xff" * self.pin_rules.maximum * blocks)
        command = replace(command, data=padding, secrecy=Secrecy.SECRET_DATA)
        words.require_accepted(self._exchange.send(command), command, ErrorReference.PIN)
