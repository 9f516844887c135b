"""A card met without contact: what it shows, what its rules refuse, and that it is the same card."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from cardsim import PkiStore, personalise, profiles
from cardsim.card import CardProtocol
from cardsim.control_cards import CardCupboard
from cardsim.control_desk import ControlDesk, ControlError
from cardsim.profiles import ProfileError
from cardsim.timing.line import Line
from cardsim.transports.inprocess import InProcessPcsc
from tests.unit.simulator.host import PUK, SELECT_APPLICATION, VERIFY_PIN, Host
from tests.unit.simulator.test_personalise import read

ATR = bytes.fromhex("3B8F80010031B86404B0ECC1739401808290000E")
SELECT_CONTACTLESS = "00A4090C043F000002"
MSE_TECHNICAL = "002241A406800102840181"
DIGEST_INFO = (
    "3031300D060960864801650304020105000420" + "2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824"
)
INTERNAL_AUTHENTICATE = f"0088000033{DIGEST_INFO}00"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> PkiStore:
    """A store with small authority keys."""
    return PkiStore(tmp_path_factory.mktemp("pki"), authority_key_bits=2048)


@pytest.fixture
def tapped(store: PkiStore) -> Host:
    """The physician's card, held to a reader."""
    return Host(personalise(profiles.load("physician:contactless"), store))


def test_its_answer_to_reset_and_protocol(store: PkiStore) -> None:
    """As published; blocks of ISO 14443-4, which a reader shows as T=1."""
    card = personalise(profiles.load("physician:contactless"), store)
    assert (card.power_on(), card.protocol) == (ATR, CardProtocol.T1)


def test_both_interfaces_are_one_card(store: PkiStore, tapped: Host) -> None:
    """The same EF.SN, EF.DIR and EF.ATR; the same technical key whichever is asked first."""
    inserted = Host(personalise(profiles.load("physician"), store))
    for path in ("3F00D003", "3F002F00", "3F002F01"):
        length = f"{len(path) // 2:02X}"
        contact, contactless = inserted.ask(f"00A40904{length}{path}"), tapped.send(f"00A40904{length}{path}00")
        assert contact == contactless
        assert inserted.send("00B0000000") == tapped.send("00B0000000")
    numbers = {
        store.technical(profiles.load(f"physician{face}")).key.private_numbers() for face in ("", ":contactless")
    }
    assert len(numbers) == 1


def test_the_technical_key_signs_without_any_pin(store: PkiStore, tapped: Host) -> None:
    """Its certificate names the card and nobody, and is issued by the authority of the holder's certificates."""
    certificate = x509.load_der_x509_certificate(read(tapped, "3F000002A001"))
    assert tapped.send(SELECT_CONTACTLESS) == "9000"
    assert tapped.send(MSE_TECHNICAL) == "9000"
    answer = bytes.fromhex(tapped.send(INTERNAL_AUTHENTICATE))
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(answer[:-2], b"hello", padding.PKCS1v15(), SHA256())
    subject = {attribute.oid: attribute.value for attribute in certificate.subject}
    assert subject[NameOID.COMMON_NAME] == "8025000001/2600000011"
    assert NameOID.SURNAME not in subject
    issuer = x509.load_der_x509_certificate(store.intermediate_certificate().read_bytes())
    certificate.verify_directly_issued_by(issuer)


@pytest.mark.parametrize(
    ("before", "command"),
    [
        ("", VERIFY_PIN),
        ("", f"0020000208{PUK}"),
        ("", "002400011031323334FFFFFFFF34333231FFFFFFFF"),
        ("", "00CB3FFF0A4D087006BF810102A08000"),
        ("00A40904063F000001503100", "00B0000010"),
        ("00A40904063F000001700100", "00B0000010"),
        ("00A40904063F000001A00100", "00B0000010"),
        ("00A40904063F000001D10700", "00D600000141"),
        ("00A40904063F000001D12000", "00B0000010"),
        ("00A40904063F000002A00100", "00D600000141"),
    ],
)
def test_what_is_behind_the_contacts_is_refused(tapped: Host, before: str, command: str) -> None:
    """By the rules under 9C: PINs, the contact application's files, and any writing."""
    if before:
        assert tapped.send(before).endswith("9000")
    assert tapped.send(command) == "6982"


