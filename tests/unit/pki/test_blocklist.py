"""The local block list."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.pki.blocklist import BlockList, BlockListUnusable, Marks, load_block_list, parse_block_list
from tests.unit.pki import factory

FILE = Path("/etc/cardd/blocked.toml")


def listed(*lines: str) -> BlockList:
    return parse_block_list("[[blocked]]\n" + "\n".join(lines), FILE)


def marks(card: str = "2600000011", holder: str = "899900000011") -> Marks:
    return Marks(factory.holder(factory.intermediate()), frozenset({card, "80250000012600000011"}), holder)


def test_nothing_is_blocked_by_nothing(tmp_path: Path) -> None:
    assert not BlockList().blocks(marks())
    assert len(load_block_list(None)) == 0
    assert len(load_block_list(tmp_path / "blocked.toml")) == 0


def test_cards_and_holders() -> None:
    assert listed('card = "26 0000 0011"', 'why = "lost"').blocks(marks())
    assert listed('card = "80250000012600000011"').blocks(marks())
    assert not listed('card = "2600000012"').blocks(marks())
    assert listed('holder = "899900000011"').blocks(marks())
    assert not listed('holder = "899900000012"').blocks(marks(holder=""))


def test_certificates_by_fingerprint_and_by_serial_with_issuer() -> None:
    found = marks()
    certificate = found.certificate
    assert certificate is not None
    fingerprint = factory.fingerprint(certificate)
    assert listed(f'certificate = "{fingerprint.upper()}"').blocks(found)
    assert not listed(f'certificate = "{fingerprint}"').blocks(marks())
    serial = f"{certificate.serial_number:040X}"
    with_colons = ":".join(serial[at : at + 2] for at in range(0, 40, 2))
    assert listed(f'serial = "{with_colons}"', 'issuer = "AC FICTIVE FORT PERSONNES"').blocks(found)
    assert not listed(f'serial = "{serial}"', 'issuer = "AC AUTRE"').blocks(found)
    assert not listed(f'certificate = "{fingerprint}"').blocks(Marks(None, frozenset(), ""))


def test_several_entries() -> None:
    text = '[[blocked]]\ncard = "2600000099"\n[[blocked]]\nholder = "899900000011"\nwhy = "card stolen"\n'
    assert parse_block_list(text, FILE).blocks(marks())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[blocked]]\n", "blocked.toml:1: entry 1 must have one of"),
        (
            "[[blocked]]\ncard = '2600000011'\n\n[[blocked]]\nkard = '26'\n",
            "blocked.toml:4: entry 2 has the unknown key 'kard'",
        ),
        ("[[blocked]]\ncard = 2600000011\n", "needs for card a text"),
        ("[[blocked]]\ncard = '*'\n", "needs for card letters and digits"),
        ("[[blocked]]\ncard = '2600000011'\nholder = '899900000011'\n", "must have one of"),
        ("[[blocked]]\nserial = '12'\n", "serial and issuer together"),
        ("[[blocked]]\nserial = '12'\nissuer = ''\n", "needs for issuer a text"),
        ("[[blocked]]\nserial = 'twelve'\nissuer = 'AC'\n", "hexadecimal digits"),
        ("[[blocked]]\ncertificate = '12:34'\n", "64 hexadecimal digits"),
        ("[[blocked]]\nholder = 'M. Dupont'\n", "national identifier"),
        ("[blocked]\ncard = '2600000011'\n", r"may hold \[\[blocked\]\] alone"),
        ("card = '2600000011'\n", r"may hold \[\[blocked\]\] alone"),
        ("[[blocked]\n", "no valid TOML"),
        ("[[blocked]]\ncard = '2600000011'\n" * 10_001, "more than 10000"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_line(text: str, said: str) -> None:
    """A list that was misread would let somebody pass."""
    with pytest.raises(BlockListUnusable, match=said):
        parse_block_list(text, FILE)


def test_a_file_that_cannot_be_read_is_not_an_empty_one(tmp_path: Path) -> None:
    for content in (b"\xff", b"#" * (1 << 21)):
        (tmp_path / "blocked.toml").write_bytes(content)
        with pytest.raises(BlockListUnusable):
            load_block_list(tmp_path / "blocked.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(BlockListUnusable):
        load_block_list(tmp_path / "folder.toml")


@given(st.text(max_size=200))
def test_any_text_is_a_list_or_refused(text: str) -> None:
    with contextlib.suppress(BlockListUnusable):
        parse_block_list(text, FILE)
