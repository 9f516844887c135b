"""Who was told of the journal is remembered, privately, whatever a crash left."""

from __future__ import annotations

from pathlib import Path

import pytest

from cardd.sessions.holders_told import HoldersTold


def test_who_was_told_is_known_after_a_restart_and_nobody_else_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "told"
    told = HoldersTold(file)
    assert not told.knows("899700000017")
    told.add("899700000017")
    told.add("899700000025")
    told.add("899700000017")
    assert file.stat().st_mode & 0o777 == 0o600
    again = HoldersTold(file)
    assert again.knows("899700000017")
    assert again.knows("899700000025")
    assert not again.knows("8997000000")
    assert file.read_text().split().count("899700000017") == 1


def test_a_line_that_was_cut_short_costs_nobody_else_theirs(tmp_path: Path) -> None:
    file = tmp_path / "told"
    file.write_bytes(b"\n899700000017\n\n89970\xff")
    told = HoldersTold(file)
    told.add("899700000025")
    again = HoldersTold(file)
    assert again.knows("899700000017")
    assert again.knows("899700000025")
    assert not again.knows("89970")


def test_a_file_that_cannot_be_read_tells_everybody_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "told").mkdir()
    told = HoldersTold(tmp_path / "told")
    assert not told.knows("899700000017")
    assert "told again" in caplog.text
    with pytest.raises(IsADirectoryError):
        told.add("899700000017")
    assert told.knows("899700000017")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "told").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        HoldersTold(tmp_path / "told").add("899700000017")
    assert not (tmp_path / "elsewhere").exists()
