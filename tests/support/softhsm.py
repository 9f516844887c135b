"""Tokens of SoftHSM 2, a PKCS#11 module, with keys and certificates of the fictional authorities."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.support.core import pki_store

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = b"s3cret"
SO_PIN = b"87654321"
ESTABLISHMENT = "CENTRE HOSPITALIER FICTIF"
STRUCTURE = "1990000010"
"""Struct_IdNat: 1 and a FINESS number of the fictional range."""


def establishment_certificate(key: rsa.RSAPrivateKey, *, signs: bool = False) -> bytes:
    """The DER certificate of an establishment, for authentication, or for signatures."""
    issuer = pki_store().intermediate()
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ESTABLISHMENT),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, STRUCTURE),
            x509.NameAttribute(NameOID.COMMON_NAME, "LOGICIEL-FICTIF"),
        ]
    )
    usage = x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=signs,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    now = datetime.now(UTC)
    authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.certificate.public_key())  # type: ignore[arg-type]  # RSA, as the store makes it
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=300))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=False)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(authority_key, critical=False)
        .sign(issuer.key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


@dataclass(frozen=True, slots=True)
class SoftHsm:
    """A SoftHSM of its own in a folder.

    Args:
        folder: where it keeps everything.
    """

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Of programs that use it."""
        return {"SOFTHSM2_CONF": str(self.folder / "softhsm2.conf")}

    @property
    def table(self) -> dict[str, object]:
        """As ``[[drivers.pkcs11]]``."""
        return {"module": str(MODULE), "environment": self.environment, "poll": 0.1}

    def prepare(self) -> None:
        """Make the folder and the configuration."""
        tokens = self.folder / "tokens"
        tokens.mkdir(parents=True)
        text = f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
        (self.folder / "softhsm2.conf").write_text(text)

    def add_token(self, label: str = "fictif") -> None:
        """A token without keys."""
        self._run(
            "softhsm2-util",
            "--init-token",
            "--free",
            "--label",
            label,
            "--so-pin",
            SO_PIN.decode(),
            "--pin",
            PIN.decode(),
        )

    def remove_token(self, label: str = "fictif") -> None:
        """As if it were pulled."""
        self._run("softhsm2-util", "--delete-token", "--token", label)

    def add_key(self, identifier: str, *, signs: bool = False, label: str = "fictif") -> bytes:
        """A key with its certificate (DER), under a CKA_ID in hexadecimal."""
        key = rsa.generate_private_key(65537, 2048)
        pem = self.folder / "key.pem"
        pem.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        der = self.folder / "certificate.der"
        der.write_bytes(establishment_certificate(key, signs=signs))
        to = ("--token", label, "--pin", PIN.decode(), "--id", identifier)
        self._run("softhsm2-util", "--import", str(pem), *to, "--label", "key")
        certificate = ("--write-object", str(der), "--type", "cert", "--id", identifier, "--label", "certificate")
        named = ("--token-label", label, "--login", "--pin", PIN.decode())
        self._run("pkcs11-tool", "--module", str(MODULE), *named, *certificate)
        return der.read_bytes()

    def _run(self, *command: str) -> None:
        program = shutil.which(command[0])
        assert program is not None, f"{command[0]} is missing: scripts/setup installs it"
        subprocess.run((program, *command[1:]), env=self.environment, check=True, capture_output=True, timeout=60)
