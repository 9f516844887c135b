"""The card contract: what a driver is given and what it must give.

A driver is synchronous and pure of PC/SC and of D-Bus. It gets a `Channel` to one insertion of one card and gives a
`Card`. It never depends on the daemon; the daemon finds drivers by the entry point group ``cardd.drivers``, each of
which names a `Driver`. Every response of a card is hostile input: a driver raises the errors below and nothing else.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from cardd_drivers.apdu import Command, Response, StatusWord
from cardd_drivers.secret_memory import SecretBytes

CONTRACT_VERSION = 1


class KeyName(enum.StrEnum):
    """The uses of a card's keys. `ENCRYPTION` is the key that deciphers, whatever its certificate's keyUsage says.

    `TECHNICAL` is the key that answers a challenge without a PIN: it proves that the card is there, and nothing of who
    holds it.
    """

    AUTHENTICATION = "authentication"
    SIGNATURE = "signature"
    ENCRYPTION = "encryption"
    TECHNICAL = "technical"


class SignatureAlgorithm(enum.StrEnum):
    """JOSE names (RFC 7518, 3.1)."""

    RS256 = "RS256"
    PS256 = "PS256"


class DecipherAlgorithm(enum.StrEnum):
    """JOSE names (RFC 7518, 4.1)."""

    RSA1_5 = "RSA1_5"
    RSA_OAEP_256 = "RSA-OAEP-256"


class CardKind(enum.StrEnum):
    """What sort of card a driver recognised, as the `Kind` property says it on the bus."""

    CPS3 = "cps3"
    CPS4 = "cps4"
    CPS3_CONTACTLESS = "cps3-contactless"
    PKCS11 = "pkcs11"
    """A token of a PKCS#11 module."""
    SOFTWARE = "software"
    """A key in a file."""
    OTHER = "other"


class Assurance(enum.StrEnum):
    """What keeps the key: the level of proof of a session, as `Level` says it on the bus."""

    CARD = "card"
    """A health professional's card."""
    DEVICE = "device"
    """Another device, that is hardware by its module's own word (CKF_HW_SLOT)."""
    SOFTWARE = "software"
    """A file: whoever has a copy of it and its password can pass for its holder."""


class Transport(enum.StrEnum):
    """The transmission protocol negotiated with the card (ISO 7816-3)."""

    T0 = "T=0"
    T1 = "T=1"


@dataclass(frozen=True, slots=True)
class Identity:
    """What names a card: enough to recognise it again and to name its holder.

    Args:
        serial: the serial number as the card gives it, printable.
        kind: what sort of card.
        label: the card's own label, possibly empty.
        assurance: what keeps its keys.
    """

    serial: str
    kind: CardKind
    label: str = ""
    assurance: Assurance = Assurance.CARD


@dataclass(frozen=True, slots=True)
class PinRules:
    """What a PIN may look like, as the card's directory says.

    Args:
        minimum, maximum: number of characters.
        digits_only: the card takes ASCII digits alone.
    """

    minimum: int
    maximum: int
    digits_only: bool


@dataclass(frozen=True, slots=True)
class PinStatus:
    """How many tries a PIN has left (None when the card does not say) and whether it stands verified now."""

    tries_left: int | None
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a card can do, as far as it is known without asking the card again.

    Args:
        signature: for each key, the algorithms that it signs with.
        decipher: the algorithms of the key that deciphers.
        pin: rules of the holder's PIN; None where the card has no PIN.
        puk: rules of the code that unblocks it; None where there is none.
        possession: the key that answers a challenge of whoever has the card, without a PIN; None where there is none.
    """

    signature: Mapping[KeyName, frozenset[SignatureAlgorithm]]
    decipher: frozenset[DecipherAlgorithm]
    pin: PinRules | None
    puk: PinRules | None
    possession: KeyName | None = None


class Channel(Protocol):
    """The way to one insertion of a card. Blocks; used by one thread.

    `transmit` sends one command APDU as the transmission protocol wants it and returns its response with 61xx and 6Cxx
    left to the driver's own exchange (`cardd_drivers.exchange` has it ready).

    A command with an `entry` goes by the reader's PIN pad.

    Raises (transmit):
        CardRemoved, CardReset, CardMute, ReaderFailure, Cancelled; PinPadFailed for a command with an `entry`.
    """

    @property
    def atr(self) -> bytes:
        """Answer to reset, 2 to 33 bytes."""

    @property
    def transport(self) -> Transport:
        """The negotiated protocol."""

    def transmit(self, command: Command) -> Response:
        """Send one command; wait for its response."""


class Memory(Protocol):
    """What is remembered of a card that was seen before: a hint, never an authority. Holds public data only."""

    def get(self, serial: str, name: str) -> bytes | None:
        """The bytes kept under this card's serial and this name, or None."""

    def put(self, serial: str, name: str, value: bytes) -> None:
        """Keep bytes (64 KiB at most)."""

    def forget(self, serial: str) -> None:
        """Drop all that is kept of this card."""


