"""What the daemon tells, as frozen values. Nothing here touches the bus.

Decoding is tolerant of what a newer or older daemon has more or less: an absent key takes its documented "unknown",
an unknown word survives as the string that it is. A value of a wrong type is an `UnexpectedReply`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from cardd.bus.names import NO_OBJECT
from cardd.client.errors import UnexpectedReply

Properties = Mapping[str, object]
"""A decoded a{sv}: variants unwrapped, byte arrays as bytes."""

_T = TypeVar("_T")


class CardState(StrEnum):
    """Words of Card.State."""

    PRESENT = "present"
    IDENTIFIED = "identified"
    IN_USE = "in-use"
    UNKNOWN = "unknown"
    FOREIGN = "foreign"
    FAILED = "failed"


class TrustState(StrEnum):
    """Words of Card.Trust's state."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"
    UNKNOWN = "unknown"


class EndReason(StrEnum):
    """Words of Session.Ended; the last one is this client's own."""

    CARD_REMOVED = "card-removed"
    READER_REMOVED = "reader-removed"
    CARD_RESET = "card-reset"
    PCSCD_LOST = "pcscd-lost"
    REVOKED = "revoked"
    EXPIRED = "expired"
    SUSPEND = "suspend"
    LOCKED = "locked"
    IDLE = "idle"
    ENDED_BY_USER = "ended-by-user"
    DAEMON_STOPPED = "daemon-stopped"
    BUS_LOST = "bus-lost"
    """The connection to the bus was lost: the daemon may have ended the session or not."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whether the card's certificate is believed. Times are UTC; None where the daemon did not say.

    `reason` says why it is not trusted; `simulator` is True for the fictional PKI of the card simulator.

    `revocation` is "not-asked", "good", "stale" (good by data past their time, as the policy allows), "unknown" or
    "revoked"; `revocation_policy` is "strict", "grace" or "offline", `revocation_source` "crl", "delta-crl" or "ocsp",
    empty where there are no data; `revocation_reason` is why it was revoked.
    """

    state: str = TrustState.UNKNOWN
    reason: str = ""
    revocation: str = ""
    simulator: bool = False
    checked_at: datetime | None = None
    expires: datetime | None = None
    revocation_policy: str = ""
    revocation_source: str = ""
    revocation_as_of: datetime | None = None
    revocation_next_update: datetime | None = None
    revoked_at: datetime | None = None
    revocation_reason: str = ""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Smallest and largest number of characters of a PIN or an unblocking code."""

    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the card's keys do: JOSE algorithm names by key name; `possession` is the key of a card without contact that
    proved that it is there, and that needs no PIN."""

    sign: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    decrypt: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    pin: Lengths | None = None
    puk: Lengths | None = None
    possession: str | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """Who the card belongs to, as its certificate says; None or empty where it does not say.

    `category` is `test`, `real` or `unknown`; `profession` is a code of the French nomenclature G15, -1 when unknown;
    `speciality` is a code of table R01 ("SM26"), which a session on a card alone tells.
    """

    national_id: str | None = None
    national_id_kind: str | None = None
    identifier: str | None = None
    family_name: str | None = None
    given_name: str | None = None
    card_type: str | None = None
    profession: int | None = None
    profession_label: str | None = None
    category: str = "unknown"
    card_number: str | None = None
    structure_id: str | None = None
    structure_name: str | None = None
    serial: str | None = None
    warnings: tuple[str, ...] = ()
    speciality: str | None = None
    speciality_label: str | None = None

    @property
    def display_name(self) -> str:
        """Given and family name, or the best that identifies the holder; never empty."""
        named = " ".join(part for part in (self.given_name, self.family_name) if part)
        return named or self.structure_name or self.national_id or self.card_number or "?"


@dataclass(frozen=True, slots=True)
class Activity:
    """A work situation of the holder, as the card tells it; None where it does not.

    `activity_id` names it in `Session.select_activity`; `structure_id` is a Struct_IdNat, `sector` a code of table R02
    ("SA07"), `sector_label` French.
    """

    activity_id: str
    selected: bool = False
    structure_name: str | None = field(default=None, repr=False)
    structure_id: str | None = field(default=None, repr=False)
    structure_kind: str | None = None
    sector: str | None = None
    sector_label: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Service:
    """The daemon itself: version, names of card drivers, what an administrator should know."""

    version: str
    drivers: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MintedToken:
    """A token that was just minted: its id, and its text, which is its holder's alone."""

    token_id: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RegisteredToken:
    """A row of the registry. Times are UTC, None where the daemon did not say; `revoked_at` is None for a good one.

    `subject` is the holder's national identifier, `device` the thumbprint (RFC 7638) of the key that it is bound to.
    """

    token_id: str
    kind: str
    subject: str
    issuer: str
    audience: tuple[str, ...]
    card_id: str
    certificate: str
    device: str
    minted_by: str
    authenticated_at: datetime | None
    issued_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str
    revocation_reason: str


def take(properties: Properties, name: str, kind: type[_T], default: _T) -> _T:
    """Return one value of a decoded a{sv}.

    Args:
        properties: the decoded map.
        name: its key.
        kind: the Python type that it must have.
        default: for an absent key.

    Raises:
        UnexpectedReply: it has another type.
    """
    value = properties.get(name, default)
    # A D-Bus boolean is no number, though Python's is.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise UnexpectedReply(detail=name)
    return value


