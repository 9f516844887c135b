"""Kinds of login session × actions, against what polkit/org.cardd1.policy documents; the sessions are logind's own.

The doctor, whose card it is, is at the desk, then switched away while the nurse is in front, and at the same time comes
in over the network and as a system service. An agent in the doctor's session gives PIN and consent.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
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
    linger,
    logind_says,
    over_the_network,
    under_the_user_manager,
)
from tests.system.machine import INSTALLED, run, settle

POLICY: Final = INSTALLED / "polkit/org.cardd1.policy"
RULES: Final = Path("/etc/cardd/rules.toml")
IN_A_SESSION: Final = ("sign", "decrypt", "mint-token")
ADMINISTRATION: Final = ("configure", "read-journal", "manage-tokens")
ACTIONS: Final = ("read-holder", "authenticate", *IN_A_SESSION, *ADMINISTRATION)
ANSWERS: Final = {"yes": "yes", "no": "NotAuthorized", "auth_admin": "NotAuthorizedCanObtain"}

# polkit's column for each place that a program of the holder's may be in.
COLUMNS: Final = {
    "session at the seat": ("allow_active", "allow_inactive"),
    "user manager": ("allow_active", "allow_inactive"),
    "ssh": ("allow_any", "allow_any"),
    "system service": ("allow_any", "allow_any"),
}
PLACES: Final = tuple(COLUMNS)


def documented(action: str, column: str) -> str:
    """What the policy says, as the error that docs/access.md and the contract name."""
    found = ET.parse(POLICY).find(f"./action[@id='org.cardd1.{action}']/defaults/{column}")
    assert found is not None
    return ANSWERS[(found.text or "").removesuffix("_keep")]


@dataclass(frozen=True, slots=True)
class Desk:
    """Programs of the card's holder by the place that they are in, and something to decrypt."""

    programs: dict[str, Program]
    cryptogram: str

    def outcome(self, place: str, action: str) -> str:
        if place == "ssh":
            # Not there all the time: see the test of what polkit takes for active.
            with Logins() as logins:
                return attempt(logins.add(over_the_network("doctor")), action, self.cryptogram)
        return attempt(self.programs[place], action, self.cryptogram)


def attempt(program: Program, action: str, cryptogram: str) -> str:
    return program.outcome(action, *([cryptogram] if action == "decrypt" else []))


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """The doctor at the desk, the card's session open; and in the other places on this machine, too."""
    with Logins() as logins:
        doctor = logins.add(at_the_seat("doctor"))
        logins.add(Child(doctor, "agent")).do("agent")
        doctor.do("authenticate")
        programs = {
            "session at the seat": doctor,
            "user manager": logins.add(under_the_user_manager("doctor")),
            "system service": logins.add(as_a_service("doctor")),
        }
        yield Desk(programs, doctor.do("encrypt"))
        bring_to_front(doctor)
        doctor.do("logout")


@pytest.fixture
def nurse(desk: Desk) -> Iterator[Program]:
    """Somebody else who sits down at the same seat; the doctor is in front again afterwards."""
    with Logins() as logins:
        yield logins.add(at_the_seat("nurse"))
    bring_to_front(desk.programs["session at the seat"])


def test_the_sessions_are_what_they_are_called(desk: Desk, nurse: Program, logins: Logins) -> None:
    programs = {**desk.programs, "ssh": logins.add(over_the_network("doctor"))}
    told = {place: program.do("tell") for place, program in programs.items()}
    at_seat, by_ssh = (told[place]["session"] for place in ("session at the seat", "ssh"))
    away = {"Active": "no", "Remote": "no", "Seat": "seat0", "Type": "wayland", "State": "online"}
    assert logind_says(at_seat) == away
    assert logind_says(nurse.session) == {**away, "Active": "yes", "State": "active"}
    assert logind_says(by_ssh) == {"Active": "yes", "Remote": "yes", "Seat": "", "Type": "tty", "State": "active"}
    seen = {place: found["seen"].get("login-session") for place, found in told.items()}
    assert seen == {
        "session at the seat": at_seat,
        "user manager": at_seat,  # the display session
        "ssh": by_ssh,
        "system service": None,
    }
    bring_to_front(desk.programs["session at the seat"])
    assert logind_says(at_seat)["Active"] == "yes"


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("place", PLACES)
def test_the_holder_in_front(desk: Desk, place: str, action: str) -> None:
    assert desk.outcome(place, action) == documented(action, COLUMNS[place][0])


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.usefixtures("nurse")
def test_the_holder_switched_away(desk: Desk, place: str, action: str) -> None:
    assert desk.outcome(place, action) == documented(action, COLUMNS[place][1])


IN_FRONT_ONLY = """
[[rule]]
name = "in front at this machine only"
action = ["authenticate", "assert", "decrypt", "mint-token", "read-holder"]
session = "own"
effect = "deny"
"""


@pytest.mark.usefixtures("nurse")
def test_polkit_takes_a_user_for_active_by_any_session_and_a_rule_does_not(desk: Desk, logins: Logins) -> None:
    """As docs/access.md tells it: polkit asks logind for the user's state (sd_uid_get_state), not the session's."""
    logins.add(over_the_network("doctor"))
    assert desk.outcome("session at the seat", "decrypt") == "yes"
    assert desk.outcome("session at the seat", "sign") == "NotAuthorized", "the rule as shipped is for who is in front"
    with further_rules(IN_FRONT_ONLY):
        for action in ("read-holder", "authenticate", "decrypt", "mint-token"):
            assert desk.outcome("session at the seat", action) == "NotAuthorized"
        bring_to_front(desk.programs["session at the seat"])
        assert desk.outcome("session at the seat", "decrypt") == "yes"


@contextmanager
def further_rules(text: str) -> Iterator[None]:
    """Have rules in force before those that were installed."""
    installed = RULES.read_text()
    RULES.write_text(text + installed)
    try:
        run("systemctl", "reload", "cardd.service")
        yield
    finally:
        RULES.write_text(installed)
        run("systemctl", "reload", "cardd.service")


@pytest.mark.parametrize("action", IN_A_SESSION)
def test_who_is_in_front_may_not_use_the_session_of_somebody_else(desk: Desk, nurse: Program, action: str) -> None:
    assert attempt(nurse, action, desk.cryptogram) == "NotAuthorized"


def test_the_policy_allows_the_daily_work_in_front_alone() -> None:
    """So that the tests above cannot agree with a policy that allows more, or nothing."""
    columns = ("allow_active", "allow_inactive", "allow_any")
    for action in ("read-holder", "authenticate", *IN_A_SESSION):
        assert [documented(action, column) for column in columns] == ["yes", "NotAuthorized", "NotAuthorized"]
    for action in ADMINISTRATION:
        assert {documented(action, column) for column in columns} == {"NotAuthorizedCanObtain"}


@pytest.mark.parametrize("action", ["read-holder", "authenticate"])
def test_a_user_manager_without_any_login_may_nothing(action: str) -> None:
    with linger("nurse"), under_the_user_manager("nurse") as program:
        settle()
        assert run("loginctl", "show-user", "nurse", "--property=Sessions", "--value").stdout.strip() == ""
        assert program.outcome(action) == documented(action, "allow_any")
