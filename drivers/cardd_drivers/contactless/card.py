"""A CPS3 held to a reader, as a `Card` of the contract: its serial number, and a key that proves that it is there.

No PIN goes over the air: there is no command with one here, whatever the card says of itself.
"""

from __future__ import annotations

import hashlib
from typing import NoReturn

from cardd_drivers.contract import (
    AlgorithmNotSupported,
    Capabilities,
    CardKind,
    Channel,
    DecipherAlgorithm,
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
from cardd_drivers.ias_ecc.commands import AlgorithmReference, Template
from cardd_drivers.ias_ecc.cps3 import CPS3
from cardd_drivers.ias_ecc.discovery import read_serial
from cardd_drivers.ias_ecc.files import Files
from cardd_drivers.ias_ecc.key_use import KeyUse, reference_of
from cardd_drivers.ias_ecc.layout import CONTACTLESS
from cardd_drivers.ias_ecc.store import Store
from cardd_drivers.rsa_padding import sha256_digest_info
from cardd_drivers.secret_memory import SecretBytes


class ContactlessCard:
    """One CPS3 without contact in the field of one reader.

    Args:
        channel: the way to it.
        memory: what is known of cards seen before.
    """

    def __init__(self, channel: Channel, memory: Memory) -> None:
        exchange, selection = CPS3.way(channel)
        self._files = Files(exchange, selection)
        self._use = KeyUse(exchange, self._files)
        self._memory = memory
        self._store: Store | None = None

    def identify(self) -> Identity:
        """Serial and kind: one exchange for a known card, its directories once for another one.

        Raises:
            The channel's errors, UnexpectedResponse.
            MalformedCardData: its directories make no sense, or name no key that signs.
        """
        self._store = None
        known = self._known
        if not known.layout.has(KeyName.TECHNICAL):
            raise MalformedCardData("the contactless application has no key that signs")
        return Identity(known.serial, CardKind.CPS3_CONTACTLESS, known.label)

    def read_certificate(self, key: KeyName) -> bytes:
        """The DER certificate of the technical key, which is the only one.

        Raises:
            ObjectNotFound: another key's is wanted, or there is none.
        """
        try:
            return self._known.certificate(self._known.layout.key(key))
        except KeyNotFound as error:
            raise ObjectNotFound(f"the card has no {key} certificate without contact") from error

    def read_object(self, label: str) -> bytes:
        """A data object by its label, where the contactless application has any: whether it does was never published.

        Raises:
            ObjectNotFound, SecurityStatusNotSatisfied.
        """
        return self._known.read_object(label)

    def pin_status(self) -> PinStatus:
        """Raises: ObjectNotFound, always."""
        self._refuse_pin()

    def puk_status(self) -> PinStatus:
        """Raises: ObjectNotFound, always."""
        self._refuse_pin()

    def verify_pin(self, pin: SecretBytes) -> None:
        """Raises: ObjectNotFound, always."""
        self._refuse_pin()

    def verify_pin_on_pad(self) -> None:
        """Raises: ObjectNotFound, always."""
        self._refuse_pin()

    def change_pin_on_pad(self) -> None:
        """Raises: ObjectNotFound, always."""
        self._refuse_pin()

    def unblock_pin_on_pad(self) -> None:
        """Raises: ObjectNotFound, always."""
        self._refuse_pin()

    def change_pin(self, old: SecretBytes, new: SecretBytes) -> None:
        """Raises: ObjectNotFound, always."""
        self._refuse_pin()

    def unblock_pin(self, puk: SecretBytes, new: SecretBytes) -> None:
        """Raises: ObjectNotFound, always."""
        self._refuse_pin()

    def sign(self, key: KeyName, algorithm: SignatureAlgorithm, digest: bytes) -> bytes:
        """Raises: KeyNotFound, always: the technical key answers challenges and signs nothing that is given to it."""
        raise KeyNotFound(f"the card has no {key} key that signs without contact")

    def decipher(self, key: KeyName, algorithm: DecipherAlgorithm, cryptogram: bytes) -> bytearray:
        """Raises: KeyNotFound, always."""
        raise KeyNotFound(f"the card has no {key} key that deciphers without contact")

    def authenticate(self, key: KeyName, challenge: bytes) -> bytes:
        """RS256 over a challenge by the technical key: three commands once the card is identified.

        Raises:
            AlgorithmNotSupported: another key.
            KeyNotFound, SecurityStatusNotSatisfied, UnexpectedResponse, MalformedCardData.
        """
        if key is not KeyName.TECHNICAL:
            raise AlgorithmNotSupported(f"the {key} key signs no challenge without contact")
        store = self._known
        target = store.layout.key(KeyName.TECHNICAL)
        environment = commands.mse_set(Template.AUTHENTICATION, reference_of(target), AlgorithmReference.RSA_PKCS1)
        self._use.set_environment(store, target, environment)
        digest = hashlib.sha256(challenge).digest()
        return self._use.signature(target, commands.internal_authenticate(), sha256_digest_info(digest))

    def capabilities(self) -> Capabilities:
        """No PIN, no signature, no decryption: possession alone."""
        return Capabilities({}, frozenset(), None, None, possession=KeyName.TECHNICAL)

    @property
    def _known(self) -> Store:
        """What is known of the card, which is identified first where nobody did."""
        if self._store is None:
            self._store = Store(self._files, self._memory, read_serial(self._files), CONTACTLESS)
        return self._store

    def _refuse_pin(self) -> NoReturn:
        raise ObjectNotFound("no PIN goes to the card without contact")
