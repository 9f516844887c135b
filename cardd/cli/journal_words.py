"""The journal's words in the user's language; a word that is not known is shown as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from cardd.cli.i18n import _
from cardd.cli.wording import clean, clock
from cardd.errors import N_

if TYPE_CHECKING:
    from cardd.cli.journal_witnesses import Testimony  # what it reads is slow to import

KINDS: Final[Mapping[str, str]] = {
    "activity-selected": N_("work situation chosen"),
    "asserted": N_("holder asserted to a service"),
    "authenticated": N_("session opened by PIN"),
    "caller-connected": N_("program connected"),
    "card-departed": N_("card gone"),
    "card-inserted": N_("card inserted"),
    "clock-set-back": N_("clock set back"),
    "configuration-changed": N_("configuration read again"),
    "consent-asked": N_("consent asked"),
    "consent-given": N_("consent given"),
    "consent-refused": N_("consent refused"),
    "daemon-started": N_("cardd started"),
    "daemon-stopped": N_("cardd stopped"),
    "decrypted": N_("decrypted"),
    "dropped-result": N_("result dropped, the session had ended"),
    "entries-lost": N_("entries lost"),
    "holder-told": N_("holder told of the journal"),
    "identified": N_("card identified"),
    "journal-cut": N_("journal cut or broken off"),
    "journal-exported": N_("journal exported"),
    "journal-read": N_("journal read"),
    "machine-resumed": N_("machine awake again"),
    "machine-suspended": N_("machine going to sleep"),
    "object-read": N_("object read"),
    "pin-changed": N_("PIN changed"),
    "pin-unblocked": N_("PIN unblocked"),
    "refusals-summed": N_("refusals, summed up"),
    "refused": N_("refused"),
    "session-ended": N_("session ended"),
    "signed": N_("signed"),
    "token-minted": N_("token minted"),
    "token-redeemed": N_("token redeemed"),
    "token-revoked": N_("token revoked"),
}

FAULTS: Final[Mapping[str, str]] = {
    "altered": N_("a line was altered"),
    "missing": N_("lines are missing"),
    "inserted": N_("a line was inserted"),
    "swapped": N_("lines were swapped"),
    "replayed": N_("a line or a file stands where another one belongs"),
    "truncated": N_("the end is cut off"),
    "missing-segment": N_("a file is missing"),
    "broken-seal": N_("a seal is wrong"),
    "key-replaced": N_("the sealing key was replaced"),
    "foreign-key": N_("the first key is not the one that was noted"),
    "wrong-header": N_("the first file is not the one whose header was given"),
    "rolled-back": N_("it was put back to an earlier state"),
    "rewritten": N_("a line is another than the witness saw"),
    "foreign-witness": N_("the witness saw another journal"),
    "wrong-proof": N_("export and proof do not belong together"),
}

_WITNESSES: Final[Mapping[str, str]] = {
    "note": N_("note"),
    "journald": N_("journald"),
    "export": N_("export"),
    "token": N_("token"),
    "timestamp": N_("timestamp"),
}

_NOTICES: Final = (
    N_("No witness was given: whether the whole folder was put back to an earlier state cannot be known."),
    N_("No key noted elsewhere was given: whether all of it was made anew with other keys cannot be known."),
    N_("The last line is not finished: it is being written, or a crash cut it."),
    N_("The last {count} entries are not sealed yet: who has the machine could have rewritten them."),
    N_("The journal tells of {count} cuts or breaks (entries of kind journal-cut)."),
    N_("The clock went back {count} times."),
)


def entry_line(line: bytes) -> str:
    """One entry for people: when, what, whose, who asked, particulars. What is none is shown as it stands."""
    try:
        entry: dict[str, Any] = json.loads(line)
        parts = [_time(entry["time"]), _of(KINDS, entry["kind"])]
        if entry["result"] != "ok":
            parts.append(_("FAILED: {error}").format(error=entry["result"]))
        parts += [part for part in (_holder(entry["holder"]), _caller(entry["caller"]), _what(entry["what"])) if part]
    except (ValueError, KeyError, TypeError, AttributeError):
        return clean(line.decode("utf-8", "replace").rstrip("\n"))
    return clean("  ".join(parts))


def fault(name: str) -> str:
    """Say what a verification found."""
    return _of(FAULTS, name)


def notice(sentence: str) -> str:
    """Say what a verification could not know, or what the journal itself tells."""
    for known in _NOTICES:
        found = re.fullmatch(re.escape(known).replace(r"\{count\}", "([0-9]+)"), sentence)
        if found is not None:
            return _(known).format(count=found[1]) if found.groups() else _(known)
    return clean(sentence)


def witness(seen: Testimony) -> str:
    """Say what a witness saw."""
    named = {"file": clean(str(seen.file)), "line": seen.last.seq, "who": _of(_WITNESSES, seen.kind.value)}
    if seen.at is None:
        return _("{file} ({who}): line {line}").format(**named)
    return _("{file} ({who}): line {line}, seen on {time}").format(**named, time=clock(seen.at))


def _of(words: Mapping[str, str], word: str) -> str:
    return _(words[word]) if word in words else word


def _time(text: str) -> str:
    moment = datetime.fromisoformat(text).astimezone()
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _holder(holder: dict[str, Any] | None) -> str:
    if holder is None:
        return ""
    return _("holder {id}, card {card}").format(id=holder["id"] or "?", card=holder["card"] or _("none"))


def _caller(caller: dict[str, Any] | None) -> str:
    if caller is None:
        return ""
    program = caller["application"] or caller["unit"]
    if caller["pid"] is None:
        said = _("uid {uid}").format(uid=caller["uid"])
    else:
        said = _("uid {uid}, process {pid}").format(uid=caller["uid"], pid=caller["pid"])
    return f"{said} ({program})" if program else said


def _what(what: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in what.items() if value != "")


def now() -> datetime:
    """The present moment, with a time zone."""
    return datetime.now(UTC)
