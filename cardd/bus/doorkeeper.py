"""In front of every method: who calls, and may they; before anything is done for them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cardd.access.actions import Action
from cardd.access.caller import Caller
from cardd.access.callers import Callers
from cardd.access.consent import Use
from cardd.access.consenting import Ask, ConsentQuestion, Consents
from cardd.access.facts import CallerFacts
from cardd.access.gate import Gate, Target
from cardd.access.rules import UNSTATED, Decision, Effect
from cardd.bus.access_question import AccessQuestion, access_reply
from cardd.bus.agents import Agents
from cardd.bus.explaining import explanation_reply, question_of
from cardd.bus.interface import Call, Variant
from cardd.bus.sign_options import SignOptions, wish_for
from cardd.errors import NotAuthorized
from cardd.journal import Detail, Kind, clipped
from cardd.sessions.account import Account, What

if TYPE_CHECKING:
    from cardd.sessions.presence import Presence
    from cardd.sessions.session import Session
    from cardd.sessions.token_session import TokenSession


@dataclass(frozen=True, slots=True)
class Admission:
    """A caller who was let in.

    Args:
        facts: of the caller.
        decision: allow, or ask: then the holder's consent is still needed.
    """

    facts: CallerFacts
    decision: Decision


class Doorkeeper:
    """Judges each call.

    Args:
        callers: facts by connection.
        gate: the rules and polkit.
        consents: what the holder agreed to.
        agents: who asks the holder.
        account: what is told to the journal.
    """

    def __init__(self, callers: Callers, gate: Gate, consents: Consents, agents: Agents, account: Account) -> None:
        self._callers = callers
        self._gate = gate
        self._consents = consents
        self._agents = agents
        self._account = account
        account.know(callers.known)

    async def facts(self, call: Call) -> CallerFacts:
        """Who calls.

        Raises:
            NotAuthorized: nothing certain can be said of it.
        """
        return await self._callers.facts(call.caller)

    async def admit(self, call: Call, action: Action, target: Target, *, interactive: bool = True) -> Admission:
        """Let a call pass.

        Args:
            call: who calls.
            action: what it asks for.
            target: on what.
            interactive: the caller allows that its user is asked.

        Raises:
            NotAuthorized, NotAuthorizedCanObtain, NotAuthorizedDismissed: as `Gate.require`.
        """
        facts = await self._callers.facts(call.caller)
        return Admission(facts, await self._gate.require(facts, action, target, interactive=interactive))

    async def answer(self, call: Call, question: AccessQuestion, target: Target) -> dict[str, Variant]:
        """What the rules say of a call, without polkit and without asking anybody: CheckAccess's answer.

        Raises:
            NotAuthorized: nothing certain can be said of the caller.
            Busy: it has too many jobs open.
        """
        decision = self._gate.decide(await self._callers.facts(call.caller), question.action, target)
        asks = question.reserve and decision.effect is Effect.ASK
        return access_reply(decision, self._consents.reserve(call.sender) if asks else None)

    async def consent(
        self, admission: Admission, session: Session, target: Target, digest: bytes, options: SignOptions
    ) -> Use | None:
        """The holder's consent to one signature, where the rules want it.

        Args:
            admission: of the caller.
            session: whose card signs.
            target: with which key.
            digest: of the document.
            options: what the caller says of it.

        Returns:
            The use of a consent, to be finished with `finish`; None where the rules allow without.

        Raises:
            ConsentRefused, ConsentNotAnswered, NoSuchJob, Busy, NoAgent, AgentFailed, InvalidArgument, NotAuthorized*.
        """
        decision = admission.decision
        if decision.effect is Effect.ALLOW or decision.terms is None:
            return None
        wish, question = wish_for(admission.facts, session, target, digest, options, decision.terms)
        ask = self._agents.holder_of(
            target.owner_uid, target.owner_session, admission.facts, own_agent=decision.own_agent
        )
        recorded = self._recorded(ask, admission, session)
        return await self._consents.obtain(wish, question, recorded, job=options.job, interactive=options.interactive)

    def _recorded(self, ask: Ask, admission: Admission, session: Session) -> Ask:
        """The same question, with the answer written down before it counts."""

        async def asked(question: ConsentQuestion) -> bool:
            agreed = await ask(question)
            what: What = {
                Detail.SESSION: str(session.number),
                Detail.JOB: question.job,
                Detail.KEY: question.key,
                Detail.DIGEST: question.digest,
                Detail.DOCUMENT_KIND: question.document_kind,
                Detail.COUNT: question.uses,
                Detail.RULE: _rule_of(admission.decision),
            }
            kind = Kind.CONSENT_GIVEN if agreed else Kind.CONSENT_REFUSED
            await self._account.served(kind, session.presence, admission.facts.caller, what)
            return agreed

        return asked

    async def explain(self, call: Call, action: str, options: Mapping[str, Any]) -> dict[str, Variant]:
        """How the rules fare for the caller, or for another program or user: ExplainAccess's answer.

        Raises:
            UnknownOption, InvalidArgument, NotAuthorized.
        """
        facts = await self._callers.facts(call.caller)
        # In a thread: the host's lists of users may be on the network.
        asked = await asyncio.to_thread(question_of, facts, action, options)
        return explanation_reply(self._gate.explain(asked.facts, asked.action, asked.target, asked.supposed))

    async def may(self, caller: Caller, action: Action, *, interactive: bool) -> bool:
        """Whether polkit and the rules let a caller do something that concerns no card.

        Raises:
            NotAuthorizedCanObtain, NotAuthorizedDismissed: the user's answer is missing.
        """
        try:
            facts = await self._callers.facts(caller)
            await self._gate.require(facts, action, Target(), interactive=interactive)
        except NotAuthorized:
            return False
        return True

    def finish(self, use: Use | None, *, signed: bool) -> None:
        """Say what became of a use; `signed` is False only if the card certainly did not sign."""
        if use is not None:
            self._consents.finish(use, signed=signed)

    def forget(self, connection: str) -> None:
        """A connection left the bus."""
        self._callers.forget(connection)
        self._consents.forget(connection)

    def session_ended(self, number: int) -> None:
        """A session ended: so did every consent in it."""
        self._consents.end_session(number)


def told(admission: Admission, use: Use | None, options: SignOptions) -> What:
    """What the journal is told of why a signature was made; the title stays out: it may name a patient."""
    what: dict[Detail, str | int | bool] = {Detail.RULE: _rule_of(admission.decision)}
    if options.document_kind:
        what[Detail.DOCUMENT_KIND] = options.document_kind
    if use is not None:
        what[Detail.JOB] = use.job
    return what


def _rule_of(decision: Decision) -> str:
    return "" if decision.rule is None else clipped(str(decision.rule))


def card_target(
    presence: Presence, session: Session | None, *, key: str = "", algorithm: str = "", document_kind: str = ""
) -> Target:
    """What is judged of a call to a card (`session` is then the one that is open on it), or to a session."""
    identity, professional = presence.card.identity, presence.professional
    return Target(
        owner_uid=None if session is None else session.owner_uid,
        owner_session=None if session is None else session.owner_session,
        card="" if identity is None else identity.serial,
        card_type="" if professional is None else professional.card_type.value,
        profession=None if professional is None else professional.profession_code,
        key=key,
        algorithm=algorithm,
        document_kind=document_kind or UNSTATED,
    )


def token_target(session: TokenSession) -> Target:
    """What is judged of a call to a session on a token."""
    professional = session.holder.professional
    return Target(
        owner_uid=session.owner_uid,
        owner_session=session.owner_session,
        card_type=professional.card_type.value,
        profession=professional.profession_code,
    )
