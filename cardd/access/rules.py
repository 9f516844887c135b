"""Rules: who may do what with a card, in the order in which the administrator wrote them.

The first rule that fits decides. What is only claimed (the kind of a document) or cannot be known (a program's path
while the helper is silent) never grants: such a rule may narrow what another one gives, and nothing else.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cardd.access.actions import Action
from cardd.access.facts import CallerFacts
from cardd.access.hours import Hours, minute_of_week
from cardd.access.logins import Logins, LoginSession
from cardd.access.patterns import fits
from cardd.access.terms import ONE_DOCUMENT, ConsentTerms

UNSTATED: Final = "unstated"
"""The document kind of an application that states none."""
RAW: Final = "raw authentication"
"""How the key is called here when the authentication key shall sign what the caller chose."""


class Effect(enum.StrEnum):
    """What a rule says."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"

    @property
    def strictness(self) -> int:
        """To compare."""
        return list(Effect).index(self)


class Relation(enum.StrEnum):
    """What the caller has to do with the session."""

    OWN_ACTIVE = "own-active"
    """The holder's own login session, in front at this machine."""
    OWN = "own"
    """The holder's own login session, switched away or remote."""
    OTHER = "other"
    """Another user, or another login session of the same one."""


@dataclass(frozen=True, slots=True)
class RuleSource:
    """Where a rule stands.

    Args:
        file: its name.
        number: from 1, in the file.
        line: from 1; None where it cannot be told.
        name: that the administrator gave it, possibly empty.
    """

    file: str
    number: int
    line: int | None = None
    name: str = ""

    def __str__(self) -> str:
        named = f" ({self.name})" if self.name else ""
        line = f", line {self.line}" if self.line is not None else ""
        return f"{self.file}, rule {self.number}{named}{line}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Every condition must hold; an empty one always does.

    Args:
        source: where it stands.
        effect: what it says.
        actions: of them.
        keys: authentication, signature, encryption.
        algorithms: JOSE names.
        units, user_units, flatpaks, snaps, executables: names of the caller's program, "*" in them for anything.
        uids, gids: of the caller.
        card_types: CPS, CPF, CPE, CPA.
        professions: codes; they mean something with a card type only.
        document_kinds: as claimed.
        seats: of the caller's login session.
        relations: of the caller to the session; never empty.
        container: whether the caller must be in a container (True) or must not be (False).
        hours: when, by local time.
        terms: how far one consent reaches (effect ask).
        own_agent: the application itself may ask for the consent (effect ask).
    """

    source: RuleSource
    effect: Effect
    actions: frozenset[Action] = frozenset()
    keys: frozenset[str] = frozenset()
    algorithms: frozenset[str] = frozenset()
    units: frozenset[str] = frozenset()
    user_units: frozenset[str] = frozenset()
    flatpaks: frozenset[str] = frozenset()
    snaps: frozenset[str] = frozenset()
    executables: frozenset[str] = frozenset()
    uids: frozenset[int] = frozenset()
    gids: frozenset[int] = frozenset()
    card_types: frozenset[str] = frozenset()
    professions: frozenset[int] = frozenset()
    document_kinds: frozenset[str] = frozenset()
    seats: frozenset[str] = frozenset()
    relations: frozenset[Relation] = frozenset(Relation)
    container: bool | None = None
    hours: Hours | None = None
    terms: ConsentTerms = ONE_DOCUMENT
    own_agent: bool = False

    @property
    def rests_on_claims(self) -> bool:
        """Whether it looks at something that is the caller's own word."""
        return bool(self.document_kinds)

    @property
    def names_application(self) -> bool:
        """Whether it is for certain programs only."""
        return bool(self.units or self.user_units or self.flatpaks or self.snaps or self.executables)

    def takes_key(self, key: str) -> bool:
        """Whether its condition on keys holds; for `RAW`, only a refusal holds without naming the key."""
        if key == RAW:
            return "authentication" in self.keys or (self.effect is Effect.DENY and not self.keys)
        return not self.keys or key in self.keys


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """What is to be decided.

    Args:
        facts: of the caller.
        login: the caller's login session as it is now, None without one.
        relation: of the caller to the session (`relation_of`).
        action: what is asked for.
        when: local time.
        key: which key of the card, "" where none is used.
        algorithm: JOSE name, "" likewise.
        card_type: of the holder's card, "" where not known.
        profession: code, None where not known.
        document_kind: as the caller says; `UNSTATED` where it says nothing.
    """

    facts: CallerFacts
    login: LoginSession | None
    relation: Relation
    action: Action
    when: datetime
    key: str = ""
    algorithm: str = ""
    card_type: str = ""
    profession: int | None = None
    document_kind: str = UNSTATED

    @property
    def key_use(self) -> str:
        """The key, or `RAW`."""
        return RAW if self.action is Action.SIGN and self.key == "authentication" else self.key

    @property
    def seat(self) -> str | None:
        """Where the caller sits."""
        return self.login.seat if self.login is not None else None

    @property
    def contained(self) -> bool:
        """Whether the caller is in a container."""
        return self.facts.placement.container is not None


