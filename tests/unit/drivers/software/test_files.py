"""Files that hold a key, or say whose it is: what is refused, and why."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cardd_drivers.software.files import SIZE_MAX, FileRefused, read_guarded


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """One that can be used."""
    path = tmp_path / "key.p12"
    path.write_bytes(b"key")
    path.chmod(0o600)
    return path


def test_what_is_guarded_is_read(file: Path) -> None:
    assert read_guarded(file, secret=True) == b"key"
    file.chmod(0o644)
    assert read_guarded(file, secret=False) == b"key"


def _linked(path: Path) -> None:
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _foreign(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives a file to another user")
    os.chown(path, 4711, 4711)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (Path.unlink, "cannot be opened"),
        (_linked, "is a symbolic link"),
        (_fifo, "is no regular file"),
        (_foreign, "belongs to uid 4711"),
        (lambda path: path.chmod(0o640), "mode 0640"),
        (lambda path: path.chmod(0o604), "chmod 0600"),
        (lambda path: path.parent.chmod(0o777), "may be written by others"),
        (lambda path: path.write_bytes(bytes(SIZE_MAX + 1)), "is longer than"),
    ],
)
def test_what_is_not_guarded_is_refused_with_its_reason(file: Path, spoil: Callable[[Path], None], why: str) -> None:
    spoil(file)
    with pytest.raises(FileRefused, match=why):
        read_guarded(file, secret=True)


def test_a_certificate_that_others_may_write_is_refused(file: Path) -> None:
    file.chmod(0o664)
    with pytest.raises(FileRefused, match="chmod go-w"):
        read_guarded(file, secret=False)
