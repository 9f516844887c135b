"""The copy in journald, read by an independent reading of its native protocol."""

from __future__ import annotations

import socket
from pathlib import Path

from cardd.journal.clock import Stamp
from cardd.journal.entry import body_of
from cardd.journal.event import Detail, Event, HolderRef, Kind
from cardd.journal.link import Head
from cardd.journal.mirror import JournaldMirror
from cardd.journal.witness import heads_in
from tests.unit.journal.support import BOOT, CALLER, event

HEAD = Head("ab" * 16, 42, "cd" * 32)
STAMP = Stamp(1, 2, BOOT)


def journald(path: Path) -> socket.socket:
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(str(path))
    receiver.settimeout(60)
    return receiver


def fields(datagram: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            length = int.from_bytes(rest[:8], "little")
            value, rest = rest[8 : 8 + length], rest[8 + length + 1 :]
        found[name.decode()] = value.decode()
        datagram = rest
    return found


def test_fields_of_an_entry(tmp_path: Path) -> None:
    with journald(tmp_path / "socket") as receiver:
        mirror = JournaldMirror(tmp_path / "socket")
        mirror.send(body_of(event(7), STAMP), HEAD)
        said = fields(receiver.recv(1 << 16))
        mirror.close()
    assert said["MESSAGE"] == "signed: ok (line 42)"
    assert said["PRIORITY"] == "5"
    assert said["CARDD_KIND"] == "signed"
    assert said["CARDD_HOLDER"] == "899700000012"
    assert said["CARDD_UID"] == "1000"
    assert said["CARDD_UNIT"] == CALLER.unit
    assert said["CARDD_WHAT_NUMBER"] == "7"
    assert heads_in(f"CARDD_HEAD={said['CARDD_HEAD']}\n") == [HEAD]
    assert mirror.dropped == 0


def test_a_hostile_text_forges_no_field(tmp_path: Path) -> None:
    hostile = Event(
        Kind.REFUSED,
        "NotAuthorized",
        holder=HolderRef("1\nCARDD_HEAD=forged", "\ud800"),
        what={Detail.DOCUMENT_TITLE: "a\nPRIORITY=0\n"},
    )
    with journald(tmp_path / "socket") as receiver:
        mirror = JournaldMirror(tmp_path / "socket")
        mirror.send(body_of(hostile, STAMP), HEAD)
        said = fields(receiver.recv(1 << 16))
        mirror.close()
    assert said["PRIORITY"] == "4"
    assert said["CARDD_HEAD"] == str(HEAD)
    assert said["CARDD_WHAT_DOCUMENT_TITLE"] == "a\nPRIORITY=0\n"


def test_a_journald_that_does_not_read_is_not_waited_for(tmp_path: Path) -> None:
    with journald(tmp_path / "socket"):
        mirror = JournaldMirror(tmp_path / "socket")
        for _ in range(5000):
            mirror.send(body_of(event(7), STAMP), HEAD)
        assert mirror.dropped > 0
        mirror.close()


def test_no_journald_is_no_failure(tmp_path: Path) -> None:
    mirror = JournaldMirror(tmp_path / "missing")
    mirror.send(body_of(event(7), STAMP), HEAD)
    assert mirror.dropped == 1
    mirror.close()
