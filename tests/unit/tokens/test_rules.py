from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cardd.holder.nomenclature import CardType
from cardd.holder.professional import Professional, professional_from
from cardd.tokens.errors import LifetimeRefused
from cardd.tokens.rules import CEILING, LifetimeRule, LifetimeRules, ends_at
from tests.unit.pki import factory
from tests.unit.tokens.support import HOUR, NOW, doctor_certificate, subject

DOCTORS = frozenset({(CardType.CPS, 10)})


def doctor() -> Professional:
    return professional_from(doctor_certificate())


def without_profession() -> Professional:
    return professional_from(factory.holder(factory.intermediate(), subject=subject("899900000029")))


def test_as_shipped() -> None:
    rules = LifetimeRules()
    assert rules.lifetime("device", doctor(), None) == 8 * HOUR
    assert rules.lifetime("device", doctor(), HOUR) == HOUR
    assert rules.lifetime("device", doctor(), 100 * HOUR) == 12 * HOUR


def test_the_first_rule_that_covers_decides() -> None:
    rules = LifetimeRules(
        (
            LifetimeRule(HOUR, HOUR, kinds=frozenset({"phone"})),
            LifetimeRule(2 * HOUR, 3 * HOUR, professions=DOCTORS),
            LifetimeRule(4 * HOUR, 4 * HOUR),
        )
    )
    assert rules.lifetime("phone", doctor(), None) == HOUR
    assert rules.lifetime("device", doctor(), None) == 2 * HOUR
    assert rules.lifetime("device", without_profession(), None) == 4 * HOUR


def test_a_student_is_no_doctor() -> None:
    rules = LifetimeRules((LifetimeRule(professions=DOCTORS),))
    assert rules.lifetime("device", doctor(), HOUR) == HOUR
    with pytest.raises(LifetimeRefused):
        rules.lifetime("device", replace(doctor(), card_type=CardType.CPF), HOUR)


def test_what_no_rule_covers_is_refused() -> None:
    with pytest.raises(LifetimeRefused, match="no rule"):
        LifetimeRules((LifetimeRule(kinds=frozenset({"phone"})),)).lifetime("device", doctor(), None)
    with pytest.raises(LifetimeRefused, match="no rule"):
        LifetimeRules(()).lifetime("device", doctor(), None)


@pytest.mark.parametrize("asked", [timedelta(0), timedelta(seconds=-5), timedelta(milliseconds=999)])
def test_less_than_a_second_is_refused(asked: timedelta) -> None:
    with pytest.raises(LifetimeRefused, match="second"):
        LifetimeRules().lifetime("device", doctor(), asked)


@pytest.mark.parametrize(
    ("default", "maximum"), [(timedelta(0), HOUR), (2 * HOUR, HOUR), (HOUR, CEILING + timedelta(seconds=1))]
)
def test_a_rule_out_of_bounds_is_refused(default: timedelta, maximum: timedelta) -> None:
    with pytest.raises(ValueError, match="lifetimes must be"):
        LifetimeRule(default, maximum)


def test_never_beyond_the_certificate() -> None:
    assert ends_at(NOW, 8 * HOUR, NOW + HOUR) == NOW + HOUR
    assert ends_at(NOW, HOUR, NOW + 8 * HOUR) == NOW + HOUR
    for end in (NOW, NOW - HOUR, NOW + timedelta(milliseconds=999)):
        with pytest.raises(LifetimeRefused, match="certificate ends"):
            ends_at(NOW, HOUR, end)
