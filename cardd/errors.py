"""Every failure that a client can see: one class each, with its name on the bus and one sentence for the user.

The sentence is a gettext message id with named fields. The daemon sends it in English, as one string, which every D-Bus
library shows; a client finds the fields in it again (`fields_of`) and can say it in its user's language.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from functools import cache
from typing import ClassVar

PREFIX = "org.cardd1.Error."

Field = str | int | bool


def N_(sentence: str) -> str:  # noqa: N802  # gettext's own convention for "translate later"
    """Mark a sentence for translation; returns it as it is."""
    return sentence


class CarddError(Exception):
    """Base of the failures that a client can see. A subclass names its fields as keyword arguments.

    Args:
        fields: values that the sentence names and that a program may want; never a secret.
    """

    short_name: ClassVar[str] = "Failed"
    sentence: ClassVar[str] = N_("The operation failed.")

    decided_by: str = ""
    """Which rule or which polkit action refused: for the journal, never for the client."""

    def __init__(self, **fields: Field) -> None:
        self.fields: Mapping[str, Field] = fields
        super().__init__(self.message)

    @property
    def name(self) -> str:
        """The D-Bus error name."""
        return PREFIX + self.short_name

    @property
    def message(self) -> str:
        """The sentence in English, with its fields filled in."""
        return self.sentence.format_map(self.fields)


class InvalidArgument(CarddError):
    """Fields: argument, reason."""

    short_name = "InvalidArgument"
    sentence = N_("The argument {argument} cannot be used: {reason}.")


class UnknownOption(CarddError):
    """Fields: option."""

    short_name = "UnknownOption"
    sentence = N_("There is no option named {option} here.")


class UnknownKey(CarddError):
    """Fields: key."""

    short_name = "UnknownKey"
    sentence = N_("This card has no key named {key}; use authentication, signature or encryption.")


class AlgorithmNotSupported(CarddError):
    """Fields: algorithm, key."""

    short_name = "AlgorithmNotSupported"
    sentence = N_("The {key} key of this card does not do {algorithm}; Card.Capabilities lists what it does.")


class DigestLength(CarddError):
    """Fields: expected, given (bytes)."""

    short_name = "DigestLength"
    sentence = N_("The digest has {given} bytes where {expected} are needed: give the SHA-256 of the document.")


class DescriptorUnusable(CarddError):
    """Fields: reason."""

    short_name = "DescriptorUnusable"
    sentence = N_("The file descriptor cannot be used: {reason}.")


class PinFormat(CarddError):
    """Fields: length ("4", "4–8": characters). The card has not seen it and no try is lost."""

    short_name = "PinFormat"
    sentence = N_("This cannot be a PIN of this card, which has {length} digits. No try was used.")


class PinIncorrect(CarddError):
    """Fields: tries_left."""

    short_name = "PinIncorrect"
    sentence = N_("The PIN is wrong; tries left: {tries_left}.")


class PinBlocked(CarddError):
    """The PIN has no try left."""

    short_name = "PinBlocked"
    sentence = N_("The PIN is blocked after too many wrong tries; unblock it with the card's unblocking code (PUK).")


class PinPadTimedOut(CarddError):
    """Nobody typed the PIN on the reader in time. No try is lost."""

    short_name = "PinPadTimedOut"
    sentence = N_("Nobody typed the PIN on the reader in time; no try was used. Try again.")


class PinPadCancelled(CarddError):
    """The user pressed the reader's cancel key. No try is lost."""

    short_name = "PinPadCancelled"
    sentence = N_("The PIN was cancelled on the reader; no try was used.")


class PinPadMismatch(CarddError):
    """The two new PINs that were typed on the reader differ. Nothing is changed."""

    short_name = "PinPadMismatch"
    sentence = N_("The two PINs typed on the reader differ; nothing was changed. Try again.")


class PinPadFormat(CarddError):
    """What was typed on the reader is too short or too long. No try is lost."""

    short_name = "PinPadFormat"
    sentence = N_("The PIN typed on the reader is too short or too long; no try was used. Try again.")


class PinPadCannotChange(CarddError):
    """The reader's PIN pad takes a PIN, but no new one; the computer was not allowed to take it."""

    short_name = "PinPadCannotChange"
    sentence = N_(
        "This reader's PIN pad cannot set a new PIN. To have the codes typed on the computer, where a program could "
        "see them, allow it (option without-pin-pad, --without-pin-pad of cardctl), or use another reader."
    )


class LastTry(CarddError):
    """One try of the PIN is left, and nobody said that it may be spent. The card has not seen it."""

    short_name = "LastTry"
    sentence = N_(
        "One try is left: another wrong PIN blocks the card. Nothing was sent; allow it (option last-try, --last-try "
        "of cardctl) if you are sure of the PIN."
    )