class Card(Protocol):
    """One card in one reader, driven. Not thread-safe; dead once its channel says so.

    Each method may raise the channel's errors and `UnexpectedResponse`, `MalformedCardData`.
    """

    def identify(self) -> Identity:
        """Name the card with as few exchanges as possible. Called again on a new channel to the same insertion."""

    def read_certificate(self, key: KeyName) -> bytes:
        """The DER certificate of a key, from memory where it is known.

        Raises:
            ObjectNotFound: the card has none.
        """

    def read_object(self, label: str) -> bytes:
        """A data object by its label, as stored.

        Raises:
            ObjectNotFound, SecurityStatusNotSatisfied.
        """

    def pin_status(self) -> PinStatus:
        """Tries left; never costs one."""

    def puk_status(self) -> PinStatus:
        """Tries left of the code that unblocks the PIN; never costs one.

        Raises:
            ObjectNotFound: the card has none.
        """

    def verify_pin(self, pin: SecretBytes) -> None:
        """Present the holder's PIN (characters as bytes). The caller wipes `pin`; a driver copies
        it into a `cardd_drivers.secret_memory.secret_room` alone, and wipes that.

        Raises:
            ObjectNotFound: the card has no PIN, as its capabilities say; nothing is sent. So for all that concern it.
            PinFormat: refused before the card saw it. PinIncorrect, PinBlocked.
        """

    def verify_pin_on_pad(self) -> None:
        """Have the user type the PIN on the reader's PIN pad; asked for where the channel's reader has one.

        The driver sends its VERIFY with `Command.entry` set, its PIN block filled with padding.

        Raises:
            PinPadFailed: the user did not, or typed what cannot be. PinIncorrect, PinBlocked.
        """

    def change_pin(self, old: SecretBytes, new: SecretBytes) -> None:
        """Replace the PIN. Raises as `verify_pin`."""

    def unblock_pin(self, puk: SecretBytes, new: SecretBytes) -> None:
        """Set a new PIN with the unblocking code.

        Raises:
            As `verify_pin`; `PinError.reference` tells whether the PUK or the new PIN is meant.
        """

    def change_pin_on_pad(self) -> None:
        """`change_pin`, with the present PIN and the new one, twice, typed on the reader; as `verify_pin_on_pad`.

        Asked for where the channel's reader changes PINs by its pad. The command that sets the PIN has a
        `Command.entry` of the kind `NewPinEntry`.
        """

    def unblock_pin_on_pad(self) -> None:
        """`unblock_pin`, with the unblocking code and the new PIN, twice, typed on the reader.

        Raises:
            As `change_pin_on_pad`; `PinError.reference` as `unblock_pin`. Once the code was accepted, a new PIN that
            fails (PinPadFailed) leaves the old one as it was.
        """

    def sign(self, key: KeyName, algorithm: SignatureAlgorithm, digest: bytes) -> bytes:
        """Sign a SHA-256 digest (32 bytes).

        Raises:
            KeyNotFound, AlgorithmNotSupported, SecurityStatusNotSatisfied.
        """

    def decipher(self, key: KeyName, algorithm: DecipherAlgorithm, cryptogram: bytes) -> bytearray:
        """Decipher one block as long as the key's modulus; the plaintext is the caller's to wipe.

        Raises:
            KeyNotFound, AlgorithmNotSupported, SecurityStatusNotSatisfied, DecipherFailed.
        """

    def authenticate(self, key: KeyName, challenge: bytes) -> bytes:
        """Prove the key: RSASSA-PKCS1-v1_5 with SHA-256 over the challenge (any length)."""

    def capabilities(self) -> Capabilities:
        """What the card can do; sends nothing. Valid after `identify`."""


