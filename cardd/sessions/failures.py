"""What a card, a driver or a reader reports, said as a client can understand it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cardd import errors
from cardd.cards.connection import HeldByAnother
from cardd.cards.present import CardChanged, NotReady
from cardd.cards.worker import QueueFull
from cardd_drivers import contract


def as_client_error(error: Exception, *, label: str = "", key: str = "", algorithm: str = "") -> errors.CarddError:
    """The client's error for a failure of the lower rooms.

    Args:
        label, key, algorithm: what the caller had asked for, to be named in the sentence.
    """
    if isinstance(error, errors.CarddError):
        return error
    translated = _of_the_request(error, label, key, algorithm) or _of_the_card(error)
    if translated is not None:
        return translated
    for kind, plain in _PLAIN.items():
        if isinstance(error, kind):
            return plain()
    raise error


def _of_the_request(error: Exception, label: str, key: str, algorithm: str) -> errors.CarddError | None:
    match error:
        case contract.PinError():
            return _pin_error(error)
        case contract.PinPadFailed():
            return _PAD_ERRORS[error.reason]()
        case contract.ObjectNotFound():
            return errors.ObjectNotFound(label=errors.shown(label or "certificate"))
        case contract.KeyNotFound():
            return errors.UnknownKey(key=key)
        case contract.AlgorithmNotSupported():
            return errors.AlgorithmNotSupported(algorithm=algorithm, key=key)
    return None


def _of_the_card(error: Exception) -> errors.CarddError | None:
    match error:
        case HeldByAnother():
            return errors.CardInUse(holder=error.holder)
        case NotReady():
            return errors.CardNotReady(state=error.state.value)
        case contract.SecurityStatusNotSatisfied():
            return errors.NotAuthorized(reason="the card wants its PIN first")
        case contract.UnexpectedResponse() | contract.MalformedCardData():
            return errors.CardFault(detail=str(error))
        case contract.ReaderFailure():
            return errors.ReaderFault(detail=str(error) or "no reason given")
    return None


_PAD_ERRORS: dict[contract.PadRefusal, type[errors.CarddError]] = {
    contract.PadRefusal.TIMED_OUT: errors.PinPadTimedOut,
    contract.PadRefusal.CANCELLED: errors.PinPadCancelled,
    contract.PadRefusal.MISMATCH: errors.PinPadMismatch,
    contract.PadRefusal.WRONG_LENGTH: errors.PinPadFormat,
}

_PLAIN: dict[type[Exception], type[errors.CarddError]] = {
    contract.CardRemoved: errors.CardRemoved,
    contract.CardReset: errors.CardChanged,
    contract.CardMute: errors.CardMute,
    contract.Cancelled: errors.Cancelled,
    contract.DecipherFailed: errors.DecryptFailed,
    CardChanged: errors.CardChanged,
    QueueFull: errors.Busy,
}


@contextmanager
def client_errors(*, label: str = "", key: str = "", algorithm: str = "") -> Iterator[None]:
    """Turn what is raised inside into the client's error; an unforeseen one passes as it is."""
    try:
        yield
    except Exception as error:
        raise as_client_error(error, label=label, key=key, algorithm=algorithm) from error


def _pin_error(error: contract.PinError) -> errors.CarddError:
    puk = error.reference is contract.ErrorReference.PUK
    if isinstance(error, contract.PinBlocked):
        return errors.PukBlocked() if puk else errors.PinBlocked()
    if isinstance(error, contract.PinIncorrect):
        tries_left = -1 if error.tries_left is None else error.tries_left
        return errors.PukIncorrect(tries_left=tries_left) if puk else errors.PinIncorrect(tries_left=tries_left)
    raise error  # PinFormat: sessions.pin checks the form, with the rules at hand, before a driver can
