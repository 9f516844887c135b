"""OpenSC, as Debian ships it, on the simulated CPS3 through a real pcscd: what works, and what is known not to.

Every check runs on both layouts: the real cards' and the easier one.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cardsim import PkiStore, personalise, profiles
from cardsim.transports.vpcd import VpcdAddress, VpcdReader
from tests.support.pcscd import PcscdUnavailable, PrivatePcscd


@dataclass(frozen=True, slots=True)
class Expected:
    """What differs between the layouts, as OpenSC shows it.

    Args:
        authentication, signature: identifiers of the keys and their certificates.
        keys: labels of the private keys in the order of their directory, with their algorithm references, access rules
            and key references.
        pins: labels of PIN and PUK.
        pin_flags: how their flags are shown.
        certificates: paths of the certificates.
        manufacturer: of the token.
        suite: times that ``pkcs11-tool --test`` says OK of RSA-PKCS; its check of signatures ends at the first key that
            fails, which is the second one where the authentication key comes first.
    """

    authentication: str
    signature: str
    keys: tuple[tuple[str, str, str | None, str], ...]
    pins: tuple[str, str]
    pin_flags: tuple[str, str]
    certificates: tuple[str, ...]
    manufacturer: str
    suite: int


EXPECTED = {
    "cps3": Expected(
        authentication="e828bd080f8025000001ff001002",
        signature="e828bd080f8025000001ff001001",
        keys=(
            ("CPS_PRIV_SIG", "3, 4", "pso_cds:01;", "129"),
            ("CPS_PRIV_AUT", "6, 5", "pso_decrypt:01; int_auth:01;", "130"),
        ),
        pins=("Code porteur de la carte CPS", "Code de déblocage de la carte CPS"),
        pin_flags=(
            "[0x830], initialized, needs-padding, exchangeRefData",
            "[0x8B8], unblock-disabled, initialized, needs-padding, soPin, exchangeRefData",
        ),
        certificates=("e828bd080f8025000001ff0010::a001", "e828bd080f8025000001ff0010::a002"),
        manufacturer="ASIP SANTE",
        suite=2,
    ),
    "cps3-easy": Expected(
        authentication="02",
        signature="01",
        keys=(("CPS_PRIV_AUT", "6, 5", None, "130"), ("CPS_PRIV_SIG", "3, 4", None, "129")),
        pins=("CODE PORTEUR", "CODE DE DEBLOCAGE"),
        pin_flags=("[0x10], initialized", "[0xD0], initialized, unblockingPin, soPin"),
        certificates=("3f0000012001", "3f0000012002", "3f0000012003"),
        manufacturer="CARDSIM",
        suite=3,
    ),
}
# DigestInfo of SHA-256 (RFC 8017, 9.2).
SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")
pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("opensc-tool", "pkcs15-tool", "pkcs11-tool", "openssl")),
    reason="opensc and openssl are not installed",
)


@pytest.fixture(scope="module")
def pcscd() -> Iterator[PrivatePcscd]:
    """One private pcscd for this module."""
    try:
        with PrivatePcscd() as running:
            yield running
    except PcscdUnavailable as reason:
        pytest.skip(f"pcscd unavailable: {reason}")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> PkiStore:
    """The fictional PKI."""
    return PkiStore(tmp_path_factory.mktemp("pki"))


@pytest.fixture(params=EXPECTED)
def card(request: pytest.FixtureRequest, pcscd: PrivatePcscd, store: PkiStore) -> Iterator[Card]:
    """The physician's card on each layout in the first reader, fresh for each test."""
    yield from inserted(request.param, pcscd, store)


@pytest.fixture
def real_card(pcscd: PrivatePcscd, store: PkiStore) -> Iterator[Card]:
    """The same on the real layout alone."""
    yield from inserted("cps3", pcscd, store)


@pytest.fixture
def easy_card(pcscd: PrivatePcscd, store: PkiStore) -> Iterator[Card]:
    """The same on the easier layout alone."""
    yield from inserted("cps3-easy", pcscd, store)


def inserted(layout: str, pcscd: PrivatePcscd, store: PkiStore) -> Iterator[Card]:
    """Put a card in, and take it out afterwards."""
    physician = profiles.load("physician")
    profile = replace(physician, card=replace(physician.card, layout=layout), behaviour=None, numbers=None)
    reader = VpcdReader(VpcdAddress(port=pcscd.ports[0]))
    reader.insert(personalise(profile, store))
    yield Card(pcscd, store, EXPECTED[layout])
    reader.remove()


