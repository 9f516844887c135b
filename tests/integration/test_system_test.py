"""scripts/system-test: what it makes its machine of, and what it says where it cannot make one."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from scripts.system_test import image, obstacles
from scripts.system_test.image import ImageError, Unreachable, debian_sources, host_packages, require_reachable

from tests.support.host import REPOSITORY

TARGETS = """Debian|bookworm|http://deb.example/debian/|bookworm|main
Debian|bookworm|http://deb.example/debian/|bookworm|main
Debian|bookworm-security|http://deb.example/security/|bookworm-security|main
Somebody|bookworm|http://third.example/apt/|bookworm|main
Debian|trixie|http://deb.example/debian/|trixie|main
"""


def test_debians_own_sources_are_taken_once() -> None:
    assert debian_sources(TARGETS) == (
        "deb http://deb.example/debian/ bookworm main",
        "deb http://deb.example/security/ bookworm-security main",
    )


def test_the_machine_has_the_packages_of_every_host() -> None:
    listing = "# comment\npcscd  host  # why\n\nopensc  dev  # why\ngcc host # why\n"
    assert host_packages(listing) == ("pcscd", "gcc")
    assert {"pcscd", "dbus", "systemd"} <= set(host_packages(image.PACKAGE_LIST.read_text()))


def test_what_was_made_is_kept_until_it_is_made_of_something_else(tmp_path: Path) -> None:
    made: list[str] = []

    def make(directory: Path) -> None:
        made.append(directory.name)
        (directory / "content").touch()

    first = image._kept(tmp_path, "image", ["a"], make)
    assert image._kept(tmp_path, "image", ["a"], make) == first
    assert made == ["image"]
    second = image._kept(tmp_path, "image", ["b"], make)
    assert [path.name for path in tmp_path.iterdir()] == [second.name]
    assert (second / "content").exists()


def test_an_archive_that_cannot_be_reached_is_no_failure_of_the_image(tmp_path: Path) -> None:
    (tmp_path / "dists/here").mkdir(parents=True)
    (tmp_path / "dists/here/InRelease").write_text("Origin: Debian\n")
    require_reachable(f"deb file:{tmp_path} here main")
    with pytest.raises(Unreachable, match="dists/gone/InRelease cannot be reached"):
        require_reachable(f"deb file:{tmp_path}/ gone main")


def test_what_failed_is_not_kept(tmp_path: Path) -> None:
    def make(directory: Path) -> None:
        (directory / "half").touch()
        image._run("sh", "-c", "echo no such mirror >&2; exit 3")

    with pytest.raises(ImageError, match="no such mirror"):
        image._kept(tmp_path, "image", ["a"], make)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(obstacles, "TOOLS", ("sh", "no-such-nspawn"))
    assert "no-such-nspawn not found" in (obstacles.obstacle() or "")


def test_another_debian_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(obstacles, "TOOLS", ())
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"VERSION_CODENAME": "trixie"})
    assert "this is trixie" in (obstacles.obstacle() or "")


def test_a_kernel_that_forbids_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(obstacles, "nspawn", lambda *arguments: ["sh", "-c", "echo mount: denied >&2; exit 1"])
    assert obstacles._refusal_of_the_kernel() == "systemd-nspawn is not let here: mount: denied"


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user is for root")
def test_it_is_skipped_for_others_than_root(tmp_path: Path) -> None:
    command = [sys.executable, "-B", "-m", "scripts.system_test", "--cache", str(tmp_path)]
    done = subprocess.run(
        ["unshare", "--map-user=65534", *command], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (
        77,
        "system-test: skipped: booting a machine in systemd-nspawn is for root\n",
    ), done.stderr
    assert list(tmp_path.iterdir()) == []
