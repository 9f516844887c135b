"""The fault matrix: one operation, one command of it, one fault; what must be so then and that all works afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cardd import errors
from cardd.journal import Detail, Kind
from cardd.sessions.presence import Presence
from cardd.sessions.states import EndReason, State
from cardd.tokens.errors import SigningFailed
from tests.support.injections import Family, Injection, disarm
from tests.support.operations import Operation, Workbench

_NOT_SPECIFIC = (errors.Internal,)
_OF_A_CARD = (
    errors.CardFault,
    errors.CardMute,
    errors.CardChanged,
    errors.ProofFailed,
    errors.SessionEnded,
    errors.NotAuthorized,
    errors.NotAuthorizedCanObtain,
    errors.DecryptFailed,
    errors.ObjectNotFound,
    errors.UnknownKey,
    errors.AlgorithmNotSupported,
    errors.NotTrusted,
    errors.UnknownCard,
    errors.NoPin,
    SigningFailed,
)
_OF_A_PIN = (errors.PinIncorrect, errors.PinBlocked, errors.PukIncorrect, errors.PukBlocked)
_SECRET_BEARING = {0x20: 5, 0x24: 5, 0x2C: 5}
"""Instruction (ISO 7816-4, 7.5.6, 7.5.7, 7.5.10: VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER): more bytes than
this, and it carries a secret."""

_INDISTINGUISHABLE = {
    *((Operation.DECRYPT, name) for name in ("SW 9000", "tlv", "tlv:0")),
    *((operation, "SW 9000") for operation in (Operation.CHANGE_PIN, Operation.UNBLOCK)),
}
"""A card that lies well is believed: a plaintext has no form that it could be known by, and whether a PIN was changed,
nobody can ask without risking a try."""


@dataclass(slots=True)
class Sent:
    """What was sent to the card within one cell.

    Args:
        secrets: headers of the commands with a secret in them.
    """

    secrets: list[bytes] = field(default_factory=list)


@contextmanager
def listening(bench: Workbench) -> Iterator[Sent]:
    """Listen to what is sent to the card meanwhile, beside the fault that may be armed there."""
    sent, reader = Sent(), bench.core.reader
    armed = reader.before

    def listen(number: int, command: bytes) -> None:
        if len(command) > _SECRET_BEARING.get(command[1], len(command)):
            sent.secrets.append(command[:4])
        if armed is not None:
            armed(number, command)

    reader.before = listen
    try:
        yield sent
    finally:
        reader.before = None


async def commands_of(bench: Workbench, operation: Operation) -> int:
    """How many commands an operation takes where nothing goes wrong, once the card is known."""
    await _counted(bench, operation)
    return await _counted(bench, operation)


async def _counted(bench: Workbench, operation: Operation) -> int:
    await bench.ready(operation)
    count = 0

    def hook(number: int, command: bytes, answer: bytes) -> None:
        nonlocal count
        del command, answer
        count = number

    bench.core.reader.after_apdu(hook)
    result = await bench.do(operation)
    bench.core.reader.after_apdu(None)
    bench.check(operation, result)
    bench.mine.inside.restore()
    return count


async def outcome(work: Awaitable[object]) -> object:
    """The result or the error."""
    try:
        return await work
    except Exception as error:
        return error


async def try_cell(bench: Workbench, operation: Operation, injection: Injection, at: int) -> bool:
    """One cell.

    Returns:
        Whether the fault struck: what is selected already may save the operation its last command.

    Raises:
        AssertionError: what is owed was not given.
    """
    await bench.ready(operation)
    heard, journal = bench.core.heard, bench.core.journal
    heard.news.clear()
    journal.events.clear()
    before = bench.presence
    injection.arm(bench, at)
    with listening(bench) as sent:
        result = await outcome(bench.do(operation))
    struck = not [fault for fault in bench.core.reader.faults.armed() if not fault.lasts]
    disarm(bench)
    assert operation.presents_pin or not sent.secrets, "a secret went to the card that nobody gave"
    assert len(set(sent.secrets)) == len(sent.secrets), f"sent again: {[one.hex() for one in sent.secrets]}"
    if struck:
        _judge(bench, operation, injection, result)
    else:
        bench.check(operation, result)
    await _come_to_rest(bench)
    _right_state(bench, before is not bench.presence)
    assert bench.mine.inside.tries == bench.mine.inside.full, "a try was lost, and every PIN given was right"
    bench.mine.inside.restore()
    await _works_again(bench, result)
    return struck


def _judge(bench: Workbench, operation: Operation, injection: Injection, result: object) -> None:
    ends = bench.core.heard.ends()
    assert len(ends) <= 1, f"ended {len(ends)} times"
    if isinstance(result, Exception):
        assert isinstance(result, errors.CarddError), f"not an error for a client: {result!r}"
        assert not isinstance(result, _NOT_SPECIFIC)
    else:
        assert not (ends and operation.in_session), "a result after the end"
    if (operation, injection.name) in _INDISTINGUISHABLE:
        return
    match injection.family:
        case Family.LEAVES:
            _judge_departure(operation, injection, result, ends)
        case Family.SLOW:
            bench.check(operation, result)
        case Family.RESET | Family.MUTE | Family.ANSWERS:
            _judge_lapse(bench, operation, injection, result, ends)


def _judge_departure(operation: Operation, injection: Injection, result: object, ends: list[EndReason]) -> None:
    assert injection.reason is not None
    reason = injection.reason.value
    if operation.in_session:
        assert isinstance(result, errors.SessionEnded), repr(result)
        assert result.fields == {"reason": reason}
        assert ends == [EndReason(reason)], ends
    elif operation.presents_pin:
        assert isinstance(result, errors.CardRemoved), repr(result)
        assert not ends


def _judge_lapse(
    bench: Workbench, operation: Operation, injection: Injection, result: object, ends: list[EndReason]
) -> None:
    if not isinstance(result, Exception):
        bench.check(operation, result)
        assert not ends
        return
    owed: tuple[type[Exception], ...] = {
        Family.RESET: (errors.CardChanged, errors.SessionEnded),
        Family.MUTE: (errors.CardMute, errors.SessionEnded),
        Family.ANSWERS: _OF_A_CARD + (_OF_A_PIN if operation.presents_pin else ()),
    }[injection.family]
    assert isinstance(result, owed), repr(result)
    if isinstance(result, errors.SessionEnded):
        assert result.fields == {"reason": "card-reset"}, result.fields
    if ends:
        assert operation.in_session
        assert ends == [EndReason.CARD_RESET]


async def _come_to_rest(bench: Workbench) -> None:
    """Until the daemon has seen what there is to see, and has done what it does by itself."""
    core = bench.core

    def at_rest() -> bool:
        there, presence = core.reader.card is not None, bench.presence
        if not there or presence is None:
            return not there and presence is None
        seen = presence.card.identity
        judged = presence.state in (State.TRUSTED, State.UNTRUSTED, State.AUTHENTICATED)
        settled = judged or presence.problem is not None
        return settled and not presence.proving.locked() and (seen is None or seen.serial in _serial_in(bench))

    try:
        await core.until(at_rest)
    except TimeoutError:
        raise AssertionError(f"never at rest: {bench.presence and bench.presence.state}") from None
    await bench.let_go()


def _serial_in(bench: Workbench) -> str:
    card = bench.core.reader.card
    return bench.mine.serial if card is bench.mine.card else bench.other.serial


def _right_state(bench: Workbench, replaced: bool) -> None:
    """Session, hold and verified PIN go together, or none of them is there."""
    presence, reader = bench.presence, bench.core.reader
    opened = len([what for what, _ in bench.core.heard.news if what == "session-opened"])
    told = [event for event in bench.core.journal.events if event.kind is Kind.SESSION_ENDED]
    ends = bench.core.heard.ends()
    assert [event.what[Detail.REASON] for event in told] == [end.value for end in ends]
    if presence is None:
        return
    session = presence.session
    if replaced:
        assert session is None or opened
    assert (presence.state is State.AUTHENTICATED) == (session is not None)
    if not bench.held_from_the_start:
        assert presence.card.is_held == (session is not None), f"held: {presence.card.is_held}, session: {session}"
    if session is None:
        inside = bench.mine.inside if reader.card is bench.mine.card else bench.other.inside
        assert not inside.verified, "the card stands verified without a session"


def _believed(presence: Presence) -> bool:
    """It did not say that it has no PIN, or a blocked one."""
    capabilities = presence.card.capabilities
    return presence.tries_left != 0 and capabilities is not None and capabilities.pin is not None


async def _works_again(bench: Workbench, result: object) -> None:
    """The next call is served: in the session that is still open, else after the PIN was given again."""
    if bench.presence is not None and not _believed(bench.presence):
        await bench.emptied()  # what the card said of itself is asked anew when it comes again
    session = bench.session
    if session is None or isinstance(result, errors.SessionEnded):
        await bench.opened()
    served = await bench.do(Operation.SIGN)
    bench.check(Operation.SIGN, served)
    assert bench.core.heard.ends().count(EndReason.CARD_REMOVED) <= 1
