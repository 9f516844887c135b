"""What is remembered of cards."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.cards import memory as module
from cardd.cards.memory import CARD_MAX, VALUE_MAX, DiskMemory, VolatileMemory, _pack, _unpack, open_memory
from cardd_drivers.contract import Memory


@pytest.fixture(params=["volatile", "disk"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Memory:
    return open_memory(None if request.param == "volatile" else tmp_path / "cards")


def test_what_was_put_is_there(memory: Memory) -> None:
    memory.put("1", "certificate", b"der")
    memory.put("1", "layout", b"tree")
    memory.put("2", "certificate", b"other")
    assert memory.get("1", "certificate") == b"der"
    assert memory.get("1", "layout") == b"tree"
    assert memory.get("2", "certificate") == b"other"


def test_what_was_never_put_is_not_there(memory: Memory) -> None:
    assert memory.get("1", "certificate") is None
    memory.put("1", "layout", b"")
    assert memory.get("1", "certificate") is None
    assert memory.get("1", "layout") == b""


def test_a_card_is_forgotten_whole(memory: Memory) -> None:
    memory.put("1", "a", b"x")
    memory.put("2", "a", b"y")
    memory.forget("1")
    memory.forget("never seen")
    assert memory.get("1", "a") is None
    assert memory.get("2", "a") == b"y"


def test_a_value_too_large_is_refused(memory: Memory) -> None:
    memory.put("1", "a", bytes(VALUE_MAX))
    with pytest.raises(ValueError, match="65537 bytes"):
        memory.put("1", "a", bytes(VALUE_MAX + 1))
    with pytest.raises(ValueError, match="name"):
        memory.put("1", "a" * 256, b"")
    assert memory.get("1", "a") == bytes(VALUE_MAX)


def test_a_card_that_would_fill_the_disk_starts_again(memory: Memory) -> None:
    for number in range(CARD_MAX // VALUE_MAX):
        memory.put("1", f"a{number}", bytes(VALUE_MAX))
    memory.put("1", "last", b"x")
    assert memory.get("1", "last") == b"x"
    assert memory.get("1", "a0") is None


def test_a_disk_remembers_across_a_restart(tmp_path: Path) -> None:
    DiskMemory(tmp_path).put("1", "a", b"x")
    assert DiskMemory(tmp_path).get("1", "a") == b"x"


def test_a_serial_number_names_no_path(tmp_path: Path) -> None:
    directory = tmp_path / "cards"
    for serial in ("../../etc/passwd", "a/b", "\0", "\ud800", "", "x" * 5000):
        DiskMemory(directory).put(serial, "a", serial.encode("utf-8", "surrogatepass"))
        assert DiskMemory(directory).get(serial, "a") == serial.encode("utf-8", "surrogatepass")
    assert list(tmp_path.iterdir()) == [directory]
    assert all(len(path.name) == 64 for path in directory.iterdir())


def test_files_belong_to_the_daemon_alone(tmp_path: Path) -> None:
    directory = tmp_path / "cards"
    DiskMemory(directory).put("1", "a", b"x")
    (file,) = directory.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:20] + b"?" + data[21:], lambda _: b""])
def test_a_damaged_file_is_forgotten_and_written_anew(damage: object, tmp_path: Path) -> None:
    assert callable(damage)
    DiskMemory(tmp_path).put("1", "a", b"x")
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    memory = DiskMemory(tmp_path)
    assert memory.get("1", "a") is None
    memory.put("1", "b", b"y")
    assert DiskMemory(tmp_path).get("1", "b") == b"y"


@given(st.binary(max_size=200))
def test_no_bytes_but_our_own_are_believed(data: bytes) -> None:
    with pytest.raises(ValueError, match="damaged"):
        _unpack(data)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.binary(max_size=50)))
def test_packing_is_undone(values: dict[str, bytes]) -> None:
    assert _unpack(_pack(values)) == values


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = DiskMemory(tmp_path)
    memory.put("1", "a", b"x")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", full)
        memory.put("1", "a", b"y")
    assert memory.get("1", "a") == b"y", "in the process it counts all the same"
    assert DiskMemory(tmp_path).get("1", "a") == b"x"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_directory_that_cannot_be_used_makes_it_volatile(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    memory = DiskMemory(tmp_path / "file" / "cards")
    memory.put("1", "a", b"x")
    assert memory.get("1", "a") == b"x"
    assert "cannot be kept" in caplog.text


def test_cards_are_bounded_on_disk_and_in_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CARDS_ON_DISK_MAX", 3)
    monkeypatch.setattr(module, "CARDS_IN_MEMORY_MAX", 2)
    memory = DiskMemory(tmp_path)
    for number in range(6):
        memory.put(str(number), "a", b"x")
        newest = memory._path(str(number))
        os.utime(newest, (number, number))
    assert len(memory._cards) == 2
    assert len(list(tmp_path.iterdir())) == 3
    assert memory.get("5", "a") == b"x"
    assert DiskMemory(tmp_path).get("0", "a") is None
    volatile = VolatileMemory()
    for number in range(6):
        volatile.put(str(number), "a", b"x")
    assert volatile.get("0", "a") is None
    assert volatile.get("5", "a") == b"x"
