"""A key in a file, inside its own process, from the password to the end of the process."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs12

from cardd_drivers.contract import DecipherAlgorithm, SignatureAlgorithm
from cardd_drivers.isolated.description import Description
from cardd_drivers.isolated.messages import Fault
from cardd_drivers.isolated.serving import Faulty
from cardd_drivers.secret_memory import SecretBytes
from cardd_drivers.software.files import FileRefused, read_guarded

_PASSWORD_MAX = 64
"""Characters that cardd reads of any PIN."""
_SALT = 32
"""Bytes (RFC 7518, 3.5)."""
_PEM = b"-----BEGIN "


class KeyFile:
    """A `cardd_drivers.isolated.serving.Backend`.

    Args:
        certificate: PEM or DER, public.
        key: PKCS#12, or PEM of an encrypted private key.

    Raises:
        Faulty: a file cannot be used.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        try:
            self._certificate = load_certificate(read_guarded(certificate, secret=False))
            self._sealed = read_guarded(key, secret=True)
        except FileRefused as error:
            raise Faulty(Fault.FAILED, str(error)) from None
        except ValueError:
            raise Faulty(Fault.FAILED, f"{certificate} is no certificate") from None
        self._key: RSAPrivateKey | None = None

    def describe(self) -> Description:
        """The certificate's fingerprint serves as serial number."""
        der = self.certificate(0)[1]
        return Description(
            serial=hashlib.sha256(der).hexdigest()[:32],
            label="",
            hardware=False,
            pin_minimum=1,
            pin_maximum=_PASSWORD_MAX,
            signature=frozenset(SignatureAlgorithm),
            decipher=frozenset(DecipherAlgorithm),
            certificates=1,
        )

    def certificate(self, position: int) -> tuple[bytes, bytes]:
        """The one there is."""
        del position
        return b"\x01", self._certificate

    def tries_left(self) -> int | None:
        """A file counts no tries."""
        return None

    def login(self, pin: SecretBytes) -> None:
        """Open the key with its password, and see that it is the certificate's."""
        try:
            key = self._opened(pin)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise Faulty(Fault.PIN_INCORRECT) from None
        expected = x509.load_der_x509_certificate(self._certificate).public_key()
        if not isinstance(key, RSAPrivateKey) or key.public_key() != expected:
            raise Faulty(Fault.FAILED, "the file's key is not that of the certificate")
        self._key = key

    def set_pin(self, old: SecretBytes, new: SecretBytes) -> None:
        """The file is its owner's: the password is changed by who made it."""
        raise Faulty(Fault.NO_ALGORITHM, "the password of a file is not changed here")

    def sign(self, key: bytes, algorithm: SignatureAlgorithm, digest: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 or RSASSA-PSS over the digest."""
        del key
        scheme = (
            padding.PKCS1v15()
            if algorithm is SignatureAlgorithm.RS256
            else padding.PSS(padding.MGF1(hashes.SHA256()), _SALT)
        )
        return self._private().sign(digest, scheme, Prehashed(hashes.SHA256()))

    def decipher(self, key: bytes, algorithm: DecipherAlgorithm, cryptogram: bytes) -> bytes:
        """RSAES. OpenSSL gives random bytes for a wrong PKCS#1 padding, so that nothing is told of it."""
        del key
        scheme: padding.AsymmetricPadding = padding.PKCS1v15()
        if algorithm is DecipherAlgorithm.RSA_OAEP_256:
            scheme = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        private = self._private()
        try:
            return private.decrypt(cryptogram, scheme)
        except ValueError:
            raise Faulty(Fault.DECIPHER_FAILED) from None

    def read_object(self, label: str) -> bytes:
        """There are none."""
        raise Faulty(Fault.NO_OBJECT, label)

    def _opened(self, pin: SecretBytes) -> object:
        if self._sealed.startswith(_PEM):
            return load_pem_private_key(self._sealed, pin)  # type: ignore[arg-type]  # a buffer is taken too
        return pkcs12.load_key_and_certificates(self._sealed, pin)[0]

    def _private(self) -> RSAPrivateKey:
        if self._key is None:
            raise Faulty(Fault.NOT_LOGGED_IN)
        return self._key


def load_certificate(content: bytes) -> bytes:
    """The DER of a certificate in PEM or DER. Raises ValueError: it is none."""
    load = x509.load_pem_x509_certificate if content.startswith(_PEM) else x509.load_der_x509_certificate
    certificate = load(content)
    return certificate.public_bytes(Encoding.DER)