@pytest.mark.parametrize("key", ["81", "82"])
def test_the_holders_keys_are_refused(tapped: Host, key: str) -> None:
    """Neither signature nor authentication without contact."""
    assert tapped.send(SELECT_APPLICATION) == "9000"
    assert tapped.send(f"002241A4068001028401{key}") == "9000"
    assert tapped.send(INTERNAL_AUTHENTICATE) == "6982"


def test_the_technical_key_is_refused_behind_the_contacts(store: PkiStore) -> None:
    """Its rules have it without contact alone, and its files are not read otherwise, PIN or not."""
    inserted = Host(personalise(profiles.load("physician"), store))
    assert inserted.send(VERIFY_PIN) == "9000"
    assert inserted.ask("00A40904063F000002A001").endswith("9000")
    assert inserted.send("00B0000010") == "6982"
    assert inserted.send(SELECT_CONTACTLESS) == "9000"
    assert inserted.send(MSE_TECHNICAL) == "9000"
    assert inserted.send(INTERNAL_AUTHENTICATE[:-2]) == "6982"


def test_the_older_side_is_not_reached(tapped: Host) -> None:
    """Class A0 is the contacts' own."""
    assert tapped.send("A0A40000023F00") == "6E00"


def test_a_card_without_the_interface_is_refused(store: PkiStore, tmp_path: Path) -> None:
    """By name, by file with the key's line, and where a program makes the profile itself."""
    with pytest.raises(ProfileError, match="physician-easy:contactless: a card of this layout has no contactless"):
        profiles.load("physician-easy:contactless")
    text = Path(profiles.__file__).with_name("physician-easy.toml").read_text(encoding="utf-8")
    mine = tmp_path / "mine.toml"
    mine.write_text(text.replace("[card]", '[card]\ninterface = "contactless"'), encoding="utf-8")
    with pytest.raises(ProfileError, match=r"mine.toml:13: card.interface: a card of this layout has no contactless"):
        profiles.load(mine)
    mine.write_text(text.replace("[card]", '[card]\ninterface = "radio"'), encoding="utf-8")
    with pytest.raises(ProfileError, match=r"mine.toml:13: card.interface: must be one of contact, contactless"):
        profiles.load(mine)
    profile = profiles.load("physician:contactless")
    with pytest.raises(ValueError, match="no contactless interface"):
        personalise(dataclasses.replace(profile, card=dataclasses.replace(profile.card, layout="cps4")), store)


def test_a_profile_file_chooses_the_interface(store: PkiStore, tmp_path: Path) -> None:
    """One line in its [card]; and the suffix works behind a file's name too."""
    text = Path(profiles.__file__).with_name("physician.toml").read_text(encoding="utf-8")
    mine = tmp_path / "mine.toml"
    mine.write_text(text, encoding="utf-8")
    assert personalise(profiles.load(f"{mine}:contactless"), store).atr == ATR
    mine.write_text(text.replace("[card]", '[card]\ninterface = "contactless"'), encoding="utf-8")
    assert personalise(profiles.load(mine), store).atr == ATR


def test_one_card_is_in_one_place(tmp_path: Path) -> None:
    """It cannot be in a slot and held to another reader at once; another one can."""
    stack = InProcessPcsc()
    for name in ("contact slot", "contactless slot"):
        stack.add_reader(name)
    desk = ControlDesk(stack, CardCupboard(tmp_path))
    desk.do({"command": "insert", "reader": "contact slot", "profile": "nurse"})
    with pytest.raises(ControlError, match="nurse:contactless is in contact slot already"):
        desk.do({"command": "tap", "reader": "contactless slot", "profile": "nurse:contactless", "milliseconds": "1"})
    done = desk.do(
        {"command": "tap", "reader": "contactless slot", "profile": "physician:contactless", "milliseconds": "1"}
    )
    assert done["profile"] == "physician:contactless"
    desk.do({"command": "remove", "reader": "contact slot"})
    desk.do({"command": "tap", "reader": "contactless slot", "profile": "nurse:contactless", "milliseconds": "1"})


def test_the_air_is_faster_than_the_contacts() -> None:
    """106 kbit/s: about 0.1 ms a byte, where a CPS3's contacts take 1.1."""
    line = Line.of(ATR, CardProtocol.T1)
    assert line.byte_seconds == pytest.approx(0.0000944, abs=1e-7)
    assert line.bytes_of(bytes(5), bytes(14)) == 5 + 4 + 14 + 4
