"""A contact CPS as a `Card` of the contract, whatever its generation."""

from __future__ import annotations

import hashlib

from cardd_drivers.contract import (
    AlgorithmNotSupported,
    Capabilities,
    Channel,
    DecipherAlgorithm,
    ErrorReference,
    Identity,
    KeyName,
    KeyNotFound,
    MalformedCardData,
    Memory,
    ObjectNotFound,
    PinStatus,
    SignatureAlgorithm,
)
from cardd_drivers.ias_ecc import commands
from cardd_drivers.ias_ecc import pin as pins
from cardd_drivers.ias_ecc.discovery import read_serial
from cardd_drivers.ias_ecc.files import Files, df_of
from cardd_drivers.ias_ecc.generation import Generation
from cardd_drivers.ias_ecc.key_use import KeyUse
from cardd_drivers.ias_ecc.layout import Layout
from cardd_drivers.ias_ecc.objects import Application, PinObject
from cardd_drivers.ias_ecc.presentation import Presentation
from cardd_drivers.ias_ecc.store import Store
from cardd_drivers.secret_memory import SecretBytes

DIGEST_SIZE = 32
"""Bytes of a SHA-256 digest."""


class IasEccCard:
    """One contact CPS in one reader.

    Args:
        channel: the way to it.
        memory: what is known of cards seen before.
        generation: how its generation does what each does its own way.
    """

    def __init__(self, channel: Channel, memory: Memory, generation: Generation) -> None:
        exchange, selection = generation.way(channel)
        self._kind = generation.kind
        self._files = Files(exchange, selection)
        self._presentation = Presentation(exchange, self._files)
        self._keys = generation.keys(KeyUse(exchange, self._files))
        self._pins = generation.pins(self._presentation)
        self._memory = memory
        self._store: Store | None = None

    def identify(self) -> Identity:
        """Serial, kind and label: one exchange for a known card, its directories once for another one.

        Raises:
            The channel's errors, UnexpectedResponse, MalformedCardData.
        """
        self._store = None
        known = self._known
        return Identity(known.serial, self._kind, known.label)

    def read_certificate(self, key: KeyName) -> bytes:
        """The DER certificate that shares the identifier of the key for this use.

        Raises:
            ObjectNotFound: the card has no such key, or no certificate for it.
        """
        try:
            return self._known.certificate(self._layout.key(key))
        except KeyNotFound as error:
            raise ObjectNotFound(f"the card has no {key} certificate") from error

    def read_object(self, label: str) -> bytes:
        """A data object by its label in the DODF, as its file is.

        Raises:
            ObjectNotFound, SecurityStatusNotSatisfied.
        """
        return self._known.read_object(label)

    def pin_status(self) -> PinStatus:
        """Tries left, by one command that costs none."""
        return self._presentation.status(self._application, self._pin())

    def puk_status(self) -> PinStatus:
        """Tries left of the PUK, by an empty VERIFY with its reference.

        Raises:
            ObjectNotFound: the card's directory names no PUK.
        """
        return self._presentation.status(self._application, self._puk())

    def verify_pin(self, pin: SecretBytes) -> None:
        """Present the PIN, with the application selected first: selecting it afterwards might drop the PIN."""
        target = self._pin()
        pins.require_format(target, pin, ErrorReference.PIN)
        self._files.select_df(df_of(self._application))
        self._presentation.present(self._application, target, commands.verify, pin)

    def verify_pin_on_pad(self) -> None:
        """Have the PIN typed on the reader, with the application selected first."""
        target = self._pin()
        self._files.select_df(df_of(self._application))
        self._presentation.present_by_pad(self._application, target)

    def change_pin(self, old: SecretBytes, new: SecretBytes) -> None:
        """Replace the PIN; both are judged before the card sees either."""
        target = self._pin()
        for characters in (old, new):
            pins.require_format(target, characters, ErrorReference.PIN)
        self._pins.change(self._application, target, old, new)

    def unblock_pin(self, puk: SecretBytes, new: SecretBytes) -> None:
        """Set a new PIN with the PUK; both are judged before the card sees either.

        Raises:
            ObjectNotFound: the card's directory names no PUK.
        """
        target, unblocking = self._pin(), self._puk()
        pins.require_format(unblocking, puk, ErrorReference.PUK)
        pins.require_format(target, new, ErrorReference.PIN)
        self._pins.unblock(self._application, target, unblocking, puk, new)

    def change_pin_on_pad(self) -> None:
        """Replace the PIN; the reader's pad asks for the present and for the new one."""
        self._pins.change_on_pad(self._application, self._pin())

    def unblock_pin_on_pad(self) -> None:
        """Set a new PIN with the PUK; the reader's pad asks for both.

        Raises:
            ObjectNotFound: the card's directory names no PUK.
        """
        self._pins.unblock_on_pad(self._application, self._pin(), self._puk())

    def sign(self, key: KeyName, algorithm: SignatureAlgorithm, digest: bytes) -> bytes:
        """Sign a SHA-256 digest.

        Raises:
            ValueError: the digest has not 32 bytes.
        """
        if len(digest) != DIGEST_SIZE:
            raise ValueError(f"a SHA-256 digest has {DIGEST_SIZE} bytes, not {len(digest)}")
        return self._keys.sign(self._known, key, algorithm, digest)

    def decipher(self, key: KeyName, algorithm: DecipherAlgorithm, cryptogram: bytes) -> bytearray:
        """Decipher one block; whatever is wrong with the cryptogram or its padding is one error, DecipherFailed."""
        return self._keys.decipher(self._known, key, algorithm, cryptogram)

    def authenticate(self, key: KeyName, challenge: bytes) -> bytes:
        """RS256 over a challenge, by the authentication key alone: the signature key is for what its holder means.

        Raises:
            AlgorithmNotSupported: another key.
        """
        if key is not KeyName.AUTHENTICATION:
            raise AlgorithmNotSupported(f"the {key} key signs no challenge")
        return self.sign(key, SignatureAlgorithm.RS256, hashlib.sha256(challenge).digest())

    def capabilities(self) -> Capabilities:
        """What the directories say, and the generation of the card."""
        if self._store is None:
            raise RuntimeError("what a card can do is known once it is identified")
        store, layout = self._store, self._store.layout
        signing = (key for key in (KeyName.AUTHENTICATION, KeyName.SIGNATURE) if layout.has(key))
        deciphers = self._keys.deciphers() if layout.has(KeyName.ENCRYPTION) else frozenset()
        pin, puk = layout.pin(), layout.puk()
        return Capabilities(
            {key: self._keys.signs(store, key) for key in signing},
            deciphers,
            pins.rules(pin) if pin else None,
            pins.rules(puk) if puk else None,
        )

    @property
    def _known(self) -> Store:
        """What is known of the card, which is identified first where nobody did."""
        if self._store is None:
            self._store = Store(self._files, self._memory, read_serial(self._files))
        return self._store

    @property
    def _layout(self) -> Layout:
        return self._known.layout

    @property
    def _application(self) -> Application:
        return self._known.layout.application

    def _pin(self) -> PinObject:
        found = self._layout.pin()
        if found is None:
            raise MalformedCardData("the card's directory names no PIN")
        return found

    def _puk(self) -> PinObject:
        found = self._layout.puk()
        if found is None:
            raise ObjectNotFound("the card's directory names no PUK")
        return found
