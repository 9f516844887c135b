"""The kept part of the fictional PKI: authorities and the keys and certificates of cards, made on first use.

Everything is made in a folder beside its place and moved there at once, under a lock: whoever is interrupted leaves
nothing half made, and two processes at once make one thing.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import ocsp

from cardsim.pki.authorities import Authority, Hierarchy, create_intermediate, create_root
from cardsim.pki.certificates import Issuer, Purpose, issue
from cardsim.pki.revocation import RevokedEntry, answer, create_crl, create_responder
from cardsim.pki.revoked_list import add_entry, read_entries
from cardsim.profiles.model import CertificateVariant, Profile

PUBLIC_EXPONENT = 65537
AUTHORITY_KEY_BITS = 4096
CARD_KEY_BITS = 2048
ROOT, INTERMEDIATE, RESPONDER = "root", "intermediate", "responder"
_NEW = ".new-"
_HOLDERS_PURPOSES = (Purpose.AUTHENTICATION, Purpose.SIGNATURE)

Clock = Callable[[], datetime.datetime]


def default_directory() -> Path:
    """``$XDG_DATA_HOME/cardsim``, or ``~/.local/share/cardsim``."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "cardsim"


def _utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


class PkiStoreError(Exception):
    """What the store's directory holds cannot be used.

    Args:
        path: the file at fault.
        reason: what is wrong.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}; remove its folder to have it made anew")
        self.path = path


@dataclass(frozen=True, slots=True)
class Credentials:
    """One key of a card with its certificate (DER, or what a bad-input variant puts there)."""

    key: rsa.RSAPrivateKey = field(repr=False)
    certificate: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CardCredentials:
    """Both keys of a card."""

    authentication: Credentials
    signature: Credentials


class PkiStore:
    """Authorities and card credentials in a directory.

    Args:
        directory: where they are kept; ``default_directory()`` when None. Made on first use, for its owner only.
        now: the clock, UTC.
        authority_key_bits: size of the authorities' keys; tests may want smaller ones.
    """

    def __init__(
        self, directory: Path | None = None, *, now: Clock = _utc_now, authority_key_bits: int = AUTHORITY_KEY_BITS
    ) -> None:
        self.directory = Path(directory) if directory is not None else default_directory()
        self._now = now
        self._authority_key_bits = authority_key_bits

    # Authorities

    def root_certificate(self, hierarchy: Hierarchy = Hierarchy.FORT) -> Path:
        """File of the root's certificate, DER."""
        return self._authorities(hierarchy) / f"{ROOT}.cer"

    def intermediate_certificate(self, hierarchy: Hierarchy = Hierarchy.FORT) -> Path:
        """File of the intermediate's certificate, DER."""
        return self._authorities(hierarchy) / f"{INTERMEDIATE}.cer"

    def root(self, hierarchy: Hierarchy = Hierarchy.FORT) -> Authority:
        """The root with its key.

        Raises:
            PkiStoreError: its files cannot be used.
        """
        return _load_authority(self._authorities(hierarchy), ROOT)

    def intermediate(self, hierarchy: Hierarchy = Hierarchy.FORT) -> Authority:
        """The intermediate for persons with its key.

        Raises:
            PkiStoreError: its files cannot be used.
        """
        return _load_authority(self._authorities(hierarchy), INTERMEDIATE)

    def crls(self, hierarchy: Hierarchy = Hierarchy.FORT) -> tuple[Path, Path]:
        """Files of the base CRLs of root and intermediate, DER; made anew once their nextUpdate has passed.

        Raises:
            PkiStoreError: a file cannot be used.
        """
        folder = self._authorities(hierarchy)
        paths = folder / f"{ROOT}.crl", folder / f"{INTERMEDIATE}.crl"
        with self._locked():
            for path in paths:
                self._refresh_crl(folder, path)
        return paths

    def revoke(
        self,
        certificate: bytes,
        reason: x509.ReasonFlags = x509.ReasonFlags.key_compromise,
        hierarchy: Hierarchy = Hierarchy.FORT,
    ) -> None:
        """Revoke a card's certificate; the intermediate's CRL is made anew at once.

        Args:
            certificate: DER, issued by the hierarchy's intermediate.
            reason: why.
            hierarchy: whose certificate.

        Raises:
            PkiStoreError: a file cannot be used.
        """
        folder = self._authorities(hierarchy)
        with self._locked():
            self._revoke_under_lock(folder, [certificate], reason)

    def answer(self, request: bytes, hierarchy: Hierarchy = Hierarchy.FORT) -> bytes:
        """Answer an OCSP request about the intermediate's certificates, as its delegated responder.

        Args:
            request: OCSPRequest, DER.
            hierarchy: whose responder.

        Returns: OCSPResponse, DER.

        Raises:
            PkiStoreError: a file cannot be used.
            ValueError: no request.
        """
        issuer = self.intermediate(hierarchy)
        responder = _load_authority(self._responder(hierarchy, issuer), RESPONDER)
        entries = read_entries(self._authorities(hierarchy))
        asked = ocsp.load_der_ocsp_request(request)
        return answer(asked, issuer, responder, entries, self._now()).public_bytes(Encoding.DER)

    def _responder(self, hierarchy: Hierarchy, issuer: Authority) -> Path:
        def make(folder: Path) -> None:
            responder = create_responder(issuer, self._new_key(CARD_KEY_BITS), self._now())
            _write(folder / f"{RESPONDER}.key", _key_bytes(responder.key), private=True)
            _write(folder / f"{RESPONDER}.cer", responder.certificate.public_bytes(Encoding.DER))

        return self._made(Path("responders") / hierarchy.folder, make)

    def _revoke_under_lock(self, folder: Path, certificates: list[bytes], reason: x509.ReasonFlags) -> None:
        for certificate in certificates:
            serial = x509.load_der_x509_certificate(certificate).serial_number
            add_entry(folder, RevokedEntry(serial, self._now(), reason))
        self._refresh_crl(folder, folder / f"{INTERMEDIATE}.crl", anew=True)

    def _refresh_crl(self, folder: Path, path: Path, *, anew: bool = False) -> None:
        try:
            current = x509.load_der_x509_crl(path.read_bytes())
        except (OSError, ValueError) as error:
            raise PkiStoreError(path, "no certificate revocation list") from error
        number = current.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        if not anew and current.next_update_utc is not None and current.next_update_utc > self._now():
            return
        entries = read_entries(folder) if path.stem == INTERMEDIATE else ()
        crl = create_crl(_load_authority(folder, path.stem), number + 1, self._now(), entries)
        fresh = folder / f"{_NEW}{path.name}"
        _write(fresh, crl.public_bytes(Encoding.DER))
        fresh.replace(path)

    def _authorities(self, hierarchy: Hierarchy) -> Path:
        return self._made(
            Path("authorities") / hierarchy.folder, lambda folder: self._make_hierarchy(hierarchy, folder)
        )

    def _make_hierarchy(self, hierarchy: Hierarchy, folder: Path) -> None:
        now = self._now()
        root = create_root(hierarchy, self._new_key(self._authority_key_bits), now)
        intermediate = create_intermediate(hierarchy, root, self._new_key(self._authority_key_bits), now)
        for name, authority in ((ROOT, root), (INTERMEDIATE, intermediate)):
            _write(folder / f"{name}.key", _key_bytes(authority.key), private=True)
            _write(folder / f"{name}.cer", authority.certificate.public_bytes(Encoding.DER))
            _write(folder / f"{name}.crl", create_crl(authority, 1, now).public_bytes(Encoding.DER))

    # Cards

    def card(self, profile: Profile) -> CardCredentials:
        """The keys and certificates of a profile's card, made on first use and then the same for ever.

        They are kept by the card's serial and by what the certificates say: a profile changed under its serial gets new
        ones, as a renewed card has.

        Raises:
            PkiStoreError: their files cannot be used.
            CertificateSizeError: the profile wants a size that they cannot have.
        """
        folder = self._made(
            Path("cards") / _folder_name(profile), lambda new: self._issue(profile, _HOLDERS_PURPOSES, new)
        )
        return CardCredentials(*(_load_credentials(folder, purpose) for purpose in _HOLDERS_PURPOSES))

    def _issue(self, profile: Profile, purposes: tuple[Purpose, ...], folder: Path) -> None:
        variant = profile.certificates
        strange = variant in (CertificateVariant.STRANGE_ISSUER, CertificateVariant.IMPOSTOR_ISSUER)
        hierarchy = Hierarchy.STRANGE if strange else Hierarchy.FORT
        issuer = Issuer(self._unlocked_intermediate(hierarchy), hierarchy.intermediate)
        forged = None
        if variant is CertificateVariant.IMPOSTOR_ISSUER:
            issuer = Issuer(issuer.authority, Hierarchy.FORT.intermediate)
            forged = self._unlocked_intermediate(Hierarchy.FORT).certificate
        bits = 1024 if variant is CertificateVariant.RSA_1024 else CARD_KEY_BITS
        issued: list[bytes] = []
        for purpose in purposes:
            key = self._new_key(bits)
            certificate = issue(profile, purpose, key.public_key(), issuer, self._now(), forged_issuer=forged)
            _write(folder / f"{purpose.value}.key", _key_bytes(key), private=True)
            _write(folder / f"{purpose.value}.cer", certificate)
            issued.append(certificate)
        if variant is CertificateVariant.REVOKED:
            authorities = self.directory / "authorities" / hierarchy.folder
            self._revoke_under_lock(authorities, issued, x509.ReasonFlags.key_compromise)

    def _unlocked_intermediate(self, hierarchy: Hierarchy) -> Authority:
        """The intermediate, for a caller that holds the lock already."""
        place = Path("authorities") / hierarchy.folder
        folder = self._made_under_lock(place, lambda new: self._make_hierarchy(hierarchy, new))
        return _load_authority(folder, INTERMEDIATE)

    # Making

    def technical(self, profile: Profile) -> Credentials:
        """The key that serves without contact, and its certificate: made on first use, kept beside those of ``card``.

        Raises:
            As ``card``.
        """
        folder = self._made(
            Path("technical") / _folder_name(profile), lambda new: self._issue(profile, (Purpose.TECHNICAL,), new)
        )
        return _load_credentials(folder, Purpose.TECHNICAL)

    @staticmethod
    def _new_key(bits: int) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(PUBLIC_EXPONENT, bits)

    def _made(self, place: Path, make: Callable[[Path], None]) -> Path:
        folder = self.directory / place
        if folder.is_dir():
            return folder
        with self._locked():
            return self._made_under_lock(place, make)

    def _made_under_lock(self, place: Path, make: Callable[[Path], None]) -> Path:
        folder = self.directory / place
        if folder.is_dir():
            return folder
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left_over in folder.parent.glob(f"{_NEW}*"):
            shutil.rmtree(left_over)
        new = Path(tempfile.mkdtemp(prefix=_NEW, dir=folder.parent))
        try:
            make(new)
            new.rename(folder)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        return folder

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.directory / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _folder_name(profile: Profile) -> str:
    """By the card's serial and what its certificates say."""
    said = repr((astuple(profile.holder), profile.card.number, profile.certificates))
    unusual = (profile.certificate_size, profile.card.renewal, profile.card.test)
    if unusual != (None, 0, True):
        said += repr(unusual)
    return f"{profile.card.serial}-{hashlib.sha256(said.encode()).hexdigest()[:12]}"


def _key_bytes(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file whole and to the disk; a private one is never readable by others, not even for a moment."""
    mode = 0o600 if private else 0o644
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _load_key(path: Path) -> rsa.RSAPrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError) as error:
        raise PkiStoreError(path, "no private key") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise PkiStoreError(path, "no RSA key")
    return key


def _load_authority(folder: Path, name: str) -> Authority:
    path = folder / f"{name}.cer"
    try:
        certificate = x509.load_der_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise PkiStoreError(path, "no certificate") from error
    return Authority(certificate, _load_key(folder / f"{name}.key"))


def _load_credentials(folder: Path, purpose: Purpose) -> Credentials:
    path = folder / f"{purpose.value}.cer"
    try:
        certificate = path.read_bytes()
    except OSError as error:
        raise PkiStoreError(path, "no certificate") from error
    return Credentials(_load_key(folder / f"{purpose.value}.key"), certificate)
