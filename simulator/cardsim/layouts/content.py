"""What goes onto a card, whatever its layout."""

from __future__ import annotations

from dataclasses import dataclass, field

from cardsim.rsa import RsaKey


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key and its certificate.

    Args:
        key: the key as the card holds it.
        certificate: content of the certificate's EF: DER, or what a bad-input variant puts there.
    """

    key: RsaKey = field(repr=False)
    certificate: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DataObject:
    """A professional data object.

    Args:
        label: PKCS#15 label, as ``CPS_INFO_PS``.
        fid: file identifier.
        content: bytes of the EF.
        private: readable after the PIN only.
        writable: may be written after the PIN.
    """

    label: str
    fid: int
    content: bytes = field(repr=False)
    private: bool = False
    writable: bool = False


@dataclass(frozen=True, slots=True)
class CardContent:
    """Everything that differs from card to card of one layout.

    Args:
        serial: 8-digit card serial.
        label: token label.
        pin, puk: digits.
        pin_tries_left, puk_tries_left: retry counters at the start.
        signature, authentication: the two key pairs.
        data_objects: in the order of the data directory.
        billing_situation: content of CPS_SIT_FACT on the older side.
        older_activities: number and content of each CPS2TER_ACTIVITY on the older side.
        administration_key: 16 bytes, for EXTERNAL AUTHENTICATE; None, and the card has no such key.
        authority_certificate: the issuing authority's, for layouts that hold it.
        technical: the key pair that serves without contact; None, and that application is empty.
    """

    serial: str
    label: str
    pin: str = field(repr=False)
    puk: str = field(repr=False)
    pin_tries_left: int
    puk_tries_left: int
    signature: KeyPair
    authentication: KeyPair
    data_objects: tuple[DataObject, ...]
    authority_certificate: bytes = field(default=b"", repr=False)
    billing_situation: bytes = field(default=b"", repr=False)
    older_activities: tuple[tuple[int, bytes], ...] = field(default=(), repr=False)
    administration_key: bytes | None = field(default=None, repr=False)
    technical: KeyPair | None = None
