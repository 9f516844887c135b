"""What is asked of polkit, what is kept, what a refusal means. (The real polkitd: tests/integration/test_polkit.py.)"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from cardd.access.actions import Action
from cardd.access.caller import Caller
from cardd.access.polkit import (
    ANSWERS_PER_CONNECTION,
    Answer,
    Details,
    NoPolkit,
    Polkit,
    PolkitAbsent,
    PolkitFailed,
    Question,
)
from cardd.errors import CarddError, NotAuthorized, NotAuthorizedCanObtain, NotAuthorizedDismissed

CALLER = Caller(":1.7", 1000, 42)
YES, NO, CHALLENGE = Answer(True), Answer(False), Answer(False, challenge=True)
OWN_UID = 61001


class Authority:
    """polkit of make-believe: answers in order, the last for ever."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[Question] = []
        self.cancelled: list[str] = []
        self.changed: Callable[[], None] = lambda: None
        self.begun = asyncio.Event()
        self.free = asyncio.Event()
        self.free.set()

    async def check(self, question: Question) -> Answer:
        self.asked.append(question)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.begun.set()
        await self.free.wait()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def cancel(self, cancellation_id: str) -> None:
        self.cancelled.append(cancellation_id)

    async def watch(self, changed: Callable[[], None]) -> None:
        self.changed = changed


async def polkit(authority: Authority, without: NoPolkit = NoPolkit.REFUSE) -> Polkit:
    made = Polkit(authority, without=without, own_uid=OWN_UID, cancellation_id=lambda: "c1")
    await made.start()
    return made


async def require(
    asked: Polkit,
    caller: Caller = CALLER,
    action: Action = Action.SIGN,
    details: Details | None = None,
    *,
    owner: int | None = 1000,
    interactive: bool = False,
) -> None:
    await asked.require(caller, action, details or Details(), owner_uid=owner, interactive=interactive)


async def test_an_answer_is_kept_for_its_connection_action_and_details() -> None:
    authority = Authority(YES)
    asked = await polkit(authority)
    for _ in range(3):
        await require(asked)
    assert len(authority.asked) == 1
    await require(asked, action=Action.DECRYPT)
    await require(asked, details=Details(document_kind="prescription"))
    await require(asked, caller=replace(CALLER, name=":1.8"))
    assert len(authority.asked) == 4
    assert authority.asked[2].details == (("document-kind", "prescription"),)
    assert {one.action_id for one in authority.asked} == {"org.cardd1.sign", "org.cardd1.decrypt"}


async def test_a_refusal_is_kept_too() -> None:
    authority = Authority(NO)
    asked = await polkit(authority)
    for _ in range(2):
        with pytest.raises(NotAuthorized):
            await require(asked)
    assert len(authority.asked) == 1


async def test_a_change_makes_it_ask_again() -> None:
    authority = Authority(YES, NO)
    asked = await polkit(authority)
    await require(asked)
    authority.changed()
    with pytest.raises(NotAuthorized):
        await require(asked)


async def test_an_answer_from_before_a_change_is_not_kept() -> None:
    authority = Authority(YES, NO)
    asked = await polkit(authority)
    authority.free.clear()
    call = asyncio.create_task(require(asked))
    await authority.begun.wait()
    authority.changed()
    authority.free.set()
    await call
    with pytest.raises(NotAuthorized):
        await require(asked)


async def test_an_answer_for_a_connection_that_left_meanwhile_is_not_kept() -> None:
    authority = Authority(YES)
    asked = await polkit(authority)
    authority.free.clear()
    call = asyncio.create_task(require(asked))
    await authority.begun.wait()
    asked.forget(":1.7")
    authority.free.set()
    await call
    assert asked._kept == {}


async def test_calls_at_once_ask_once_and_one_that_is_cancelled_leaves_the_others() -> None:
    authority = Authority(YES)
    asked = await polkit(authority)
    authority.free.clear()
    calls = [asyncio.create_task(require(asked)) for _ in range(4)]
    await authority.begun.wait()
    calls[0].cancel()
    authority.free.set()
    assert await asyncio.gather(*calls[1:]) == [None] * 3
    assert len(authority.asked) == 1
    assert asked._asking == {}


async def test_a_caller_with_ever_new_details_fills_nothing() -> None:
    authority = Authority(YES)
    asked = await polkit(authority)
    for number in range(ANSWERS_PER_CONNECTION * 2):
        await require(asked, details=Details(document_kind=f"kind-{number}"))
    assert len(asked._kept[":1.7"]) == ANSWERS_PER_CONNECTION