class Driver(Protocol):
    """What an entry point of the group ``cardd.drivers`` names."""

    @property
    def name(self) -> str:
        """Short name, as the `Driver` property says it."""

    def matches(self, atr: bytes) -> Match:
        """Judge an ATR; sends nothing."""

    def probe(self, channel: Channel) -> bool:
        """Ask the card itself (SELECT), only where rival drivers match alike."""

    def open(self, channel: Channel, memory: Memory) -> Card:
        """A card on this channel; sends nothing."""


@dataclass(frozen=True, slots=True)
class ReportedCommand:
    """One exchange of a card report.

    Args:
        step: what for, in a few words.
        command: header, data and Le in hexadecimal.
        answer: data in hexadecimal, two dots for each byte that would tell whose card it is.
        status: SW1 SW2, four hexadecimal digits.
    """

    step: str
    command: str
    answer: str
    status: str


@dataclass(frozen=True, slots=True)
class ReportedAnswer:
    """What a card report says to one open question, in English: it is for this project's developers."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class CardReport:
    """What a card answered to questions that cost it nothing."""

    commands: tuple[ReportedCommand, ...]
    answers: tuple[ReportedAnswer, ...]


@runtime_checkable
class CardReporter(Protocol):
    """A driver that also knows what to ask a card of which little is published."""

    def report(self, channel: Channel, *, with_identity: bool) -> CardReport:
        """Ask a card that was just reset, without a PIN.

        Args:
            channel: the way to it.
            with_identity: what identifies card and holder is read and told, too.

        Raises:
            The channel's errors. What the card refuses is part of the report.
        """


class Match(enum.IntEnum):
    """How sure a driver is of an ATR; the highest wins, and equals are settled by `Driver.probe`."""

    NO = 0
    POSSIBLE = 1
    CERTAIN = 2


class ErrorReference(enum.StrEnum):
    """Which secret an error is about."""

    PIN = "pin"
    PUK = "puk"


class CardError(Exception):
    """Base of everything that a driver or a channel raises."""


class CardRemoved(CardError):
    """The card left the reader; nothing that was under way counts."""


class CardReset(CardError):
    """Someone else reset the card; its volatile state is gone."""


class CardMute(CardError):
    """The card does not answer."""


class ReaderFailure(CardError):
    """The reader, or the PC/SC service, failed."""


class Cancelled(CardError):
    """The caller gave the work up; raised between two commands."""


class SecurityStatusNotSatisfied(CardError):
    """The card wants the PIN (6982)."""


class ObjectNotFound(CardError):
    """The card has no such certificate or data object."""


class KeyNotFound(CardError):
    """The card has no key for this use."""


class AlgorithmNotSupported(CardError):
    """The key does not do this algorithm."""


class DecipherFailed(CardError):
    """The card refused the cryptogram. No reason is given: it would serve as an oracle."""


class PinError(CardError):
    """Base of the refusals that concern a PIN or a PUK."""

    def __init__(self, reference: ErrorReference = ErrorReference.PIN) -> None:
        super().__init__(reference.value)
        self.reference = reference


class PinFormat(PinError):
    """Wrong length or characters: refused before the card saw it, no try lost."""


class PinIncorrect(PinError):
    """The card refused it."""

    def __init__(self, tries_left: int | None, reference: ErrorReference = ErrorReference.PIN) -> None:
        super().__init__(reference)
        self.tries_left = tries_left


class PinBlocked(PinError):
    """No try is left."""


class PadRefusal(enum.IntEnum):
    """What a PIN pad answers in the card's place (PC/SC part 10, 2.6.1): the status word."""

    TIMED_OUT = 0x6400
    CANCELLED = 0x6401
    MISMATCH = 0x6402
    WRONG_LENGTH = 0x6403


class PinPadFailed(CardError):
    """No PIN came from the reader's PIN pad; the card has seen nothing and no try is lost."""

    def __init__(self, reason: PadRefusal) -> None:
        super().__init__(reason.name)
        self.reason = reason


class UnexpectedResponse(CardError):
    """The card answered with a status word that has no meaning here."""

    def __init__(self, sw: StatusWord, command: Command) -> None:
        super().__init__(f"{command.header.hex()} answered {sw}")
        self.sw = sw
        self.command_header = command.header


class MalformedCardData(CardError):
    """What the card holds or answered cannot be what it should be."""

    def __init__(self, what: str, offset: int | None = None) -> None:
        super().__init__(what if offset is None else f"{what} (at byte {offset})")
        self.offset = offset