class Card:
    """The inserted card as OpenSC's programs see it."""

    def __init__(self, pcscd: PrivatePcscd, store: PkiStore, expected: Expected) -> None:
        self.expected = expected
        self._environment = dict(pcscd.environment)
        self.credentials = store.card(profiles.load("physician"))

    def run(self, *argv: str, status: int = 0) -> str:
        """Run a program; what it says on both outputs."""
        done = subprocess.run(
            argv, env=self._environment, capture_output=True, text=True, check=False, errors="replace", timeout=60
        )
        output = done.stdout + done.stderr
        assert done.returncode == status, output
        return output

    def status_words(self, *commands: str) -> list[str]:
        """Send commands as they are; their status words."""
        told = self.run("opensc-tool", *(part for command in commands for part in ("-s", command)))
        return ["".join(word) for word in re.findall(r"SW1=0x(\w\w), SW2=0x(\w\w)", told)]

    @property
    def authentication_key(self) -> rsa.RSAPublicKey:
        """From the certificate that is on the card."""
        key = x509.load_der_x509_certificate(self.credentials.authentication.certificate).public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        return key


def test_recognised_as_ias_ecc(card: Card) -> None:
    """The driver, by ATR; the serial, by short file identifier."""
    assert card.run("opensc-tool", "-n").startswith("IAS-ECC")
    assert card.run("opensc-tool", "--serial").startswith("00 00 01 26 00 00 01 0F")


def test_dump(card: Card) -> None:
    """Label, algorithms, PINs, certificates with their paths, as published for real cards."""
    dump = card.run("pkcs15-tool", "-D")
    assert "PKCS#15 Card [CPS3v3-2600000011]" in dump
    assert f"Manufacturer ID: {card.expected.manufacturer}" in dump
    assert dump.count("sc_supported_algo_info") == 6
    assert tuple(re.findall(r"PIN \[(.*)\]", dump)) == card.expected.pins
    for flags in card.expected.pin_flags:
        assert flags in dump
    certificates = dump[dump.index("X.509 Certificate") :]
    assert tuple(re.findall(r"Path +: ([0-9a-f:]*(?:a00|200)\d)$", certificates, re.MULTILINE)) == (
        card.expected.certificates
    )
    assert re.findall(r"Data object '(.*)'", dump) == [
        "CPS_DATA",
        "CPS_ID_CARD",
        "CPS_NAME_PS",
        "CPS_LANG_PS",
        "CPS_INFO_PS",
        "CPS_ACTIVITY_01_PS",
        "CPS_ACTIVITY_02_PS",
    ]


def test_keys(card: Card) -> None:
    """References, algorithms, rules, as published for real cards."""
    keys = card.run("pkcs15-tool", "-k")
    expected = card.expected.keys
    assert re.findall(r"Private RSA Key \[(.*)\]", keys) == [label for label, *_ in expected]
    assert re.findall(r"Algo_refs +: (.*)", keys) == [algorithms for _, algorithms, *_ in expected]
    assert re.findall(r"Access Rules +: (.*)", keys) == [rules for _, _, rules, _ in expected if rules]
    assert re.findall(r"Key ref +: (\d+)", keys) == [reference for *_, reference in expected]
    identifiers = {"CPS_PRIV_SIG": card.expected.signature, "CPS_PRIV_AUT": card.expected.authentication}
    assert re.findall(r"\tID +: (.*)", keys) == [identifiers[label] for label, *_ in expected]


def test_certificate_is_read_whole(card: Card) -> None:
    """openssl reads what OpenSC read from the card."""
    pem = card.run("pkcs15-tool", "--read-certificate", card.expected.authentication)
    pem = pem[pem.index("-----BEGIN") : pem.index("END CERTIFICATE-----") + len("END CERTIFICATE-----\n")]
    certificate = x509.load_pem_x509_certificate(pem.encode())
    assert certificate.public_bytes(Encoding.DER) == card.credentials.authentication.certificate


def test_login_and_objects(card: Card) -> None:
    """Two private keys, with their certificates and public keys, under the identifiers of the directories."""
    objects = card.run("pkcs11-tool", "-l", "--pin", "1234", "-O")
    assert objects.count("Private Key Object") == 2
    for kind in ("Private Key Object", "Certificate Object", "Public Key Object"):
        found = re.findall(rf"^{kind}.*?\n(?:  .*\n)*?  ID: +([0-9a-f]+)$", objects, re.MULTILINE)
        assert {card.expected.signature, card.expected.authentication} <= set(found), objects