async def test_a_challenge_without_interaction() -> None:
    authority = Authority(CHALLENGE)
    asked = await polkit(authority)
    with pytest.raises(NotAuthorizedCanObtain):
        await require(asked)
    assert [one.interactive for one in authority.asked] == [False]


async def test_a_challenge_that_is_met_once_counts_once() -> None:
    authority = Authority(CHALLENGE, YES)
    asked = await polkit(authority)
    await require(asked, interactive=True)
    await require(asked, interactive=True)
    assert [(one.interactive, one.cancellation_id) for one in authority.asked] == [
        (False, ""),
        (True, "c1"),
        (True, "c1"),
    ]


async def test_a_challenge_that_polkit_keeps_is_kept() -> None:
    authority = Authority(CHALLENGE, Answer(True, retained=True))
    asked = await polkit(authority)
    await require(asked, interactive=True)
    await require(asked)
    assert len(authority.asked) == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(False, challenge=True, dismissed=True), NotAuthorizedDismissed),
        (Answer(False, dismissed=True), NotAuthorizedDismissed),
        (CHALLENGE, NotAuthorizedCanObtain),
        (NO, NotAuthorized),
    ],
)
async def test_refusals_after_asking_the_user(answer: Answer, error: type[CarddError]) -> None:
    asked = await polkit(Authority(CHALLENGE, answer))
    with pytest.raises(error):
        await require(asked, interactive=True)


async def test_a_caller_who_leaves_closes_the_dialogue() -> None:
    authority = Authority(CHALLENGE, YES)
    asked = await polkit(authority)
    with pytest.raises(NotAuthorizedCanObtain):
        await require(asked)
    authority.free.clear()
    authority.begun.clear()
    call = asyncio.create_task(require(asked, interactive=True))
    await authority.begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.gather(*asked._cancelling)
    assert authority.cancelled == ["c1"]


async def test_no_polkit_is_a_refusal() -> None:
    asked = await polkit(Authority(PolkitAbsent("nobody")))
    with pytest.raises(NotAuthorized, match="same-user"):
        await require(asked)


@pytest.mark.parametrize("without", list(NoPolkit))
async def test_a_polkit_that_fails_is_a_refusal_whatever_the_configuration(without: NoPolkit) -> None:
    asked = await polkit(Authority(PolkitFailed("broken")), without)
    with pytest.raises(NotAuthorized, match="log says why"):
        await require(asked)


HOLDERS = [Action.SIGN, Action.DECRYPT, Action.ASSERT, Action.MINT_TOKEN, Action.READ_HOLDER]
ADMINISTRATORS = [Action.MANAGE_TOKENS, Action.READ_JOURNAL, Action.CONFIGURE, Action.BREAK_GLASS]


@pytest.mark.parametrize(
    ("action", "uid", "owner", "passes"),
    [
        *((action, 1000, 1000, True) for action in [*HOLDERS, Action.AUTHENTICATE]),
        *((action, 1001, 1000, False) for action in [*HOLDERS, Action.AUTHENTICATE]),
        *((action, 0, 1000, False) for action in HOLDERS),
        *((action, 1000, None, False) for action in HOLDERS),
        *((action, OWN_UID, None, True) for action in HOLDERS),
        (Action.AUTHENTICATE, 1000, None, True),
        *((action, 1000, None, False) for action in ADMINISTRATORS),
        *((action, 1000, 1000, False) for action in ADMINISTRATORS),
        *((action, 0, None, True) for action in ADMINISTRATORS),
        *((action, OWN_UID, None, True) for action in ADMINISTRATORS),
    ],
)
async def test_same_user(action: Action, uid: int, owner: int | None, passes: bool) -> None:
    asked = await polkit(Authority(PolkitAbsent("nobody")), NoPolkit.SAME_USER)
    if passes:
        await require(asked, replace(CALLER, uid=uid), action, owner=owner)
    else:
        with pytest.raises(NotAuthorized, match="another user"):
            await require(asked, replace(CALLER, uid=uid), action, owner=owner)


async def test_absence_is_not_kept() -> None:
    authority = Authority(PolkitAbsent("nobody"), NO)
    asked = await polkit(authority, NoPolkit.SAME_USER)
    await require(asked)
    with pytest.raises(NotAuthorized, match="polkit refuses"):
        await require(asked)


def test_details_are_fit_for_a_dialogue() -> None:
    details = Details(card_type="CPS", application="evil\x1b[31m\u202ename", document_kind="")
    assert details.mapping() == {"card-type": "CPS", "application": "evil\ufffdname"}


def test_every_action_has_its_polkit_action() -> None:
    assert Action.ASSERT.polkit_id == "org.cardd1.authenticate"
    assert Action.BREAK_GLASS.polkit_id == "org.cardd1.break-glass"