def maybe(properties: Properties, name: str, kind: type[_T]) -> _T | None:
    """As `take`, None for an absent key."""
    return take(properties, name, kind, kind()) if name in properties else None


def words(properties: Properties, name: str) -> tuple[str, ...]:
    """Return an array of strings; empty for an absent key.

    Raises:
        UnexpectedReply: it is something else.
    """
    value = properties.get(name, ())
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(one, str) for one in value):
        raise UnexpectedReply(detail=name)
    return tuple(value)


def path_or_none(properties: Properties, name: str) -> str | None:
    """Return an object path; None for an absent key or for "/"."""
    path = take(properties, name, str, NO_OBJECT)
    return None if path == NO_OBJECT else path


def moment(properties: Properties, name: str, *, per_second: int = 1) -> datetime | None:
    """Return a time counted from 1970 (UTC) in units of `per_second`; None for 0 or an absent key.

    Raises:
        UnexpectedReply: it is no number, or beyond the calendar.
    """
    count = take(properties, name, int, 0)
    if count == 0:
        return None
    try:
        return datetime.fromtimestamp(count / per_second, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise UnexpectedReply(detail=name) from error


def trust_from(properties: Properties) -> Trust:
    """Decode Card.Trust."""
    return Trust(
        state=take(properties, "state", str, TrustState.UNKNOWN),
        reason=take(properties, "reason", str, ""),
        revocation=take(properties, "revocation", str, ""),
        simulator=take(properties, "simulator", bool, False),  # the default of the key
        checked_at=moment(properties, "checked-at"),
        expires=moment(properties, "expires"),
        revocation_policy=take(properties, "revocation-policy", str, ""),
        revocation_source=take(properties, "revocation-source", str, ""),
        revocation_as_of=moment(properties, "revocation-as-of"),
        revocation_next_update=moment(properties, "revocation-next-update"),
        revoked_at=moment(properties, "revoked-at"),
        revocation_reason=take(properties, "revocation-reason", str, ""),
    )


def capabilities_from(properties: Properties) -> Capabilities:
    """Decode Card.Capabilities."""

    def by_key(prefix: str) -> Mapping[str, tuple[str, ...]]:
        named = {name.removeprefix(prefix): words(properties, name) for name in properties if name.startswith(prefix)}
        return MappingProxyType(named)

    def lengths(prefix: str) -> Lengths | None:
        minimum, maximum = maybe(properties, f"{prefix}-minimum", int), maybe(properties, f"{prefix}-maximum", int)
        return None if minimum is None or maximum is None else Lengths(minimum, maximum)

    possession = maybe(properties, "possession", str)
    return Capabilities(by_key("sign."), by_key("decrypt."), lengths("pin"), lengths("puk"), possession)


def holder_from(properties: Properties) -> Holder:
    """Decode the reply of GetHolder."""

    def text(name: str) -> str | None:
        return maybe(properties, name, str)

    return Holder(
        national_id=text("national-id"),
        national_id_kind=text("national-id-kind"),
        identifier=text("identifier"),
        family_name=text("family-name"),
        given_name=text("given-name"),
        card_type=text("card-type"),
        profession=maybe(properties, "profession", int),
        profession_label=text("profession-label"),
        category=take(properties, "category", str, "unknown"),
        card_number=text("card-number"),
        structure_id=text("structure-id"),
        structure_name=text("structure-name"),
        serial=text("serial"),
        warnings=words(properties, "warnings"),
        speciality=text("speciality"),
        speciality_label=text("speciality-label"),
    )


def activity_from(properties: Properties) -> Activity:
    """Decode a row of GetActivities."""

    def text(name: str) -> str | None:
        return maybe(properties, name, str)

    return Activity(
        activity_id=take(properties, "id", str, ""),
        selected=take(properties, "selected", bool, False),  # the default of the key
        structure_name=text("structure-name"),
        structure_id=text("structure-id"),
        structure_kind=text("structure-kind"),
        sector=text("sector"),
        sector_label=text("sector-label"),
        warnings=words(properties, "warnings"),
    )


def token_from(properties: Properties) -> RegisteredToken:
    """Decode a row of ListTokens."""

    def text(name: str) -> str:
        return take(properties, name, str, "")

    return RegisteredToken(
        token_id=text("id"),
        kind=text("kind"),
        subject=text("subject"),
        issuer=text("issuer"),
        audience=words(properties, "audience"),
        card_id=text("card-id"),
        certificate=text("certificate"),
        device=text("device"),
        minted_by=text("minted-by"),
        authenticated_at=moment(properties, "authenticated-at"),
        issued_at=moment(properties, "issued-at"),
        expires_at=moment(properties, "expires-at"),
        revoked_at=moment(properties, "revoked-at"),
        revoked_by=text("revoked-by"),
        revocation_reason=text("revocation-reason"),
    )


def service_from(properties: Properties) -> Service:
    """Decode the properties of the manager."""
    return Service(
        version=take(properties, "Version", str, ""),
        drivers=words(properties, "Drivers"),
        warnings=words(properties, "Warnings"),
    )
