"""Consent over a real bus: who is asked, what is shown, what an answer is good for."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from cardd.client import Agent, CarddClient, ConsentRequest, Document, PinRequest, Session
from cardd.errors import (
    AgentFailed,
    CarddError,
    ConsentRefused,
    InvalidArgument,
    NoAgent,
    NoSuchJob,
    NotAuthorized,
    NotAuthorizedCanObtain,
    NotAuthorizedDismissed,
    SessionEnded,
)
from tests.support.core import PATIENCE
from tests.support.running import Running, emptied, identified, open_session, running_cardd

RULES = """
[[rule]]
name = "one by one"
action = "sign"
document-kind = "prescription"
effect = "ask"

[[rule]]
name = "ask"
action = "sign"
key = "signature"
effect = "ask"
consent = { mode = "batch", uses = 3, seconds = 600 }
"""
DIGESTS = [hashlib.sha256(bytes([number])).digest() for number in range(4)]


class Holder(Agent):
    """An agent that answers as told and keeps what it was asked; None never answers."""

    def __init__(self, *answers: bool | Exception | None, closes: bool = False) -> None:
        self._answers = list(answers)
        self._closes = closes
        self.requests: list[ConsentRequest] = []
        self.asked = asyncio.Event()
        self.moot = asyncio.Event()

    async def request_pin(self, request: PinRequest) -> bytearray | None:
        del request
        return bytearray(b"1234")

    async def confirm(self, request: ConsentRequest) -> bool | None:
        self.requests.append(request)
        self.asked.set()
        if self._closes:
            return None
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            try:
                await asyncio.Event().wait()
            finally:
                self.moot.set()
        return answer


@pytest.fixture(scope="module")
def cardd() -> Iterator[Running]:
    with running_cardd(rules=RULES) as running:
        yield running


@pytest.fixture
async def session(cardd: Running) -> AsyncIterator[Session]:
    async with open_session(cardd) as session:
        yield session


@pytest.fixture
async def desk(cardd: Running) -> AsyncIterator[CarddClient]:
    """The connection of the user's agent: another process's would be, which here is told by a unit of its own."""
    async with cardd.client() as client:
        yield client


async def sign(session: Session, number: int = 0, **said: Any) -> bytes:  # the words of `Document`
    return await session.sign("signature", "RS256", DIGESTS[number], document=Document(**said))


async def test_without_an_agent_nothing_is_signed(session: Session) -> None:
    with pytest.raises(NoAgent):
        await sign(session)


async def test_an_application_is_not_its_own_agent(session: Session, desk: CarddClient) -> None:
    """Another connection of the same process is the same application."""
    agent = Holder(True)
    await desk.register_agent(agent)
    with pytest.raises(NotAuthorized, match="itself"):
        await sign(session)
    assert agent.requests == []


async def test_the_authentication_key_signs_no_digest_and_nobody_is_asked(session: Session) -> None:
    with pytest.raises(NotAuthorized, match="authentication key"):
        await session.sign("authentication", "RS256", DIGESTS[0])


async def test_no_interaction_asks_nobody(session: Session) -> None:
    with pytest.raises(NotAuthorizedCanObtain):
        await session.sign("signature", "RS256", DIGESTS[0], interactive=False)


async def test_what_is_wanted_must_be_within_the_rules(session: Session) -> None:
    wishes: list[dict[str, Any]] = [
        {"consent": "session"},
        {"consent": "for ever"},
        {"count": 4},
        {"count": 0},
        {"batch": [DIGESTS[1]]},
        {"batch": [b"short"]},
        {"job": "1; rm"},
        {"kind": "Prescription!"},
        {"kind": "prescription", "count": 2},
        {"position": 9},
    ]
    for said in wishes:
        with pytest.raises(InvalidArgument):
            await sign(session, **said)
    with pytest.raises(NoSuchJob):
        await sign(session, job="ABC-234")


async def test_check_access_tells_the_rule_and_reserves_a_number(session: Session) -> None:
    wide = await session.check_access("sign", "signature")
    assert (wide.effect, wide.mode, wide.uses, wide.job) == ("ask", "batch", 3, None)
    assert "(ask)" in wide.rule
    narrow = await session.check_access("sign", "signature", document_kind="prescription", reserve=True)
    assert (narrow.effect, narrow.mode, narrow.uses) == ("ask", "document", 1)
    assert narrow.job is not None
    assert (await session.check_access("sign", "authentication")).effect == "deny"
    assert (await session.check_access("decrypt", "encryption")).effect == "allow"
    with pytest.raises(InvalidArgument):
        await session.check_access("configure")


OWN_AGENT = RULES.replace('effect = "ask"', 'effect = "ask"\nown-agent = true')


@pytest.fixture(scope="module")
def trusting() -> Iterator[Running]:
    """A cardd whose rules let an application ask for itself, as all connections of one process are one application."""
    with running_cardd(rules=OWN_AGENT) as running:
        yield running


@pytest.fixture
async def asking(trusting: Running) -> AsyncIterator[tuple[Session, CarddClient]]:
    async with trusting.client() as client:
        await emptied(client)
        trusting.insert()
        try:
            yield await (await identified(client)).authenticate(pin=bytearray(b"1234")), client
        finally:
            trusting.remove()


async def test_the_holder_sees_who_wants_to_sign_what(asking: tuple[Session, CarddClient]) -> None:
    session, client = asking
    agent = Holder(True)
    await client.register_agent(agent)
    access = await session.check_access("sign", "signature", reserve=True)
    assert await sign(session, kind="letter", title="To Dr \x1b[31mX\u202e", job=access.job)
    (request,) = agent.requests
    assert (request.job, request.session, request.key) == (access.job, session.path, "signature")
    assert request.digest == DIGESTS[0].hex()
    assert (request.document_kind, request.mode, request.uses) == ("letter", "document", 1)
    assert request.title == "To Dr �X�"
    assert request.holder == "Éloïse O'HARA-LEFÈVRE"


async def test_the_journal_tells_who_asked_which_rule_decided_and_what_the_holder_said(
    trusting: Running, asking: tuple[Session, CarddClient]
) -> None:
    session, client = asking
    await client.register_agent(Holder(True, False))
    assert await sign(session, kind="letter", title="Madame X")
    with pytest.raises(ConsentRefused):
        await sign(session)
    lines = [line for file in (trusting.folder / "journal").iterdir() if file.is_file() for line in _entries(file)]
    told = {line["kind"]: line for line in lines}
    given, signed = told["consent-given"]["what"], told["signed"]["what"]
    assert given["job"] == signed["job"]
    assert signed["document-kind"] == "letter"
    assert "(ask)" in signed["rule"]
    assert told["consent-refused"]["what"]["digest"] == DIGESTS[0].hex()
    assert "Madame X" not in json.dumps(lines)


def _entries(file: Path) -> list[dict[str, Any]]:
    found = []
    for line in file.read_bytes().splitlines():
        try:
            entry = json.loads(line[line.index(b"{") :])
        except ValueError:  # what is no entry
            continue
        if "kind" in entry:
            found.append(entry)
    return found


async def test_a_consent_is_good_once(asking: tuple[Session, CarddClient]) -> None:
    session, client = asking
    agent = Holder(True, False)
    await client.register_agent(agent)
    assert await sign(session)
    with pytest.raises(ConsentRefused) as caught:
        await sign(session)
    assert caught.value.fields["job"] == agent.requests[1].job


async def test_a_batch_is_asked_about_once_and_holds_its_own_digests_alone(asking: tuple[Session, CarddClient]) -> None:
    session, client = asking
    agent = Holder(True, False)
    await client.register_agent(agent)
    access = await session.check_access("sign", "signature", reserve=True)
    batch = DIGESTS[:3]
    signatures = [sign(session, number, batch=batch, job=access.job, position=number + 1) for number in range(3)]
    assert all(await asyncio.gather(*signatures))
    assert len(agent.requests) == 1
    assert agent.requests[0].uses == 3
    with pytest.raises(CarddError):
        await sign(session, 3, job=access.job)


@pytest.mark.parametrize(
    ("agent", "error"),
    [(Holder(closes=True), NotAuthorizedDismissed), (Holder(ValueError("x")), AgentFailed)],
    ids=["closed", "broken"],
)
async def test_an_answer_that_is_none(
    asking: tuple[Session, CarddClient], agent: Holder, error: type[CarddError]
) -> None:
    session, client = asking
    await client.register_agent(agent)
    with pytest.raises(error):
        await sign(session)


async def test_a_card_that_leaves_takes_the_question_off_the_screen(
    trusting: Running, asking: tuple[Session, CarddClient]
) -> None:
    session, client = asking
    agent = Holder(None)
    await client.register_agent(agent)
    signing = asyncio.create_task(sign(session))
    await asyncio.wait_for(agent.asked.wait(), PATIENCE)
    trusting.remove()
    with pytest.raises(SessionEnded):
        await asyncio.wait_for(signing, PATIENCE)
    await asyncio.wait_for(agent.moot.wait(), PATIENCE)


async def test_an_application_that_leaves_takes_its_question_with_it(
    trusting: Running, asking: tuple[Session, CarddClient]
) -> None:
    _, client = asking
    agent = Holder(None)
    await client.register_agent(agent)
    async with trusting.client() as other:
        (theirs,) = await other.sessions()
        signing = asyncio.create_task(sign(theirs))
        await asyncio.wait_for(agent.asked.wait(), PATIENCE)
    await asyncio.wait_for(agent.moot.wait(), PATIENCE)
    with pytest.raises(CarddError):
        await signing
