"""docs/drivers.md: its driver passes the suite, is found by its entry point, and is what the page shows; and what the
suite says of drivers that break the contract.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from _pytest.outcomes import Failed

from cardd_drivers.conformance import DriverConformance, Subject
from cardd_drivers.contract import Assurance, CardError, CardKind, CardRemoved, Identity, PinFormat, PinIncorrect

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = DOCS / "examples" / "badge"
_SHOWN = re.compile(r"^`(?P<name>[\w.]+)`:\n\n```\w+\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
DRIVER_LINES = 60
FOUND = (Exception, Failed, BaseExceptionGroup)
"""What a test may fail with: pytest and hypothesis have their own ways."""


def _run(*command: str | Path, cwd: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def _copy(folder: Path) -> Path:
    for file in EXAMPLE.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_the_page_shows_the_files_as_they_are() -> None:
    shown = {found["name"]: found["code"] for found in _SHOWN.finditer((DOCS / "drivers.md").read_text())}
    assert set(shown) == {"badge_driver.py", "pyproject.toml", "test_badge.py"}
    for name, code in shown.items():
        assert code == (EXAMPLE / name).read_text(), name


def test_the_driver_has_60_lines() -> None:
    lines = (EXAMPLE / "badge_driver.py").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= DRIVER_LINES


def test_the_example_passes_the_suite(tmp_path: Path) -> None:
    done = _run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=_copy(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b5\d passed", done.stdout), done.stdout


def test_the_installed_driver_is_found_by_its_entry_point(tmp_path: Path) -> None:
    source, installed = tmp_path / "source", tmp_path / "installed"
    source.mkdir()
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps")
    done = _run(*pip, "--no-build-isolation", "--target", installed, _copy(source), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    program = "from cardd.cards.drivers import Drivers; print(*Drivers.discover().names)"
    said = _run(sys.executable, "-c", program, cwd=tmp_path, path=installed)
    assert "badge" in said.stdout.split(), said.stderr
    assert "badge" not in _run(sys.executable, "-c", program, cwd=tmp_path).stdout.split()


# What breaks the contract is found


@pytest.fixture
def badge(monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, ModuleType]:
    """The example's card and driver."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    card, driver = importlib.import_module("badge_card"), importlib.import_module("badge_driver")
    return card, driver


def _subject(badge: tuple[ModuleType, ModuleType]) -> Subject:
    card, driver = badge
    identity = Identity("00000042", CardKind.OTHER, "Badge", Assurance.DEVICE)
    return Subject(driver=driver.driver, insert=card.Badge().reset, identity=identity, pin=card.PIN, tries=card.TRIES)


Original = Callable[..., Any]


def _verify_twice(original: Original) -> Original:
    def verify_pin(self: Any, pin: bytearray) -> None:
        try:
            original(self, pin)
        except PinIncorrect:
            original(self, pin)

    return verify_pin


def _swallow(original: Original) -> Original:
    def pin_status(self: Any) -> Any:
        try:
            return original(self)
        except CardRemoved:
            return original(self)

    return pin_status


def _translate(original: Original) -> Original:
    def sign(self: Any, *arguments: Any) -> Any:
        try:
            return original(self, *arguments)
        except CardError as error:
            raise RuntimeError("no signature") from error

    return sign


def _tell(original: Original) -> Original:
    def verify_pin(self: Any, pin: bytearray) -> None:
        try:
            original(self, pin)
        except PinIncorrect as error:
            error.args = (bytes(pin).decode(),)
            raise

    return verify_pin


def _wipe_the_callers(original: Original) -> Original:
    def verify_pin(self: Any, pin: bytearray) -> None:
        original(self, pin)
        pin[:] = bytes(len(pin))

    return verify_pin


def _ask_for_ever(original: Original) -> Original:
    def identify(self: Any) -> Any:
        while True:
            try:
                return original(self)
            except CardError as error:
                if isinstance(error, CardRemoved):
                    raise

    return identify


def _try_the_usual_pin(original: Original) -> Original:
    def sign(self: Any, *arguments: Any) -> Any:
        with contextlib.suppress(PinIncorrect, PinFormat):
            self.verify_pin(bytearray(b"0000"))
        return original(self, *arguments)

    return sign


def _always(value: object) -> Callable[[Original], Original]:
    return lambda _right: lambda *_: value


BREACHES: list[tuple[str, Callable[[Original], Original], str]] = [
    ("verify_pin", _verify_twice, "test_wrong_pins_are_counted_down_to_blocked_and_the_right_one_is_then_refused"),
    ("verify_pin", _tell, "test_wrong_pins_are_counted_down_to_blocked_and_the_right_one_is_then_refused"),
    ("verify_pin", _wipe_the_callers, "test_the_right_pin_has_the_form_that_is_told_and_is_taken_once"),
    ("pin_status", _swallow, "test_a_card_that_leaves_is_told_at_each_command"),
    ("sign", _translate, "test_answers_at_random"),
    ("sign", _translate, "test_a_card_that_leaves_is_told_at_each_command"),
    ("sign", _try_the_usual_pin, "test_no_key_works_without_the_pin"),
    ("sign", _try_the_usual_pin, "test_answers_at_random"),
    ("identify", _ask_for_ever, "test_answers_at_random"),
    ("sign", _always(bytes(256)), "test_every_signature_that_is_told_of_verifies"),
    ("read_certificate", _always(b""), "test_each_key_that_can_do_something_has_its_certificate"),
    ("read_object", _always(b""), "test_data_objects_are_read_as_they_are"),
    ("puk_status", _always(None), "test_a_card_without_a_puk_says_so"),
]


@pytest.mark.parametrize(("method", "breach", "test"), BREACHES, ids=lambda part: getattr(part, "__name__", str(part)))
def test_a_breach_of_the_contract_is_found(
    badge: tuple[ModuleType, ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    breach: Callable[[Original], Original],
    test: str,
) -> None:
    monkeypatch.setattr("cardd_drivers.conformance.bench.COMMANDS_MOST", 4_000)
    monkeypatch.setattr(DriverConformance, "examples", 10)
    check = getattr(DriverConformance(), test)
    check(_subject(badge))
    monkeypatch.setattr(badge[1].BadgeCard, method, breach(getattr(badge[1].BadgeCard, method)))
    with pytest.raises(FOUND):
        check(_subject(badge))


def test_a_secret_that_is_not_wiped_is_found(
    badge: tuple[ModuleType, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cardd_drivers.simple.wipe", lambda _block: None)
    for check in (
        DriverConformance().test_the_right_pin_has_the_form_that_is_told_and_is_taken_once,
        DriverConformance().test_a_secret_is_wiped_when_the_card_leaves_with_it,
    ):
        with pytest.raises(AssertionError, match="not wiped"):
            check(_subject(badge))


def test_a_malformed_pin_that_is_sent_is_found(
    badge: tuple[ModuleType, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    from cardd_drivers.contract import PinRules

    told = PinRules(4, 8, digits_only=True)
    monkeypatch.setattr(badge[1].BadgeCard, "pin_rules", PinRules(1, 9, digits_only=False))
    can = badge[1].c.Capabilities({badge[1].KEY: frozenset({badge[1].ALGORITHM})}, frozenset(), told, None)
    monkeypatch.setattr(badge[1].BadgeCard, "capabilities", lambda _self: can)
    with pytest.raises(FOUND):
        DriverConformance().test_a_pin_of_another_form_never_reaches_the_card(_subject(badge))
