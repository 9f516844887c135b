"""Words of the protocol in the user's language: a word that is not known is shown as it is."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import datetime

from cardd.cli.i18n import _
from cardd.client.errors import RemoteError
from cardd.client.values import CardState, EndReason, Holder, Trust, TrustState
from cardd.errors import N_, CarddError, Field

_END_REASONS: Mapping[str, str] = {
    EndReason.CARD_REMOVED: N_("the card was taken out"),
    EndReason.READER_REMOVED: N_("the reader was unplugged"),
    EndReason.CARD_RESET: N_("another program reset the card"),
    EndReason.PCSCD_LOST: N_("the smart card service pcscd stopped"),
    EndReason.REVOKED: N_("its card or token was revoked or blocked"),
    EndReason.EXPIRED: N_("its certificate or token expired"),
    EndReason.SUSPEND: N_("the machine was suspended"),
    EndReason.LOCKED: N_("the desktop session was locked or switched away"),
    EndReason.IDLE: N_("it was not used for too long"),
    EndReason.ENDED_BY_USER: N_("it was ended on request"),
    EndReason.DAEMON_STOPPED: N_("cardd was stopped"),
    EndReason.BUS_LOST: N_("the message bus was lost"),
}

_CARD_STATES: Mapping[str, str] = {
    CardState.PRESENT: N_("being read"),
    CardState.IDENTIFIED: N_("ready"),
    CardState.IN_USE: N_("held by another program"),
    CardState.UNKNOWN: N_("unknown to cardd"),
    CardState.FOREIGN: N_("left alone by cardd"),
    CardState.FAILED: N_("unreadable"),
}

_CARD_KINDS = {
    "cps3": "CPS3",
    "cps4": "CPS4",
    "cps3-contactless": N_("CPS3, contactless"),
    "vitale": "Vitale",
    "other": N_("other"),
}

_TRUST_REASONS = {
    "malformed": N_("it is malformed"),
    "weak-signature": N_("its signature is too weak"),
    "weak-key": N_("its key is too weak"),
    "unsupported-key": N_("its kind of key is not supported"),
    "no-roots": N_("no root certificate is installed"),
    "unknown-issuer": N_("its issuer is not known here"),
    "bad-signature": N_("its signature is wrong"),
    "expired": N_("it has expired"),
    "not-yet-valid": N_("it is not valid yet; check the clock"),
    "invalid-path": N_("its chain breaks a rule"),
    "wrong-key-usage": N_("it is made for another use"),
    "revoked": N_("it is revoked"),
    "revocation-unknown": N_("whether it is revoked is not known by data that are new enough"),
    "unproven": N_("the card's answer is not by its key; hold it to the reader again"),
    "blocked": N_("the card, the certificate or its holder is on this machine's block list"),
    "not judged yet": N_("it is not judged yet"),
}

_OTHER_WORDS = {
    "vitale": "Vitale",
    "another program": N_("another program"),
    "a PIN is needed": N_("a PIN is needed"),
    "the PIN must be asked for, and the call forbids asking": N_(
        "the PIN must be asked for, and the call forbids asking"
    ),
    "the card wants its PIN for this each time, and the call forbids asking": N_(
        "the card wants its PIN for this each time, and the call forbids asking"
    ),
    "the card wants its PIN for this each time, and no agent is there to ask for it: run `cardctl agent`, or register "
    "one of your own": N_(
        "the card wants its PIN for this each time, and no agent is there to ask for it: run `cardctl agent`, or "
        "register one of your own"
    ),
    "another user opened this session": N_("another user opened this session"),
    "token": N_("token"),
    "proof": N_("proof"),
    "assertion": N_("assertion"),
    "card": N_("card"),
    "the card wants its PIN first": N_("the card wants its PIN first"),
    "the journal is for administrators; whoever has a session open may read the entries of its holder": N_(
        "the journal is for administrators; whoever has a session open may read the entries of its holder"
    ),
    "the journal as a whole is for administrators": N_("the journal as a whole is for administrators"),
    "these are the entries of another holder": N_("these are the entries of another holder"),
}

_FIELD_WORDS: Mapping[str, str] = {**_END_REASONS, **_CARD_STATES, **_TRUST_REASONS, **_OTHER_WORDS}


def clean(text: str) -> str:
    """Take out what could steer a terminal: names of readers and holders come from outside."""
    return "".join(
        "�" if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp") else character for character in text
    )


def sentence_of(error: CarddError) -> str:
    """Say a failure in the user's language."""
    if isinstance(error, RemoteError):
        return clean(error.message)
    return _(error.sentence).format_map({name: _field(value) for name, value in error.fields.items()})


