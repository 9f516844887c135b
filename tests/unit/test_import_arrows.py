"""The arrows between the rooms (.importlinter) hold, and each would be seen to break."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIGURATION = REPOSITORY / ".importlinter"
PACKAGES = (REPOSITORY / "cardd", REPOSITORY / "drivers/cardd_drivers", REPOSITORY / "simulator/cardsim")

# For each contract, a file and an import in it that the contract forbids.
VIOLATIONS = {
    "rooms": ("cardd/holder/__init__.py", "import cardd.pki"),
    "readers-belong-to-cards": ("cardd/access/__init__.py", "import cardd.readers"),
    "configuration": ("cardd/sessions/__init__.py", "import cardd.config"),
    "client": ("cardd/client/__init__.py", "import cardd.sessions"),
    "command-line": ("cardd/cli/__init__.py", "import cardd.bus.names"),
    "dbus": ("cardd/sessions/__init__.py", "import dbus_next"),
    "pcsc": ("cardd/readers/watch.py", "import smartcard.scard"),
    "drivers-are-found": ("cardd/cards/__init__.py", "import cardd_drivers.ias_ecc"),
    "modules-are-isolated": ("cardd/cards/__init__.py", "import pkcs11"),
    "drivers-stand-alone": ("cardd_drivers/__init__.py", "import cardd.errors"),
    "simulator-stands-alone": ("cardsim/__init__.py", "import cardd_drivers.apdu"),
    "simulator-is-not-needed": ("cardd/readers/__init__.py", "import cardsim"),
}


def configuration() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(CONFIGURATION)
    return parser


def lint(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the packages that ``directory`` has, before those that are installed."""
    program = Path(sys.executable).with_name("lint-imports")
    environment = {**os.environ, "PYTHONPATH": str(directory)}
    command = [str(program), "--config", str(CONFIGURATION), "--no-cache", *arguments]
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sources")
    for package in PACKAGES:
        shutil.copytree(package, directory / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    return directory


def test_the_arrows_hold(sources: Path) -> None:
    result = lint(sources)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_contract_has_its_violation() -> None:
    prefix = "importlinter:contract:"
    contracts = {section.removeprefix(prefix) for section in configuration().sections() if section.startswith(prefix)}
    assert contracts == set(VIOLATIONS)


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_a_violation_is_seen(sources: Path, contract: str) -> None:
    name, violation = VIOLATIONS[contract]
    path = sources / name
    original = path.read_text(encoding="utf-8")
    try:
        path.write_text(f"{original}\n{violation}\n", encoding="utf-8")
        result = lint(sources, "--contract", contract)
    finally:
        path.write_text(original, encoding="utf-8")
    assert result.returncode == 1, result.stdout + result.stderr
    assert "0 kept, 1 broken" in result.stdout


def test_a_room_without_a_place_is_seen(sources: Path) -> None:
    room = sources / "cardd" / "attic"
    room.mkdir()
    try:
        (room / "__init__.py").write_text('"""A room that the layers do not name."""\n')
        result = lint(sources, "--contract", "rooms")
    finally:
        shutil.rmtree(room)
    assert result.returncode == 1
    assert "cardd.attic" in result.stdout


def test_every_driver_is_closed_to_the_daemon() -> None:
    forbidden = configuration()["importlinter:contract:drivers-are-found"]["forbidden_modules"].split()
    package = REPOSITORY / "drivers" / "cardd_drivers"
    modules = {path.stem for path in package.glob("*.py")} | {
        path.parent.name for path in package.glob("*/__init__.py")
    }
    open_modules = {"__init__", "apdu", "contract", "secret_memory", "token_source"}
    assert set(forbidden) == {f"cardd_drivers.{module}" for module in modules - open_modules}
