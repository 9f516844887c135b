"""Session.CheckAccess: what an application asks of the rules, and the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cardd.access.actions import Action
from cardd.access.rules import Decision
from cardd.bus.interface import Variant, variant
from cardd.bus.options import typed_options
from cardd.bus.sign_options import document_kind
from cardd.errors import InvalidArgument

_IN_A_SESSION: Final = (Action.SIGN, Action.DECRYPT, Action.ASSERT, Action.MINT_TOKEN, Action.READ_HOLDER)
_KEYS: Final = ("", "authentication", "signature", "encryption")
_WORD_MAX: Final = 32


@dataclass(frozen=True, slots=True)
class AccessQuestion:
    """What is asked.

    Args:
        action: what would be done.
        key: with which key of the card, "" where none is used.
        algorithm: JOSE name, "" likewise.
        document_kind: as the application would say.
        reserve: it wants a job's number, should the holder have to be asked.
    """

    action: Action
    key: str
    algorithm: str
    document_kind: str
    reserve: bool


def access_question(resource: str, action: str, options: Mapping[str, Any]) -> AccessQuestion:
    """Read the arguments of CheckAccess.

    Args:
        resource: a key's name, or "".
        action: as rules call it.
        options: algorithm, document-kind, reserve.

    Raises:
        UnknownOption, InvalidArgument: with the argument's or option's name.
    """
    given = typed_options(options, {"algorithm": "s", "document-kind": "s", "reserve": "b"})
    if action not in _IN_A_SESSION:
        raise InvalidArgument(argument="action", reason=f"it is one of {', '.join(_IN_A_SESSION)}")
    if resource not in _KEYS:
        raise InvalidArgument(argument="resource", reason="it is authentication, signature, encryption or empty")
    algorithm = given.get("algorithm", "")
    if len(algorithm) > _WORD_MAX:
        raise InvalidArgument(argument="algorithm", reason="no algorithm has such a name")
    kind = document_kind(given.get("document-kind", ""))
    return AccessQuestion(Action(action), resource, algorithm, kind, given.get("reserve", False))


def access_reply(decision: Decision, job: str | None) -> dict[str, Variant]:
    """What CheckAccess answers."""
    reply = {
        "effect": variant("s", decision.effect.value),
        "rule": variant("s", "" if decision.rule is None else str(decision.rule)),
        "reason": variant("s", decision.reason),
    }
    if decision.terms is not None:
        reply["mode"] = variant("s", decision.terms.mode.value)
        reply["uses"] = variant("u", decision.terms.uses)
        reply["seconds"] = variant("d", float(decision.terms.seconds))
    if job is not None:
        reply["job"] = variant("s", job)
    return reply
