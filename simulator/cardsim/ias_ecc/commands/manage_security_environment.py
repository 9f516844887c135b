"""MANAGE SECURITY ENVIRONMENT: SET (ISO 7816-4, 11.5.11; INS 22)."""

from __future__ import annotations

from cardsim import tlv
from cardsim.apdu import CommandApdu, Response
from cardsim.ias_ecc.context import CardContext
from cardsim.ias_ecc.keys import LOCAL
from cardsim.ias_ecc.sdo import SdoClass, SdoName
from cardsim.ias_ecc.security_environment import ALGORITHMS, AlgorithmReference, ControlReferenceTemplate, Reference
from cardsim.status_words import StatusError, StatusWord

SET_FOR_COMPUTATION = 0x41
"""P1: set for computation, decipherment, internal authentication."""
TAG_ALGORITHM = 0x80
TAG_PRIVATE_KEY = 0x84


def manage_security_environment(card: CardContext, command: CommandApdu) -> Response:
    """Put an algorithm and, but for a hash, a private key into a template; in either order.

    Raises:
        StatusError: 6A86 P1 or template unknown; 6A80 data malformed or algorithm unknown; 6A88 no such key here.
    """
    if command.p1 != SET_FOR_COMPUTATION:
        raise StatusError(StatusWord.INCORRECT_P1_P2)
    try:
        template = ControlReferenceTemplate(command.p2)
    except ValueError:
        raise StatusError(StatusWord.INCORRECT_P1_P2) from None
    values = _values(command.data, template)
    algorithm = _algorithm(values[TAG_ALGORITHM], template)
    key = _key_number(card, values[TAG_PRIVATE_KEY]) if TAG_PRIVATE_KEY in values else None
    environment = card.state.environment
    environment.templates[template] = Reference(algorithm, key)
    if template is ControlReferenceTemplate.HASH:
        environment.digest = None
    return Response()


def _values(data: bytes, template: ControlReferenceTemplate) -> dict[int, int]:
    """One-byte values by tag; exactly the tags that the template needs, each once."""
    try:
        objects = tlv.parse(data)
    except tlv.TlvError:
        raise StatusError(StatusWord.INCORRECT_DATA) from None
    needed = {TAG_ALGORITHM} if template is ControlReferenceTemplate.HASH else {TAG_ALGORITHM, TAG_PRIVATE_KEY}
    if len(objects) != len(needed) or {item.tag for item in objects} != needed:
        raise StatusError(StatusWord.INCORRECT_DATA)
    if any(len(item.value) != 1 for item in objects):
        raise StatusError(StatusWord.INCORRECT_DATA)
    return {item.tag: item.value[0] for item in objects}


def _algorithm(reference: int, template: ControlReferenceTemplate) -> AlgorithmReference:
    try:
        algorithm = AlgorithmReference(reference)
    except ValueError:
        raise StatusError(StatusWord.INCORRECT_DATA) from None
    if algorithm not in ALGORITHMS[template]:
        raise StatusError(StatusWord.INCORRECT_DATA)
    return algorithm


def _key_number(card: CardContext, reference: int) -> int:
    number = reference & ~LOCAL
    if not reference & LOCAL or SdoName(SdoClass.RSA_PRIVATE, number) not in card.state.current_df.objects:
        raise StatusError(StatusWord.REFERENCED_DATA_NOT_FOUND)
    return number
