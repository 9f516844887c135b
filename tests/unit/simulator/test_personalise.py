"""A card of a profile, from outside: as a middleware reads it."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from cardsim import PkiStore, SimulatedCard, personalise, profiles
from cardsim.behaviour import Behaviour, PastEnd
from cardsim.card import CardProtocol
from cardsim.profiles import CertificateVariant
from tests.unit.simulator.host import SELECT_APPLICATION, VERIFY_PIN, VERIFY_WRONG_PIN, Host

NOW = datetime.datetime(2026, 3, 15, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> PkiStore:
    """A store with small authority keys."""
    directory: Path = tmp_path_factory.mktemp("pki")
    return PkiStore(directory, now=lambda: NOW, authority_key_bits=2048)


def read(host: Host, path: str) -> bytes:
    """A whole file by absolute path."""
    answer = host.ask(f"00A40904{len(path) // 2:02X}{path}")
    size = int(answer[8:12], 16)
    parts = [host.send(f"00B0{offset:04X}{min(256, size - offset) & 0xFF:02X}")[:-4] for offset in range(0, size, 256)]
    return bytes.fromhex("".join(parts))


def test_is_a_simulated_card(store: PkiStore) -> None:
    """The seam to transports: ATR, protocol, no power yet."""
    card: SimulatedCard = personalise(profiles.load("physician"), store)
    assert card.protocol is CardProtocol.T0
    assert card.transmit(bytes.fromhex("00200001")) == b""
    assert card.power_on() == card.atr


@pytest.mark.parametrize("name", ["physician", "nurse", "pharmacist", "student", "staff", "expired", "swapped-usage"])
def test_keys_answer_to_the_certificates_on_the_card(store: PkiStore, name: str) -> None:
    """What is signed verifies under A001 and A002."""
    host = Host(personalise(profiles.load(name), store))
    signature_certificate = x509.load_der_x509_certificate(read(host, "3F000001A001"))
    authentication_certificate = x509.load_der_x509_certificate(read(host, "3F000001A002"))
    host.ready()
    host.send("002241B606800142840181")
    digest = "2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824"
    signature = bytes.fromhex(host.ask("002A9E9A20" + digest)[:-4])
    host.send("002241A406800102840182")
    proof = bytes.fromhex(host.ask("00880000333031300D060960864801650304020105000420" + digest)[:-4])
    for certificate, value in ((signature_certificate, signature), (authentication_certificate, proof)):
        key = certificate.public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        key.verify(value, b"hello", padding.PKCS1v15(), SHA256())


def test_serial_and_label(store: PkiStore) -> None:
    """EF.SN with its check digit; the printed number in the token label."""
    host = Host(personalise(profiles.load("physician"), store))
    assert read(host, "3F00D003").hex().upper() == "5A0A8025000001260000010F"
    assert b"CPS3v3-2600000011" in read(host, "3F0000015032")


def test_data_objects(store: PkiStore) -> None:
    """Free ones before the PIN, activities after it, gaps kept."""
    host = Host(personalise(profiles.load("pharmacist"), store))
    assert read(host, "3F000001D101").hex().upper() == "3014130A323630303030303033370C06435053337633"
    assert read(host, "3F000001D102") == b"\x30\x12\x0c\x09D'ALMEIDA\x0c\x05In\xc3\xa8s"
    assert read(host, "3F000001D103") == b"\x13\x02fr"
    assert read(host, "3F000001D104") == b"\x30\x04\x0c\x0221"
    assert read(host, "3F000001D107") == bytes(128)
    directory = read(host, "3F0000017006")
    assert b"CPS_ACTIVITY_01_PS" in directory
    assert b"CPS_ACTIVITY_02_PS" not in directory
    assert b"CPS_ACTIVITY_03_PS" in directory
    assert host.send("00A4090C063F000001D121") == "6A82"
    host.send("00A4090C063F000001D122")
    assert host.send("00B0000002") == "6982"
    host.send(VERIFY_PIN)
    activity = read(host, "3F000001D122")
    name = "Centre de santé fictif".encode()
    assert activity == b"\xee" + bytes([len(activity) - 2]) + b"\x84" + bytes([len(name)]) + name + (
        b"\x85\x0a1990000010\x86\x04SA05"
    )


def test_speciality_stands_last(store: PkiStore) -> None:
    """CPS_INFO_PS ends with the four characters of the code."""
    host = Host(personalise(profiles.load("physician"), store))
    assert read(host, "3F000001D104").endswith(b"\x0c\x04SM26")


def test_profile_state_and_switches_reach_the_card(store: PkiStore) -> None:
    """A blocked PIN that the PUK opens."""
    host = Host(personalise(profiles.load("pin-blocked"), store))
    assert host.send("00200001") == "6983"
    host.send("00200002083132333435363738")
    assert host.send("002C02010834333231FFFFFFFF") == "9000"
    assert host.send("002000010834333231FFFFFFFF") == "9000"


def test_two_cards_of_one_profile(store: PkiStore) -> None:
    """The same keys, each its own counters."""
    first, second = (Host(personalise(profiles.load("physician"), store)) for _ in range(2))
    assert read(first, "3F000001A001") == read(second, "3F000001A001")
    first.send(VERIFY_WRONG_PIN)
    assert second.send("00200001") == "63C3"


def test_short_keys_are_told_truly(store: PkiStore) -> None:
    """With RSA-1024 the key directory, the DOCP and the limit of INTERNAL AUTHENTICATE follow."""
    profile = dataclasses.replace(profiles.load("physician"), certificates=CertificateVariant.RSA_1024)
    host = Host(personalise(profile, store)).ready()
    assert read(host, "3F0000017002").count(bytes.fromhex("02020400")) == 2
    host.send(SELECT_APPLICATION)
    assert host.ask("00CB3FFF0A4D087006BF900202A080").startswith("7013BF90020FA00D80020080")
    host.send("002241A406800102840182")
    assert host.send("0088000034" + "00" * 52) == "6700"
    assert len(host.ask("0088000033" + "00" * 51)) == 2 * (128 + 2)


def test_malformed_certificate_is_on_the_card(store: PkiStore) -> None:
    """As it is in the store."""
    profile = profiles.load("malformed-certificate")
    host = Host(personalise(profile, store))
    assert read(host, "3F000001A002") == store.card(profile).authentication.certificate


def test_behaviour_reaches_the_card(store: PkiStore) -> None:
    """A switch of the profile is the card's."""
    profile = profiles.load("physician")
    changed = dataclasses.replace(profile, behaviour=Behaviour(past_end=PastEnd.CORRECT_LENGTH))
    assert Host(personalise(profile, store)).send("00B09C00C0")[-4:] == "6282"
    assert Host(personalise(changed, store)).send("00B09C00C0") == "6C0C"


