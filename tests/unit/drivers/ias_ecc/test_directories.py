"""EF.SN, EF.DIR and the PKCS#15 directories."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd_drivers.contract import MalformedCardData
from cardd_drivers.ias_ecc import directories
from cardd_drivers.ias_ecc.objects import Directory, KeyUsage, PinFlag, PinType
from tests.support.replay import recorded

CONTACT = bytes.fromhex("E828BD080F8025000001FF0010")
APPLICATION = bytes.fromhex("3F000001")
REAL = {path.hex(): bytes(data) for path, data in recorded("cps3-real").files.items()}
EASY = {path.hex(): bytes(data) for path, data in recorded("cps3-easy").files.items()}


def aodf_entry(lengths: str = "020104 020108 020104", more: str = "", kind: str = "0A0101") -> bytes:
    """One PIN object with these lengths (min, stored, max)."""
    content = bytes.fromhex("03020204" + kind + lengths + more)
    attributes = b"\xa1" + bytes((len(content) + 2,)) + b"\x30" + bytes((len(content),)) + content
    body = bytes.fromhex("30060C0450494E31" + "3003040101") + attributes
    return b"\x30" + bytes((len(body),)) + body


def test_the_serial_number_is_the_eight_digits_that_the_agency_shows() -> None:
    assert directories.parse_ef_sn(bytes.fromhex("5A0A8025000001992138450F")) == "99213845"


@pytest.mark.parametrize(
    "data",
    [
        "",
        "5A0A8025000002992138450F",  # another issuer
        "5A088025000001992138",  # too short
        "5A0A8025000001A92138450F",  # a digit that is none
        "5B0A8025000001992138450F",
        "5A0A80250000019921384",
    ],
)
def test_another_serial_number_is_refused(data: str) -> None:
    with pytest.raises(MalformedCardData):
        directories.parse_ef_sn(bytes.fromhex(data + "0" * (len(data) % 2)))


def test_ef_dir_of_a_real_card() -> None:
    contactless, contact = directories.parse_ef_dir(REAL["3f002f00"])
    assert (contactless.label, contactless.path) == ("CPX IAS CL", bytes.fromhex("3F000002"))
    assert (contact.aid, contact.label, contact.path) == (CONTACT, "CPX IAS", APPLICATION)


def test_label_and_path_may_be_missing_and_a_relative_path_begins_at_the_master_file() -> None:
    bare, relative = directories.parse_ef_dir(bytes.fromhex("61074F05A000000001610B4F05A00000000251020005"))
    assert (bare.label, bare.path, relative.path) == ("", None, bytes.fromhex("3F000005"))


@pytest.mark.parametrize("data", ["6100", "61064F0401020304", "610C4F05A0000000015103 3F0000", "61"])
def test_a_broken_ef_dir_is_refused(data: str) -> None:
    with pytest.raises(MalformedCardData):
        directories.parse_ef_dir(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("files", "paths"),
    [
        (REAL, ["7001", "7002", "7005", "7006"]),
        (EASY, ["3f0000017001", "3f0000017002", "3f0000017004", "3f0000017006"]),
    ],
)
def test_the_odf_points_to_the_directories(files: dict[str, bytes], paths: list[str]) -> None:
    odf = directories.parse_odf(files["3f0000015031"])
    kinds = (
        Directory.AUTHENTICATION_OBJECTS,
        Directory.PRIVATE_KEYS,
        Directory.CERTIFICATES,
        Directory.DATA_OBJECTS,
    )
    assert [path.value.hex() for kind in kinds for path in odf[kind]] == paths


def test_pins_of_a_real_card() -> None:
    pin, puk = directories.parse_aodf(REAL["3f0000017001"])
    assert pin.attributes.label == "Code porteur de la carte CPS"
    assert (pin.identifier, pin.attributes.auth_id) == (b"\x01", b"\x02")
    assert (pin.type, pin.minimum, pin.stored, pin.maximum) == (PinType.ASCII_NUMERIC, 4, 8, 4)
    assert (pin.reference, pin.pad, pin.local, pin.unblocks) == (1, 0xFF, False, False)
    assert PinFlag.NEEDS_PADDING in pin.flags
    assert puk.attributes.label == "Code de déblocage de la carte CPS"
    assert (puk.identifier, puk.minimum, puk.stored, puk.maximum) == (b"\x04", 8, 8, 8)
    assert (puk.reference, puk.pad, puk.unblocks) == (2, None, True)


def test_pins_of_the_easier_layout() -> None:
    pin, puk = directories.parse_aodf(EASY["3f0000017001"])
    assert (pin.minimum, pin.stored, pin.maximum, pin.pad) == (4, 4, 4, 0xFF)
    assert PinFlag.NEEDS_PADDING not in pin.flags
    assert pin.path is not None
    assert pin.path.value == bytes.fromhex("3F00")
    assert (pin.attributes.auth_id, puk.identifier, puk.unblocks) == (b"\x02", b"\x02", True)


def test_a_pin_without_its_longest_length_takes_the_stored_one() -> None:
    (pin,) = directories.parse_aodf(aodf_entry("020104 020108"))
    assert (pin.minimum, pin.stored, pin.maximum, pin.reference) == (4, 8, 8, 0)


def test_an_empty_pin_is_never_allowed_whatever_the_card_says() -> None:
    (pin,) = directories.parse_aodf(aodf_entry("020100 020108 020108"))
    assert pin.minimum == 1


@pytest.mark.parametrize(
    "lengths",
    [
        "020105 020108 020104",
        "020104 020104 020108",
        "020104",
        "0201FF 020108 020108",
        "020104 020141",
        "020100 020100",
    ],
)
def test_lengths_that_contradict_each_other_are_refused(lengths: str) -> None:
    with pytest.raises(MalformedCardData):
        directories.parse_aodf(aodf_entry(lengths))


@pytest.mark.parametrize("more", ["800201FF", "0402FFFF", "0400"])
def test_a_reference_or_pad_character_that_is_no_byte_is_refused(more: str) -> None:
    with pytest.raises(MalformedCardData):
        directories.parse_aodf(aodf_entry(more=more))


def test_an_unknown_type_of_pin_is_refused() -> None:
    with pytest.raises(MalformedCardData):
        directories.parse_aodf(aodf_entry(kind="0A0109"))


def test_a_pin_whose_reference_says_so_is_local() -> None:
    (pin,) = directories.parse_aodf(aodf_entry(more="80020081"))
    assert (pin.reference, pin.local) == (0x81, True)


def test_keys_of_a_real_card() -> None:
    signature, authentication = directories.parse_prkdf(REAL["3f0000017002"])
    assert (signature.attributes.label, authentication.attributes.label) == ("CPS_PRIV_SIG", "CPS_PRIV_AUT")
    assert (signature.identifier, authentication.identifier) == (CONTACT + b"\x01", CONTACT + b"\x02")
    assert signature.usage == {KeyUsage.NON_REPUDIATION}
    assert authentication.usage == {KeyUsage.DECIPHER, KeyUsage.SIGN}
    assert (signature.reference, authentication.reference) == (0x81, 0x82)
    assert (signature.path.value, signature.modulus_size) == (b"", 256)
    assert signature.attributes.auth_id == b"\x01"


def test_keys_of_the_easier_layout() -> None:
    authentication, signature = directories.parse_prkdf(EASY["3f0000017002"])
    assert authentication.path.value == APPLICATION
    assert (authentication.reference, signature.reference) == (0x82, 0x81)


def test_a_key_reference_that_asn1_reads_negative_is_taken() -> None:
    data = REAL["3f0000017002"]
    first = data[: data[1] + 2]
    negative = first.replace(bytes.fromhex("02020081"), bytes.fromhex("020181"))
    shorter = bytes((0x30, negative[1] - 1)) + negative[2:]
    shorter = shorter.replace(bytes.fromhex("301D040E"), bytes.fromhex("301C040E"))
    (key,) = directories.parse_prkdf(shorter)
    assert key.reference == 0x81


def test_a_consent_for_each_use_is_known() -> None:
    data = REAL["3f0000017002"]
    first = data[: data[1] + 2]
    label = bytes.fromhex("0C0C") + b"CPS_PRIV_SIG"
    consent = first.replace(label, label[:1] + b"\x09" + b"CPS_PRIV_" + b"\x02\x01\x01")
    (key,) = directories.parse_prkdf(consent)
    assert key.attributes.user_consent == 1


def test_certificates_of_both_layouts() -> None:
    signature, authentication = directories.parse_cdf(REAL["3f0000017005"])
    assert (signature.path.value.hex(), authentication.path.value.hex()) == ("a001", "a002")
    assert authentication.attributes.label == "Certificat d'Authentification CPS"
    assert authentication.identifier == CONTACT + b"\x02"
    easy, _ = directories.parse_cdf(EASY["3f0000017004"])
    assert easy.path.value.hex() == "3f0000012001"


def test_a_certificate_held_in_the_directory_itself_is_passed_over() -> None:
    data = bytes.fromhex("3015 30030C0141 3003040101 A109 3007 A003040101 3000")
    assert directories.parse_cdf(data) == ()


def test_data_objects_of_a_real_card() -> None:
    objects = directories.parse_dodf(REAL["3f0000017006"])
    assert [(entry.attributes.label, entry.path.value.hex()) for entry in objects][:2] == [
        ("CPS_DATA", "d107"),
        ("CPS_ID_CARD", "d101"),
    ]
    protected = [entry.attributes.label for entry in objects if entry.attributes.auth_id is not None]
    assert protected == ["CPS_ACTIVITY_01_PS", "CPS_ACTIVITY_02_PS", "CPS_ACTIVITY_04_PS"]


def test_an_index_and_a_length_of_a_path_are_known() -> None:
    data = bytes.fromhex("3017 30030C0141 3000 A10E 300C 0402D107 02020100 80020010")
    (entry,) = directories.parse_dodf(data)
    assert (entry.path.index, entry.path.length) == (256, 16)


@pytest.mark.parametrize("path", ["0403D10701", "04113F00" + "01" * 15, "0402D107 0201FF"])
def test_a_path_that_leads_nowhere_is_refused(path: str) -> None:
    content = bytes.fromhex(path)
    wrapped = b"\xa1" + bytes((len(content) + 2,)) + b"\x30" + bytes((len(content),)) + content
    body = bytes.fromhex("30030C0141 3000") + wrapped
    with pytest.raises(MalformedCardData):
        directories.parse_dodf(b"\x30" + bytes((len(body),)) + body)


def test_token_info_of_a_real_card() -> None:
    info = directories.parse_token_info(REAL["3f0000015032"])
    assert info.label == "CPS3v3-2600971845"
    assert [algorithm.reference for algorithm in info.algorithms] == [0x10, 0x40, 0x12, 0x42, 0x02, 0x1A]
    assert info.algorithms[3].oid == "1.2.840.113549.1.1.11"
    assert info.algorithms[5].operations == {5}


def test_entries_of_unknown_kinds_are_passed_over() -> None:
    data = bytes.fromhex("A0023000") + REAL["3f0000017002"] + bytes(5)
    assert len(directories.parse_prkdf(data)) == 2


PARSERS: dict[str, Callable[[bytes], object]] = {
    "3f00d003": directories.parse_ef_sn,
    "3f002f00": directories.parse_ef_dir,
    "3f0000015031": directories.parse_odf,
    "3f0000015032": directories.parse_token_info,
    "3f0000017001": directories.parse_aodf,
    "3f0000017002": directories.parse_prkdf,
    "3f0000017005": directories.parse_cdf,
    "3f0000017006": directories.parse_dodf,
}


def error_of(parser: Callable[[bytes], object], data: bytes) -> MalformedCardData | None:
    """The one error that a parser may raise, or None."""
    try:
        parser(data)
    except MalformedCardData as error:
        return error
    return None


@given(st.sampled_from(sorted(PARSERS)), st.data())
def test_a_spoilt_directory_gives_a_value_or_the_one_error(path: str, data: st.DataObject) -> None:
    spoilt = bytearray(REAL[path])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(spoilt) - 1))
        match data.draw(st.integers(0, 2)):
            case 0:
                spoilt[at] = data.draw(st.integers(0, 255))
            case 1:
                del spoilt[at : at + data.draw(st.integers(1, 8))]
            case _:
                spoilt[at:at] = data.draw(st.binary(max_size=8))
        if not spoilt:
            break
    error = error_of(PARSERS[path], bytes(spoilt))
    assert error is None or error.offset is None or 0 <= error.offset <= len(spoilt)


@given(st.sampled_from(sorted(PARSERS)), st.binary(max_size=400))
def test_any_bytes_give_a_value_or_the_one_error(path: str, data: bytes) -> None:
    error_of(PARSERS[path], data)
