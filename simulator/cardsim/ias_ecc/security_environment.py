"""Security environments: those stored in the card (SDO class 7B) and the current one that MSE SET builds."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from cardsim import tlv
from cardsim.hashing import HashAlgorithm
from cardsim.ias_ecc.sdo import TAG_ENVIRONMENT, SdoClass, SdoName


class ControlReferenceTemplate(enum.IntEnum):
    """Control reference templates (ISO 7816-4, 10.3.1): P2 of MSE SET; of the last, with its P1 in front."""

    AUTHENTICATION = 0xA4
    HASH = 0xAA
    DIGITAL_SIGNATURE = 0xB6
    CONFIDENTIALITY = 0xB8
    EXTERNAL_AUTHENTICATION = 0x81A4


class AlgorithmReference(enum.IntEnum):
    """Values of tag 80 that a CPS3 knows."""

    RSA_PKCS1 = 0x02
    SHA1 = 0x10
    SHA1_RSA_PKCS1 = 0x12
    RSA_DECIPHER = 0x1A
    SHA256 = 0x40
    SHA256_RSA_PKCS1 = 0x42
    MUTUAL_AUTHENTICATION = 0x0C


ALGORITHMS = {
    ControlReferenceTemplate.AUTHENTICATION: {AlgorithmReference.RSA_PKCS1},
    ControlReferenceTemplate.HASH: {AlgorithmReference.SHA1, AlgorithmReference.SHA256},
    ControlReferenceTemplate.DIGITAL_SIGNATURE: {
        AlgorithmReference.SHA1_RSA_PKCS1,
        AlgorithmReference.SHA256_RSA_PKCS1,
    },
    ControlReferenceTemplate.CONFIDENTIALITY: {AlgorithmReference.RSA_DECIPHER},
    ControlReferenceTemplate.EXTERNAL_AUTHENTICATION: {AlgorithmReference.MUTUAL_AUTHENTICATION},
}
"""Which algorithm each template takes."""

HASH_OF: Mapping[int, HashAlgorithm] = {
    AlgorithmReference.SHA1: HashAlgorithm.SHA1,
    AlgorithmReference.SHA1_RSA_PKCS1: HashAlgorithm.SHA1,
    AlgorithmReference.SHA256: HashAlgorithm.SHA256,
    AlgorithmReference.SHA256_RSA_PKCS1: HashAlgorithm.SHA256,
}
"""The hash that an algorithm reference means."""


USAGE_USER_PASSWORD, USAGE_EXTERNAL_AUTHENTICATION = 0x08, 0x80
"""Bits of a usage qualifier (tag 95; ISO 7816-4, table on usage qualifier bytes)."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One template as MSE SET left it.

    Args:
        algorithm: the card's reference of it; None where the template leaves no choice.
        key: key number, without bit 8; None for a hash.
    """

    algorithm: int | None
    key: int | None


@dataclass(slots=True)
class CurrentEnvironment:
    """The current security environment, and the hash that PSO HASH left for the signature."""

    templates: dict[ControlReferenceTemplate, Reference] = field(default_factory=dict)
    digest: tuple[HashAlgorithm, bytes] | None = field(default=None, repr=False)

    def clear(self) -> None:
        """Forget everything."""
        self.templates.clear()
        self.digest = None


@dataclass(frozen=True, slots=True)
class StoredEnvironment:
    """A security environment that access rules name by number.

    Args:
        number: 1 to 14.
        content: value of tag 7B: control reference templates.
    """

    number: int
    content: bytes

    @property
    def name(self) -> SdoName:
        """Class 7B and the number."""
        return SdoName(SdoClass.SECURITY_ENVIRONMENT, self.number)

    @property
    def access_rules(self) -> bytes | None:
        """None: it is shown to everybody."""
        return None

    def part(self, tag: int) -> bytes | None:
        """The templates under tag 7B."""
        return tlv.encode(TAG_ENVIRONMENT, self.content) if tag == TAG_ENVIRONMENT else None

    @property
    def user_password(self) -> int | None:
        """PIN reference (83) of the authentication template whose usage (95) is user authentication by password."""
        return self._authentication(USAGE_USER_PASSWORD)

    @property
    def external_key(self) -> int | None:
        """Number of the key (83) of the authentication template whose usage (95) is external authentication."""
        reference = self._authentication(USAGE_EXTERNAL_AUTHENTICATION)
        return None if reference is None else reference & 0x1F

    def _authentication(self, usage: int) -> int | None:
        for template in tlv.parse(self.content):
            inner = tlv.parse(template.value)
            reference, qualifier = tlv.find(inner, 0x83), tlv.find(inner, 0x95)
            authentication = template.tag == ControlReferenceTemplate.AUTHENTICATION
            if authentication and reference and qualifier and qualifier[0] & usage:
                return reference[0]
        return None
