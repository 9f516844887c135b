"""What others tell the journal: an event, in plain frozen records. Its types leave no room for a PIN or a content."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

TEXT_MAX = 256
"""Characters in any text of an event; use `clipped` for what a stranger may choose."""
_WHAT_MAX = 4096
"""Characters in all particulars together, so that a line has a limit however its characters are escaped."""


class Kind(enum.StrEnum):
    """What happened."""

    __hash__ = str.__hash__  # Enum's own is written in Python, and each entry is looked up by it many times

    DAEMON_STARTED = "daemon-started"
    DAEMON_STOPPED = "daemon-stopped"
    CALLER_CONNECTED = "caller-connected"
    CLOCK_SET_BACK = "clock-set-back"
    CARD_INSERTED = "card-inserted"
    CARD_DEPARTED = "card-departed"
    IDENTIFIED = "identified"
    AUTHENTICATED = "authenticated"
    REFUSED = "refused"
    REFUSALS_SUMMED = "refusals-summed"
    SESSION_ENDED = "session-ended"
    SIGNED = "signed"
    DECRYPTED = "decrypted"
    ASSERTED = "asserted"
    ACTIVITY_SELECTED = "activity-selected"
    OBJECT_READ = "object-read"
    PIN_CHANGED = "pin-changed"
    PIN_UNBLOCKED = "pin-unblocked"
    TOKEN_MINTED = "token-minted"  # noqa: S105  # the name of an event
    TOKEN_REDEEMED = "token-redeemed"  # noqa: S105  # the name of an event
    TOKEN_REVOKED = "token-revoked"  # noqa: S105  # the name of an event
    CONSENT_ASKED = "consent-asked"
    CONSENT_GIVEN = "consent-given"
    CONSENT_REFUSED = "consent-refused"
    CONFIGURATION_CHANGED = "configuration-changed"
    HOLDER_TOLD = "holder-told"
    JOURNAL_READ = "journal-read"
    JOURNAL_EXPORTED = "journal-exported"
    MACHINE_SUSPENDED = "machine-suspended"
    MACHINE_RESUMED = "machine-resumed"
    DROPPED_RESULT = "dropped-result"
    JOURNAL_CUT = "journal-cut"
    ENTRIES_LOST = "entries-lost"


class Detail(enum.StrEnum):
    """The vocabulary of `Event.what`: there is no name here under which a PIN or a content could be given."""

    __hash__ = str.__hash__  # as above

    ACTION = "action"
    ACTIVITY = "activity"
    ALGORITHM = "algorithm"
    AUDIENCE = "audience"
    BYTES = "bytes"
    CARD_KIND = "card-kind"
    CAUSE = "cause"
    COUNT = "count"
    DECISION = "decision"
    DIGEST = "digest"
    DOCUMENT_KIND = "document-kind"
    DOCUMENT_TITLE = "document-title"
    DRIVER = "driver"
    ERRORS = "errors"
    EXPIRES = "expires"
    FILE = "file"
    FINGERPRINT = "fingerprint"
    FIRST = "first"
    JOB = "job"
    KEY = "key"
    LAST = "last"
    LEVEL = "level"
    LINES = "lines"
    NUMBER = "number"
    OBJECT = "object"
    PROFESSION = "profession"
    READER = "reader"
    REASON = "reason"
    RULE = "rule"
    SECTOR = "sector"
    SESSION = "session"
    STRUCTURE = "structure"
    TEST_CARD = "test-card"
    TOKEN = "token"  # noqa: S105  # a token's id (jti)
    TRIES_LEFT = "tries-left"
    TRUST = "trust"
    VERSION = "version"


Value = str | int | bool

_HEXADECIMAL = re.compile(r"[0-9a-f]{64}")
_NUMBER_MAX = 1 << 63
_RESULT = re.compile(r"[A-Za-z][A-Za-z0-9.-]{0,63}")

OK = "ok"
"""The result of what went well; otherwise it is the error's name (`NotAuthorized`)."""


def clipped(text: str, limit: int = TEXT_MAX) -> str:
    """A stranger's text, shortened to what the journal takes, with a mark where it was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


@dataclass(frozen=True, slots=True)
class HolderRef:
    """Whose card it was.

    Args:
        national_id: RPPS, ADELI or a structure's number; empty while unknown.
        card: the card's serial or number; empty for a token.
    """

    national_id: str
    card: str

    def __post_init__(self) -> None:
        _check_text("national_id", self.national_id, 64)
        _check_text("card", self.card, 64)


@dataclass(frozen=True, slots=True)
class CallerRef:
    """Who asked, by what the bus and the kernel said.

    Args:
        uid: user.
        pid: process, None where it cannot be seen.
        unit: systemd unit or scope, empty if none.
        application: Flatpak or Snap id, or the executable's path; empty if unknown.
    """

    uid: int
    pid: int | None = None
    unit: str = ""
    application: str = ""

    def __post_init__(self) -> None:
        for name, number in (("uid", self.uid), ("pid", self.pid)):
            if number is not None and (type(number) is not int or not 0 <= number < _NUMBER_MAX):
                raise ValueError(f"{name} must be a number from 0")
        _check_text("unit", self.unit)
        _check_text("application", self.application)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, to be written down.

    Args:
        kind: what.
        result: `OK` or the name of the error that it ended with.
        holder: whose card; None where there is none.
        caller: who asked; None for what the daemon does by itself.
        what: particulars, from the vocabulary; digests are 64 hexadecimal digits.

    Raises:
        ValueError: a value is not of the form that its name asks for; the message names it and never shows it.
    """

    kind: Kind
    result: str = OK
    holder: HolderRef | None = None
    caller: CallerRef | None = None
    what: Mapping[Detail, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.result != OK and not _RESULT.fullmatch(self.result):
            raise ValueError("result must be the plain name of an error")
        characters = 0
        for name, value in self.what.items():
            if type(name) is not Detail:
                raise ValueError("what holds only names of Detail")
            check = _CHECKS.get(name)
            if check is not None:
                characters += check(name, value)
            elif isinstance(value, str) and len(value) <= TEXT_MAX:
                characters += len(value)
            else:
                raise ValueError(f"{name} must be a text of at most {TEXT_MAX} characters")
        if characters > _WHAT_MAX:
            raise ValueError(f"what must be at most {_WHAT_MAX} characters of text")
        object.__setattr__(self, "what", MappingProxyType(dict(self.what)))


def _check_number(name: str, value: object) -> int:
    if type(value) is not int or not 0 <= value < _NUMBER_MAX:
        raise ValueError(f"{name} must be a number from 0")
    return 0


def _check_flag(name: str, value: object) -> int:
    if type(value) is not bool:
        raise ValueError(f"{name} must be true or false")
    return 0


def _check_digest(name: str, value: object) -> int:
    if not isinstance(value, str) or not _HEXADECIMAL.fullmatch(value):
        raise ValueError(f"{name} must be a SHA-256 in hexadecimal")
    return len(value)


# What is not named here is a text of `TEXT_MAX` characters at most.
_CHECKS: dict[Detail, Callable[[str, object], int]] = {
    **dict.fromkeys((Detail.BYTES, Detail.COUNT, Detail.LINES, Detail.NUMBER, Detail.TRIES_LEFT), _check_number),
    Detail.TEST_CARD: _check_flag,
    Detail.DIGEST: _check_digest,
    Detail.FINGERPRINT: _check_digest,
}


def _check_text(name: str, value: object, limit: int = TEXT_MAX) -> None:
    if not isinstance(value, str) or len(value) > limit:
        raise ValueError(f"{name} must be a text of at most {limit} characters")
