"""Kinds of login session × actions, against what polkit/org.cardd1.policy documents; sessions are logind's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

import pytest

from tests.system.logins import (
    Child,
    Logins,
    Program,
    as_a_service,
    at_the_seat,
    bring_to_front,
    over_the_network,
    under_the_user_manager,
)
from tests.system.machine import INSTALLED

POLICY: Final = INSTALLED / "polkit/org.cardd1.policy"
ACTIONS: Final = ("read-holder", "authenticate", "sign", "decrypt", "mint-token", "configure", "read-journal")
DAILY: Final = ACTIONS[:5]
ANSWERS: Final = {"yes": "yes", "no": "NotAuthorized"} | dict.fromkeys(
    ("auth_admin", "auth_admin_keep"), "NotAuthorizedCanObtain"
)

# polkit's column for each kind of session.
KINDS: Final = {
    "active": "allow_active",
    "active-by-user-manager": "allow_active",
    "inactive": "allow_inactive",
    "inactive-by-user-manager": "allow_inactive",
    "remote": "allow_any",
    "service-of-the-user": "allow_any",
}


@dataclass(frozen=True, slots=True)
class Desk:
    """Programs of the card's holder by the kind of session that they are in, and something to decrypt."""

    programs: dict[str, Program]
    cryptogram: str

    def outcome(self, kind: str, action: str) -> str:
        arguments = (self.cryptogram,) if action == "decrypt" else ()
        return self.programs[kind].outcome(action, *arguments)


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """The doctor at the desk, the session open, an agent there to agree, and the other ways in."""
    with Logins() as logins:
        doctor = logins.add(at_the_seat("doctor"))
        agent = logins.add(Child(doctor, "agent"))
        agent.do("agent")
        doctor.do("authenticate")
        programs = {
            "active": doctor,
            "active-by-user-manager": logins.add(under_the_user_manager("doctor")),
            "remote": logins.add(over_the_network("doctor")),
            "service-of-the-user": logins.add(as_a_service("doctor")),
        }
        programs["inactive"] = doctor
        programs["inactive-by-user-manager"] = programs["active-by-user-manager"]
        yield Desk(programs, doctor.do("encrypt"))
        bring_to_front(doctor)
        doctor.do("logout")


@pytest.fixture(scope="module")
def nurse(desk: Desk) -> Iterator[Program]:
    """Somebody else who sits at the same seat; the doctor's session stays behind."""
    with Logins() as logins:
        yield logins.add(at_the_seat("nurse"))


def documented(action: str, column: str) -> str:
    found = ET.parse(POLICY).find(f"./action[@id='org.cardd1.{action}']/defaults/{column}")
    assert found is not None
    return ANSWERS[found.text or ""]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("kind", ["active", "active-by-user-manager", "remote", "service-of-the-user"])
def test_while_the_holder_is_at_the_desk(desk: Desk, kind: str, action: str) -> None:
    bring_to_front(desk.programs["active"])
    assert desk.outcome(kind, action) == documented(action, KINDS[kind])
