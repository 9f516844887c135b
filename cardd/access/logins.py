"""Login sessions and seats, as logind knows them.

Read from logind's state files, as sd-login(3) does it for polkit: no call that can hang, and the same answer as
polkit's. Only logind writes there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

STATE: Final = Path("/run/systemd")
_SIZE_MAX: Final = 1 << 16
_ID: Final = re.compile(r"[A-Za-z0-9]{1,64}")


@dataclass(frozen=True, slots=True)
class LoginSession:
    """A login session, as it is when it is asked for.

    Args:
        id: logind's name for it.
        uid: whose.
        seat: "seat0"; None for one without screen and keyboard of this machine.
        active: whether it has the seat now; a session without a seat always is.
        remote: whether it came over the network.
    """

    id: str
    uid: int
    seat: str | None
    active: bool
    remote: bool

    @property
    def at_the_desk(self) -> bool:
        """Whether its user sits at this machine and is the one in front: polkit's "active" (allow_active)."""
        return self.active and not self.remote and self.seat is not None


class Logins(Protocol):
    """What knows login sessions. Each answer is of this moment."""

    @property
    def present(self) -> bool:
        """Whether logind runs here at all; without it agents and sessions go by uid alone."""

    def session(self, session_id: str) -> LoginSession | None:
        """A session by its name, None when there is no such one (any more)."""

    def display_session(self, uid: int) -> str | None:
        """The session to which a user's programs outside of any session belong, as polkit has it."""


def parse_state(content: str) -> dict[str, str]:
    """Read a state file of logind: lines of NAME=value, the value perhaps in double quotes, "#" for comments."""
    found: dict[str, str] = {}
    for line in content.split("\n"):
        name, equals, value = line.partition("=")
        if equals and name.isidentifier():
            quoted = len(value) >= 2 and value[0] == value[-1] == '"'
            found[name] = value[1:-1] if quoted else value
    return found


class LogindFiles:
    """Logins by logind's state files.

    Args:
        state: its directory.
    """

    def __init__(self, state: Path = STATE) -> None:
        self._state = state

    @property
    def present(self) -> bool:
        """See `Logins`; sd_booted(3) would not tell of a logind that is masked."""
        return (self._state / "seats").is_dir() and (self._state / "users").is_dir()

    def session(self, session_id: str) -> LoginSession | None:
        """See `Logins`."""
        if not _ID.fullmatch(session_id):
            return None
        facts = self._read("sessions", session_id)
        uid = facts.get("UID", "")
        if not (uid.isascii() and uid.isdigit()) or facts.get("STATE") == "closing":
            return None
        return LoginSession(
            id=session_id,
            uid=int(uid),
            seat=facts.get("SEAT") or None,
            active=facts.get("ACTIVE") == "1",
            # A session whose file does not say that it is local is not taken for one.
            remote=facts.get("REMOTE") != "0",
        )

    def display_session(self, uid: int) -> str | None:
        """See `Logins`."""
        return self._read("users", str(uid)).get("DISPLAY") or None

    def _read(self, folder: str, name: str) -> dict[str, str]:
        """The facts of a file; none where there is no such file, which is logind's way to say so."""
        try:
            with (self._state / folder / name).open(encoding="utf-8", errors="replace") as reading:
                return parse_state(reading.read(_SIZE_MAX))
        except FileNotFoundError:
            return {}
