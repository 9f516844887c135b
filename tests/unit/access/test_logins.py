"""logind's state files."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.access.logins import LogindFiles, LoginSession, parse_state

SESSION = """# This is private data. Do not parse.
UID=1000
USER=doctor
ACTIVE=1
IS_DISPLAY=1
STATE=active
REMOTE=0
TYPE=wayland
CLASS=user
SEAT=seat0
SERVICE="gdm-password"
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    for folder in ("sessions", "users", "seats"):
        (tmp_path / folder).mkdir()
    (tmp_path / "sessions/2").write_text(SESSION)
    (tmp_path / "users/1000").write_text("NAME=doctor\nSTATE=active\nDISPLAY=2\n")
    return tmp_path


def test_a_session_at_the_desk(state: Path) -> None:
    found = LogindFiles(state).session("2")
    assert found == LoginSession("2", 1000, "seat0", active=True, remote=False)
    assert found is not None
    assert found.at_the_desk


@pytest.mark.parametrize(
    ("old", "new"),
    [("ACTIVE=1", "ACTIVE=0"), ("REMOTE=0", "REMOTE=1"), ("SEAT=seat0\n", ""), ("REMOTE=0\n", ""), ("ACTIVE=1\n", "")],
)
def test_a_session_that_is_not_at_the_desk(state: Path, old: str, new: str) -> None:
    (state / "sessions/2").write_text(SESSION.replace(old, new))
    found = LogindFiles(state).session("2")
    assert found is not None
    assert not found.at_the_desk


@pytest.mark.parametrize(("old", "new"), [("UID=1000", "UID=x"), ("UID=1000\n", ""), ("STATE=active", "STATE=closing")])
def test_no_session(state: Path, old: str, new: str) -> None:
    (state / "sessions/2").write_text(SESSION.replace(old, new))
    assert LogindFiles(state).session("2") is None


@pytest.mark.parametrize("name", ["3", "", "..", "../users/1000", "2/", "a" * 65])
def test_a_name_that_is_none(state: Path, name: str) -> None:
    assert LogindFiles(state).session(name) is None


def test_display_session(state: Path) -> None:
    logins = LogindFiles(state)
    assert logins.display_session(1000) == "2"
    assert logins.display_session(1001) is None


def test_whether_logind_runs(state: Path, tmp_path: Path) -> None:
    assert LogindFiles(state).present
    assert not LogindFiles(tmp_path / "nowhere").present


@given(st.text(max_size=200))
def test_any_content(content: str) -> None:
    assert all(name.isidentifier() for name in parse_state(content))


def test_values() -> None:
    assert parse_state('A=1\nB="two words"\nC="\n# D=1\nE\nF=a=b') == {"A": "1", "B": "two words", "C": '"', "F": "a=b"}
