"""How long a token may live: by kind of token and profession, first match."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cardd.holder.nomenclature import CardType
from cardd.holder.professional import Professional
from cardd.tokens.errors import LifetimeRefused

CEILING: Final = timedelta(days=31)
"""No rule goes beyond; verifiers refuse what does. Whoever had a card for a minute could sign a token for years."""

_SECOND: Final = timedelta(seconds=1)

Profession = tuple[CardType, int]
"""A code says nothing without the type of card: 10 is a doctor on a CPS, a student on a CPF."""


@dataclass(frozen=True, slots=True)
class LifetimeRule:
    """One line of the table.

    Args:
        default: lifetime where none is asked for.
        maximum: longest lifetime; more is cut to it.
        kinds: of tokens that it is for; None: every kind.
        professions: of holders that it is for; None: every one, those without a profession too.
    """

    default: timedelta = timedelta(hours=8)
    maximum: timedelta = timedelta(hours=12)
    kinds: frozenset[str] | None = None
    professions: frozenset[Profession] | None = None

    def __post_init__(self) -> None:
        """Check the bounds.

        Raises:
            ValueError: not 1 s <= default <= maximum <= `CEILING`.
        """
        if not _SECOND <= self.default <= self.maximum <= CEILING:
            raise ValueError(f"a token's lifetimes must be 1 s <= default <= maximum <= {CEILING.days} days")

    def covers(self, kind: str, profession: Profession | None) -> bool:
        """Whether the rule is for such a token."""
        of_kind = self.kinds is None or kind in self.kinds
        return of_kind and (self.professions is None or profession in self.professions)


@dataclass(frozen=True, slots=True)
class LifetimeRules:
    """The table: the first rule that covers a token decides; where none does, it is refused.

    Args:
        rules: in order. As shipped: 8 hours, 12 at most (a shift), whatever kind and profession.
    """

    rules: tuple[LifetimeRule, ...] = (LifetimeRule(),)

    def lifetime(self, kind: str, professional: Professional, asked: timedelta | None) -> timedelta:
        """How long a token lives.

        Args:
            kind: of the token.
            professional: its holder.
            asked: for, None: the default.

        Raises:
            LifetimeRefused: less than a second was asked for, or no rule covers such a token.
        """
        if asked is not None and asked < _SECOND:
            raise LifetimeRefused(reason="it is shorter than a second")
        code = professional.profession_code
        profession = None if code is None else (professional.card_type, code)
        rule = next((one for one in self.rules if one.covers(kind, profession)), None)
        if rule is None:
            raise LifetimeRefused(reason="no rule allows a token of this kind to this profession")
        return min(rule.default if asked is None else asked, rule.maximum)


def ends_at(issued_at: datetime, lifetime: timedelta, certificate_ends: datetime) -> datetime:
    """When a token expires: after its lifetime, and never after its certificate's chain.

    Args:
        issued_at: whole seconds.
        lifetime: by rule.
        certificate_ends: the last moment at which the chain is valid.

    Raises:
        LifetimeRefused: the chain ends within a second.
    """
    end = min(issued_at + lifetime, certificate_ends).replace(microsecond=0)
    if end <= issued_at:
        raise LifetimeRefused(reason="the card's certificate ends now")
    return end
