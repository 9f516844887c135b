"""What is remembered of a card, and how keys, certificates and PINs are told apart."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd_drivers.contract import KeyName, KeyNotFound, MalformedCardData
from cardd_drivers.ias_ecc.layout import CONTACT, Layout, Snapshot
from cardd_drivers.ias_ecc.objects import Application, Directory, KeyUsage
from tests.support.replay import recorded


def snapshot(layout: str = "cps3-real") -> Snapshot:
    files = {path.hex(): bytes(data) for path, data in recorded(layout).files.items()}
    certificates = "3f0000017005" if layout == "cps3-real" else "3f0000017004"
    return Snapshot(
        files["3f002f00"],
        files["3f0000015031"],
        (
            (Directory.AUTHENTICATION_OBJECTS, files["3f0000017001"]),
            (Directory.PRIVATE_KEYS, files["3f0000017002"]),
            (Directory.CERTIFICATES, files[certificates]),
        ),
    )


@pytest.fixture
def layout() -> Layout:
    return Layout.parse(snapshot())


@pytest.mark.parametrize("name", ["cps3-real", "cps3-easy"])
def test_a_snapshot_survives_the_memory(name: str) -> None:
    read_back = Snapshot.decode(snapshot(name).encode())
    assert read_back == snapshot(name)
    assert Layout.parse(read_back) == Layout.parse(snapshot(name))


@pytest.mark.parametrize("spoilt", [b"", b"ias-ecc layout 1\n\x31\x00\x00\x61\x00\x00"])
def test_another_order_is_refused(spoilt: bytes) -> None:
    with pytest.raises(MalformedCardData):
        Snapshot.decode(spoilt)


def test_another_version_is_refused() -> None:
    with pytest.raises(MalformedCardData, match="version"):
        Snapshot.decode(snapshot().encode().replace(b"layout 1", b"layout 2"))


def test_an_unknown_directory_is_refused() -> None:
    with pytest.raises(MalformedCardData):
        Snapshot.decode(snapshot().encode() + b"\xa7\x00\x00")


@given(st.integers(0, 700))
def test_a_cut_memory_is_refused_or_whole_records_remain(end: int) -> None:
    whole = snapshot().encode()
    try:
        read_back = Snapshot.decode(whole[:end])
    except MalformedCardData:
        return
    assert whole.startswith(read_back.encode())


@given(st.binary(max_size=200))
def test_any_memory_is_read_or_refused(data: bytes) -> None:
    for stored in (data, b"ias-ecc layout 1\n" + data):
        try:
            Layout.parse(Snapshot.decode(stored))
        except MalformedCardData:
            continue


def test_the_contact_application_is_found_though_the_contactless_one_comes_first(layout: Layout) -> None:
    assert layout.application.label == "CPX IAS"
    assert layout.application.path == bytes.fromhex("3F000001")


def test_the_contact_application_is_preferred_to_any_other() -> None:
    contact = Application(bytes.fromhex("E828BD080F8025000001FF0010"), "", None)
    other = Application(bytes.fromhex("A000000001"), "", None)
    assert CONTACT.application((other, contact)) is contact


def test_an_application_of_another_name_is_taken_but_never_the_contactless_one() -> None:
    contactless = Application(bytes.fromhex("E828BD080F8025000001FF0020"), "", None)
    other = Application(bytes.fromhex("A000000001"), "", None)
    assert CONTACT.application((contactless, other)) is other
    with pytest.raises(MalformedCardData):
        CONTACT.application((contactless,))


def test_keys_are_told_by_their_usage_alone(layout: Layout) -> None:
    assert layout.key(KeyName.SIGNATURE).reference == 0x81
    assert layout.key(KeyName.AUTHENTICATION).reference == 0x82
    assert layout.key(KeyName.ENCRYPTION) is layout.key(KeyName.AUTHENTICATION)


def test_a_signature_key_that_may_also_sign_is_never_the_authentication_key() -> None:
    easy = Layout.parse(snapshot("cps3-easy"))
    for each in (easy, replace(easy, keys=easy.keys[::-1])):
        assert each.key(KeyName.AUTHENTICATION).reference == 0x82
        assert each.key(KeyName.SIGNATURE).reference == 0x81


def test_a_key_for_a_use_that_no_key_has_is_not_found(layout: Layout) -> None:
    signing_only = replace(layout, keys=tuple(replace(key, usage=frozenset({KeyUsage.SIGN})) for key in layout.keys))
    assert not signing_only.has(KeyName.SIGNATURE)
    with pytest.raises(KeyNotFound):
        signing_only.key(KeyName.SIGNATURE)
    with pytest.raises(KeyNotFound):
        signing_only.key(KeyName.ENCRYPTION)


def test_a_key_without_a_reference_cannot_be_used(layout: Layout) -> None:
    nameless = replace(layout, keys=tuple(replace(key, reference=None) for key in layout.keys))
    assert not nameless.has(KeyName.AUTHENTICATION)


def test_a_certificate_belongs_to_the_key_of_its_identifier_wherever_it_stands(layout: Layout) -> None:
    reversed_layout = replace(layout, certificates=layout.certificates[::-1])
    for each in (layout, reversed_layout):
        found = each.certificate(each.key(KeyName.AUTHENTICATION))
        assert found is not None
        assert found.path.value == bytes.fromhex("A002")


def test_the_pin_is_the_one_that_protects_the_keys_though_the_puk_comes_first(layout: Layout) -> None:
    for each in (layout, replace(layout, pins=layout.pins[::-1])):
        pin, puk = each.pin(), each.puk()
        assert pin is not None
        assert puk is not None
        assert (pin.reference, puk.reference) == (1, 2)


def test_the_puk_that_the_pin_names_is_preferred(layout: Layout) -> None:
    pin, puk = layout.pins
    named = replace(puk, identifier=b"\x02", reference=7, flags=frozenset())
    with_both = replace(layout, pins=(puk, named, pin))
    assert with_both.puk() is named


def test_a_card_without_pins_has_none(layout: Layout) -> None:
    bare = replace(layout, pins=())
    assert bare.pin() is None
    assert bare.puk() is None
    assert replace(layout, pins=layout.pins[:1]).puk() is None
