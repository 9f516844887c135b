"""What cardd sees of a caller, and how each rule fared: for people who write rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from cardd.access.actions import Action
from cardd.access.facts import CallerFacts
from cardd.access.gate import Target
from cardd.access.rulebook import Explanation, Step
from cardd.bus.interface import Variant, variant
from cardd.bus.options import typed_options
from cardd.bus.sign_options import document_kind
from cardd.errors import InvalidArgument

_PROGRAM: Final = {"unit": "unit", "user-unit": "user_unit", "flatpak": "flatpak", "snap": "snap"}
_TEXT_MAX: Final = 256
_OPTIONS: Final = {
    **dict.fromkeys((*_PROGRAM, "executable", "key", "algorithm", "document-kind", "card-type"), "s"),
    "profession": "u",
}


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


def question_of(facts: CallerFacts, action: str, options: Mapping[str, Any]) -> tuple[CallerFacts, Action, Target]:
    """What Explain is asked: of the caller as it is, or as another program of its user would be.

    Args:
        facts: of the caller.
        action: as rules call it.
        options: unit, user-unit, flatpak, snap, executable: what the program would be; key, algorithm, document-kind,
            card-type, profession: on what.

    Raises:
        UnknownOption, InvalidArgument: with the argument's or option's name.
    """
    given = typed_options(options, _OPTIONS)
    for name, value in given.items():
        if isinstance(value, str) and len(value) > _TEXT_MAX:
            raise InvalidArgument(argument=name, reason=f"it is longer than {_TEXT_MAX} characters")
    if action not in list(Action):
        raise InvalidArgument(argument="action", reason=f"it is one of {', '.join(Action)}")
    program = {attribute: given.get(name) or None for name, attribute in _PROGRAM.items()}
    executable = given.get("executable") or None
    if executable is not None or any(program.values()):
        placement = replace(facts.placement, session=None, **program)
        facts = replace(facts, placement=placement, executable=executable)
    target = Target(
        card_type=given.get("card-type", ""),
        profession=given.get("profession"),
        key=given.get("key", ""),
        algorithm=given.get("algorithm", ""),
        document_kind=document_kind(given.get("document-kind", "")),
    )
    return facts, Action(action), target


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
