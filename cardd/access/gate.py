"""The gate before every action: the rules and polkit; what they leave to the holder is for `consenting`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from cardd.access.actions import Action
from cardd.access.facts import CallerFacts
from cardd.access.logins import Logins, LoginSession
from cardd.access.polkit import Details, Polkit
from cardd.access.rulebook import Explanation, Rulebook
from cardd.access.rules import UNSTATED, AccessRequest, Decision, Effect, Relation, relation_of
from cardd.errors import NotAuthorized


@dataclass(frozen=True, slots=True)
class Target:
    """On what an action is done.

    Args:
        owner_uid: of who opened the session, None where none is open.
        owner_session: login session in which it was opened.
        card: serial number of the card, "" where there is none.
        card_type: CPS, CPF, CPE, CPA, "" where not known.
        profession: code, None where not known.
        key: which key of the card, "" where none is used.
        algorithm: JOSE name, "" likewise.
        document_kind: as the caller says.
    """

    owner_uid: int | None = None
    owner_session: str | None = None
    card: str = ""
    card_type: str = ""
    profession: int | None = None
    key: str = ""
    algorithm: str = ""
    document_kind: str = UNSTATED


@dataclass(frozen=True, slots=True)
class Supposed:
    """What an explanation takes for granted instead of what is so now; None: as it is.

    Args:
        relation: of the caller to the session.
        seat: where the caller sits.
        when: local time.
    """

    relation: Relation | None = None
    seat: str | None = None
    when: datetime | None = None

    def applied(self, request: AccessRequest) -> AccessRequest:
        """The request as it would be."""
        if self.seat is not None:
            login = LoginSession("", request.facts.caller.uid, self.seat, active=True, remote=False)
            request = replace(request, login=login)
        return replace(
            request,
            relation=request.relation if self.relation is None else self.relation,
            when=request.when if self.when is None else self.when,
        )


AS_IT_IS: Final = Supposed()


class Gate:
    """Lets pass or refuses.

    Args:
        polkit: asked after the rules, since it may ask the user.
        rules: give the rules in force.
        logins: login sessions.
        local_time: the clock on the wall, with its time zone.
    """

    def __init__(
        self, polkit: Polkit, rules: Callable[[], Rulebook], logins: Logins, local_time: Callable[[], datetime]
    ) -> None:
        self._polkit = polkit
        self._rules = rules
        self._logins = logins
        self._local_time = local_time

    async def require(self, facts: CallerFacts, action: Action, target: Target, *, interactive: bool) -> Decision:
        """Let pass whom polkit and the rules let pass.

        Args:
            facts: of the caller.
            action: what it asks for.
            target: on what.
            interactive: the caller allows that its user is asked.

        Returns:
            The decision, allow or ask: with ask, the holder's consent is needed.

        Raises:
            NotAuthorized: refused, with the reason.
            NotAuthorizedCanObtain, NotAuthorizedDismissed: as `Polkit.require`.
        """
        # The rules cost microseconds and never a question to a user.
        decision = self.decide(facts, action, target)
        if decision.effect is Effect.DENY:
            refusal = NotAuthorized(reason=decision.reason)
            refusal.decided_by = decision.decided_by
            raise refusal
        await self._polkit.require(
            facts.caller, action, _details(facts, target), owner_uid=target.owner_uid, interactive=interactive
        )
        return decision

    def decide(self, facts: CallerFacts, action: Action, target: Target) -> Decision:
        """What the rules say."""
        return self._rules().decide(self._request(facts, action, target))

    def explain(self, facts: CallerFacts, action: Action, target: Target, supposed: Supposed = AS_IT_IS) -> Explanation:
        """What the rules say, or would say, and why."""
        return self._rules().explain(supposed.applied(self._request(facts, action, target)))

    def _request(self, facts: CallerFacts, action: Action, target: Target) -> AccessRequest:
        relation = relation_of(facts, self._logins, owner_uid=target.owner_uid, owner_session=target.owner_session)
        return AccessRequest(
            facts=facts,
            login=facts.session(self._logins),
            relation=relation,
            action=action,
            when=self._local_time(),
            key=target.key,
            algorithm=target.algorithm,
            card_type=target.card_type,
            profession=target.profession,
            document_kind=target.document_kind or UNSTATED,
        )


def _details(facts: CallerFacts, target: Target) -> Details:
    return Details(
        card=target.card,
        card_type=target.card_type,
        profession="" if target.profession is None else str(target.profession),
        key=target.key,
        algorithm=target.algorithm,
        application=facts.application,
        document_kind=target.document_kind,
    )
