"""What a check finds, and the host that it looks at."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

GROUP = "cardd-users"
"""Members may talk to cardd (the policy of the message bus says so)."""


class State(StrEnum):
    """How a check ended; `skipped`: there was nothing to look at."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, in the user's language.

    Args:
        name: of the check, for programs.
        state: how it ended.
        finding: one sentence.
        remedy: what to do, empty where nothing is to be done.
    """

    name: str
    state: State
    finding: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Host:
    """What the checks read of this computer.

    Args:
        root: of the file system.
        user: name of the user.
        uid: of the user.
        groups_in_effect: names of the groups that this login has.
        members: names of the group's members as the system knows them now; None where there is no such group.
        pcscd_socket: where pcscd listens.
        now: the clock.
    """

    root: Path
    user: str
    uid: int
    groups_in_effect: frozenset[str]
    members: frozenset[str] | None
    pcscd_socket: Path
    now: datetime = field(default_factory=lambda: datetime.now(UTC))


def this_host() -> Host:
    """Read the computer that this runs on."""
    uid = os.getuid()
    in_effect = frozenset(name for name in map(_group_name, {os.getegid(), *os.getgroups()}) if name)
    return Host(
        root=Path("/"),
        user=_user_name(uid),
        uid=uid,
        groups_in_effect=in_effect,
        members=_members(uid),
        # The name that libpcsclite reads, and its default.
        pcscd_socket=Path(os.environ.get("PCSCLITE_CSOCK_NAME", "/run/pcscd/pcscd.comm")),
    )


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group_name(gid: int) -> str | None:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return None


def _members(uid: int) -> frozenset[str] | None:
    try:
        group = grp.getgrnam(GROUP)
    except KeyError:
        return None
    members = set(group.gr_mem)
    try:
        if pwd.getpwuid(uid).pw_gid == group.gr_gid:
            members.add(_user_name(uid))
    except KeyError:
        pass  # a uid without an entry has no primary group of that name
    return frozenset(members)
