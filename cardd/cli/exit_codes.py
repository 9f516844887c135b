"""Exit codes of cardctl: a contract with scripts, listed in `cardctl --help` and docs/cardctl.md."""

from __future__ import annotations

from enum import IntEnum

from cardd import errors
from cardd.cli import failures
from cardd.client import errors as client_errors
from cardd.errors import N_, CarddError
from cardd.tokens import errors as token_errors


class ExitCode(IntEnum):
    """What cardctl ends with."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_AUTHORIZED = 3
    NOTHING_THERE = 4
    PIN_WRONG = 5
    PIN_BLOCKED = 6
    UNREACHABLE = 7
    CARD_FAILED = 8
    NOT_TRUSTED = 9
    TOKEN_REFUSED = 10
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: N_("done"),
    ExitCode.FAILURE: N_("failed otherwise, or `doctor` or `journal verify` found a problem"),
    ExitCode.USAGE: N_("the command line, a file or a value cannot be used"),
    ExitCode.NOT_AUTHORIZED: N_("not allowed, or the question was closed"),
    ExitCode.NOTHING_THERE: N_("no reader, card, session or token is there"),
    ExitCode.PIN_WRONG: N_("the PIN or the unblocking code is wrong"),
    ExitCode.PIN_BLOCKED: N_("the PIN or the unblocking code is blocked"),
    ExitCode.UNREACHABLE: N_("the message bus or cardd cannot be reached"),
    ExitCode.CARD_FAILED: N_("the card or the reader failed, was taken out, or is held by another program"),
    ExitCode.NOT_TRUSTED: N_("the card is unknown, or its certificate is not trusted"),
    ExitCode.TOKEN_REFUSED: N_("the token is wrong, expired, revoked, or not proven"),
    ExitCode.INTERRUPTED: N_("interrupted (Ctrl-C)"),
}

_BY_CLASS: tuple[tuple[ExitCode, tuple[type[CarddError], ...]], ...] = (
    (
        ExitCode.USAGE,
        (
            errors.InvalidArgument,
            errors.UnknownOption,
            errors.UnknownKey,
            errors.AlgorithmNotSupported,
            errors.DigestLength,
            errors.ConfigurationInvalid,
            token_errors.KeyRefused,
            token_errors.LifetimeRefused,
            failures.ConfigurationUnusable,
            failures.FileUnusable,
            failures.NothingToExport,
            failures.SeveralCards,
            failures.SeveralReaders,
            failures.ReaderNotFound,
            errors.NoSuchActivity,
            failures.NoTerminal,
        ),
    ),
    (
        ExitCode.NOT_AUTHORIZED,
        (
            errors.NotAuthorized,
            errors.NotAuthorizedCanObtain,
            errors.NotAuthorizedDismissed,
            client_errors.AccessDenied,
        ),
    ),
    (
        ExitCode.NOTHING_THERE,
        (
            failures.NoReader,
            failures.NoCard,
            failures.NoSession,
            errors.SessionEnded,
            token_errors.TokenUnknown,
        ),
    ),
    (
        ExitCode.PIN_WRONG,
        (
            errors.PinIncorrect,
            errors.PinFormat,
            errors.PukIncorrect,
            errors.PukFormat,
            errors.LastTry,
            errors.LastPukTry,
        ),
    ),
    (ExitCode.PIN_BLOCKED, (errors.PinBlocked, errors.PukBlocked)),
    (
        ExitCode.UNREACHABLE,
        (
            client_errors.BusUnreachable,
            client_errors.DaemonNotRunning,
            client_errors.DaemonStartFailed,
            client_errors.ConnectionLost,
            client_errors.NoReply,
        ),
    ),
    (
        ExitCode.CARD_FAILED,
        (
            errors.CardRemoved,
            errors.CardInUse,
            failures.CardHeld,
            errors.CardChanged,
            errors.CardMute,
            errors.CardFault,
            errors.CardNotReady,
            errors.ReaderFault,
            errors.Busy,
        ),
    ),
    (ExitCode.NOT_TRUSTED, (errors.NotTrusted, errors.UnknownCard, errors.ForeignCard, errors.ProofFailed)),
    (
        ExitCode.FAILURE,
        (token_errors.RegistryUnavailable, token_errors.DaemonKeyUnusable, token_errors.TooManyChallenges),
    ),
    (ExitCode.TOKEN_REFUSED, (token_errors.TokenError,)),
)


def code_of(error: CarddError) -> ExitCode:
    """Return the exit code that stands for a failure."""
    return next((code for code, classes in _BY_CLASS if isinstance(error, classes)), ExitCode.FAILURE)
