"""Every reason to refuse a token, an assertion, a proof of possession, or to make one: one class each.

No text holds a token, a key or a person.
"""

from __future__ import annotations

from cardd.errors import N_, CarddError

_SHOWN = 40


def shown(value: object) -> str:
    """A stranger's word as a sentence may repeat it: printable ASCII, short."""
    text = value if isinstance(value, str) else type(value).__name__
    plain = "".join(one if one.isascii() and one.isprintable() else "?" for one in text[:_SHOWN])
    return plain or '""'


class TokenError(CarddError):
    """Base of this folder's errors; a subclass names its fields as keyword arguments, never a secret or a person."""

    short_name = "TokenError"
    sentence = N_("The token cannot be used.")


class TokenTooLarge(TokenError):
    """Fields: what (token, assertion, proof), limit (bytes). Nothing of it was parsed."""

    short_name = "TokenTooLarge"
    sentence = N_("The {what} has more than {limit} bytes.")


class TokenMalformed(TokenError):
    """Fields: what, reason."""

    short_name = "TokenMalformed"
    sentence = N_("The {what} cannot be read: {reason}.")


class AlgorithmRefused(TokenError):
    """Fields: what, algorithm (as the header names it), expected."""

    short_name = "AlgorithmRefused"
    sentence = N_("The {what} names the algorithm {algorithm}; only {expected} is accepted.")


class TypeRefused(TokenError):
    """Fields: what, typ (as the header names it), expected."""

    short_name = "TypeRefused"
    sentence = N_("This is no {what}: its type is {typ} in place of {expected}.")


class TokenAltered(TokenError):
    """Fields: what. Its signature is not by the key that it names over what it says."""

    short_name = "TokenAltered"
    sentence = N_("The signature of the {what} does not hold: it was altered, or made by another key.")


class ChainRefused(TokenError):
    """Fields: what, reason (a word of `TrustReason`)."""

    short_name = "ChainRefused"
    sentence = N_("The certificate of the {what} is not trusted: {reason}.")


class HolderMismatch(TokenError):
    """Fields: what, claim (its name). It says something else of its holder than the certificate that signed it."""

    short_name = "HolderMismatch"
    sentence = N_("The {what} says something else than its certificate ({claim}).")


class TokenExpired(TokenError):
    """Fields: what."""

    short_name = "TokenExpired"
    sentence = N_("The {what} has expired.")


class TokenNotYetValid(TokenError):
    """Fields: what."""

    short_name = "TokenNotYetValid"
    sentence = N_("The {what} is not valid yet; is the clock right?")


class LifetimeRefused(TokenError):
    """Fields: reason."""

    short_name = "LifetimeRefused"
    sentence = N_("This lifetime is refused: {reason}.")


class AudienceRefused(TokenError):
    """Fields: what."""

    short_name = "AudienceRefused"
    sentence = N_("The {what} was made for another audience.")


class NonceRefused(TokenError):
    """An assertion answers another question than the one that was asked."""

    short_name = "NonceRefused"
    sentence = N_("The assertion does not answer this nonce.")


class ConfirmationMissing(TokenError):
    """The token names no key of a device."""

    short_name = "ConfirmationMissing"
    sentence = N_("The token is bound to no device (cnf).")


class KeyRefused(TokenError):
    """Fields: reason."""

    short_name = "KeyRefused"
    sentence = N_("The device's key cannot be used: {reason}.")


class ProofWrong(TokenError):
    """Fields: reason."""

    short_name = "ProofWrong"
    sentence = N_("The device did not prove that it holds the token's key: {reason}.")


class ProofReplayed(TokenError):
    """The challenge was answered before."""

    short_name = "ProofReplayed"
    sentence = N_("This proof was used before; ask for a new challenge.")


class ChallengeUnknown(TokenError):
    """The challenge was not given to this user, or has run out."""

    short_name = "ChallengeUnknown"
    sentence = N_("The proof answers no challenge that is open here; ask for a new challenge.")


class TooManyChallenges(TokenError):
    """The store of open challenges is full."""

    short_name = "TooManyChallenges"
    sentence = N_("Too many challenges are open; try again in half a minute.")


class TokenUnknown(TokenError):
    """The registry has no such token."""

    short_name = "TokenUnknown"
    sentence = N_("No such token is registered here.")


class TokenExists(TokenError):
    """The registry has a token of this id already."""

    short_name = "TokenExists"
    sentence = N_("A token of this id is registered already.")


class TokenRevoked(TokenError):
    """The token was revoked."""

    short_name = "TokenRevoked"
    sentence = N_("The token was revoked.")


class SigningFailed(TokenError):
    """What the card gave is no signature by the key of its certificate; nothing was handed out."""

    short_name = "SigningFailed"
    sentence = N_("The card's signature does not hold; insert the card again.")


class IssuerUnknown(TokenError):
    """A daemon signed that the verifier does not know."""

    short_name = "IssuerUnknown"
    sentence = N_("The assertion is signed by a daemon that is not known here.")


class RegistryUnavailable(TokenError):
    """Fields: reason."""

    short_name = "RegistryUnavailable"
    sentence = N_("The registry of tokens cannot be used: {reason}.")


class DaemonKeyUnusable(TokenError):
    """Fields: reason."""

    short_name = "DaemonKeyUnusable"
    sentence = N_("The daemon's own key cannot be used: {reason}.")
