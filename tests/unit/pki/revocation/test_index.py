"""A CRL as a file that is looked up in place."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from cardd.pki.revocation.crl import CrlEntry, CrlFacts, VerifiedCrl
from cardd.pki.revocation.index import CrlIndex, IndexUnusable, write_index
from cardd.pki.revocation.scope import Scope
from cardsim.pki.revocation import RevokedEntry
from tests.unit.pki import factory
from tests.unit.pki.revocation import support
from tests.unit.pki.revocation.support import DAY, NOW, SOURCE

SERIALS = st.integers(-(2**159), 2**160 - 1)
ENTRIES = st.builds(
    CrlEntry,
    serial=SERIALS,
    moment=st.integers(0, 4_000_000_000).map(lambda seconds: datetime.datetime.fromtimestamp(seconds, datetime.UTC)),
    reason=st.none() | st.sampled_from(x509.ReasonFlags),
)
FACTS = CrlFacts("ab" * 32, "CN=AC", NOW, NOW + DAY, 5, 4, Scope(True, False, frozenset({"a", "b"})))


@settings(max_examples=60, deadline=None)
@given(
    entries=st.lists(ENTRIES, max_size=40, unique_by=lambda entry: entry.serial), absent=st.lists(SERIALS, max_size=9)
)
def test_every_entry_is_found_and_no_other(
    tmp_path_factory: pytest.TempPathFactory, entries: list[CrlEntry], absent: list[int]
) -> None:
    directory = tmp_path_factory.mktemp("index")
    with CrlIndex(write_index(directory, "one", VerifiedCrl(FACTS, tuple(entries)), SOURCE)) as index:
        assert (index.facts, index.source, len(index)) == (FACTS, SOURCE, len(entries))
        for entry in entries:
            assert index.find(entry.serial) == entry
        for serial in set(absent) - {entry.serial for entry in entries}:
            assert index.find(serial) is None


def test_a_serial_number_that_no_list_may_bear(tmp_path: Path) -> None:
    with support.index(tmp_path, support.crl(factory.root())) as index:
        assert index.find(2**200) is None


def test_it_is_the_daemons_own_and_replaces_at_once(tmp_path: Path) -> None:
    """Whoever has the old one open goes on with it."""
    leaf = factory.holder(factory.root())
    with support.index(tmp_path, support.crl(factory.root())) as before:
        after = support.index(tmp_path, support.crl(factory.root(), support.entry(leaf), number=2))
        assert before.find(leaf.serial_number) is None
        assert after.find(leaf.serial_number) is not None
        after.close()
    assert os.listdir(tmp_path) == ["list.crlx"]
    assert (tmp_path / "list.crlx").stat().st_mode & 0o777 == 0o600


LISTED = support.crl(factory.root(), RevokedEntry(1 << 150, NOW, x509.ReasonFlags.superseded))


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_unusable_or_answers(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Bytes changed or cut: no other error than the one that has it made anew."""
    directory = tmp_path_factory.mktemp("index")
    support.index(directory, LISTED).close()
    path = directory / "list.crlx"
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        with CrlIndex(path) as index:
            index.find(1 << 150)
    except IndexUnusable:
        pass


def test_a_link_a_fifo_and_nothing(tmp_path: Path) -> None:
    support.index(tmp_path, support.crl(factory.root())).close()
    (tmp_path / "link").symlink_to("list.crlx")
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "fifo", "nothing"):
        with pytest.raises(IndexUnusable):
            CrlIndex(tmp_path / name)
