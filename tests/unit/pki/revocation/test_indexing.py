"""The program that makes indexes: which files count, which replaces which, what is refused."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cardd.pki.revocation.faults import Fault
from cardd.pki.revocation.index import CrlIndex
from cardd.pki.revocation.indexing import (
    IndexOrder,
    RefusedFile,
    make_indexes,
    report_from_json,
    report_to_json,
)
from tests.unit.pki import factory
from tests.unit.pki.revocation import support
from tests.unit.pki.revocation.support import DAY, NOW


class Place:
    """A trust directory, a directory of CRLs, and the indexes."""

    def __init__(self, folder: Path) -> None:
        self.source, self.target = folder / "source", folder / "index"
        self.source.mkdir()
        self._trust = folder / "trust"
        factory.write(self._trust, "root.cer", factory.root().certificate)
        factory.write(self._trust, "intermediate.cer", factory.intermediate().certificate)

    def put(self, name: str, content: bytes) -> None:
        """Replace a file, as the fetcher does."""
        partial = self.source / f".{name}"
        partial.write_bytes(content)
        partial.rename(self.source / name)

    def order(self, now: datetime.datetime = NOW, *more: Path) -> IndexOrder:
        unpinned = frozenset({factory.fingerprint(factory.root().certificate)})
        return IndexOrder(self._trust, unpinned, None, (self.source, *more), self.target, now)

    def run(self, now: datetime.datetime = NOW, *more: Path) -> list[Fault]:
        return [one.fault for one in make_indexes(self.order(now, *more))]

    def numbers(self) -> list[int | None]:
        """Of the CRLs that are known, in ascending order."""
        found = []
        for path in self.target.glob("*.crlx"):
            with CrlIndex(path) as index:
                found.append(index.facts.number)
        return sorted(found, key=lambda number: number or 0)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_one_index_for_each_issuer_and_kind(place: Place) -> None:
    place.put("a.crl", support.crl(factory.root(), number=1))
    place.put("b.crl", support.crl(factory.intermediate(), number=2))
    place.put("c.crl", support.crl(factory.intermediate(), number=3, base=2))
    place.put("readme.txt", b"not looked at")
    assert place.run() == []
    assert place.numbers() == [1, 2, 3]
    assert place.target.stat().st_mode & 0o777 == 0o700


def test_the_newer_replaces_the_older_and_never_the_other_way(place: Place) -> None:
    """A server, or who sits on the line to it, may serve yesterday's list, on which today's card is not."""
    newer = support.crl(factory.intermediate(), number=5)
    place.put("a.crl", newer)
    assert place.run() == []
    place.put("a.crl", support.crl(factory.intermediate(), number=4, at=NOW - DAY))
    assert place.run() == [Fault.OLDER]
    assert place.numbers() == [5]
    place.put("a.crl", support.crl(factory.intermediate(), number=6))
    assert (place.run(), place.numbers()) == ([], [6])


def test_the_same_list_in_two_places_is_no_fault(place: Place, tmp_path: Path) -> None:
    place.put("a.crl", support.crl(factory.intermediate(), number=5))
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "copy.crl").write_bytes((place.source / "a.crl").read_bytes())
    assert place.run(NOW, mirror) == []
    assert place.numbers() == [5]


def test_a_file_that_goes_takes_nothing_with_it(place: Place) -> None:
    """What was verified stays known: whoever can remove a file cannot make a card good."""
    place.put("a.crl", support.crl(factory.intermediate(), number=5))
    place.run()
    (place.source / "a.crl").unlink()
    assert (place.run(), place.numbers()) == ([], [5])


def test_a_file_that_did_not_change_is_not_read_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.put("a.crl", support.crl(factory.intermediate(), number=5))
    place.run()

    def unexpected(*_: object) -> bytes:
        raise AssertionError("read again")

    monkeypatch.setattr("cardd.pki.revocation.indexing.read_source", unexpected)
    assert place.run() == []


def test_a_damaged_index_is_made_anew(place: Place) -> None:
    place.put("a.crl", support.crl(factory.intermediate(), number=5))
    place.run()
    [index] = place.target.iterdir()
    index.write_bytes(index.read_bytes()[:-2] + b"xy")
    index.write_bytes(b"damaged")
    (place.target / ".old.123.partial").write_bytes(b"half")
    assert (place.run(), place.numbers()) == ([], [5])
    assert len(list(place.target.iterdir())) == 1


def test_bad_files_are_named_and_the_good_ones_count(place: Place) -> None:
    place.put("0-html.crl", b"<html>log in to the hospital's network</html>")
    place.put("1-cut.crl", support.crl(factory.root())[:-5])
    place.put("2-stranger.crl", support.crl(factory.authority("AC INCONNUE")))
    place.put("3-future.crl", support.crl(factory.root(), at=NOW + DAY))
    (place.source / "4-link.crl").symlink_to("5-good.crl")
    os.mkfifo(place.source / "4-pipe.crl")
    with (place.source / "4-large.crl").open("wb") as sparse:
        sparse.truncate(200 * 1024 * 1024)
    place.put("5-good.crl", support.crl(factory.intermediate(), number=9))
    assert place.run() == [
        Fault.MALFORMED,
        Fault.MALFORMED,
        Fault.UNKNOWN_ISSUER,
        Fault.FUTURE,
        Fault.TOO_LARGE,
        Fault.UNREADABLE,
        Fault.UNREADABLE,
    ]
    assert place.numbers() == [9]


def test_too_many_files(place: Place) -> None:
    for number in range(65):
        place.put(f"{number:02}.crl", b"")
    faults = place.run()
    assert faults[0] is Fault.TOO_LARGE
    assert len(faults) == 65


def test_no_directory(place: Place, tmp_path: Path) -> None:
    assert place.run(NOW, tmp_path / "nowhere") == [Fault.UNREADABLE]


def test_the_program(place: Place) -> None:
    """As the daemon starts it."""
    place.put("a.crl", support.crl(factory.root(), number=1))
    place.put("b.crl", b"")
    program = [sys.executable, "-I", "-m", "cardd.pki.revocation.indexing"]
    done = subprocess.run(program, input=place.order().to_json().encode(), capture_output=True, check=True)
    [refused] = report_from_json(done.stdout)
    assert (Path(refused.source).name, refused.fault) == ("b.crl", Fault.MALFORMED)
    assert place.numbers() == [1]


def test_orders_and_reports_travel(place: Place) -> None:
    order = place.order()
    assert IndexOrder.from_json(order.to_json()) == order
    report = [RefusedFile("/a", Fault.FUTURE, "é")]
    assert report_from_json(report_to_json(report).encode()) == report
