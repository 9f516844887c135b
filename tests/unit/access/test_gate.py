"""The gate: rules and polkit must agree."""

from __future__ import annotations

import pytest

from cardd.access.actions import Action
from cardd.access.gate import Gate, Target
from cardd.access.polkit import Answer, Polkit
from cardd.access.rulebook import Rulebook
from cardd.access.rules import Effect, Relation, Rule, RuleSource
from cardd.errors import NotAuthorized
from tests.unit.access.support import DESK, DOCTOR, MONDAY_NOON, Sessions, facts
from tests.unit.access.test_polkit import Authority

TARGET = Target(
    owner_uid=DOCTOR, owner_session="2", card="123", card_type="CPS", profession=10, key="signature", algorithm="RS256"
)


def gate(effect: Effect, authority: Authority) -> Gate:
    relations = frozenset({Relation.OWN_ACTIVE})
    book = Rulebook([Rule(RuleSource("f", 1), effect, relations=relations)])
    return Gate(Polkit(authority, own_uid=0), lambda: book, Sessions(DESK), lambda: MONDAY_NOON)


@pytest.mark.parametrize("effect", [Effect.ALLOW, Effect.ASK])
async def test_both_agree(effect: Effect) -> None:
    authority = Authority(Answer(True))
    decision = await gate(effect, authority).require(facts(unit="a.service"), Action.SIGN, TARGET, interactive=False)
    assert decision.effect is effect
    assert dict(authority.asked[0].details) == {
        "card": "123",
        "card-type": "CPS",
        "profession": "10",
        "key": "signature",
        "algorithm": "RS256",
        "application": "a.service",
        "document-kind": "unstated",
    }


async def test_polkit_refuses_what_the_rules_allow() -> None:
    with pytest.raises(NotAuthorized, match="polkit"):
        await gate(Effect.ALLOW, Authority(Answer(False))).require(facts(), Action.SIGN, TARGET, interactive=False)


async def test_the_rules_refuse_without_asking_polkit() -> None:
    authority = Authority(Answer(True))
    with pytest.raises(NotAuthorized, match="rule 1 says deny"):
        await gate(Effect.DENY, authority).require(facts(), Action.SIGN, TARGET, interactive=True)
    assert authority.asked == []


async def test_another_user_is_refused() -> None:
    asked = gate(Effect.ALLOW, Authority(Answer(True)))
    with pytest.raises(NotAuthorized, match="another user"):
        await asked.require(facts(uid=1001), Action.DECRYPT, TARGET, interactive=False)
    explanation = asked.explain(facts(uid=1001), Action.SIGN, TARGET)
    assert explanation.steps[0].fit.failing == ("session",)


async def test_a_session_that_went_to_the_background_counts_at_once() -> None:
    asked = gate(Effect.ALLOW, Authority(Answer(True)))
    assert asked.decide(facts(), Action.SIGN, TARGET).effect is Effect.ALLOW
    logins = asked._logins
    assert isinstance(logins, Sessions)
    logins.sessions.clear()
    assert asked.decide(facts(), Action.SIGN, TARGET).effect is Effect.DENY
