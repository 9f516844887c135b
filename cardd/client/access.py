"""What the daemon sees of this program, and how its rules fare: for people who write rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cardd.bus.names import MANAGER, ROOT
from cardd.bus.transport import RemoteMethod
from cardd.client.core import PATIENCE, Core
from cardd.client.values import Properties, take
from cardd.client.wrapping import Option, Options

_NO_OPTIONS: Options = {}


@dataclass(frozen=True, slots=True)
class Step:
    """How one rule fared: `failing` conditions do not hold, of the `unknown` ones it cannot be said; a rule
    `on_claims` only narrows what the rules after it give."""

    rule: str
    effect: str
    failing: tuple[str, ...]
    unknown: tuple[str, ...]
    on_claims: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the rules decide, and each rule up to the one that decided."""

    effect: str
    rule: str
    reason: str
    steps: tuple[Step, ...]


class AccessRules:
    """Asks the daemon about its rules. Made by `CarddClient.access`."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def who_am_i(self) -> Mapping[str, str | int]:
        """What the daemon sees of this connection: uid, pid, unit, flatpak..., by the names that rules use."""
        found = await self._call("WhoAmI", "a{sv}", _NO_OPTIONS)
        return {name: value for name, value in found.items() if isinstance(value, str | int)}

    async def explain(self, action: str, **question: str | int | None) -> Explanation:
        """Which rule decides.

        Args:
            action: sign, decrypt, ...
            question: unit, user_unit, flatpak, snap, executable, container: of another program; uid: of another user;
                session (own-active, own, other), seat, when (local time, ISO 8601): somewhere else, at another time;
                key, algorithm, document_kind, card_type, profession. None is not said.

        Raises:
            InvalidArgument, NotAuthorized and others of `cardd.errors`.
        """
        options: dict[str, Option] = {
            name.replace("_", "-"): value for name, value in question.items() if value is not None
        }
        reply = await self._call("ExplainAccess", "sa{sv}", action, options)
        return Explanation(
            effect=take(reply, "effect", str, ""),
            rule=take(reply, "rule", str, ""),
            reason=take(reply, "reason", str, ""),
            steps=tuple(_step(one) for one in take(reply, "steps", list, [])),
        )

    async def _call(self, member: str, takes: str, *values: object) -> Properties:
        owner = await self._core.connection.ensure_owner()
        method = RemoteMethod(MANAGER, member, takes, "a{sv}")
        (reply,) = await self._core.connection.call(owner, ROOT, method, values, PATIENCE)
        found: Properties = reply
        return found


def _step(row: Properties) -> Step:
    return Step(
        rule=take(row, "rule", str, ""),
        effect=take(row, "effect", str, ""),
        failing=tuple(take(row, "failing", list, [])),
        unknown=tuple(take(row, "unknown", list, [])),
        on_claims=take(row, "on-claims", bool, False),
    )
