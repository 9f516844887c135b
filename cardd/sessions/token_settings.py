"""What is said to the room of tokens before it is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from cardd.access.caller import Caller
from cardd.holder.nomenclature import CardType
from cardd.tokens.rules import LifetimeRule, LifetimeRules, Profession


class LifetimeWords(Protocol):
    """How long some tokens may live, as a configuration says it (`cardd.config.LifetimeRuleConfig`)."""

    @property
    def default_lifetime(self) -> int:
        """Seconds."""

    @property
    def maximum_lifetime(self) -> int:
        """Seconds."""

    @property
    def kinds(self) -> Sequence[str]:
        """Of tokens; empty: every kind."""

    @property
    def professions(self) -> Sequence[str]:
        """Type of card and code ("CPS/10"); empty: everybody."""


def lifetime_rules(rules: Sequence[LifetimeWords], default: int, maximum: int) -> LifetimeRules:
    """The rules of lifetimes.

    Args:
        rules: the first that fits decides.
        default, maximum: seconds, where none fits.
    """
    rest = LifetimeRule(timedelta(seconds=default), timedelta(seconds=maximum))
    return LifetimeRules((*map(_rule, rules), rest))


def _rule(words: LifetimeWords) -> LifetimeRule:
    return LifetimeRule(
        timedelta(seconds=words.default_lifetime),
        timedelta(seconds=words.maximum_lifetime),
        kinds=frozenset(words.kinds) or None,
        professions=frozenset(map(_profession, words.professions)) or None,
    )


def _profession(word: str) -> Profession:
    card_type, _, code = word.partition("/")
    return CardType(card_type), int(code)


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """What the configuration says.

    Args:
        registry: file of the registry.
        key: file of the daemon's key.
        audience: name that a hospital's daemons share; empty: each goes by its own.
        rules: how long tokens may live.
    """

    registry: Path
    key: Path
    audience: str = ""
    rules: LifetimeRules = field(default_factory=LifetimeRules)


@dataclass(frozen=True, slots=True)
class MintOrder:
    """What a caller asks for.

    Args:
        device: public key that the token is bound to: SubjectPublicKeyInfo in DER, or a JWK as JSON text.
        lifetime: None for the rule's default.
        audience: who may rely on it; empty for the daemon's own.
        kind: what it is for; None for a device.
        interactive: the holder may be asked for the PIN, where the card wants it anew.
    """

    device: bytes | str
    lifetime: timedelta | None = None
    audience: tuple[str, ...] = ()
    kind: str | None = None
    interactive: bool = True


def who(caller: Caller) -> str:
    """A caller as the registry names them."""
    return f"uid:{caller.uid}"
