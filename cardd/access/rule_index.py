"""Finding the rules that fit without looking at each: a bit for each rule, a mask for each value of each condition.

Rule n is bit n, so that the lowest bit of what all masks have in common is the first rule that fits. A thousand rules
are masks of 125 bytes; some fifteen of them are joined for a decision.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from cardd.access.actions import Action
from cardd.access.hours import Hours, minute_of_week
from cardd.access.patterns import PatternIndex
from cardd.access.rules import RAW, AccessRequest, Effect, Relation, Rule

V = TypeVar("V", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Found:
    """Positions of rules.

    Args:
        base: the first that fits by facts alone, None without one.
        narrowing: earlier ones that may only narrow: the first that fits by what is claimed, and the strictest that
            would fit if what is unknown were so.
    """

    base: int | None
    narrowing: tuple[int, ...]


class _Values(Generic[V]):
    """One condition: which rules hold for a value of it."""

    def __init__(self, rules: Sequence[Rule], wanted: Callable[[Rule], Collection[V]]) -> None:
        self.everywhere = 0
        self._masks: dict[V, int] = {}
        for position, rule in enumerate(rules):
            bit = 1 << position
            values = wanted(rule)
            if not values:
                self.everywhere |= bit
            for value in values:
                self._masks[value] = self._masks.get(value, 0) | bit

    def find(self, value: V | None) -> int:
        """Rules whose condition holds for a value; None is a value that no rule wants."""
        return self.everywhere if value is None else self.everywhere | self._masks.get(value, 0)

    def find_any(self, values: Collection[V]) -> int:
        """Rules whose condition holds for one of the values."""
        found = self.everywhere
        for value in values:
            found |= self._masks.get(value, 0)
        return found


class _Names:
    """One condition on names with "*" in them."""

    def __init__(self, rules: Sequence[Rule], wanted: Callable[[Rule], Collection[str]]) -> None:
        masks: dict[str, int] = {}
        self.everywhere = 0
        for position, rule in enumerate(rules):
            patterns = wanted(rule)
            if not patterns:
                self.everywhere |= 1 << position
            for pattern in patterns:
                masks[pattern] = masks.get(pattern, 0) | 1 << position
        self._index = PatternIndex(masks)

    def find(self, name: str | None) -> int:
        """Rules whose condition holds for a name."""
        return self.everywhere if name is None else self.everywhere | self._index.find(name)


class _Times:
    """The condition on hours: between two moments at which some rule begins or ends to hold, one mask."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        masks: dict[Hours | None, int] = {}
        for position, rule in enumerate(rules):
            masks[rule.hours] = masks.get(rule.hours, 0) | 1 << position
        always = masks.pop(None, 0)
        timed = [(hours, mask) for hours, mask in masks.items() if hours is not None]
        self._starts = sorted({0, *(edge for hours, _ in timed for span in hours.spans for edge in span)})
        self._masks = [always | _union(mask for hours, mask in timed if hours.contain(start)) for start in self._starts]

    def find(self, minute: int) -> int:
        """Rules that hold in a minute of the week."""
        return self._masks[bisect_right(self._starts, minute) - 1]


def _union(masks: Iterable[int]) -> int:
    union = 0
    for mask in masks:
        union |= mask
    return union


def _mask(rules: Sequence[Rule], holds: Callable[[Rule], bool]) -> int:
    return sum(1 << position for position, rule in enumerate(rules) if holds(rule))


class RuleIndex:
    """The index of a list of rules.

    Args:
        rules: in their order.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._actions: _Values[Action] = _Values(rules, lambda rule: rule.actions)
        self._keys: _Values[str] = _Values(rules, lambda rule: rule.keys)
        self._raw = _mask(rules, lambda rule: rule.takes_key(RAW))
        self._algorithms: _Values[str] = _Values(rules, lambda rule: rule.algorithms)
        self._units = _Names(rules, lambda rule: rule.units)
        self._user_units = _Names(rules, lambda rule: rule.user_units)
        self._flatpaks = _Names(rules, lambda rule: rule.flatpaks)
        self._snaps = _Names(rules, lambda rule: rule.snaps)
        self._executables = _Names(rules, lambda rule: rule.executables)
        self._uids: _Values[int] = _Values(rules, lambda rule: rule.uids)
        self._gids: _Values[int] = _Values(rules, lambda rule: rule.gids)
        self._card_types: _Values[str] = _Values(rules, lambda rule: rule.card_types)
        self._professions: _Values[int] = _Values(rules, lambda rule: rule.professions)
        self._kinds: _Values[str] = _Values(rules, lambda rule: rule.document_kinds)
        self._seats: _Values[str] = _Values(rules, lambda rule: rule.seats)
        self._relations: _Values[Relation] = _Values(rules, lambda rule: rule.relations)
        self._contained = _mask(rules, lambda rule: rule.container is not False)
        self._free = _mask(rules, lambda rule: rule.container is not True)
        self._times = _Times(rules)
        self._on_facts = _mask(rules, lambda rule: not rule.rests_on_claims)
        self._denying = _mask(rules, lambda rule: rule.effect is Effect.DENY)
        self._asking = _mask(rules, lambda rule: rule.effect is Effect.ASK)

    def find(self, request: AccessRequest) -> Found:
        """The rules that decide about a request."""
        known = self._known(request)
        executables = self._executables.find(request.facts.executable)
        groups = self._gids.find_any(request.facts.caller.groups)
        certain = known & executables & groups
        claimed = certain & self._kinds.find(request.document_kind)
        base = certain & self._on_facts
        first, claim = _lowest(base), _lowest(claimed)
        narrowing = [] if claim is None or claim == first else [claim]
        uncertain = self._uncertain(request, known) & ~certain
        if uncertain:
            narrowing += self._strictest(uncertain & self._kinds.find(request.document_kind), first)
        return Found(first, tuple(narrowing))

    def _known(self, request: AccessRequest) -> int:
        """Rules all of whose conditions hold, those on programs' paths, groups and claims left out."""
        placement = request.facts.placement
        keys = self._raw if request.key_use == RAW else self._keys.find(request.key)
        return (
            self._actions.find(request.action)
            & keys
            & self._algorithms.find(request.algorithm)
            & self._units.find(placement.unit)
            & self._user_units.find(placement.user_unit)
            & self._flatpaks.find(placement.flatpak)
            & self._snaps.find(placement.snap)
            & self._uids.find(request.facts.caller.uid)
            & self._card_types.find(request.card_type)
            & self._professions.find(request.profession)
            & self._seats.find(request.seat)
            & self._relations.find(request.relation)
            & (self._contained if request.contained else self._free)
            & self._times.find(minute_of_week(request.when))
        )

    def _uncertain(self, request: AccessRequest, known: int) -> int:
        """Rules that would fit if what is unknown were so."""
        executable, groups = request.facts.executable, request.facts.caller.groups
        if executable is not None and groups:
            return 0
        by_path = self._executables.find(executable) if executable is not None else -1
        by_group = self._gids.find_any(groups) if groups else -1
        return known & by_path & by_group

    def _strictest(self, candidates: int, before: int | None) -> list[int]:
        """The first that denies, else the first that asks, of those before a position."""
        if before is not None:
            candidates &= (1 << before) - 1
        for kind in (self._denying, self._asking):
            position = _lowest(candidates & kind)
            if position is not None:
                return [position]
        return []


def _lowest(mask: int) -> int | None:
    """The position of the lowest bit."""
    return (mask & -mask).bit_length() - 1 if mask else None