def relation_of(
    facts: CallerFacts, logins: Logins, *, owner_uid: int | None, owner_session: str | None = None
) -> Relation:
    """What a caller has to do with a session.

    Args:
        facts: of the caller.
        logins: login sessions; where there is no logind, the uid alone counts.
        owner_uid: of who opened the session; None where none is open yet: it would be the caller's.
        owner_session: the login session in which it was opened.
    """
    if owner_uid is not None and facts.caller.uid != owner_uid:
        return Relation.OTHER
    if not logins.present:
        return Relation.OWN_ACTIVE
    if owner_uid is not None and facts.session_id != owner_session:
        return Relation.OTHER
    login = facts.session(logins)
    return Relation.OWN_ACTIVE if login is not None and login.at_the_desk else Relation.OWN


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided.

    Args:
        effect: allow, ask or deny.
        rule: which rule decided; None where none did.
        reason: one sentence.
        terms: how far a consent may reach (effect ask), else None.
        own_agent: the application itself may ask for the consent.
    """

    effect: Effect
    rule: RuleSource | None
    reason: str
    terms: ConsentTerms | None = None
    own_agent: bool = False

    @property
    def decided_by(self) -> str:
        """Where the rule stands, or that none decided."""
        return "default" if self.rule is None else str(self.rule)


@dataclass(frozen=True, slots=True)
class Fit:
    """How a rule fits a request.

    Args:
        failing: conditions that do not hold, as the file calls them.
        unknown: conditions of which that cannot be said.
    """

    failing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def certain(self) -> bool:
        """It fits (what is claimed taken as true)."""
        return not self.failing and not self.unknown

    @property
    def possible(self) -> bool:
        """It would fit if what is unknown were so."""
        return not self.failing and bool(self.unknown)


def fit(rule: Rule, request: AccessRequest) -> Fit:
    """Hold one rule against a request, condition by condition."""
    found = list(_conditions(rule, request))
    return Fit(
        tuple(name for name, holds in found if holds is False), tuple(name for name, holds in found if holds is None)
    )


def _conditions(rule: Rule, request: AccessRequest) -> Iterator[tuple[str, bool | None]]:
    """Each condition by its name in the file, and whether it holds; None: not known."""
    placement, caller = request.facts.placement, request.facts.caller
    yield "session", request.relation in rule.relations
    yield "action", not rule.actions or request.action in rule.actions
    yield "key", rule.takes_key(request.key_use)
    yield "algorithm", not rule.algorithms or request.algorithm in rule.algorithms
    yield "unit", _one_fits(rule.units, placement.unit)
    yield "user-unit", _one_fits(rule.user_units, placement.user_unit)
    yield "flatpak", _one_fits(rule.flatpaks, placement.flatpak)
    yield "snap", _one_fits(rule.snaps, placement.snap)
    unreadable = rule.executables and request.facts.executable is None
    yield "executable", None if unreadable else _one_fits(rule.executables, request.facts.executable)
    yield "user", not rule.uids or caller.uid in rule.uids
    untold = rule.gids and not caller.groups
    yield "group", None if untold else not rule.gids or not rule.gids.isdisjoint(caller.groups)
    yield "card-type", not rule.card_types or request.card_type in rule.card_types
    yield "profession", not rule.professions or request.profession in rule.professions
    yield "document-kind", not rule.document_kinds or request.document_kind in rule.document_kinds
    yield "seat", not rule.seats or request.seat in rule.seats
    yield "container", rule.container is None or rule.container == request.contained
    yield "hours", rule.hours is None or rule.hours.contain(minute_of_week(request.when))


def _one_fits(patterns: frozenset[str], name: str | None) -> bool:
    return not patterns or (name is not None and any(fits(pattern, name) for pattern in patterns))


def default_decision(request: AccessRequest) -> Decision:
    """Where no rule fits."""
    if request.relation is Relation.OTHER:
        return Decision(Effect.DENY, None, "the session belongs to another user or login session, and no rule opens it")
    if request.key_use == RAW:
        return Decision(
            Effect.DENY, None, "the authentication key signs no digest of a program's choice unless a rule names it"
        )
    if request.action is Action.SIGN:
        return Decision(Effect.DENY, None, "no rule lets this program sign")
    return Decision(Effect.ALLOW, None, "no rule says otherwise")


def combined(request: AccessRequest, base: Rule | None, narrowing: Sequence[Rule]) -> Decision:
    """The decision of the rule that decides, narrowed by rules that rest on claims or on what is unknown.

    Args:
        request: what is decided.
        base: the first rule that fits by facts alone, None where the default decides.
        narrowing: rules before it that would fit if what they rest on were so.
    """
    decision = default_decision(request) if base is None else _decision(base, request)
    for rule in narrowing:
        decision = _narrowed(decision, _decision(rule, request))
    return decision


def _decision(rule: Rule, request: AccessRequest) -> Decision:
    named = f" ({rule.source.name})" if rule.source.name else ""
    reason = f"rule {rule.source.number}{named} says {rule.effect.value}"
    if rule.rests_on_claims:
        reason += f' for documents of kind "{request.document_kind}"'
    if rule.effect is Effect.ASK:
        return Decision(rule.effect, rule.source, reason, rule.terms, rule.own_agent)
    return Decision(rule.effect, rule.source, reason)


def _narrowed(decision: Decision, other: Decision) -> Decision:
    """The stricter of two; of two that ask, the earlier rule's, within the limits of both."""
    if other.effect.strictness != decision.effect.strictness:
        return max(decision, other, key=lambda one: one.effect.strictness)
    if other.terms is None or decision.terms is None:
        return decision
    mode = min(other.terms.mode, decision.terms.mode, key=lambda one: one.width)
    uses = min(other.terms.uses, decision.terms.uses)
    terms = ConsentTerms(mode, uses, min(other.terms.seconds, decision.terms.seconds))
    return Decision(other.effect, other.rule, other.reason, terms, decision.own_agent and other.own_agent)
