"""docs/journal.md tells the schema as it is, and its shell lines work."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from cardd.journal.event import Detail, Kind
from cardd.journal.files import DirectoryFiles
from cardd.journal.problems import Fault
from tests.unit.journal.support import SteadyClock, commit, small_store

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "journal.md").read_text()


def words(after: str, before: str) -> set[str]:
    """The words of a list in the text, without what stands in brackets."""
    part = TEXT[TEXT.index(after) + len(after) :]
    part = re.sub(r"\([^)]*\)", "", part[: part.index(before)])
    return {word.strip() for word in part.replace("\n", " ").split(",")}


def test_kinds() -> None:
    assert words("`kind` is one of:", ".\n\n`what`") == {one.value for one in Kind}


def test_particulars() -> None:
    assert words("`what` uses these names only:", ". Numbers") == {one.value for one in Detail}


def test_what_a_verification_names() -> None:
    assert words("It names what it finds:", ". It also") == {one.value for one in Fault}


def test_following_the_chain_by_hand(tmp_path: Path) -> None:
    files = DirectoryFiles(tmp_path)
    store = small_store(files, SteadyClock(), 8192)
    commit(store, SteadyClock(), range(10))
    store.close()
    files.close()
    [script] = re.findall(r"```sh\n(sed .*?)```", TEXT, re.DOTALL)
    result = subprocess.run(["sh", "-ec", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    one, other = result.stdout.split()
    assert one == other
    assert re.fullmatch(r"[0-9a-f]{64}", one)