def end_reason(reason: str) -> str:
    """Say why a session ended."""
    return _translated(_END_REASONS, reason)


def card_state(state: str, kind: str = "") -> str:
    """Say what state a card is in, and which card it is where that is known without its being ours."""
    said = _translated(_CARD_STATES, state)
    return f"{card_kind(kind)}, {said}" if kind and state == CardState.FOREIGN else said


def card_kind(kind: str) -> str:
    """Name a kind of card."""
    return _translated(_CARD_KINDS, kind) if kind else _("unknown card")


def trust(found: Trust) -> str:
    """Say whether a certificate is believed, and what that rests on."""
    if found.state == TrustState.TRUSTED:
        notes = [_("simulator: proves nothing about a real person")] if found.simulator else []
        if (note := _revocation(found)) is not None:
            notes.append(note)
        separator = _("; ")
        return _("trusted") + (f" ({separator.join(notes)})" if notes else "")
    if found.state == TrustState.UNTRUSTED:
        return _("not trusted: {reason}").format(reason=_translated(_TRUST_REASONS, found.reason))
    return _("not judged yet")


def _revocation(found: Trust) -> str | None:
    """What is worth saying of a trusted certificate's revocation: how old the data are, or that there are none."""
    if found.revocation == "not-asked":
        return _("revocation not checked")
    if found.revocation == "unknown":
        return _("revocation not known: there are no data, and the policy is {policy}").format(
            policy=found.revocation_policy
        )
    if found.revocation_as_of is None:
        return None
    since = found.revocation_as_of.astimezone().strftime("%x %X")
    if found.revocation == "stale":
        return _("not revoked as of {time}, by data past their time").format(time=since)
    return _("not revoked as of {time}").format(time=since)


def holder(found: Holder) -> str:
    """Name a holder with profession and number."""
    details = [part for part in (found.profession_label, _number(found)) if part]
    named = clean(found.display_name)
    return f"{named} — {clean(', '.join(details))}" if details else named


def category(found: Holder) -> str:
    """Say whether the card is a real one."""
    return {"test": _("TEST card"), "real": _("real card")}.get(found.category, "")


def located(place: str, detail: str) -> str:
    """Say what is wrong with a file, naming it once."""
    return clean(detail if place in detail else f"{place}: {detail}")


def warning(sentence: str) -> str:
    """Say a warning of the daemon, in the user's language where the catalogue has it."""
    return clean(_(sentence))


def clock(moment: datetime) -> str:
    """A moment as local time; with the date where it is another day."""
    local = moment.astimezone()
    today = local.date() == datetime.now().astimezone().date()
    return local.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")


def _number(found: Holder) -> str:
    kinds = {"rpps": "RPPS", "adeli": "ADELI", "finess": "FINESS", "siren": "SIREN", "siret": "SIRET"}
    if found.identifier is None:
        return ""
    return f"{kinds.get(found.national_id_kind or '', '')} {found.identifier}".strip()


def _translated(words: Mapping[str, str], word: str) -> str:
    return _(words[word]) if word in words else clean(word)


def _field(value: Field) -> str:
    return _translated(_FIELD_WORDS, str(value))
