"""The lock files: every file hashed, no index named, and all that pyproject.toml asks for is in them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
LOCKS = ("build", "runtime", "testing", "dev")

_PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^\s;]+)(?: ; [^\\]+)? \\$")
_HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")
_COMMENT = re.compile(r"^ *#")


def lines(lock: str) -> list[str]:
    text = (REPOSITORY / "requirements" / f"{lock}.lock").read_text()
    return [line for line in text.splitlines() if not _COMMENT.match(line)]


def pins(lock: str) -> dict[str, str]:
    found = (_PIN.match(line) for line in lines(lock))
    return {match["name"]: match["version"] for match in found if match}


def name_of(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match, requirement
    return re.sub(r"[-_.]+", "-", match[0]).lower()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_is_a_pin_or_a_hash(lock: str) -> None:
    # So there is no option either: no --index-url, no --find-links, no path.
    assert [line for line in lines(lock) if not _PIN.match(line) and not _HASH.match(line)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash(lock: str) -> None:
    content = lines(lock)
    bare = [
        line
        for line, following in zip(content, [*content[1:], ""], strict=True)
        if _PIN.match(line) and not _HASH.match(following)
    ]
    assert bare == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_address_is_named(lock: str) -> None:
    text = (REPOSITORY / "requirements" / f"{lock}.lock").read_text()
    assert "://" not in text


@pytest.mark.parametrize("lock", ["build", "runtime", "testing"])
def test_dev_is_a_superset(lock: str) -> None:
    assert pins(lock).items() <= pins("dev").items()


def test_what_the_project_asks_for_is_locked() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    wanted = {
        "runtime": project["project"]["dependencies"],
        "build": [*project["build-system"]["requires"], *groups["build"]],
        "dev": [item for item in groups["dev"] if isinstance(item, str)],
    }
    for lock, requirements in wanted.items():
        assert {name_of(requirement) for requirement in requirements} <= pins(lock).keys()


def test_the_build_backend_is_the_one_that_is_locked() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    locked = {f"{name}=={version}" for name, version in pins("build").items()}
    assert set(project["build-system"]["requires"]) <= locked
