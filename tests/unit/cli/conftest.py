"""cardctl in this process, against a make-believe daemon on a private bus."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from cardd.cli import i18n
from cardd.cli.main import main
from tests.support.bus import PrivateBus
from tests.unit.client.fake import FakeDaemon

SCRIPTS = Path(__file__).parents[3] / "scripts"


class Result(NamedTuple):
    """What a command did."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """The standard output as text."""
        return self.out.decode()

    @property
    def document(self) -> Any:
        """The standard output as the one JSON document that it is."""
        return json.loads(self.out)


Cardctl = Callable[..., Result]


@pytest.fixture(scope="session")
def messages() -> ModuleType:
    """scripts/messages as a module."""
    loader = importlib.machinery.SourceFileLoader("messages", str(SCRIPTS / "messages"))
    spec = importlib.util.spec_from_loader("messages", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture(scope="session", autouse=True)
def _compiled_catalogues(messages: ModuleType) -> None:
    """What an installation compiles may be older than the sources here."""
    messages.compile_all()


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """English unless a test says otherwise, and no bus."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "LANGUAGE"):
        monkeypatch.setenv(name, "C")
    monkeypatch.setenv("CARDD_BUS", "unix:path=/nonexistent/bus")
    yield
    i18n.speak("en")


@pytest.fixture(scope="session")
def cli_bus() -> Iterator[PrivateBus]:
    with PrivateBus() as running:
        yield running


@pytest.fixture
def bus(cli_bus: PrivateBus, monkeypatch: pytest.MonkeyPatch) -> PrivateBus:
    monkeypatch.setenv("CARDD_BUS", cli_bus.address)
    return cli_bus


@pytest.fixture
def daemon(bus: PrivateBus) -> Iterator[FakeDaemon]:
    with FakeDaemon(bus.address) as running:
        yield running


@pytest.fixture
def cardctl(capfdbinary: pytest.CaptureFixture[bytes]) -> Cardctl:
    """Run cardctl and return its exit code, standard output and standard error."""

    def run(*arguments: str) -> Result:
        capfdbinary.readouterr()
        code = main(arguments)
        captured = capfdbinary.readouterr()
        # dbus-daemon of a private bus may grumble on the same descriptor.
        complaints = [line for line in captured.err.decode().splitlines() if not line.startswith("dbus-daemon")]
        return Result(int(code), captured.out, "\n".join(complaints))

    return run
