"""OpenSC, as Debian ships it, on the simulated CPS3 through a real pcscd: what works, and what is known not to."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cardsim import PkiStore, personalise, profiles
from cardsim.transports.vpcd import VpcdAddress, VpcdReader
from tests.support.pcscd import PcscdUnavailable, PrivatePcscd

AUTHENTICATION = "e828bd080f8025000001ff001002"
SIGNATURE = "e828bd080f8025000001ff001001"
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


@pytest.fixture
def card(pcscd: PrivatePcscd, store: PkiStore) -> Iterator[Card]:
    """The physician's card in the first reader, fresh for each test."""
    reader = VpcdReader(VpcdAddress(port=pcscd.ports[0]))
    reader.insert(personalise(profiles.load("physician"), store))
    yield Card(pcscd, store)
    reader.remove()


class Card:
    """The inserted card as OpenSC's programs see it."""

    def __init__(self, pcscd: PrivatePcscd, store: PkiStore) -> None:
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
    assert "Manufacturer ID: ASIP SANTE" in dump
    assert dump.count("sc_supported_algo_info") == 6
    assert re.findall(r"PIN \[(.*)\]", dump) == ["Code porteur de la carte CPS", "Code de déblocage de la carte CPS"]
    assert "[0x830], initialized, needs-padding, exchangeRefData" in dump
    assert "[0x8B8], unblock-disabled, initialized, needs-padding, soPin, exchangeRefData" in dump
    assert re.findall(r"Path +: (e828bd080f8025000001ff0010::a00\d)", dump) == [
        "e828bd080f8025000001ff0010::a001",
        "e828bd080f8025000001ff0010::a002",
    ]
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
    assert re.findall(r"Private RSA Key \[(.*)\]", keys) == ["CPS_PRIV_SIG", "CPS_PRIV_AUT"]
    assert re.findall(r"Algo_refs +: (.*)", keys) == ["3, 4", "6, 5"]
    assert re.findall(r"Access Rules +: (.*)", keys) == ["pso_cds:01;", "pso_decrypt:01; int_auth:01;"]
    assert re.findall(r"Key ref +: (\d+)", keys) == ["129", "130"]
    assert re.findall(r"\tID +: (.*)", keys) == [SIGNATURE, AUTHENTICATION]


def test_certificate_is_read_whole(card: Card) -> None:
    """openssl reads what OpenSC read from the card."""
    pem = card.run("pkcs15-tool", "--read-certificate", AUTHENTICATION)
    pem = pem[pem.index("-----BEGIN") : pem.index("END CERTIFICATE-----") + len("END CERTIFICATE-----\n")]
    certificate = x509.load_pem_x509_certificate(pem.encode())
    assert certificate.public_bytes(Encoding.DER) == card.credentials.authentication.certificate


def test_login_and_objects(card: Card) -> None:
    """Two private keys, two certificates, two public keys, under identifiers of 14 bytes."""
    objects = card.run("pkcs11-tool", "-l", "--pin", "1234", "-O")
    for kind in ("Private Key Object", "Certificate Object", "Public Key Object"):
        assert objects.count(kind) == 2
    assert set(re.findall(r"ID: +([0-9a-f]{28})", objects)) == {SIGNATURE, AUTHENTICATION}


def test_authentication_signature(card: Card, tmp_path: Path) -> None:
    """RSA-PKCS with key 02: openssl verifies it."""
    message, key = tmp_path / "message", tmp_path / "key.pem"
    info, signature, digest = tmp_path / "info", tmp_path / "signature", tmp_path / "digest"
    message.write_bytes(b"bonjour")
    key.write_bytes(card.authentication_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    card.run("openssl", "dgst", "-sha256", "-binary", "-out", str(digest), str(message))
    info.write_bytes(SHA256_PREFIX + digest.read_bytes())
    sign = ("pkcs11-tool", "-l", "--pin", "1234", "-s", "-m", "RSA-PKCS", "--id", AUTHENTICATION)
    card.run(*sign, "-i", str(info), "-o", str(signature))
    assert signature.stat().st_size == 256
    verify = ("openssl", "dgst", "-sha256", "-verify", str(key), "-signature", str(signature), str(message))
    assert "Verified OK" in card.run(*verify)


def test_decryption(card: Card, tmp_path: Path) -> None:
    """RSA-PKCS with key 02."""
    cryptogram, plaintext = tmp_path / "cryptogram", tmp_path / "plaintext"
    cryptogram.write_bytes(card.authentication_key.encrypt(b"secret", padding.PKCS1v15()))
    decrypt = ("pkcs11-tool", "-l", "--pin", "1234", "--decrypt", "-m", "RSA-PKCS", "--id", AUTHENTICATION)
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
    assert told.count("RSA-PKCS: OK") == 2


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


def test_unblocking_fails_as_on_a_real_card(card: Card) -> None:
    """The PIN's unblocking identifier is not the PUK's: OpenSC measures the PUK by the PIN's length."""
    unblock = ("pkcs15-tool", "--unblock-pin", "--auth-id", "01", "--puk", "12345678", "--new-pin", "4321")
    assert "Invalid PIN length" in card.run(*unblock, status=2)
