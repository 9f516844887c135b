"""Memory for secrets: what the kernel says of its pages."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from cardd_drivers import secret_memory
from cardd_drivers.secret_memory import can_lock, secret_room, wipe


def flags_of(room: memoryview) -> set[str]:
    """VmFlags (proc_pid_smaps(5)) of the pages that a room lies in."""
    address = ctypes.addressof(ctypes.c_ubyte.from_buffer(room))
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if found := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            inside = int(found[1], 16) <= address < int(found[2], 16)
        elif inside and line.startswith("VmFlags:"):
            return set(line.split()[1:])
    raise AssertionError("the room is in no mapping")


def test_a_room_is_locked_and_in_no_core_dump_and_in_no_child() -> None:
    room = secret_room(8)
    assert {"lo", "dd", "dc"} <= flags_of(room)


def test_a_room_is_zeroed_has_its_size_and_is_wiped_in_place() -> None:
    room = secret_room(8)
    assert bytes(room) == bytes(8)
    room[:] = b"12345678"
    part = room[2:4]
    wipe(room)
    assert bytes(part) == bytes(2)
    assert len(secret_room(0)) == 0


def test_pages_are_given_back_with_the_last_view() -> None:
    def mapped() -> int:
        return Path("/proc/self/maps").read_text().count("\n")

    before = mapped()
    for _ in range(200):
        secret_room(1)
    assert mapped() <= before + 10


LIMITED = """
import resource
from cardd_drivers.secret_memory import can_lock, secret_room
resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))
import ctypes
assert ctypes.CDLL(None).setuid(65534) == 0
room = secret_room(8)
room[:] = b"x" * 8
print(can_lock(), len(room))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone may become another user, whom the limit binds")
def test_where_nothing_may_be_locked_a_room_is_given_all_the_same() -> None:
    told = subprocess.run([sys.executable, "-c", LIMITED], check=True, capture_output=True, text=True).stdout
    assert told.split() == ["False", "8"]


def test_it_is_told_whether_rooms_are_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft == 0:
        pytest.skip("this process may lock nothing (RLIMIT_MEMLOCK)")
    assert can_lock()
    monkeypatch.setattr(secret_memory, "_MAP_LOCKED", 0)
    assert not can_lock()
    assert "lo" not in flags_of(secret_room(8))
