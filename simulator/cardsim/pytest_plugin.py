"""A pytest plugin: a simulated card, and a whole cardd, for tests of software that uses them.

| fixture | gives |
| --- | --- |
| ``cps_card`` | the test's card with the profile that it was made from (``PreparedCard``) |
| ``cps_pcsc`` | a PC/SC stack inside the process, with the names of ``smartcard.scard`` (``InProcessPcsc``) |
| ``cps_reader`` | a reader of that stack, with ``cps_card`` in it (``InProcessReader``) |
| ``cardd`` | cardd as a process on a private bus that stands for the system bus, its reader empty (``Stage``) |

``@pytest.mark.cps(profile="nurse")`` says whose card it is: a profile's name, or a TOML file relative to the test's;
``timing=True`` has the card take the time of a real one.
Each test has a card and a cardd of its own, and nothing of them is left after it. The keys of the fictional PKI, which
take seconds to make, are kept from run to run in pytest's cache.
"""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# pytest loads this file in every run of every project beside it: what is heavy is imported by the fixtures.
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cardsim.control_cards import PreparedCard
    from cardsim.stage import Stage
    from cardsim.transports.inprocess import InProcessPcsc, InProcessReader

_MARKER = "cps"
_READER = "Simulated Reader 00 00"
_CACHE = "cardsim"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting ``cardsim_home``."""
    parser.addini("cardsim_home", "Where the fictional PKI and the cards' keys are kept (default: pytest's cache).")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", f"{_MARKER}(profile, timing): whose card a test has, and whether it is slow.")


@pytest.fixture(scope="session")
def cardsim_home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the fictional PKI and the cards' keys are kept."""
    config = request.config
    if configured := config.getini("cardsim_home"):
        return config.rootpath / str(configured)
    cache: pytest.Cache | None = getattr(config, "cache", None)  # absent with -p no:cacheprovider
    return tmp_path_factory.mktemp(_CACHE) if cache is None else cache.mkdir(_CACHE)


@pytest.fixture
def cps_card(request: pytest.FixtureRequest, cardsim_home: Path) -> PreparedCard:
    """A card of the marker's profile, its counters as the profile says."""
    from cardsim.control_cards import CardCupboard  # noqa: PLC0415

    wish = _wish(request)
    return CardCupboard(cardsim_home, timing=wish.timing).card(wish.profile)


@pytest.fixture
def cps_pcsc() -> Iterator[InProcessPcsc]:
    """A PC/SC stack inside the process, without a reader."""
    from cardsim.transports.inprocess import InProcessPcsc  # noqa: PLC0415

    stack = InProcessPcsc()
    yield stack
    stack.close()


@pytest.fixture
def cps_reader(cps_pcsc: InProcessPcsc, cps_card: PreparedCard) -> InProcessReader:
    """A reader of ``cps_pcsc`` with the card in it."""
    reader = cps_pcsc.add_reader(_READER)
    reader.insert(cps_card.card)
    return reader


@pytest.fixture
def cardd(request: pytest.FixtureRequest, cardsim_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """cardd on a private bus, which programs of this test find as the system bus; ``insert`` puts the card in."""
    from cardsim.stage import Stage, StageError  # noqa: PLC0415

    # Not tmp_path: pytest keeps those of the last runs.
    with tempfile.TemporaryDirectory(prefix="cardd-stage-") as folder, contextlib.ExitStack() as running:
        wish = _wish(request)
        stage = Stage(Path(folder), cardsim_home, profile=wish.profile, timing=wish.timing)
        try:
            running.enter_context(stage)
        except StageError as error:
            pytest.fail(str(error), pytrace=False)
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", stage.address)
        monkeypatch.setenv("CARDD_BUS", stage.address)
        yield stage


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a test's marker says."""

    profile: str
    timing: bool


def _wish(request: pytest.FixtureRequest) -> _Wish:
    """Which card the test wants; a marker that is not understood, or a profile that there is not, fails the test."""
    from cardsim import profiles  # noqa: PLC0415
    from cardsim.control_cards import DEFAULT_PROFILE  # noqa: PLC0415

    marker = request.node.get_closest_marker(_MARKER)
    said: dict[str, object] = {} if marker is None else dict(marker.kwargs)
    name, timing = said.pop("profile", DEFAULT_PROFILE), said.pop("timing", False)
    if said or (marker is not None and marker.args) or not isinstance(name, str) or not isinstance(timing, bool):
        pytest.fail(f'@pytest.mark.{_MARKER} takes profile="NAME" and timing=True, and nothing else', pytrace=False)
    if name.endswith(".toml"):
        name = str(request.path.parent / name)
    try:
        profiles.load(name)
    except profiles.ProfileError as error:
        pytest.fail(f"@pytest.mark.{_MARKER}: {error}", pytrace=False)
    return _Wish(name, timing)