def test_random_numbers_are_the_callers_to_choose(store: PkiStore) -> None:
    """GET CHALLENGE gives what the generator gives."""
    host = Host(personalise(profiles.load("physician"), store, random_bytes=lambda count: b"\x5a" * count))
    assert host.send("0084000008") == "5A" * 8 + "9000"


def test_sixteen_activities_on_both_sides(store: PkiStore) -> None:
    """D120 to D12F and, on the older side, 4010 to 401F: each behind the PIN, each its own."""
    host = Host(personalise(profiles.load("many-activities"), store)).ready()
    for number in range(1, 17):
        name = f"Maternité fictive nº {number}".encode()
        assert read(host, f"3F000001D1{0x1F + number:02X}").startswith(b"\xee" + bytes([len(name) + 20, 0x84]))
    for number in range(1, 17):
        host.send("A0A40000023F00")
        assert host.send(f"A0A400000240{0x0F + number:02X}") == "9F07"
        size = int(host.send("A0C0000007")[4:8], 16)
        assert f"Maternité fictive nº {number}".encode() in bytes.fromhex(host.send(f"A0B00000{size:02X}"))


def test_a_certificate_in_a_larger_file(store: PkiStore) -> None:
    """Zeros behind it."""
    physician = profiles.load("physician")
    plain = read(Host(personalise(physician, store)), "3F000001A001")
    padded = Host(personalise(dataclasses.replace(physician, certificate_file_size=2048), store))
    assert read(padded, "3F000001A001") == plain.ljust(2048, b"\x00")
