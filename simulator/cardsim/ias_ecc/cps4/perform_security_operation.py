"""PERFORM SECURITY OPERATION (ISO 7816-8; INS 2A) of a CPS4: COMPUTE DIGITAL SIGNATURE, and DECIPHER as raw RSA."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes

from cardsim.apdu import CommandApdu, Response
from cardsim.hashing import HashAlgorithm
from cardsim.ias_ecc.access_rules import KeyAccess
from cardsim.ias_ecc.context import CardContext
from cardsim.ias_ecc.cps4.manage_security_environment import SignatureAlgorithm
from cardsim.ias_ecc.security_environment import ControlReferenceTemplate
from cardsim.status_words import StatusError, StatusWord

_LIBRARY_HASH = {HashAlgorithm.SHA1: hashes.SHA1(), HashAlgorithm.SHA256: hashes.SHA256()}  # noqa: S303  # the card's own


def perform_security_operation(card: CardContext, command: CommandApdu) -> Response:
    """Find the operation by P1-P2.

    Raises:
        StatusError: 6A86 for another operation, else what the operation raises.
    """
    operation = _OPERATIONS.get((command.p1, command.p2))
    if operation is None:
        raise StatusError(StatusWord.INCORRECT_P1_P2)
    return operation(card, command.data)


def compute_digital_signature(card: CardContext, data: bytes) -> Response:
    """COMPUTE DIGITAL SIGNATURE (ISO 7816-8, 10; P1-P2 9E 9A) over a hash that is given whole.

    GUESS: the salt of PSS is as long as the hash, as TLS 1.3 and JOSE want it.

    Raises:
        StatusError: 6985 no template; 6A88; 6982; 6700 a hash of a wrong length.
    """
    template = ControlReferenceTemplate.DIGITAL_SIGNATURE
    item = card.usable_key(template, KeyAccess.COMPUTE_DIGITAL_SIGNATURE)
    algorithm = SignatureAlgorithm.of(card.reference(template).algorithm or 0)
    if len(data) != algorithm.hash_algorithm.digest_size:
        raise StatusError(StatusWord.WRONG_LENGTH)
    if algorithm.pss:
        signature = item.key.sign_pss(data, _LIBRARY_HASH[algorithm.hash_algorithm])
    else:
        signature = item.key.sign_pkcs1(algorithm.hash_algorithm.digest_info(data))
    card.computed()
    if card.behaviour.pin_for_each_signature:
        card.state.verified.clear()
    return Response(signature)


def decipher(card: CardContext, data: bytes) -> Response:
    """DECIPHER (ISO 7816-8, 14; P1-P2 80 86): the private operation on a block, with no padding made or removed.

    Raises:
        StatusError: 6985 no template; 6A88; 6982; 6700 a block of a wrong length; 6A80 it is not below the modulus.
    """
    item = card.usable_key(ControlReferenceTemplate.CONFIDENTIALITY, KeyAccess.DECIPHER)
    if len(data) != item.key.size:
        raise StatusError(StatusWord.WRONG_LENGTH)
    try:
        result = item.key.private_operation(data)
    except ValueError:
        raise StatusError(StatusWord.INCORRECT_DATA) from None
    card.computed()
    return Response(result)


_OPERATIONS = {(0x9E, 0x9A): compute_digital_signature, (0x80, 0x86): decipher}
