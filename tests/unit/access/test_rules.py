"""What rules mean, by the index (`Rulebook`) and by hand (`fit`): the two agree on anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardd.access.actions import Action
from cardd.access.caller import Caller
from cardd.access.hours import parse_hours
from cardd.access.logins import LoginSession
from cardd.access.rulebook import Rulebook
from cardd.access.rules import (
    UNSTATED,
    AccessRequest,
    Decision,
    Effect,
    Relation,
    Rule,
    RuleSource,
    combined,
    fit,
    relation_of,
)
from cardd.access.terms import ConsentMode, ConsentTerms
from tests.unit.access.support import DESK, DOCTOR, MONDAY_NOON, Sessions, facts, request

ALLOW, ASK, DENY = Effect.ALLOW, Effect.ASK, Effect.DENY
BATCH = ConsentTerms(ConsentMode.BATCH, 50, 600)


def rule(effect: Effect, number: int = 1, **conditions: Any) -> Rule:
    return Rule(RuleSource("rules.toml", number), effect, **conditions)


def decide(rules: Sequence[Rule], asked: AccessRequest) -> Decision:
    return Rulebook(rules).decide(asked)


# Defaults: what no rule says is refused where it counts.


@pytest.mark.parametrize(
    ("changes", "effect"),
    [
        ({}, DENY),
        ({"key": "authentication"}, DENY),
        ({"action": Action.DECRYPT, "key": "encryption"}, ALLOW),
        ({"action": Action.ASSERT, "key": "authentication"}, ALLOW),
        ({"action": Action.READ_HOLDER, "key": ""}, ALLOW),
        ({"relation": Relation.OWN}, DENY),
        *(({"action": action, "key": "", "relation": Relation.OTHER}, DENY) for action in Action),
    ],
)
def test_without_a_rule(changes: dict[str, Any], effect: Effect) -> None:
    decision = decide([], request(**changes))
    assert (decision.effect, decision.rule) == (effect, None)


def test_the_first_rule_that_fits_decides() -> None:
    rules = [
        rule(DENY, 1, units=frozenset({"game.service"})),
        rule(ASK, 2, terms=BATCH),
        rule(ALLOW, 3),
    ]
    decision = decide(rules, request())
    assert (decision.effect, decision.rule, decision.terms) == (ASK, rules[1].source, BATCH)
    assert decide(rules, request(facts=facts(unit="game.service"))).rule == rules[0].source


CONDITIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"actions": frozenset({Action.SIGN})}, {"action": Action.DECRYPT}),
    ({"keys": frozenset({"signature"})}, {"key": "encryption"}),
    ({"algorithms": frozenset({"RS256"})}, {"algorithm": "PS256"}),
    ({"uids": frozenset({DOCTOR})}, {"facts": facts(uid=1001)}),
    ({"gids": frozenset({DOCTOR, 7})}, {"facts": facts(groups=(8,))}),
    ({"card_types": frozenset({"CPS"})}, {"card_type": "CPF"}),
    ({"professions": frozenset({10}), "card_types": frozenset({"CPS"})}, {"profession": 60}),
    ({"professions": frozenset({10}), "card_types": frozenset({"CPS"})}, {"profession": None}),
    ({"professions": frozenset({10}), "card_types": frozenset({"CPS"})}, {"card_type": "CPF"}),
    ({"seats": frozenset({"seat0"})}, {"login": replace(DESK, seat="seat1")}),
    ({"seats": frozenset({"seat0"})}, {"login": None}),
    ({"relations": frozenset({Relation.OWN_ACTIVE})}, {"relation": Relation.OWN}),
    ({"container": False}, {"facts": facts(container="docker")}),
    ({"hours": parse_hours(["mon 08:00-19:00"])}, {"when": MONDAY_NOON.replace(hour=19)}),
]


@pytest.mark.parametrize(("condition", "elsewhere"), CONDITIONS, ids="+".join)
def test_each_condition_counts(condition: dict[str, Any], elsewhere: dict[str, Any]) -> None:
    rules = [rule(ALLOW, **condition)]
    assert decide(rules, request()).effect is ALLOW
    assert decide(rules, request(**elsewhere)).rule is None
    assert len(fit(rules[0], request(**elsewhere)).failing) >= 1


def _names(key: str, value: object) -> dict[str, Any]:
    return {key: value}


@pytest.mark.parametrize("kind", ["unit", "user_unit", "flatpak", "snap", "executable"])
def test_each_kind_of_name_counts(kind: str) -> None:
    rules = [rule(ALLOW, **_names(f"{kind}s", frozenset({"records*"})))]
    assert decide(rules, request(facts=facts(**_names(kind, "records-7")))).effect is ALLOW
    assert decide(rules, request(facts=facts(**_names(kind, "game")))).effect is DENY
    assert decide(rules, request(facts=facts())).effect is DENY
    for other in {"unit", "user_unit", "flatpak", "snap"} - {kind}:
        assert decide(rules, request(facts=facts(**_names(other, "records-7")))).effect is DENY


# Another user's session, and the authentication key: opened by name only.


def test_a_rule_that_says_nothing_of_the_key_does_not_open_raw_authentication() -> None:
    raw = request(key="authentication")
    assert decide([rule(ALLOW)], raw).rule is None
    assert decide([rule(ALLOW, keys=frozenset({"authentication"}))], raw).effect is ALLOW
    assert decide([rule(DENY), rule(ALLOW, 2, keys=frozenset({"authentication"}))], raw).effect is DENY
    assert decide([rule(ALLOW)], request(key="authentication", action=Action.ASSERT)).rule is not None


# Claims narrow and never grant.


@pytest.mark.parametrize("stated", ["prescription", "letter", UNSTATED])
@pytest.mark.parametrize("base", [None, ALLOW, ASK, DENY])
@pytest.mark.parametrize("claim", [ASK, DENY])
def test_a_claim_never_widens(stated: str, base: Effect | None, claim: Effect) -> None:
    after = [] if base is None else [rule(base, 2)]
    asked = request(document_kind=stated)
    without = decide(after, asked)
    decision = decide([rule(claim, document_kinds=frozenset({"prescription"})), *after], asked)
    assert decision.effect.strictness >= without.effect.strictness
    if stated == "prescription":
        assert decision.effect.strictness == max(claim.strictness, without.effect.strictness)
    else:
        assert decision == without


def test_the_first_claim_that_fits_counts() -> None:
    rules = [
        rule(ASK, 1, document_kinds=frozenset({"note"})),
        rule(DENY, 2, document_kinds=frozenset({"note", "letter"})),
        rule(ALLOW, 3),
    ]
    assert decide(rules, request(document_kind="note")).effect is ASK
    assert decide(rules, request(document_kind="letter")).effect is DENY
    assert decide(rules, request(document_kind="other")).effect is ALLOW


def test_a_claim_after_the_rule_that_decides_counts_no_longer() -> None:
    rules = [rule(ALLOW, 1), rule(DENY, 2, document_kinds=frozenset({"note"}))]
    assert decide(rules, request(document_kind="note")).effect is ALLOW


def test_two_rules_that_ask_leave_what_both_give() -> None:
    wide = ConsentTerms(ConsentMode.SESSION, 20, 3600)
    rules = [
        rule(ASK, 1, document_kinds=frozenset({"note"}), terms=wide, own_agent=True),
        rule(ASK, 2, terms=BATCH),
    ]
    decision = decide(rules, request(document_kind="note"))
    assert decision.terms == ConsentTerms(ConsentMode.BATCH, 20, 600)
    assert not decision.own_agent
    assert decision.rule == rules[0].source


# What is unknown narrows and never grants.


@pytest.mark.parametrize(
    ("condition", "unknown"),
    [
        ({"executables": frozenset({"/usr/bin/game"})}, facts()),
        ({"gids": frozenset({7})}, facts(groups=())),
    ],
)
def test_what_cannot_be_known(condition: dict[str, Any], unknown: object) -> None:
    asked = request(facts=unknown)
    assert decide([rule(DENY, 1, **condition), rule(ALLOW, 2)], asked).effect is DENY
    assert decide([rule(ASK, 1, **condition), rule(ALLOW, 2)], asked).effect is ASK
    assert decide([rule(ALLOW, 1, **condition), rule(DENY, 2)], asked).effect is DENY
    assert decide([rule(ASK, 1, **condition)], asked).effect is DENY
    assert decide([rule(ALLOW, 1), rule(DENY, 2, **condition)], asked).effect is ALLOW


# The relation of a caller to a session.


@pytest.mark.parametrize(
    ("login", "owner", "relation"),
    [
        (DESK, (DOCTOR, "2"), Relation.OWN_ACTIVE),
        (replace(DESK, active=False), (DOCTOR, "2"), Relation.OWN),
        (replace(DESK, remote=True), (DOCTOR, "2"), Relation.OWN),
        (replace(DESK, seat=None), (DOCTOR, "2"), Relation.OWN),
        (DESK, (DOCTOR, "5"), Relation.OTHER),
        (DESK, (DOCTOR, None), Relation.OTHER),
        (DESK, (1001, "2"), Relation.OTHER),
        (DESK, (None, None), Relation.OWN_ACTIVE),
        (replace(DESK, active=False), (None, None), Relation.OWN),
    ],
)
def test_relation(login: LoginSession, owner: tuple[int | None, str | None], relation: Relation) -> None:
    found = relation_of(facts(), Sessions(login), owner_uid=owner[0], owner_session=owner[1])
    assert found is relation


def test_relation_without_a_session() -> None:
    assert relation_of(facts(session_id=None), Sessions(DESK), owner_uid=DOCTOR) is Relation.OWN


@pytest.mark.parametrize(
    ("owner", "relation"), [(DOCTOR, Relation.OWN_ACTIVE), (1001, Relation.OTHER), (None, Relation.OWN_ACTIVE)]
)
def test_relation_without_logind_goes_by_uid(owner: int | None, relation: Relation) -> None:
    assert relation_of(facts(), Sessions(present=False), owner_uid=owner, owner_session="9") is relation


# The index against the plain reading, on anything.


def some(*values: object) -> st.SearchStrategy[frozenset[object]]:
    return st.frozensets(st.sampled_from(values), max_size=2)


NAMES = ("a", "ab", "a*", "*b", "/a")
RULES = st.builds(
    rule,
    st.sampled_from(Effect),
    actions=some(Action.SIGN, Action.DECRYPT),
    keys=some("signature", "authentication"),
    algorithms=some("RS256"),
    units=some(*NAMES),
    user_units=some(*NAMES),
    executables=some(*NAMES),
    flatpaks=some("a"),
    snaps=some("a"),
    uids=some(1, 2),
    gids=some(1, 2),
    card_types=some("CPS"),
    professions=some(10, 60),
    document_kinds=some("note", UNSTATED),
    seats=some("seat0"),
    relations=st.frozensets(st.sampled_from(Relation), min_size=1),
    container=st.sampled_from([None, None, True, False]),
    hours=st.sampled_from([None, None, parse_hours(["mon 08:00-12:00"]), parse_hours(["12:00-13:00"])]),
    terms=st.sampled_from([BATCH, ConsentTerms(ConsentMode.DOCUMENT, 1, 60)]),
    own_agent=st.booleans(),
)
SOME_NAME = st.sampled_from([None, "a", "ab", "b"])
REQUESTS = st.builds(
    lambda uid, groups, more, **changes: request(
        facts=replace(facts(**more), caller=Caller(":1.7", uid, 1, groups)), **changes
    ),
    st.integers(1, 2),
    st.sampled_from([(), (1,), (1, 2), (3,)]),
    st.fixed_dictionaries(
        {
            "unit": SOME_NAME,
            "user_unit": SOME_NAME,
            "executable": SOME_NAME,
            "container": st.sampled_from([None, "lxc"]),
        }
    ),
    action=st.sampled_from([Action.SIGN, Action.DECRYPT, Action.ASSERT]),
    key=st.sampled_from(["signature", "authentication", ""]),
    profession=st.sampled_from([10, None]),
    document_kind=st.sampled_from(["note", "other", UNSTATED]),
    login=st.sampled_from([DESK, None]),
    relation=st.sampled_from(Relation),
    when=st.sampled_from([MONDAY_NOON, MONDAY_NOON.replace(hour=9)]),
)


def plain(rules: Sequence[Rule], asked: AccessRequest) -> Decision:
    """The same, as it is documented: rule by rule."""
    fits = [fit(one, asked) for one in rules]
    base = next((n for n, one in enumerate(rules) if fits[n].certain and not one.rests_on_claims), None)
    before = range(len(rules) if base is None else base)
    claim = next((n for n in before if fits[n].certain), None)
    maybe = [n for n in before if fits[n].possible and rules[n].effect is not ALLOW]
    maybe.sort(key=lambda n: (-rules[n].effect.strictness, n))
    narrowing = ([] if claim is None else [claim]) + maybe[:1]
    return combined(asked, None if base is None else rules[base], [rules[n] for n in narrowing])


@settings(max_examples=400)
@given(st.lists(RULES, max_size=8), st.lists(REQUESTS, min_size=1, max_size=3))
def test_the_index_decides_as_the_plain_reading(rules: list[Rule], requests: list[AccessRequest]) -> None:
    numbered = [replace(one, source=RuleSource("f", number)) for number, one in enumerate(rules, start=1)]
    book = Rulebook(numbered)
    for asked in requests:
        decision = book.decide(asked)
        assert decision == plain(numbered, asked)
        explanation = book.explain(asked)
        assert explanation.decision == decision
        if decision.rule is not None:
            assert decision.rule in [step.rule for step in explanation.steps]


@given(st.lists(RULES, max_size=6), REQUESTS)
def test_a_claim_and_the_unknown_never_grant(rules: list[Rule], asked: AccessRequest) -> None:
    """Leaving out every rule that rests on a claim, or on a fact that is unknown, never makes a decision stricter."""
    lawful = [one for one in rules if not (one.rests_on_claims and one.effect is ALLOW)]
    certain = [one for one in lawful if not one.rests_on_claims and not fit(one, asked).possible]
    assert decide(lawful, asked).effect.strictness >= decide(certain, asked).effect.strictness
