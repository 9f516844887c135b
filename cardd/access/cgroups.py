"""Where systemd placed a process: the unit, and what started it, read from its control group.

A system unit's name is the administrator's. Everything below a user's own service manager (user units, Flatpak and most
Snap scopes) is that user's to choose: any program of the user can start another under such a name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_UNIT: Final = re.compile(r"[A-Za-z0-9:_.\\@-]{1,255}\.(?:service|scope|socket|mount|swap)")
_ESCAPED: Final = re.compile(r"\\x([0-9a-f]{2})")
_SESSION: Final = re.compile(r"session-([A-Za-z0-9]+)\.scope")
_USER_SLICE: Final = re.compile(r"user-(0|[1-9][0-9]{0,9})\.slice")
# Flatpak names its scope after the application and its own instance number.
_FLATPAK: Final = re.compile(r"app-flatpak-(.+)-[0-9]+\.scope")
_FLATPAK_ID: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_][A-Za-z0-9_-]*){2,}")
# snap.NAME.APP.UUID.scope before snapd 2.60, snap.NAME.APP-UUID.scope since; a service has no UUID.
_SNAP: Final = re.compile(
    r"snap\.([a-z0-9_-]+)\.([A-Za-z0-9-]+?)(?:[.-][0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})?\.(?:scope|service)"
)
_CONTAINERS: Final = (
    ("docker", re.compile(r"/(?:docker/|docker-)[0-9a-f]{12,64}(?:\.scope)?(?:/|$)")),
    ("podman", re.compile(r"/libpod(?:_pod)?-[0-9a-f]{12,64}(?:\.scope|\.slice)?(?:/|$)")),
    ("kubernetes", re.compile(r"/kubepods(?:[.-][a-z0-9_-]+)?(?:\.slice)?(?:/|$)")),
    ("kubernetes", re.compile(r"/(?:crio|cri-containerd)-[0-9a-f]{12,64}\.scope(?:/|$)")),
    ("lxc", re.compile(r"/(?:lxc/|lxc\.payload[./])[^/]+(?:/|$)")),
    ("machine", re.compile(r"/machine\.slice/[^/]+\.(?:scope|service)(?:/|$)")),
)


@dataclass(frozen=True, slots=True)
class Placement:
    """What a control group says of its processes; None for what it does not.

    Args:
        unit: system unit ("user@1000.service" for all that a user's manager started).
        user_unit: unit of that manager.
        flatpak: Flatpak application ("org.example.App").
        snap: Snap and program ("name.app").
        session: login session, where the process is in its scope.
        owner_uid: whose slice it is in: the user who logged in or whose service manager started it.
        container: which sort of container, by the names that its engine uses.
    """

    unit: str | None = None
    user_unit: str | None = None
    flatpak: str | None = None
    snap: str | None = None
    session: str | None = None
    owner_uid: int | None = None
    container: str | None = None


def cgroup_path(content: bytes) -> str:
    """The path in systemd's hierarchy, from /proc/PID/cgroup (cgroups(7)).

    Args:
        content: lines of "hierarchy:controllers:path"; with version 2 alone there is one, "0::path".

    Raises:
        ValueError: none of the lines is systemd's.
    """
    unified = named = None
    for line in content.decode("utf-8", "surrogateescape").split("\n"):
        hierarchy, _, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        if not colon or not path.startswith("/"):
            continue
        if hierarchy == "0" and not controllers:
            unified = path
        elif controllers == "name=systemd":
            named = path
    # Where both are there, version 2 is systemd's own since release 233, and empty where an older one does not use it.
    found = unified if named is None or unified not in (None, "/") else named
    if found is None:
        raise ValueError("no hierarchy of systemd")
    return found


def parse_placement(path: str) -> Placement:
    """Read a path in systemd's hierarchy.

    Args:
        path: "/user.slice/user-1000.slice/user@1000.service/app.slice/app-flatpak-org.example.App-1.scope", e.g.
    """
    parts = [_unescaped_name(part) for part in path.split("/") if part]
    unit, below = _first_unit(parts)
    owner_uid = _owner_uid(parts)
    # Elsewhere than in a user's slice, units of such names are somebody's own.
    user_unit = _first_unit(below)[0] if owner_uid is not None and unit == f"user@{owner_uid}.service" else None
    session = _SESSION.fullmatch(unit) if unit is not None and owner_uid is not None else None
    return Placement(
        unit=unit,
        user_unit=user_unit,
        flatpak=_flatpak(user_unit),
        snap=_snap(user_unit) or _snap(unit),
        session=session.group(1) if session else None,
        owner_uid=owner_uid,
        container=_container(path),
    )


def unescape(name: str) -> str:
    r"""Undo the escaping of unit names (systemd.unit(5)): "\x2d" is "-". What is no UTF-8 gets a replacement."""
    raw = _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), name.replace("/", "_"))
    try:
        return raw.encode("latin-1").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return name


def _unescaped_name(part: str) -> str:
    """systemd puts "_" before a name that would clash with a file of the control group file system."""
    return part[1:] if part.startswith("_") else part


def _first_unit(parts: list[str]) -> tuple[str | None, list[str]]:
    """The first part that names a unit which has processes, and the parts below it.

    Slices alone stand above a unit: what comes after any other part is a process's own doing (Delegate=).
    """
    for position, part in enumerate(parts):
        if _UNIT.fullmatch(part):
            return part, parts[position + 1 :]
        if not part.endswith(".slice"):
            break
    return None, []


def _owner_uid(parts: list[str]) -> int | None:
    """Whose slice it is, where logind puts it (systemd.slice(5), "user-UID.slice")."""
    if len(parts) < 3 or parts[0] != "user.slice":
        return None
    found = _USER_SLICE.fullmatch(parts[1])
    return int(found.group(1)) if found is not None else None


def _flatpak(unit: str | None) -> str | None:
    found = _FLATPAK.fullmatch(unit) if unit is not None else None
    if found is None:
        return None
    name = unescape(found.group(1))
    return name if _FLATPAK_ID.fullmatch(name) else None


def _snap(unit: str | None) -> str | None:
    found = _SNAP.fullmatch(unescape(unit)) if unit is not None else None
    return f"{found.group(1)}.{found.group(2)}" if found else None


def _container(path: str) -> str | None:
    for kind, pattern in _CONTAINERS:
        if pattern.search(path):
            return kind
    return None
