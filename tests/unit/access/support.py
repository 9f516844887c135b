"""Callers and requests for the tests of access."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from cardd.access.actions import Action
from cardd.access.caller import Caller
from cardd.access.cgroups import Placement
from cardd.access.facts import CallerFacts
from cardd.access.logins import LoginSession
from cardd.access.rules import AccessRequest, Relation

DOCTOR = 1000
MONDAY_NOON = datetime(2026, 3, 2, 12, 0)  # noqa: DTZ001  # the wall clock of rules has no zone


class Sessions:
    """Logins of make-believe.

    Args:
        sessions: that there are; the first of a uid is its display session.
        present: whether logind runs.
    """

    def __init__(self, *sessions: LoginSession, present: bool = True) -> None:
        self.sessions = {one.id: one for one in sessions}
        self._present = present

    @property
    def present(self) -> bool:
        return self._present

    def session(self, session_id: str) -> LoginSession | None:
        return self.sessions.get(session_id)

    def display_session(self, uid: int) -> str | None:
        return next((one.id for one in self.sessions.values() if one.uid == uid), None)


DESK = LoginSession("2", DOCTOR, "seat0", active=True, remote=False)


def facts(name: str = ":1.7", uid: int = DOCTOR, pid: int = 4242, **more: Any) -> CallerFacts:
    """Facts of a caller; `groups` and the fields of `CallerFacts` and `Placement` may be given."""
    groups = more.pop("groups", (DOCTOR,))
    here = {key: more.pop(key) for key in list(more) if key in Placement.__dataclass_fields__}
    values = {"start_time": 77, "session_id": "2", **more}
    return CallerFacts(Caller(name, uid, pid, groups), placement=Placement(**here), **values)


def request(**changes: Any) -> AccessRequest:
    """A doctor at the desk whose program wants a signature."""
    base = AccessRequest(
        facts=facts(),
        login=DESK,
        relation=Relation.OWN_ACTIVE,
        action=Action.SIGN,
        when=MONDAY_NOON,
        key="signature",
        algorithm="RS256",
        card_type="CPS",
        profession=10,
    )
    return replace(base, **changes)