class PukFormat(CarddError):
    """Fields: length ("8", "4–8": characters)."""

    short_name = "PukFormat"
    sentence = N_("This cannot be an unblocking code of this card, which has {length} digits. No try was used.")


class PukIncorrect(CarddError):
    """Fields: tries_left."""

    short_name = "PukIncorrect"
    sentence = N_("The unblocking code (PUK) is wrong; tries left: {tries_left}.")


class LastPukTry(CarddError):
    """One try of the unblocking code is left, and nobody said that it may be spent. The card has not seen it."""

    short_name = "LastPukTry"
    sentence = N_(
        "One try of the unblocking code is left: another wrong one makes the card useless. Nothing was sent; allow it "
        "(option last-try, --last-try of cardctl) if you are sure of the code."
    )


class PukBlocked(CarddError):
    """The unblocking code has no try left."""

    short_name = "PukBlocked"
    sentence = N_("The unblocking code (PUK) is blocked; the card must be replaced by its issuer.")


class NoPin(CarddError):
    """The card has no PIN to verify, change or unblock."""

    short_name = "NoPin"
    sentence = N_("This card has no PIN of this kind.")


class ContactNeeded(CarddError):
    """The card is held to a contactless reader, where no PIN goes to it."""

    short_name = "ContactNeeded"
    sentence = N_("No PIN goes to a card without contact: insert it into a reader with contacts, or use a token.")


class NoAgent(CarddError):
    """Nobody can ask the user."""

    short_name = "NoAgent"
    sentence = N_("Nothing can ask you here: start an agent (`cardctl agent`), or log in with `cardctl login`.")


class AgentFailed(CarddError):
    """Fields: reason."""

    short_name = "AgentFailed"
    sentence = N_("The program that asks for the PIN failed: {reason}.")


class CardRemoved(CarddError):
    """The card left the reader."""

    short_name = "CardRemoved"
    sentence = N_("The card was taken out of the reader; insert it again.")


class CardInUse(CarddError):
    """Fields: holder (which program, where that can be known)."""

    short_name = "CardInUse"
    sentence = N_("Another program holds the card ({holder}); close it and try again.")


class CardChanged(CarddError):
    """Another card is in the reader than the one that was identified."""

    short_name = "CardChanged"
    sentence = N_("The card in the reader is no longer the one that was recognised; take it out and insert it again.")


class CardMute(CarddError):
    """The card does not answer."""

    short_name = "CardMute"
    sentence = N_("The card does not answer; clean its contacts and insert it again.")


class CardFault(CarddError):
    """Fields: detail (a status word or what was malformed; never data)."""

    short_name = "CardFault"
    sentence = N_("The card gave an answer that makes no sense ({detail}); insert it again or try another reader.")


class ReaderFault(CarddError):
    """Fields: detail."""

    short_name = "ReaderFault"
    sentence = N_("The reader failed ({detail}); plug it in again, and run `cardctl doctor` if that does not help.")


class UnknownCard(CarddError):
    """No driver knows the card."""

    short_name = "UnknownCard"
    sentence = N_("No driver knows this card; it may be no health professional's card.")


class ForeignCard(CarddError):
    """Fields: kind."""

    short_name = "ForeignCard"
    sentence = N_("This is no health professional's card ({kind}), and cardd leaves it alone; insert the CPS.")


class CardNotReady(CarddError):
    """Fields: state."""

    short_name = "CardNotReady"
    sentence = N_("The card is not ready yet ({state}); wait for its Kind property and try again.")


class ObjectNotFound(CarddError):
    """Fields: label."""

    short_name = "ObjectNotFound"
    sentence = N_("The card holds nothing named {label}.")


class NotTrusted(CarddError):
    """Fields: reason."""

    short_name = "NotTrusted"
    sentence = N_("The card's certificate is not trusted: {reason}. `cardctl doctor` tells what is missing.")


class ProofFailed(CarddError):
    """The card did not prove the key of its certificate."""

    short_name = "ProofFailed"
    sentence = N_("The card could not prove that it holds the key of its certificate; it cannot be used.")


class DecryptFailed(CarddError):
    """The cryptogram could not be deciphered. No cause is given: it would serve as an oracle."""

    short_name = "DecryptFailed"
    sentence = N_("The message could not be decrypted with this card's key.")


class SessionEnded(CarddError):
    """Fields: reason (of the session's end)."""

    short_name = "SessionEnded"
    sentence = N_("The session has ended ({reason}); authenticate again.")


