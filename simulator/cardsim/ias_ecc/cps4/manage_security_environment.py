"""MANAGE SECURITY ENVIRONMENT: SET (ISO 7816-4, 11.5.11; INS 22), in the two forms that a CPS4 is sent.

``22 81 B6``: ``91 02 algorithm key``, the key reference with bit 8 set; ``22 41 B8``: ``83 01 key``, without it.
"""

from __future__ import annotations

import enum

from cardsim import tlv
from cardsim.apdu import CommandApdu, Response
from cardsim.hashing import HashAlgorithm
from cardsim.ias_ecc.context import CardContext
from cardsim.ias_ecc.keys import LOCAL
from cardsim.ias_ecc.sdo import SdoClass, SdoName
from cardsim.ias_ecc.security_environment import ControlReferenceTemplate, Reference
from cardsim.status_words import StatusError, StatusWord

TAG_ALGORITHM_AND_KEY, TAG_KEY = 0x91, 0x83
_SIGNATURE = (0x81, ControlReferenceTemplate.DIGITAL_SIGNATURE)
_CONFIDENTIALITY = (0x41, ControlReferenceTemplate.CONFIDENTIALITY)


class SignatureAlgorithm(enum.Enum):
    """Algorithm references of a CPS4: the reference, the hash, and whether the padding is PSS."""

    SHA1_RSA_PKCS1 = (0x0A, HashAlgorithm.SHA1, False)
    SHA1_RSA_PSS = (0x15, HashAlgorithm.SHA1, True)
    SHA256_RSA_PKCS1 = (0x28, HashAlgorithm.SHA256, False)
    SHA256_RSA_PSS = (0x2C, HashAlgorithm.SHA256, True)

    def __init__(self, reference: int, hash_algorithm: HashAlgorithm, pss: bool) -> None:
        self.reference = reference
        self.hash_algorithm = hash_algorithm
        self.pss = pss

    @classmethod
    def of(cls, reference: int) -> SignatureAlgorithm:
        """The algorithm of a reference.

        Raises:
            StatusError: 6A80, there is none.
        """
        for member in cls:
            if member.reference == reference:
                return member
        raise StatusError(StatusWord.INCORRECT_DATA)


def manage_security_environment(card: CardContext, command: CommandApdu) -> Response:
    """Name the key, and for a signature the algorithm.

    Raises:
        StatusError: 6A86 another P1 or template; 6A80 data malformed or algorithm unknown; 6A88 no such key here.
    """
    purpose = (command.p1, command.p2)
    if purpose == _SIGNATURE:
        algorithm, key = _value(command.data, TAG_ALGORITHM_AND_KEY, 2)
        SignatureAlgorithm.of(algorithm)
        if not key & LOCAL:
            raise StatusError(StatusWord.REFERENCED_DATA_NOT_FOUND)
        reference = Reference(algorithm, _present(card, key & ~LOCAL))
    elif purpose == _CONFIDENTIALITY:
        (key,) = _value(command.data, TAG_KEY, 1)
        reference = Reference(None, _present(card, key))
    else:
        raise StatusError(StatusWord.INCORRECT_P1_P2)
    card.state.environment.templates[ControlReferenceTemplate(command.p2)] = reference
    return Response()


def _value(data: bytes, tag: int, length: int) -> bytes:
    """The value of the one data object there may be."""
    try:
        objects = tlv.parse(data)
    except tlv.TlvError:
        raise StatusError(StatusWord.INCORRECT_DATA) from None
    if len(objects) != 1 or objects[0].tag != tag or len(objects[0].value) != length:
        raise StatusError(StatusWord.INCORRECT_DATA)
    return objects[0].value


def _present(card: CardContext, number: int) -> int:
    if SdoName(SdoClass.RSA_PRIVATE, number) not in card.state.current_df.objects:
        raise StatusError(StatusWord.REFERENCED_DATA_NOT_FOUND)
    return number