def test_authentication_signature(card: Card, tmp_path: Path) -> None:
    """RSA-PKCS with key 02: openssl verifies it."""
    message, key = tmp_path / "message", tmp_path / "key.pem"
    info, signature, digest = tmp_path / "info", tmp_path / "signature", tmp_path / "digest"
    message.write_bytes(b"bonjour")
    key.write_bytes(card.authentication_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    card.run("openssl", "dgst", "-sha256", "-binary", "-out", str(digest), str(message))
    info.write_bytes(SHA256_PREFIX + digest.read_bytes())
    sign = ("pkcs11-tool", "-l", "--pin", "1234", "-s", "-m", "RSA-PKCS", "--id", card.expected.authentication)
    card.run(*sign, "-i", str(info), "-o", str(signature))
    assert signature.stat().st_size == 256
    verify = ("openssl", "dgst", "-sha256", "-verify", str(key), "-signature", str(signature), str(message))
    assert "Verified OK" in card.run(*verify)


def test_decryption(card: Card, tmp_path: Path) -> None:
    """RSA-PKCS with key 02."""
    cryptogram, plaintext = tmp_path / "cryptogram", tmp_path / "plaintext"
    cryptogram.write_bytes(card.authentication_key.encrypt(b"secret", padding.PKCS1v15()))
    decrypt = (
        "pkcs11-tool",
        "-l",
        "--pin",
        "1234",
        "--decrypt",
        "-m",
        "RSA-PKCS",
        "--id",
        card.expected.authentication,
    )
    card.run(*decrypt, "-i", str(cryptogram), "-o", str(plaintext))
    assert plaintext.read_bytes() == b"secret"


def test_private_object_after_the_pin(card: Card) -> None:
    """A work situation is read after login."""
    read = ("pkcs15-tool", "--read-data-object", "CPS_ACTIVITY_02_PS")
    card.run(*read, status=1)
    told = card.run(*read, "--verify-pin", "--pin", "1234", "--auth-id", "01")
    assert "53 41 30 31" in told


def test_own_test_suite(card: Card) -> None:
    """One error: its partial hash for the signature key is not built with OpenSSL 3. All else is OK."""
    told = card.run("pkcs11-tool", "--test", "-l", "--pin", "1234")
    assert re.search(r"^1 errors$", told, re.MULTILINE)
    assert "SHA1-RSA-PKCS:   ERR: C_Sign() returned CKR_FUNCTION_NOT_SUPPORTED" in told
    assert told.count("RSA-PKCS: OK") == card.expected.suite


def test_wrong_pin_is_counted(card: Card) -> None:
    """CKR_PIN_INCORRECT; two tries are left, and the right PIN restores the third."""
    told = card.run("pkcs11-tool", "-l", "--pin", "9999", "-O", status=1)
    assert "CKR_PIN_INCORRECT" in told
    assert "user PIN count low" in card.run("pkcs11-tool", "-L")
    card.run("pkcs11-tool", "-l", "--pin", "1234", "-O")
    assert "user PIN count low" not in card.run("pkcs11-tool", "-L")


def test_pin_change(card: Card) -> None:
    """The new one is good, the old one no longer."""
    change = ("pkcs15-tool", "--change-pin", "--auth-id", "01")
    card.run(*change, "--pin", "1234", "--new-pin", "4321")
    card.run("pkcs11-tool", "-l", "--pin", "4321", "-O")
    assert "CKR_PIN_INCORRECT" in card.run("pkcs11-tool", "-l", "--pin", "1234", "-O", status=1)


UNBLOCK = ("pkcs15-tool", "--unblock-pin", "--auth-id", "01", "--puk", "12345678", "--new-pin", "4321")


def block(card: Card) -> None:
    """Three wrong PINs, each through OpenSC; the third tells that the card is blocked, or the next one does."""
    wrong = ("pkcs11-tool", "-l", "--pin", "9999", "-O")
    for _ in range(3):
        card.run(*wrong, status=1)
    assert "CKR_PIN_LOCKED" in card.run(*wrong, status=1)
    assert "user PIN locked" in card.run("pkcs11-tool", "-L")
    assert "CKR_PIN_LOCKED" in card.run("pkcs11-tool", "-l", "--pin", "1234", "-O", status=1)


def test_wrong_pins_to_blocked_and_back_on_the_easier_layout(easy_card: Card) -> None:
    """The PIN's unblocking identifier is the PUK's: OpenSC finds it and gives a new PIN."""
    block(easy_card)
    easy_card.run(*UNBLOCK)
    easy_card.run("pkcs11-tool", "-l", "--pin", "4321", "-O")
    assert "user PIN locked" not in easy_card.run("pkcs11-tool", "-L")


def test_wrong_pins_to_blocked_and_back_on_the_real_layout(real_card: Card) -> None:
    """OpenSC cannot unblock there, as on a real card: the PIN's unblocking identifier is not the PUK's, so it measures
    the PUK by the PIN's length. The commands that the agency's library sends do it."""
    block(real_card)
    assert "Invalid PIN length" in real_card.run(*UNBLOCK, status=2)
    puk, new = "0020000208" + b"12345678".hex(), "002C020108" + b"4321".hex() + "FFFFFFFF"
    assert real_card.status_words(puk, new) == ["9000", "9000"]
    real_card.run("pkcs11-tool", "-l", "--pin", "4321", "-O")


def test_probes_of_the_real_layout(real_card: Card) -> None:
    """Answers published of real cards, and a protected file before the PIN."""
    application = "00A4{}0DE828BD080F8025000001FF0010"
    assert real_card.status_words(
        application.format("0400"),
        application.format("040C"),
        "00A4020C02D120",
        "00B0000001",
        "00CB3FFF0A4D087006BFFB05027B80",
        "00A4090C023F00",
    ) == ["6A86", "9000", "9000", "6982", "6A88", "9000"]
    answer = real_card.run("opensc-tool", "-s", "00A4090C023F00", "-s", "00CB3FFF0A4D087006BFFB05027B80")
    assert re.findall(r"SW1=0x(\w\w), SW2=0x(\w\w)", answer) == [("90", "00"), ("90", "00")]
