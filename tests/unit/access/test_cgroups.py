"""Control groups as systemd, Flatpak, snapd and container engines name them, and as liars do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.access.cgroups import Placement, cgroup_path, parse_placement, unescape

USER = "/user.slice/user-1000.slice/user@1000.service"
UUID = "2f5a1c3e-0b1d-4e6f-8a7b-9c0d1e2f3a4b"
HASH = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", Placement()),
        ("/init.scope", Placement(unit="init.scope")),
        ("/system.slice/records.service", Placement(unit="records.service")),
        ("/system.slice/system-getty.slice/getty@tty1.service", Placement(unit="getty@tty1.service")),
        ("/user.slice/user-1000.slice/session-3.scope", Placement(unit="session-3.scope", session="3", owner_uid=1000)),
        (
            f"{USER}/app.slice/app-gnome-org.example.App-4242.scope",
            Placement(unit="user@1000.service", user_unit="app-gnome-org.example.App-4242.scope", owner_uid=1000),
        ),
        (
            f"{USER}/app.slice/app-flatpak-org.example.My\\x2dApp-4242.scope",
            Placement(
                unit="user@1000.service",
                user_unit="app-flatpak-org.example.My\\x2dApp-4242.scope",
                flatpak="org.example.My-App",
                owner_uid=1000,
            ),
        ),
        (
            f"{USER}/app.slice/snap.records.viewer-{UUID}.scope",
            Placement(
                unit="user@1000.service",
                user_unit=f"snap.records.viewer-{UUID}.scope",
                snap="records.viewer",
                owner_uid=1000,
            ),
        ),
        (
            f"{USER}/app.slice/snap.records.big-viewer.{UUID}.scope",
            Placement(
                unit="user@1000.service",
                user_unit=f"snap.records.big-viewer.{UUID}.scope",
                snap="records.big-viewer",
                owner_uid=1000,
            ),
        ),
        (
            "/system.slice/snap.records.daemon.service",
            Placement(unit="snap.records.daemon.service", snap="records.daemon"),
        ),
        (f"/system.slice/docker-{HASH}.scope", Placement(unit=f"docker-{HASH}.scope", container="docker")),
        (f"/docker/{HASH}", Placement(container="docker")),
        (f"/machine.slice/libpod-{HASH}.scope", Placement(unit=f"libpod-{HASH}.scope", container="podman")),
        (
            "/machine.slice/systemd-nspawn@box.service/payload/system.slice/records.service",
            Placement(unit="systemd-nspawn@box.service", container="machine"),
        ),
        ("/lxc.payload.box/system.slice/records.service", Placement(container="lxc")),
        ("/kubepods.slice/kubepods-burstable.slice/x", Placement(container="kubernetes")),
        (f"/system.slice/crio-{HASH}.scope", Placement(unit=f"crio-{HASH}.scope", container="kubernetes")),
        # A part whose name would clash with a control file.
        ("/system.slice/_cgroup.service", Placement(unit="cgroup.service")),
        # Outside of what this process may see.
        ("/../other/records.service", Placement()),
    ],
)
def test_placement(path: str, expected: Placement) -> None:
    assert parse_placement(path) == expected


@pytest.mark.parametrize(
    "path",
    [
        # Below a unit, names are its processes' own.
        "/system.slice/game.service/records.service",
        f"{USER}/app.slice/game.service/user@0.service/records.service",
        # A user's manager anywhere but in its user's slice.
        "/user.slice/user-1001.slice/user@1000.service/app.slice/records.service",
        "/system.slice/user@1000.service/app.slice/records.service",
        # No unit at all, then a name like one.
        "/elsewhere/records.service",
    ],
)
def test_a_unit_of_ones_own_making_is_none(path: str) -> None:
    placement = parse_placement(path)
    assert "records.service" not in (placement.unit, placement.user_unit)


@pytest.mark.parametrize(
    "path", ["/session-3.scope", "/system.slice/session-3.scope", f"{USER}/app.slice/session-3.scope"]
)
def test_a_session_scope_counts_where_logind_puts_it(path: str) -> None:
    assert parse_placement(path).session is None


@pytest.mark.parametrize(
    "name",
    [
        "app-flatpak--1.scope",
        "app-flatpak-plain-1.scope",
        "app-flatpak-org..x-1.scope",
        "app-flatpak-org.a\\x0a.b-1.scope",
        "app-flatpak-org.a.b.scope",
    ],
)
def test_no_flatpak(name: str) -> None:
    assert parse_placement(f"{USER}/app.slice/{name}").flatpak is None


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (b"0::/system.slice/a.service\n", "/system.slice/a.service"),
        (b"4:cpu:/x\n1:name=systemd:/user.slice\n", "/user.slice"),
        (b"1:name=systemd:/user.slice\n0::/\n", "/user.slice"),
        (b"1:name=systemd:/old\n0::/new\n", "/new"),
        (b"0::/with:colons:in/it\n", "/with:colons:in/it"),
        (b"0::/\n", "/"),
    ],
)
def test_the_hierarchy_of_systemd(content: bytes, path: str) -> None:
    assert cgroup_path(content) == path


@pytest.mark.parametrize("content", [b"", b"\n", b"4:cpu:/x\n", b"0::relative\n", b"garbage"])
def test_no_hierarchy_of_systemd(content: bytes) -> None:
    with pytest.raises(ValueError, match="no hierarchy"):
        cgroup_path(content)


@given(st.binary(max_size=300))
def test_any_content(content: bytes) -> None:
    try:
        path = cgroup_path(b"0::/" + content)
    except ValueError:
        return
    placement = parse_placement(path)
    assert placement.flatpak is None or placement.user_unit is not None


@given(st.lists(st.text(st.characters(blacklist_characters="/"), max_size=20), max_size=6))
def test_only_in_a_users_slice_are_a_users_units(parts: list[str]) -> None:
    placement = parse_placement("/" + "/".join(parts))
    assert placement.owner_uid is not None or (placement.user_unit, placement.session) == (None, None)


@pytest.mark.parametrize(
    ("name", "plain"), [("a\\x2db", "a-b"), ("\\xc3\\xa9", "é"), ("\\xff", "�"), ("\\x2", "\\x2"), ("日", "日")]
)
def test_unescape(name: str, plain: str) -> None:
    assert unescape(name) == plain
