"""What is said to the room of tokens before it is open."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from cardd.access.caller import Caller
from cardd.tokens.rules import LifetimeRules


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
    """

    device: bytes | str
    lifetime: timedelta | None = None
    audience: tuple[str, ...] = ()
    kind: str | None = None


def who(caller: Caller) -> str:
    """A caller as the registry names them."""
    return f"uid:{caller.uid}"