class NoCardKey(CarddError):
    """The session rests on a token: it says who somebody is, and has no key of a card."""

    short_name = "NoCardKey"
    sentence = N_("This session rests on a token and has no key of a card; log in with the card to sign or decrypt.")


class LevelTooLow(CarddError):
    """Fields: level (the session's)."""

    short_name = "LevelTooLow"
    sentence = N_("A session of level {level} makes no tokens and no assertions: these say that a card was used.")


class NoSuchActivity(CarddError):
    """Fields: activity."""

    short_name = "NoSuchActivity"
    sentence = N_("There is no work situation {activity}; `cardctl session activities` shows those that there are.")


class NotAuthorized(CarddError):
    """Fields: reason."""

    short_name = "NotAuthorized"
    sentence = N_("This is not allowed: {reason}.")


class NotAuthorizedCanObtain(CarddError):
    """Fields: reason. The user could be asked, had the call not said no-user-interaction."""

    short_name = "NotAuthorizedCanObtain"
    sentence = N_("This needs the user's answer: {reason}.")


class NotAuthorizedDismissed(CarddError):
    """The user closed the question without an answer."""

    short_name = "NotAuthorizedDismissed"
    sentence = N_("The question was closed without an answer.")


class ConsentRefused(CarddError):
    """The holder was asked and said no. Fields: job (the number that was shown)."""

    short_name = "ConsentRefused"
    sentence = N_("The card's holder refused this signature (job {job}).")


class ConsentNotAnswered(CarddError):
    """The holder was asked and did not answer. Fields: job."""

    short_name = "ConsentNotAnswered"
    sentence = N_("The card's holder did not answer in time (job {job}); ask again.")


class NoSuchJob(CarddError):
    """A job number that was never given to this connection, has been used, or is too old. Fields: job."""

    short_name = "NoSuchJob"
    sentence = N_("There is no open job {job} of this application; ask for a new number.")


class Busy(CarddError):
    """The card's queue is full."""

    short_name = "Busy"
    sentence = N_("The card has too much to do already; try again in a moment.")


class Cancelled(CarddError):
    """The work was given up."""

    short_name = "Cancelled"
    sentence = N_("The operation was cancelled.")


class JournalUnavailable(CarddError):
    """Fields: reason. What was asked for is not done, or its result is not given."""

    short_name = "JournalUnavailable"
    sentence = N_("The journal cannot be written ({reason}), so nothing is served; tell the administrator.")


class JournalBusy(CarddError):
    """Too many readings of the journal are under way, of this user or of all."""

    short_name = "JournalBusy"
    sentence = N_("The journal is being read too often at once; end another reading of it, or try again in a moment.")


class ConfigurationInvalid(CarddError):
    """Fields: problem (with file and line)."""

    short_name = "ConfigurationInvalid"
    sentence = N_("The configuration cannot be used: {problem}. The one in force stays.")


class Internal(CarddError):
    """Fields: reference (to be found in the log)."""

    short_name = "Internal"
    sentence = N_("Something unforeseen went wrong; the log names it under the reference {reference}.")


_HOMES = (__name__, "cardd.tokens.errors")
"""Files whose errors travel on the bus under `PREFIX`."""


def shown(text: str) -> str:
    """A caller's word as a sentence may repeat it: printable and short."""
    plain = "".join(one if one.isprintable() else "?" for one in text[:40])
    return plain or '""'


def fields_of(name: str, message: str) -> Mapping[str, Field]:
    """The fields that an error reply's sentence was made with; empty where the sentence is not the one of that error.

    Args:
        name: D-Bus error name.
        message: the sentence in English.
    """
    kind = all_errors().get(name)
    found = None if kind is None else _pattern(kind.sentence).fullmatch(message)
    return {} if found is None else {field: _typed(text) for field, text in found.groupdict().items()}


@cache
def _pattern(sentence: str) -> re.Pattern[str]:
    """What a sentence looks like once its fields are filled in."""
    parts = []
    for literal, field, _, _ in string.Formatter().parse(sentence):
        parts.append(re.escape(literal))
        if field:
            parts.append(f"(?P<{field}>.*?)")
    return re.compile("".join(parts), re.DOTALL)


def _typed(text: str) -> Field:
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else text


def all_errors() -> Mapping[str, type[CarddError]]:
    """Every class of this file, and of the `errors` of those rooms that are imported, by its D-Bus error name."""

    def below(parent: type[CarddError]) -> list[type[CarddError]]:
        return [found for child in parent.__subclasses__() for found in (child, *below(child))]

    return {PREFIX + found.short_name: found for found in below(CarddError) if found.__module__ in _HOMES}
