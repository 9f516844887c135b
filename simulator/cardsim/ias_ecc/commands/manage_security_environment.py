"""MANAGE SECURITY ENVIRONMENT: SET and RESTORE (ISO 7816-4, 11.5.11; INS 22)."""

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
RESTORE = 0xF3
TAG_ALGORITHM = 0x80
TAG_PUBLIC_KEY = 0x83
"""Reference of a public or a symmetric key."""
TAG_PRIVATE_KEY = 0x84


def manage_security_environment(card: CardContext, command: CommandApdu) -> Response:
    """SET: put an algorithm and, but for a hash, a key into a template, in either order. RESTORE: begin anew.

    Raises:
        StatusError: 6A86 P1 or template unknown; 6A80 data malformed or algorithm unknown; 6A88 no such key here, or no
            such environment; 6700 data with RESTORE.
    """
    if command.p1 == RESTORE:
        return _restore(card, command)
    template = _template(command)
    values = _values(command.data, template)
    algorithm = _algorithm(values[TAG_ALGORITHM], template)
    environment = card.state.environment
    environment.templates[template] = Reference(algorithm, _key_number(card, values))
    if template is ControlReferenceTemplate.HASH:
        environment.digest = None
    return Response()


def _restore(card: CardContext, command: CommandApdu) -> Response:
    """Replace the current environment by a stored one. What a CPS3 stores says who may, not which key to use: nothing
    is set afterwards."""
    if command.data:
        raise StatusError(StatusWord.WRONG_LENGTH)
    if card.stored_environment(command.p2) is None:
        raise StatusError(StatusWord.REFERENCED_DATA_NOT_FOUND)
    card.state.environment.clear()
    return Response()


def _template(command: CommandApdu) -> ControlReferenceTemplate:
    external = command.p1 << 8 | command.p2
    if external == ControlReferenceTemplate.EXTERNAL_AUTHENTICATION:
        return ControlReferenceTemplate.EXTERNAL_AUTHENTICATION
    if command.p1 != SET_FOR_COMPUTATION:
        raise StatusError(StatusWord.INCORRECT_P1_P2)
    try:
        return ControlReferenceTemplate(command.p2)
    except ValueError:
        raise StatusError(StatusWord.INCORRECT_P1_P2) from None


_KEY_TAGS = {
    ControlReferenceTemplate.HASH: frozenset[int](),
    ControlReferenceTemplate.EXTERNAL_AUTHENTICATION: frozenset({TAG_PUBLIC_KEY}),
}
"""Which key a template takes; a private one where it is not named here."""


def _values(data: bytes, template: ControlReferenceTemplate) -> dict[int, int]:
    """One-byte values by tag; exactly the tags that the template needs, each once."""
    try:
        objects = tlv.parse(data)
    except tlv.TlvError:
        raise StatusError(StatusWord.INCORRECT_DATA) from None
    needed = {TAG_ALGORITHM} | _KEY_TAGS.get(template, frozenset({TAG_PRIVATE_KEY}))
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


def _key_number(card: CardContext, values: dict[int, int]) -> int | None:
    if TAG_PUBLIC_KEY in values:
        name = SdoName(SdoClass.SYMMETRIC_KEY_SET, values[TAG_PUBLIC_KEY] & ~LOCAL)
        found = name in card.master_file.objects
    elif TAG_PRIVATE_KEY in values:
        reference = values[TAG_PRIVATE_KEY]
        name = SdoName(SdoClass.RSA_PRIVATE, reference & ~LOCAL)
        found = bool(reference & LOCAL) and name in card.state.current_df.objects
    else:
        return None
    if not found:
        raise StatusError(StatusWord.REFERENCED_DATA_NOT_FOUND)
    return name.number
