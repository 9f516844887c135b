"""The rules in force: decides, and says why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cardd.access.rights import RightsTable
from cardd.access.rule_index import RuleIndex
from cardd.access.rules import AccessRequest, Decision, Effect, Fit, Rule, RuleSource, combined, fit


@dataclass(frozen=True, slots=True)
class Step:
    """One rule held against a request.

    Args:
        rule: which.
        effect: what it would say.
        fit: whether it fits, and what does not hold.
        on_claims: it can narrow only.
    """

    rule: RuleSource
    effect: Effect
    fit: Fit
    on_claims: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a decision is what it is.

    Args:
        decision: the decision.
        steps: the rules up to the one that decided by facts alone, all of them where none did.
    """

    decision: Decision
    steps: tuple[Step, ...]


class Rulebook:
    """Rules, and a table of rights where there is one.

    Args:
        rules: in their order.
        rights: the table, None without.
        sources: names of the files that they came from.
    """

    def __init__(
        self, rules: Sequence[Rule] = (), rights: RightsTable | None = None, sources: Sequence[str] = ()
    ) -> None:
        self.rules = tuple(rules)
        self.sources = tuple(sources)
        self._rights = rights
        self._index = RuleIndex(self.rules)

    @property
    def needs_executables(self) -> bool:
        """Whether a rule looks at the paths of programs, so that the helper must be asked."""
        return any(rule.executables for rule in self.rules)

    def decide(self, request: AccessRequest) -> Decision:
        """Decide a request."""
        found = self._index.find(request)
        base = None if found.base is None else self.rules[found.base]
        decision = combined(request, base, [self.rules[position] for position in found.narrowing])
        if decision.effect is Effect.DENY or self._rights is None:
            return decision
        return self._rights.refusal(request) or decision

    def explain(self, request: AccessRequest) -> Explanation:
        """Decide a request, and tell how each rule fared. Looks at each rule: for people, not for each call."""
        steps: list[Step] = []
        for rule in self.rules:
            step = Step(rule.source, rule.effect, fit(rule, request), rule.rests_on_claims)
            steps.append(step)
            if step.fit.certain and not step.on_claims:
                break
        return Explanation(self.decide(request), tuple(steps))
