"""The holder as a reply says it. Never a property, never a signal: any local user hears those."""

from __future__ import annotations

from cardd.bus.interface import Variant, variant
from cardd.holder.professional import Professional
from cardd.sessions.presence import Presence

# The members of GetHolder's answer, by what the certificate may leave out.


def holder_reply(presence: Presence) -> dict[str, Variant]:
    """What GetHolder answers; a key is absent where the certificate does not say.

    A certificate that is none, or names nobody, leaves the card's serial number alone.
    """
    reply: dict[str, Variant] = {}
    if presence.professional is not None:
        reply = professional_reply(presence.professional)
    if presence.card.identity is not None:
        reply["serial"] = variant("s", presence.card.identity.serial)
    return reply


def professional_reply(professional: Professional) -> dict[str, Variant]:
    """What the certificate says of somebody, whether or not the card is here."""
    texts = {
        "national-id": professional.national_id,
        "national-id-kind": professional.national_id_kind.value,
        "identifier": professional.identifier,
        "family-name": professional.family_name,
        "given-name": professional.given_name,
        "card-type": professional.card_type.value,
        "profession-label": professional.profession_label,
        "category": professional.category.value,
        "card-number": professional.card_number,
    }
    if professional.structure is not None:
        texts["structure-id"] = professional.structure.national_id
        texts["structure-name"] = professional.structure.name
    reply = {key: variant("s", text) for key, text in texts.items() if text is not None}
    if professional.profession_code is not None:
        reply["profession"] = variant("i", professional.profession_code)
    reply["warnings"] = variant("as", [warning.code.value for warning in professional.warnings])
    return reply
