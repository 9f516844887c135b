"""What cardd sees of a caller, and how each rule fared: for people who write rules."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from cardd.access.actions import Action
from cardd.access.caller import Caller
from cardd.access.facts import CallerFacts
from cardd.access.gate import Supposed, Target
from cardd.access.rulebook import Explanation, Step
from cardd.access.rules import Relation
from cardd.bus.interface import Variant, variant
from cardd.bus.options import typed_options
from cardd.bus.sign_options import document_kind
from cardd.errors import InvalidArgument

_PROGRAM: Final = {"unit": "unit", "user-unit": "user_unit", "flatpak": "flatpak", "snap": "snap"}
_TEXT_MAX: Final = 256
_OPTIONS: Final = {
    **dict.fromkeys((*_PROGRAM, "executable", "container", "key", "algorithm", "document-kind", "card-type"), "s"),
    **dict.fromkeys(("session", "seat", "when"), "s"),
    **dict.fromkeys(("uid", "profession"), "u"),
}
_ID_NONE: Final = (1 << 32) - 1
"""What the kernel takes for no user (chown(2))."""


@dataclass(frozen=True, slots=True)
class RulesQuestion:
    """What the rules are asked to explain; see `cardd.access.gate.Gate.explain`."""

    facts: CallerFacts
    action: Action
    target: Target
    supposed: Supposed


def caller_reply(facts: CallerFacts) -> dict[str, Variant]:
    """What WhoAmI answers; what is not known is left out."""
    caller, placement = facts.caller, facts.placement
    texts = {
        "connection": caller.name,
        "application": facts.application,
        "login-session": facts.session_id,
        "executable": facts.executable,
        "container": placement.container,
        **{name: getattr(placement, attribute) for name, attribute in _PROGRAM.items()},
    }
    reply = {name: variant("s", text) for name, text in texts.items() if text}
    reply["uid"] = variant("u", caller.uid)
    if caller.pid is not None:
        reply["pid"] = variant("u", caller.pid)
    return reply


def question_of(facts: CallerFacts, action: str, options: Mapping[str, Any]) -> RulesQuestion:
    """What ExplainAccess is asked: of the caller as it is, or as another one would be.

    Args:
        facts: of the caller.
        action: as rules call it.
        options: as the contract lists them.

    Raises:
        UnknownOption, InvalidArgument: with the argument's or option's name.
    """
    given = typed_options(options, _OPTIONS)
    for name, value in given.items():
        if isinstance(value, str) and len(value) > _TEXT_MAX:
            raise InvalidArgument(argument=name, reason=f"it is longer than {_TEXT_MAX} characters")
    if action not in list(Action):
        raise InvalidArgument(argument="action", reason=f"it is one of {', '.join(Action)}")
    target = Target(
        card_type=given.get("card-type", ""),
        profession=given.get("profession"),
        key=given.get("key", ""),
        algorithm=given.get("algorithm", ""),
        document_kind=document_kind(given.get("document-kind", "")),
    )
    return RulesQuestion(_supposed_facts(facts, given), Action(action), target, _supposed(given))


def _supposed_facts(facts: CallerFacts, given: Mapping[str, Any]) -> CallerFacts:
    """The caller, or another program of its user, or one of another user."""
    uid = given.get("uid", facts.caller.uid)
    if uid == _ID_NONE:
        raise InvalidArgument(argument="uid", reason="no user has this number")
    if uid != facts.caller.uid:
        # Of the other one nothing is known but what is given.
        facts = CallerFacts(Caller(facts.caller.name, uid, groups=_groups_of(uid)), start_time=0)
    program = {attribute: given.get(name) or None for name, attribute in _PROGRAM.items()}
    executable, container = given.get("executable") or None, given.get("container") or None
    if executable is not None or container is not None or any(program.values()):
        placement = replace(facts.placement, session=None, container=container, **program)
        facts = replace(facts, placement=placement, executable=executable)
    return facts


def _supposed(given: Mapping[str, Any]) -> Supposed:
    relation = given.get("session")
    if relation is not None and relation not in list(Relation):
        raise InvalidArgument(argument="session", reason=f"it is one of {', '.join(Relation)}")
    if relation is None and "uid" in given:
        relation = Relation.OWN_ACTIVE  # as if that user opened the session, and sat here
    return Supposed(
        relation=None if relation is None else Relation(relation),
        seat=given.get("seat"),
        when=_local_time(given["when"]) if "when" in given else None,
    )


def _local_time(text: str) -> datetime:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidArgument(argument="when", reason="it is a local time like 2026-03-02T12:00") from None
    if when.tzinfo is not None:
        raise InvalidArgument(argument="when", reason="rules go by local time: leave the time zone out")
    return when


def _groups_of(uid: int) -> tuple[int, ...]:
    """The groups that the host says a user has; none where it knows no such user."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return ()
    return tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))


def explanation_reply(explanation: Explanation) -> dict[str, Variant]:
    """What Explain answers."""
    decision = explanation.decision
    return {
        "effect": variant("s", decision.effect.value),
        "rule": variant("s", "" if decision.rule is None else str(decision.rule)),
        "reason": variant("s", decision.reason),
        "steps": variant("aa{sv}", [_step(one) for one in explanation.steps]),
    }


def _step(step: Step) -> dict[str, Variant]:
    return {
        "rule": variant("s", str(step.rule)),
        "effect": variant("s", step.effect.value),
        "failing": variant("as", list(step.fit.failing)),
        "unknown": variant("as", list(step.fit.unknown)),
        "on-claims": variant("b", step.on_claims),
    }
