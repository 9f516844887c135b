"""A token in a process of its own, driven as a card."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from cardd_drivers.contract import (
    AlgorithmNotSupported,
    Assurance,
    Capabilities,
    CardError,
    CardKind,
    DecipherAlgorithm,
    DecipherFailed,
    Identity,
    KeyName,
    KeyNotFound,
    MalformedCardData,
    ObjectNotFound,
    PadRefusal,
    PinBlocked,
    PinError,
    PinFormat,
    PinIncorrect,
    PinPadFailed,
    PinRules,
    PinStatus,
    SecurityStatusNotSatisfied,
    SignatureAlgorithm,
)
from cardd_drivers.isolated.certificates import TokenCertificate, certificates_by_use
from cardd_drivers.isolated.description import Description
from cardd_drivers.isolated.messages import Ask, Fault
from cardd_drivers.isolated.process import Refusal, TokenProcess
from cardd_drivers.secret_memory import SecretBytes, wipe

_SIGNING = (KeyName.AUTHENTICATION, KeyName.SIGNATURE)
_ERRORS: Mapping[Fault, type[CardError]] = {
    Fault.PIN_BLOCKED: PinBlocked,
    Fault.PIN_FORMAT: PinFormat,
    Fault.NOT_LOGGED_IN: SecurityStatusNotSatisfied,
    Fault.NO_KEY: KeyNotFound,
    Fault.NO_OBJECT: ObjectNotFound,
    Fault.NO_ALGORITHM: AlgorithmNotSupported,
    Fault.DECIPHER_FAILED: DecipherFailed,
}


class IsolatedCard:
    """A `cardd_drivers.contract.Card`.

    Args:
        process: where the token is.
        kind: what it is.
        checkpoint: called before each request.
    """

    def __init__(self, process: TokenProcess, kind: CardKind, checkpoint: Callable[[], None]) -> None:
        self._process = process
        self._kind = kind
        self._checkpoint = checkpoint
        self._description: Description | None = None
        self._certificates: Mapping[KeyName, TokenCertificate] | None = None
        self._verified = False

    def identify(self) -> Identity:
        """Name the token by its serial number; where it has none, by its certificates."""
        about = self._described()
        serial = about.serial or self._digest_of_certificates()
        assurance = Assurance.DEVICE if about.hardware else Assurance.SOFTWARE
        return Identity(serial, self._kind, about.label, assurance)

    def read_certificate(self, key: KeyName) -> bytes:
        """The DER certificate of a key."""
        found = self._by_use().get(key)
        if found is None:
            raise ObjectNotFound(key.value)
        return found.der

    def read_object(self, label: str) -> bytes:
        """A data object by its label."""
        return bytes(self._ask(Ask.OBJECT, label.encode())[0])

    def pin_status(self) -> PinStatus:
        """Tries left, as far as the token says."""
        return PinStatus(self._tries_left(), self._verified)

    def puk_status(self) -> PinStatus:
        """A token's security officer is not its holder: what unblocks it is its maker's tool."""
        raise ObjectNotFound("no PUK")

    def verify_pin(self, pin: SecretBytes) -> None:
        """Log in; once on each connection."""
        self._ask(Ask.LOGIN, pin)
        self._verified = True

    def verify_pin_on_pad(self) -> None:
        """Never asked for: a token is in no reader with a PIN pad of ours."""
        raise PinPadFailed(PadRefusal.CANCELLED)

    def change_pin_on_pad(self) -> None:
        """Never asked for, as `verify_pin_on_pad`."""
        raise PinPadFailed(PadRefusal.CANCELLED)

    def unblock_pin_on_pad(self) -> None:
        """Never asked for, as `verify_pin_on_pad`."""
        raise PinPadFailed(PadRefusal.CANCELLED)

    def change_pin(self, old: SecretBytes, new: SecretBytes) -> None:
        """Replace the PIN."""
        self._ask(Ask.SET_PIN, old, new)

    def unblock_pin(self, puk: SecretBytes, new: SecretBytes) -> None:
        """See `puk_status`."""
        del puk, new
        raise ObjectNotFound("no PUK")

    def sign(self, key: KeyName, algorithm: SignatureAlgorithm, digest: bytes) -> bytes:
        """Sign a SHA-256 digest."""
        if key not in _SIGNING:
            raise KeyNotFound(key.value)
        return bytes(self._ask(Ask.SIGN, self._key(key), algorithm.value.encode(), digest)[0])

    def decipher(self, key: KeyName, algorithm: DecipherAlgorithm, cryptogram: bytes) -> bytearray:
        """Decipher one block."""
        if key is not KeyName.ENCRYPTION:
            raise KeyNotFound(key.value)
        (found,) = self._ask(Ask.DECIPHER, self._key(key), algorithm.value.encode(), cryptogram)
        try:
            return bytearray(found)
        finally:
            wipe(found)

    def authenticate(self, key: KeyName, challenge: bytes) -> bytes:
        """Sign the challenge's SHA-256 (RS256)."""
        return self.sign(key, SignatureAlgorithm.RS256, hashlib.sha256(challenge).digest())

    def capabilities(self) -> Capabilities:
        """What the token can do with the keys that it has certificates of."""
        about = self._described()
        keys = self._by_use()
        rules = PinRules(about.pin_minimum, about.pin_maximum, digits_only=False) if about.pin_maximum else None
        return Capabilities(
            signature={key: about.signature for key in _SIGNING if key in keys and about.signature},
            decipher=about.decipher if KeyName.ENCRYPTION in keys else frozenset(),
            pin=rules,
            puk=None,
        )

    def _described(self) -> Description:
        if self._description is None:
            self._description = Description.parse(self._ask(Ask.DESCRIBE))
        return self._description

    def _by_use(self) -> Mapping[KeyName, TokenCertificate]:
        if self._certificates is None:
            self._certificates = certificates_by_use(
                self._certificate(position) for position in range(self._described().certificates)
            )
        return self._certificates

    def _certificate(self, position: int) -> TokenCertificate:
        key, der = self._fields(self._ask(Ask.CERTIFICATE, b"%d" % position), 2)
        return TokenCertificate(bytes(key), bytes(der))

    def _digest_of_certificates(self) -> str:
        keys = sorted(one.der for one in self._by_use().values())
        return hashlib.sha256(b"".join(keys)).hexdigest()[:32]

    def _key(self, key: KeyName) -> bytes:
        found = self._by_use().get(key)
        if found is None:
            raise KeyNotFound(key.value)
        return found.key

    def _tries_left(self) -> int | None:
        (text,) = self._fields(self._ask(Ask.PIN_STATE), 1)
        try:
            return int(bytes(text)) if text else None
        except ValueError:
            raise MalformedCardData("the tries left are no number") from None

    def _ask(self, what: Ask, *fields: bytes | SecretBytes) -> list[memoryview]:
        self._checkpoint()
        try:
            return self._process.ask(what, *fields)
        except Refusal as refusal:
            if refusal.fault is Fault.PIN_INCORRECT:
                raise PinIncorrect(self._tries_left()) from None
            kind = _ERRORS[refusal.fault]
            raise (kind() if issubclass(kind, PinError) else kind(refusal.detail)) from refusal

    @staticmethod
    def _fields(found: list[memoryview], wanted: int) -> list[memoryview]:
        if len(found) != wanted:
            raise MalformedCardData(f"{len(found)} fields instead of {wanted}")
        return found
