"""The agency's own library, unchanged, on the simulated cards through a real pcscd: it must take them for its own.

Skipped where ``CARDD_CRYPTOLIB`` does not say where it is; tests/support/cryptolib.py has what it may say.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cardsim import profiles
from cardsim.pki.store import CardCredentials
from cardsim.transports.vpcd import VpcdAddress, VpcdReader
from tests.support.core import card_of, pki_store
from tests.support.cryptolib import VARIABLE, Cryptolib, CryptolibUnavailable, Installation, find_cryptolib
from tests.support.pcscd import PcscdUnavailable, PrivatePcscd
from tests.support.pkcs11 import AUTHENTICATION, SHA256_PREFIX, SIGNATURE, Module, Program, Refused, Result

PIN, WRONG, NEW, PUK = "1234", "9999", "4321", "12345678"
MESSAGE = b"Ordonnance du 24 novembre"
pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("pkcs11-tool", "openssl")),
    reason="opensc (pkcs11-tool) and openssl are not installed",
)


@dataclass(frozen=True, slots=True)
class Expected:
    """What differs between the cards.

    Args:
        serial: as the library shows it: without issuer and check digit.
        private: data objects seen after the PIN alone.
    """

    serial: str
    private: tuple[str, ...]


PUBLIC = ("CPS_DATA", "CPS_ID_CARD", "CPS_NAME_PS", "CPS_LANG_PS", "CPS_INFO_PS")
CERTIFICATES = {AUTHENTICATION: "Certificat d'Authentification CPS", SIGNATURE: "Certificat de Signature CPS"}
EXPECTED = {
    "physician": Expected(
        "26000001",
        (
            "CPS_ACTIVITY_01_PS",
            "CPS_ACTIVITY_02_PS",
            "CPS_SIT_FACT",
            "CPS2TER_ACTIVITY_01_PS",
            "CPS2TER_ACTIVITY_02_PS",
        ),
    ),
    "physician-easy": Expected("26000023", ("CPS_ACTIVITY_01_PS", "CPS_SIT_FACT", "CPS2TER_ACTIVITY_01_PS")),
    "physician-cps4": Expected("26000041", ("CPS_ACTIVITY_01_PS", "CPS_ACTIVITY_02_PS")),
}


@pytest.fixture(scope="module")
def pcscd() -> Iterator[PrivatePcscd]:
    """One private pcscd for this module."""
    try:
        find_cryptolib()
        with PrivatePcscd() as running:
            yield running
    except (CryptolibUnavailable, PcscdUnavailable) as reason:
        pytest.skip(str(reason))


class Card:
    """A card in the reader, and the library installed with an empty cache."""

    def __init__(self, pcscd: PrivatePcscd, profile: str, folder: Path) -> None:
        self.expected = EXPECTED[profile]
        self.credentials: CardCredentials = pki_store().card(profiles.load(profile))
        self.reader = VpcdReader(VpcdAddress(port=pcscd.ports[0]))
        self.installation = Installation(find_cryptolib(), folder)
        self.module = Module(self.installation.module, pcscd.environment, self.installation.command)
        self.card = card_of(profile)
        self._environment = pcscd.environment

    def tool(self, *arguments: str, status: int = 0) -> str:
        """Run pkcs11-tool with the library; what it says on both outputs."""
        return self.run(
            *self.installation.command("pkcs11-tool", "--module", str(self.module.path), *arguments), status=status
        )

    def run(self, *argv: str, status: int = 0) -> str:
        """Run a program; what it says on both outputs."""
        done = subprocess.run(
            argv, env=self._environment, capture_output=True, text=True, check=False, errors="replace", timeout=60
        )
        output = done.stdout + done.stderr
        assert done.returncode == status, output
        return output

    def certificate(self, key: str) -> x509.Certificate:
        """The certificate that was issued for a key."""
        credentials = self.credentials.authentication if key == AUTHENTICATION else self.credentials.signature
        return x509.load_der_x509_certificate(credentials.certificate)

    def require_signed(self, key: str, signature: bytes, folder: Path) -> None:
        """Have openssl verify a signature of the message (RSA PKCS#1 v1.5, SHA-256)."""
        public, signed, message = folder / "public.pem", folder / "signature", folder / "message"
        form = PublicFormat.SubjectPublicKeyInfo
        public.write_bytes(self.certificate(key).public_key().public_bytes(Encoding.PEM, form))
        signed.write_bytes(signature)
        message.write_bytes(MESSAGE)
        verify = ("openssl", "dgst", "-sha256", "-verify", str(public), "-signature", str(signed), str(message))
        assert "Verified OK" in self.run(*verify)


@pytest.fixture(params=EXPECTED)
def card(request: pytest.FixtureRequest, pcscd: PrivatePcscd, tmp_path: Path) -> Iterator[Card]:
    """Each card in turn, fresh for each test."""
    folder = tmp_path / "etc-opt"
    folder.mkdir()
    try:
        inserted = Card(pcscd, request.param, folder)
    except CryptolibUnavailable as reason:
        pytest.skip(str(reason))
    inserted.reader.insert(inserted.card)
    pcscd.await_card()
    yield inserted
    inserted.reader.remove()
    pcscd.await_empty()


def test_the_token_is_listed(card: Card) -> None:
    """Taken for a card of the agency's: label, serial number, a PIN of four digits with all its tries."""
    told = card.tool("-L")
    assert re.search(r"token label +: CPS", told), told
    assert re.search(rf"serial num +: {card.expected.serial}", told), told
    assert "PIN initialized" in told
    assert "pin min/max        : 4/4" in told
    assert "PIN count low" not in told


def test_its_objects_are_seen(card: Card) -> None:
    """Certificates and public data objects before the PIN, keys and private ones after it."""
    before, after = card.tool("-O"), card.tool("-l", "--pin", PIN, "-O")
    for label in CERTIFICATES.values():
        assert f"label:      {label}" in before
    for label in PUBLIC:
        assert f"'{label}'" in before
    assert "Private Key Object" not in before
    for label in (AUTHENTICATION, SIGNATURE):
        assert f"label:      {label}" in after
    for label in card.expected.private:
        assert f"'{label}'" not in before
        assert f"'{label}'" in after


def test_certificates_are_read_whole(card: Card) -> None:
    """To the byte, from the card and then from the library's cache."""
    for _ in range(2):
        with Program(card.module) as program:
            program.connect()
            for key, label in CERTIFICATES.items():
                assert program.certificate(label) == card.certificate(key).public_bytes(Encoding.DER)
            program.close()


def test_the_authentication_key_signs(card: Card, tmp_path: Path) -> None:
    """RSA-PKCS over a DigestInfo, twice in one session."""
    information = SHA256_PREFIX + hashlib.sha256(MESSAGE).digest()
    with Program(card.module) as program:
        program.connect()
        program.login(PIN)
        for _ in range(2):
            card.require_signed(AUTHENTICATION, program.sign(AUTHENTICATION, "RSA-PKCS", information), tmp_path)


def test_the_signature_key_signs(card: Card, tmp_path: Path) -> None:
    """SHA256-RSA-PKCS, by pkcs11-tool: on a CPS3 the card itself closes the hash."""
    signature = tmp_path / "signed"
    identifier = re.search(rf"{SIGNATURE}\n +ID: +([0-9a-f]+)", card.tool("-l", "--pin", PIN, "-O"))
    assert identifier is not None
    sign = ("-l", "--pin", PIN, "-s", "-m", "SHA256-RSA-PKCS", "--id", identifier[1])
    card.tool(*sign, "-i", str(written(tmp_path)), "-o", str(signature))
    card.require_signed(SIGNATURE, signature.read_bytes(), tmp_path)


def test_it_decrypts(card: Card) -> None:
    """RSA-PKCS with the authentication key."""
    key = card.certificate(AUTHENTICATION).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    with Program(card.module) as program:
        program.connect()
        program.login(PIN)
        assert program.decrypt(AUTHENTICATION, key.encrypt(b"secret", padding.PKCS1v15())) == b"secret"


def test_nothing_is_signed_without_the_pin(card: Card) -> None:
    """Private keys are not even seen."""
    with Program(card.module) as program:
        program.connect()
        assert not {AUTHENTICATION, SIGNATURE} & set(program.labels())


def test_a_pin_is_changed(card: Card) -> None:
    """The new one is good, the old one is not any more."""
    card.tool("-l", "--pin", PIN, "--change-pin", "--new-pin", NEW)
    card.tool("-l", "--pin", NEW, "-O")
    assert "CKR_PIN_INCORRECT" in card.tool("-l", "--pin", PIN, "-O", status=1)


def test_wrong_pins_to_blocked_and_back(card: Card) -> None:
    """Each costs one try; the PUK gives a new PIN and all the tries."""
    wrong = ("-l", "--pin", WRONG, "-O")
    assert "CKR_PIN_INCORRECT" in card.tool(*wrong, status=1)
    assert "user PIN count low" in card.tool("-L")
    card.tool(*wrong, status=1)
    assert "final user PIN try" in card.tool("-L")
    card.tool(*wrong, status=1)
    assert "CKR_PIN_LOCKED" in card.tool("-l", "--pin", PIN, "-O", status=1)
    assert "user PIN locked" in card.tool("-L")
    card.tool("-l", "--login-type", "so", "--so-pin", PUK, "--init-pin", "--new-pin", NEW)
    told = card.tool("-L")
    assert "user PIN locked" not in told
    assert "count low" not in told
    card.tool("-l", "--pin", NEW, "-O")


def test_a_card_pulled_out_is_missed_and_found_again(pcscd: PrivatePcscd, card: Card, tmp_path: Path) -> None:
    """Its session is dead, and stays so; the card that came back wants the PIN, and signs."""
    with Program(card.module) as program:
        program.connect()
        program.login(PIN)
        program.sign(SIGNATURE, "SHA256-RSA-PKCS", MESSAGE)
        card.reader.remove()
        pcscd.await_empty()
        with pytest.raises(Refused) as refused:
            program.sign(SIGNATURE, "SHA256-RSA-PKCS", MESSAGE)
        assert refused.value.result is Result.SESSION_HANDLE_INVALID
        card.reader.insert(card.card)
        pcscd.await_card()
        assert program.slots() == 1
        program.open()
        assert SIGNATURE not in program.labels()
        program.login(PIN)
        card.require_signed(SIGNATURE, program.sign(SIGNATURE, "SHA256-RSA-PKCS", MESSAGE), tmp_path)


def test_what_the_variable_names_is_found_or_said_to_be_missing(tmp_path: Path) -> None:
    """The shared object or the package's folder; each reason to skip in its own words."""
    module = tmp_path / "opt/santesocial/CPS/lib/libcps3_pkcs11_lux.so"
    tables = tmp_path / "etc/opt/santesocial/CPS"
    with pytest.raises(CryptolibUnavailable, match="does not say where"):
        find_cryptolib({})
    with pytest.raises(CryptolibUnavailable, match="no libcps3"):
        find_cryptolib({VARIABLE: str(tmp_path)})
    module.parent.mkdir(parents=True)
    module.touch()
    with pytest.raises(CryptolibUnavailable, match="neither beside"):
        find_cryptolib({VARIABLE: str(module)})
    tables.mkdir(parents=True)
    for name in ("DICO-FR.GIP", "cps3_pkcs11.conf"):
        (tables / name).touch()
    assert find_cryptolib({VARIABLE: str(tmp_path)}) == find_cryptolib({VARIABLE: str(module)})
    assert find_cryptolib({VARIABLE: str(module)}) == Cryptolib(module, tables)


def written(folder: Path) -> Path:
    """The message in a file."""
    path = folder / "message"
    path.write_bytes(MESSAGE)
    return path
