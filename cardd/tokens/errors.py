"""Every reason to refuse a token, an assertion, a proof of possession, or to make one: one class each.

The shape is that of `cardd.errors.CarddError`: a sentence with named fields. No text holds a token, a key or a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

Field = str | int | bool

_SHOWN = 40


def shown(value: object) -> str:
    """A stranger's word as a sentence may repeat it: printable ASCII, short."""
    text = value if isinstance(value, str) else type(value).__name__
    plain = "".join(one if one.isascii() and one.isprintable() else "?" for one in text[:_SHOWN])
    return plain or '""'


class TokenError(Exception):
    """Base of this folder's errors. A subclass names its fields as keyword arguments.

    Args:
        fields: values that the sentence names and that a program may want; never a secret, never who somebody is.
    """

    short_name: ClassVar[str] = "TokenError"
    sentence: ClassVar[str] = "The token cannot be used."

    def __init__(self, **fields: Field) -> None:
        self.fields: Mapping[str, Field] = fields
        super().__init__(self.sentence.format_map(fields))

    @property
    def message(self) -> str:
        """The sentence in English, with its fields filled in."""
        return self.sentence.format_map(self.fields)


class TokenTooLarge(TokenError):
    """Fields: what (token, assertion, proof), limit (bytes). Nothing of it was parsed."""

    short_name = "TokenTooLarge"
    sentence = "The {what} has more than {limit} bytes."


class TokenMalformed(TokenError):
    """Fields: what, reason."""

    short_name = "TokenMalformed"
    sentence = "The {what} cannot be read: {reason}."


class AlgorithmRefused(TokenError):
    """Fields: what, algorithm (as the header names it), expected."""

    short_name = "AlgorithmRefused"
    sentence = "The {what} names the algorithm {algorithm}; only {expected} is accepted."


class TypeRefused(TokenError):
    """Fields: what, typ (as the header names it), expected."""

    short_name = "TypeRefused"
    sentence = "This is no {what}: its type is {typ} in place of {expected}."


class TokenAltered(TokenError):
    """Fields: what. Its signature is not by the key that it names over what it says."""

    short_name = "TokenAltered"
    sentence = "The signature of the {what} does not hold: it was altered, or made by another key."


class ChainRefused(TokenError):
    """Fields: what, reason (a word of `TrustReason`)."""

    short_name = "ChainRefused"
    sentence = "The certificate of the {what} is not trusted: {reason}."


class HolderMismatch(TokenError):
    """Fields: what, claim (its name). It says something else of its holder than the certificate that signed it."""

    short_name = "HolderMismatch"
    sentence = "The {what} says something else than its certificate ({claim})."


class TokenExpired(TokenError):
    """Fields: what."""

    short_name = "TokenExpired"
    sentence = "The {what} has expired."


class TokenNotYetValid(TokenError):
    """Fields: what."""

    short_name = "TokenNotYetValid"
    sentence = "The {what} is not valid yet; is the clock right?"


class LifetimeRefused(TokenError):
    """Fields: reason."""

    short_name = "LifetimeRefused"
    sentence = "This lifetime is refused: {reason}."


class AudienceRefused(TokenError):
    """Fields: what."""

    short_name = "AudienceRefused"
    sentence = "The {what} was made for another audience."


class NonceRefused(TokenError):
    """An assertion answers another question than the one that was asked."""

    short_name = "NonceRefused"
    sentence = "The assertion does not answer this nonce."


class ConfirmationMissing(TokenError):
    """The token names no key of a device."""

    short_name = "ConfirmationMissing"
    sentence = "The token is bound to no device (cnf)."


class KeyRefused(TokenError):
    """Fields: reason."""

    short_name = "KeyRefused"
    sentence = "The device's key cannot be used: {reason}."


class ProofWrong(TokenError):
    """Fields: reason."""

    short_name = "ProofWrong"
    sentence = "The device did not prove that it holds the token's key: {reason}."


class ProofReplayed(TokenError):
    """The challenge was answered before."""

    short_name = "ProofReplayed"
    sentence = "This proof was used before; ask for a new challenge."


class ChallengeUnknown(TokenError):
    """The challenge was not given to this user, or has run out."""

    short_name = "ChallengeUnknown"
    sentence = "The proof answers no challenge that is open here; ask for a new challenge."


class TooManyChallenges(TokenError):
    """The store of open challenges is full."""

    short_name = "TooManyChallenges"
    sentence = "Too many challenges are open; try again in half a minute."


class TokenUnknown(TokenError):
    """The registry has no such token."""

    short_name = "TokenUnknown"
    sentence = "No such token is registered here."


class TokenExists(TokenError):
    """The registry has a token of this id already."""

    short_name = "TokenExists"
    sentence = "A token of this id is registered already."


class TokenRevoked(TokenError):
    """The token was revoked."""

    short_name = "TokenRevoked"
    sentence = "The token was revoked."


class SigningFailed(TokenError):
    """What the card gave is no signature by the key of its certificate; nothing was handed out."""

    short_name = "SigningFailed"
    sentence = "The card's signature does not hold; insert the card again."


class IssuerUnknown(TokenError):
    """A daemon signed that the verifier does not know."""

    short_name = "IssuerUnknown"
    sentence = "The assertion is signed by a daemon that is not known here."


class RegistryUnavailable(TokenError):
    """Fields: reason."""

    short_name = "RegistryUnavailable"
    sentence = "The registry of tokens cannot be used: {reason}."


class DaemonKeyUnusable(TokenError):
    """Fields: reason."""

    short_name = "DaemonKeyUnusable"
    sentence = "The daemon's own key cannot be used: {reason}."
