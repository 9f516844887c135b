"""PERFORM SECURITY OPERATION (ISO 7816-8; INS 2A): HASH, COMPUTE DIGITAL SIGNATURE, DECIPHER."""

from __future__ import annotations

from cardsim import hashing, tlv
from cardsim.apdu import CommandApdu, Response
from cardsim.hashing import BLOCK_SIZE, HashAlgorithm
from cardsim.ias_ecc.access_rules import KeyAccess
from cardsim.ias_ecc.context import CardContext
from cardsim.ias_ecc.security_environment import HASH_OF, ControlReferenceTemplate
from cardsim.rsa import PaddingError
from cardsim.status_words import StatusError, StatusWord

TAG_INTERMEDIATE = 0x90
TAG_LAST_BLOCK = 0x80
BIT_COUNT_LENGTH = 8
PADDING_INDICATOR = 0x81
"""First byte of a cryptogram to decipher, as both known middlewares send it."""


def perform_security_operation(card: CardContext, command: CommandApdu) -> Response:
    """Find the operation by P1-P2.

    Raises:
        StatusError: 6A86 for another operation, else what the operation raises.
    """
    operation = _OPERATIONS.get((command.p1, command.p2))
    if operation is None:
        raise StatusError(StatusWord.INCORRECT_P1_P2)
    return operation(card, command.data)


def hash_(card: CardContext, data: bytes) -> Response:
    """HASH (ISO 7816-8, 12; P1-P2 90 A0): close a hash, and keep it for the signature.

    ``90 L [state, 8-byte bit count] 80 L last block``: the last round, from the state after the blocks hashed outside,
    or from the start when tag 90 is empty. ``90 L digest`` alone: the complete hash.

    Raises:
        StatusError: 6985 no algorithm set; 6A80.
    """
    algorithm = _hash_of(card, ControlReferenceTemplate.HASH)
    try:
        objects = tlv.parse(data)
        digest = _digest(algorithm, objects)
    except ValueError:
        raise StatusError(StatusWord.INCORRECT_DATA) from None
    card.state.environment.digest = (algorithm, digest)
    return Response()


def _hash_of(card: CardContext, template: ControlReferenceTemplate) -> HashAlgorithm:
    algorithm = card.reference(template).algorithm
    if algorithm is None:
        raise StatusError(StatusWord.CONDITIONS_OF_USE_NOT_SATISFIED)
    return HASH_OF[algorithm]


def _digest(algorithm: HashAlgorithm, objects: list[tlv.Tlv]) -> bytes:
    if [item.tag for item in objects] == [TAG_INTERMEDIATE] and len(objects[0].value) == algorithm.digest_size:
        return objects[0].value
    if [item.tag for item in objects] != [TAG_INTERMEDIATE, TAG_LAST_BLOCK]:
        raise ValueError("not tags 90 and 80")
    intermediate, last = objects[0].value, objects[1].value
    if not 1 <= len(last) <= BLOCK_SIZE:
        raise ValueError("last block is not of 1 to 64 bytes")
    if not intermediate:
        return hashing.finish(algorithm, b"", 0, last)
    if len(intermediate) != algorithm.digest_size + BIT_COUNT_LENGTH:
        raise ValueError("not a state and a bit count")
    state, count = intermediate[:-BIT_COUNT_LENGTH], intermediate[-BIT_COUNT_LENGTH:]
    return hashing.finish(algorithm, state, int.from_bytes(count, "big"), last)


def compute_digital_signature(card: CardContext, data: bytes) -> Response:
    """COMPUTE DIGITAL SIGNATURE (ISO 7816-8, 10; P1-P2 9E 9A): PKCS#1 v1.5 over the hash kept by the card or given.

    Raises:
        StatusError: 6985 no template, or no hash of its algorithm; 6A88; 6982; 6700 a hash of a wrong length.
    """
    item = card.usable_key(ControlReferenceTemplate.DIGITAL_SIGNATURE, KeyAccess.COMPUTE_DIGITAL_SIGNATURE)
    algorithm = _hash_of(card, ControlReferenceTemplate.DIGITAL_SIGNATURE)
    environment = card.state.environment
    kept, environment.digest = environment.digest, None
    if data and len(data) != algorithm.digest_size:
        raise StatusError(StatusWord.WRONG_LENGTH)
    if not data and (kept is None or kept[0] is not algorithm):
        raise StatusError(StatusWord.CONDITIONS_OF_USE_NOT_SATISFIED)
    digest = data or (kept[1] if kept else b"")
    signature = item.key.sign_pkcs1(algorithm.digest_info(digest))
    card.computed()
    if card.behaviour.pin_for_each_signature:
        card.state.verified.clear()
    return Response(signature)


def decipher(card: CardContext, data: bytes) -> Response:
    """DECIPHER (ISO 7816-8, 14; P1-P2 80 86): padding indicator 81, then the cryptogram; the padding is stripped, but
    for cards that leave it to the host.

    Raises:
        StatusError: 6985 no template; 6A88; 6982; 6700 a cryptogram of a wrong length; 6A80 whatever else is wrong.
    """
    item = card.usable_key(ControlReferenceTemplate.CONFIDENTIALITY, KeyAccess.DECIPHER)
    if len(data) != 1 + item.key.size:
        raise StatusError(StatusWord.WRONG_LENGTH)
    if data[0] != PADDING_INDICATOR:
        raise StatusError(StatusWord.INCORRECT_DATA)
    keeps_padding = card.behaviour.decipher_keeps_padding
    try:
        plaintext = item.key.private_operation(data[1:]) if keeps_padding else item.key.decipher_pkcs1(data[1:])
    except (PaddingError, ValueError):
        raise StatusError(StatusWord.INCORRECT_DATA) from None
    card.computed()
    return Response(plaintext)


_OPERATIONS = {
    (0x90, 0xA0): hash_,
    (0x9E, 0x9A): compute_digital_signature,
    (0x80, 0x86): decipher,
}
