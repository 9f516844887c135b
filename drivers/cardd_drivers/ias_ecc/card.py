"""The contact CPS3 as a `Card` of the contract."""

from __future__ import annotations

import hashlib

from cardd_drivers.apdu import SHORT_LE_MAX, SW, Command, Response
from cardd_drivers.contract import (
    AlgorithmNotSupported,
    Capabilities,
    CardKind,
    Channel,
    DecipherAlgorithm,
    DecipherFailed,
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
from cardd_drivers.exchange import Exchange
from cardd_drivers.ias_ecc import commands
from cardd_drivers.ias_ecc import pin as pins
from cardd_drivers.ias_ecc.commands import AlgorithmReference, Template
from cardd_drivers.ias_ecc.discovery import read_serial
from cardd_drivers.ias_ecc.files import FILE_MAX, Files, df_of, refusal
from cardd_drivers.ias_ecc.layout import Layout
from cardd_drivers.ias_ecc.objects import PinObject, PrivateKey
from cardd_drivers.ias_ecc.store import Store

DIGEST_SIZE = 32
"""Bytes of a SHA-256 digest."""
_SHA256_DIGEST_INFO = bytes.fromhex("3031300D060960864801650304020105000420")
"""DigestInfo before the digest (RFC 8017 9.2, note 1)."""
_DECIPHER_PADDING = 11
"""Bytes of PKCS#1 type 2 padding at least (RFC 8017 7.2.1)."""


class IasEccCard:
    """One contact CPS3 in one reader.

    Args:
        channel: the way to it.
        memory: what is known of cards seen before.
    """

    def __init__(self, channel: Channel, memory: Memory) -> None:
        self._exchange = Exchange(channel, SHORT_LE_MAX)
        self._files = Files(self._exchange)
        self._memory = memory
        self._store: Store | None = None

    def identify(self) -> Identity:
        """Serial, kind and label: one exchange for a known card, its directories once for another one.

        Raises:
            The channel's errors, UnexpectedResponse, MalformedCardData.
        """
        self._store = None
        known = self._known
        return Identity(known.serial, CardKind.CPS3, known.label)

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
        found = next((entry for entry in self._known.data_objects() if entry.attributes.label == label), None)
        if found is None:
            raise ObjectNotFound("the card has no data object of this label")
        return self._files.read_file(self._layout.application, found.path, FILE_MAX, structured=False)

    def pin_status(self) -> PinStatus:
        """Tries left by an empty VERIFY; a global PIN needs no selection for it."""
        target = self._pin()
        self._select_for(target)
        command = commands.verify_status(target.reference)
        return pins.status(self._exchange.send(command), command)

    def verify_pin(self, pin: bytearray) -> None:
        """Present the PIN, with the application selected first: selecting it afterwards might drop the PIN."""
        target = self._pin()
        pins.require_format(target, pin, ErrorReference.PIN)
        self._files.select_df(df_of(self._layout.application))
        self._verify(target, pin, ErrorReference.PIN)

    def change_pin(self, old: bytearray, new: bytearray) -> None:
        """CHANGE REFERENCE DATA with the old and the new PIN; both are judged before the card sees either."""
        target = self._pin()
        for characters in (old, new):
            pins.require_format(target, characters, ErrorReference.PIN)
        self._select_for(target)
        with pins.padded(target, old, new) as block:
            command = commands.change_reference_data(target.reference, block)
            pins.require_accepted(self._exchange.send(command), command, ErrorReference.PIN)

    def unblock_pin(self, puk: bytearray, new: bytearray) -> None:
        """VERIFY of the PUK, then RESET RETRY COUNTER with the new PIN.

        Raises:
            ObjectNotFound: the card's directory names no PUK.
        """
        target, unblocking = self._pin(), self._layout.puk()
        if unblocking is None:
            raise ObjectNotFound("the card's directory names no PUK")
        pins.require_format(unblocking, puk, ErrorReference.PUK)
        pins.require_format(target, new, ErrorReference.PIN)
        self._verify(unblocking, puk, ErrorReference.PUK)
        self._select_for(target)
        with pins.padded(target, new) as block:
            command = commands.reset_retry_counter(target.reference, block)
            pins.require_accepted(self._exchange.send(command), command, ErrorReference.PIN)

    def sign(self, key: KeyName, algorithm: SignatureAlgorithm, digest: bytes) -> bytes:
        """Sign a SHA-256 digest: INTERNAL AUTHENTICATE with the authentication key, else COMPUTE DIGITAL SIGNATURE.

        Raises:
            ValueError: the digest has not 32 bytes.
        """
        if len(digest) != DIGEST_SIZE:
            raise ValueError(f"a SHA-256 digest has {DIGEST_SIZE} bytes, not {len(digest)}")
        target = self._layout.key(key)
        if key is KeyName.SIGNATURE:
            reference = self._signature_algorithm(algorithm)
            self._set_environment(Template.DIGITAL_SIGNATURE, target, reference)
            return self._signature(target, commands.compute_digital_signature(digest))
        if key is not KeyName.AUTHENTICATION or algorithm is not SignatureAlgorithm.RS256:
            raise AlgorithmNotSupported(f"the {key} key does not sign with {algorithm}")
        self._set_environment(Template.AUTHENTICATION, target, AlgorithmReference.RSA_PKCS1)
        return self._signature(target, commands.internal_authenticate(_SHA256_DIGEST_INFO + digest))

    def decipher(self, key: KeyName, algorithm: DecipherAlgorithm, cryptogram: bytes) -> bytearray:
        """PSO DECIPHER; the card strips the padding.

        Whatever the card refuses the cryptogram with is one error, DecipherFailed: more would help an attacker who
        sends altered ones.
        """
        target = self._decipher_key(key)
        if algorithm is not DecipherAlgorithm.RSA1_5:
            raise AlgorithmNotSupported(f"the card does not decipher with {algorithm}")
        if len(cryptogram) != target.modulus_size:
            raise DecipherFailed
        self._set_environment(Template.CONFIDENTIALITY, target, AlgorithmReference.RSA_PKCS1_DECIPHER)
        command = commands.decipher()
        response = self._exchange.send_chained(command, commands.padded_cryptogram(cryptogram))
        if response.sw in (SW.SECURITY_STATUS_NOT_SATISFIED, SW.INS_NOT_SUPPORTED, SW.CLA_NOT_SUPPORTED):
            raise refusal(response, command)
        if response.sw != SW.SUCCESS:
            raise DecipherFailed
        if len(response.data) > target.modulus_size - _DECIPHER_PADDING:
            raise MalformedCardData("a plaintext longer than its padding leaves room for")
        return bytearray(response.data)

    def authenticate(self, key: KeyName, challenge: bytes) -> bytes:
        """RS256 over a challenge, by the authentication key alone: the signature key is for what its holder means.

        Raises:
            AlgorithmNotSupported: another key.
        """
        if key is not KeyName.AUTHENTICATION:
            raise AlgorithmNotSupported(f"the {key} key signs no challenge")
        return self.sign(key, SignatureAlgorithm.RS256, hashlib.sha256(challenge).digest())

    def capabilities(self) -> Capabilities:
        """What the directories say; PS256 shows once TokenInfo was read, which the first PS256 signature does."""
        if self._store is None:
            raise RuntimeError("what a card can do is known once it is identified")
        layout = self._store.layout
        signature: dict[KeyName, frozenset[SignatureAlgorithm]] = {}
        if layout.has(KeyName.AUTHENTICATION):
            signature[KeyName.AUTHENTICATION] = frozenset({SignatureAlgorithm.RS256})
        if layout.has(KeyName.SIGNATURE):
            pss = {SignatureAlgorithm.PS256} if self._store.known_pss_reference() is not None else set()
            signature[KeyName.SIGNATURE] = frozenset({SignatureAlgorithm.RS256, *pss})
        deciphers = frozenset({DecipherAlgorithm.RSA1_5} if layout.has(KeyName.ENCRYPTION) else ())
        pin, puk = layout.pin(), layout.puk()
        return Capabilities(signature, deciphers, pins.rules(pin) if pin else None, pins.rules(puk) if puk else None)

    @property
    def _known(self) -> Store:
        """What is known of the card, which is identified first where nobody did."""
        if self._store is None:
            self._store = Store(self._files, self._memory, read_serial(self._files))
        return self._store

    @property
    def _layout(self) -> Layout:
        return self._known.layout

    def _pin(self) -> PinObject:
        found = self._layout.pin()
        if found is None:
            raise MalformedCardData("the card's directory names no PIN")
        return found

    def _select_for(self, target: PinObject) -> None:
        """A PIN that is known in one DF only is presented there."""
        if target.local:
            self._files.select_df(df_of(self._layout.application, target.path.value if target.path else b""))

    def _verify(self, target: PinObject, characters: bytearray, meant: ErrorReference) -> None:
        self._select_for(target)
        with pins.padded(target, characters) as block:
            command = commands.verify(target.reference, block)
            pins.require_accepted(self._exchange.send(command), command, meant)

    def _decipher_key(self, key: KeyName) -> PrivateKey:
        target = self._layout.key(key)
        if target is not self._layout.key(KeyName.ENCRYPTION):
            raise AlgorithmNotSupported(f"the {key} key does not decipher")
        return target

    def _signature_algorithm(self, algorithm: SignatureAlgorithm) -> int:
        if algorithm is SignatureAlgorithm.RS256:
            return AlgorithmReference.RSA_PKCS1_SHA256
        reference = self._known.pss_reference()
        if reference is None:
            raise AlgorithmNotSupported("the card's list of algorithms has no RSASSA-PSS")
        return reference

    def _set_environment(self, template: Template, key: PrivateKey, algorithm: int) -> None:
        """MSE SET, each time anew: whether a card keeps its environment after an operation was never published."""
        if key.reference is None:
            raise KeyNotFound("the key has no reference")
        self._files.select_df(df_of(self._layout.application, key.path.value))
        command = commands.mse_set(template, key.reference, algorithm)
        response = self._exchange.send(command)
        if response.sw == SW.REFERENCED_DATA_NOT_FOUND:
            raise KeyNotFound(f"the card has no key {key.reference:02X}")
        if response.sw == SW.WRONG_DATA:
            raise AlgorithmNotSupported(f"the card does not take algorithm {algorithm:02X} with this key")
        _require_success(response, command)

    def _signature(self, key: PrivateKey, command: Command) -> bytes:
        response = self._exchange.send(command)
        _require_success(response, command)
        if len(response.data) != key.modulus_size:
            raise MalformedCardData(f"a signature of {len(response.data)} bytes by a key of {key.modulus_size}")
        return response.data


def _require_success(response: Response, command: Command) -> None:
    if response.sw != SW.SUCCESS:
        raise refusal(response, command)
