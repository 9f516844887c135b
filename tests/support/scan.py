"""Where a secret lies: in another process's memory, in files, in what went over a bus."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PIECE = 4 << 20
_REGION = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)")
START_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where it was found.

    Args:
        what: which secret, in which form.
        region: permissions and name of the mapping.
        flags: of its pages (VmFlags).
    """

    what: str
    region: str
    flags: frozenset[str]


def forms_of(name: str, digits: str) -> dict[str, bytes]:
    """A code in every form that a program could keep it in.

    Args:
        name: what it is called in a failing test.
        digits: eight, which fill their block and occur nowhere by chance.
    """
    octets = digits.encode("ascii")
    forms = {
        "plain": octets,
        "hexadecimal": octets.hex().encode(),
        "UTF-16": digits.encode("utf-16-le"),
        "UTF-32": digits.encode("utf-32-le"),
    }
    return {f"{name}, {form}": value for form, value in forms.items()}


def in_memory(pid: int, secrets: Mapping[str, bytes]) -> list[Place]:
    """Every place of a process's memory that holds one of the secrets; wants ptrace's rights.

    Args:
        pid: of the process, which runs on meanwhile.
        secrets: by name.
    """
    found = []
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for start, end, region, flags in _regions(pid):
            with contextlib.suppress(OSError, ValueError):  # the kernel's own pages ([vvar]), and what went meanwhile
                found += [Place(what, region, flags) for what in _in_region(memory.fileno(), start, end, secrets)]
    return found


def in_files(root: Path, secrets: Mapping[str, bytes]) -> list[str]:
    """Every file below a folder that holds one of the secrets."""
    return [
        f"{what}: {path}"
        for path in root.rglob("*")
        if path.is_file()
        for what, secret in secrets.items()
        if secret in path.read_bytes()
    ]


@contextmanager
def bus_capture(address: str, target: Path) -> Iterator[None]:
    """Write every message that goes over a bus, whoever it is for, into a file, as it is on the wire.

    Args:
        address: of the bus; it must let this user monitor it.
        target: the file.
    """
    with target.open("wb") as output:
        process = subprocess.Popen(["dbus-monitor", "--address", address, "--binary"], stdout=output)
        try:
            deadline = time.monotonic() + START_SECONDS
            while b"NameAcquired" not in target.read_bytes():  # the first that a monitor sees, of itself
                if time.monotonic() > deadline or process.poll() is not None:
                    raise RuntimeError("dbus-monitor does not monitor")
                time.sleep(0.02)
            yield
        finally:
            process.terminate()
            process.wait()


def _in_region(memory: int, start: int, end: int, secrets: Mapping[str, bytes]) -> list[str]:
    overlap = max(map(len, secrets.values())) - 1
    found = set()
    for position in range(start, end, PIECE):
        piece = os.pread(memory, min(PIECE + overlap, end - position), position)
        found |= {what for what, secret in secrets.items() if secret in piece}
    return sorted(found)


def _regions(pid: int) -> Iterator[tuple[int, int, str, frozenset[str]]]:
    head: re.Match[str] | None = None
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        head = _REGION.fullmatch(line) or head
        if line.startswith("VmFlags:") and head is not None and "r" in head[3]:
            yield int(head[1], 16), int(head[2], 16), f"{head[3]} {head[4]}", frozenset(line.split()[1:])
