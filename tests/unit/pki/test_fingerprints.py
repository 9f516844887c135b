"""Fingerprints as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.pki.errors import InvalidFingerprint
from cardd.pki.fingerprints import fingerprint_of, parse_fingerprint, shown
from cardd.pki.pins import PINNED_ROOTS
from tests.unit.pki import factory


@given(st.binary(min_size=32, max_size=32))
def test_what_is_shown_is_read_back(octets: bytes) -> None:
    assert parse_fingerprint(shown(octets.hex())) == octets.hex()
    assert parse_fingerprint(octets.hex().upper()) == octets.hex()


@pytest.mark.parametrize("text", ["", "00" * 31, "00" * 33, "zz" * 32, "SHA256:" + "00" * 32, "٠" * 64])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(InvalidFingerprint):
        parse_fingerprint(text)


def test_of_a_certificate() -> None:
    certificate = factory.root().certificate
    assert fingerprint_of(certificate) == factory.fingerprint(certificate)


def test_the_pins_are_fingerprints() -> None:
    assert [parse_fingerprint(pin) for pin in PINNED_ROOTS] == list(PINNED_ROOTS)
    assert len(PINNED_ROOTS) == 3
