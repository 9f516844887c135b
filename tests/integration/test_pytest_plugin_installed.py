"""A third party's view: the example of docs/simulator.md in a clean virtual environment, from the built wheel."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cardsim.pki import PkiStore

REPOSITORY = Path(__file__).parents[2]
DOCUMENT = REPOSITORY / "docs" / "simulator.md"
_EXAMPLE = re.compile(r"^## Test your own software.*?^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


def _run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**_clean_environment(), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _clean_environment() -> dict[str, str]:
    """This environment without what would lead the other Python here."""
    ours = str(Path(sys.executable).parent)
    path = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if part != ours)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "PYTEST", "VIRTUAL_ENV", "CARDD_"))
    }
    return {**kept, "PATH": path}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built by the locked backend from the files that git knows."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, check=True, capture_output=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (REPOSITORY / name).is_file():  # one that was deleted and not committed yet
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, source / name)
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check")
    _run(*pip, "--no-deps", "--no-build-isolation", "--wheel-dir", built, source, cwd=source)
    [path] = built.glob("cardd-*.whl")
    return path


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a clean environment: what requirements/ locks, with pytest, and the wheel."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    # Debian's own Python where this one is a virtual environment of it: as scripts/setup does.
    _run(sys.executable, "-m", "venv", folder, cwd=folder.parent)
    python = folder / "bin" / "python"
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input")
    for lock in ("build", "testing"):
        locked = REPOSITORY / "requirements" / f"{lock}.lock"
        _run(*pip, "--require-hashes", "--no-build-isolation", "-r", locked, cwd=folder)
    _run(*pip, "--no-deps", wheel, cwd=folder)
    return python


@pytest.mark.timeout(600)  # pyscard may have to be compiled
def test_the_example_of_the_documentation_passes(python: Path, tmp_path: Path) -> None:
    found = _EXAMPLE.search(DOCUMENT.read_text())
    assert found is not None
    (tmp_path / "test_mine.py").write_text(found["code"])
    # Smaller authorities than the plugin would make, where it will look for them.
    PkiStore(tmp_path / ".pytest_cache" / "d" / "cardsim", authority_key_bits=2048).root_certificate()
    said = _run(python, "-m", "pytest", "-q", "test_mine.py", cwd=tmp_path, HOME=str(tmp_path))
    assert "1 passed" in said
    where = _run(python, "-c", "import cardsim; print(cardsim.__file__)", cwd=tmp_path).strip()
    assert Path(where).is_relative_to(python.parents[1])


@pytest.mark.timeout(600)
def test_an_example_that_fails_is_seen_to_fail(python: Path, tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text("def test_card(cps_card):\n    assert cps_card.profile.name == 'nobody'\n")
    PkiStore(tmp_path / ".pytest_cache" / "d" / "cardsim", authority_key_bits=2048).root_certificate()
    with pytest.raises(AssertionError, match="1 failed"):
        _run(python, "-m", "pytest", "-q", "test_mine.py", cwd=tmp_path, HOME=str(tmp_path))


@pytest.mark.timeout(600)
def test_the_suite_of_the_drivers_contract_runs_on_the_documented_driver(python: Path, tmp_path: Path) -> None:
    for file in (REPOSITORY / "docs" / "examples" / "badge").glob("*.py"):
        shutil.copyfile(file, tmp_path / file.name)
    said = _run(python, "-m", "pytest", "-q", "test_badge.py", cwd=tmp_path, HOME=str(tmp_path))
    assert re.search(r"\b5\d passed", said), said
