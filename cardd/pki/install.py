"""Adding certificates to the trust directory, by the rules that the daemon applies again when it loads them."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from cardd.pki.authorities import Authority, Candidate, Problem, ProblemReason, accept
from cardd.pki.errors import TrustDirectoryUnusable, UnreadableCertificates
from cardd.pki.files import parse_certificates, read_directory, read_file, trusted_directory
from cardd.pki.store import Clock, TrustStore

_MODE: Final = 0o644
_FINGERPRINT_DIGITS: Final = 16
_MAX_SLUG: Final = 64


@dataclass(frozen=True, slots=True)
class InstalledCertificate:
    """A certificate that is now in the directory.

    Args:
        authority: What was accepted.
        path: Its file.
        added: False where it was there before.
    """

    authority: Authority
    path: Path
    added: bool


@dataclass(frozen=True, slots=True)
class InstallReport:
    """What became of the files.

    Args:
        installed: Those that are in the directory now, roots first.
        problems: What was refused, with the file given; each reason tells what was found and what was expected.
    """

    installed: tuple[InstalledCertificate, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class CertificateListing:
    """What a trust directory holds.

    Args:
        authorities: Accepted, roots first.
        problems: What is refused, or out of date.
    """

    authorities: tuple[Authority, ...]
    problems: tuple[Problem, ...]


def utc_now() -> datetime:
    """The system's clock."""
    return datetime.now(UTC)


def add_certificates(
    files: Iterable[Path], directory: Path, *, unpinned: frozenset[str] = frozenset(), clock: Clock = utc_now
) -> InstallReport:
    """Put authorities' certificates into the trust directory, each in a file of its own, in DER.

    What is accepted is written though another file is refused. The order of files is of no account, and authorities
    that the directory holds already count as issuers.

    Args:
        files: Certificates in DER or PEM, roots and intermediates.
        directory: Made (mode 0755) where it is missing.
        unpinned: SHA-256 fingerprints (64 lower-case hexadecimal digits) of roots trusted beside the pinned ones.
        clock: To refuse what is out of date.

    Raises:
        TrustDirectoryUnusable: The directory cannot be made, read or written, or others may write to it.
    """
    given, problems = _read_files(files)
    _make_directory(directory)
    with trusted_directory(directory) as descriptor:
        present, _ = read_directory(directory)  # what is wrong with those is for `list_certificates` to say
        there = {a.fingerprint: a for a in accept(present, unpinned=unpinned, now=clock()).authorities}
        outcome = accept([*given, *present], unpinned=unpinned, now=clock(), keep_outdated=False)
        sources = {candidate.source for candidate in given}
        problems += [problem for problem in outcome.problems if problem.source in sources]
        installed = [
            _existing(there[authority.fingerprint])
            if authority.fingerprint in there
            else _install(authority, directory, descriptor)
            for authority in outcome.authorities
            if authority.source in sources
        ]
    return InstallReport(tuple(installed), tuple(problems))


def list_certificates(
    directory: Path,
    *,
    unpinned: frozenset[str] = frozenset(),
    simulator: Path | None = None,
    clock: Clock = utc_now,
) -> CertificateListing:
    """What a daemon with this configuration would trust, and what it would refuse.

    Args:
        directory: The trust directory.
        unpinned: As for `add_certificates`.
        simulator: The simulator's directory, where the configuration names one.
        clock: To tell what is out of date.
    """
    store = TrustStore.load(directory, unpinned=unpinned, simulator=simulator, clock=clock)
    return CertificateListing(store.authorities, store.problems)


def _read_files(files: Iterable[Path]) -> tuple[list[Candidate], list[Problem]]:
    candidates: list[Candidate] = []
    problems: list[Problem] = []
    for path in files:
        try:
            found = parse_certificates(read_file(path))
        except UnreadableCertificates as error:
            problems.append(Problem(str(path), ProblemReason.UNREADABLE, str(error)))
        except OSError as error:
            problems.append(Problem(str(path), ProblemReason.UNREADABLE, f"cannot be read: {error.strerror}"))
        else:
            candidates.extend(Candidate(certificate, str(path)) for certificate in found)
    return candidates, problems


def _make_directory(directory: Path) -> None:
    try:
        if not directory.exists():
            directory.mkdir()
            directory.chmod(0o755)  # whatever the umask: the daemon is another user
    except OSError as error:
        raise TrustDirectoryUnusable(f"{directory}: {error.strerror}") from error


def _existing(authority: Authority) -> InstalledCertificate:
    return InstalledCertificate(authority, Path(authority.source), added=False)


def _install(authority: Authority, directory: Path, descriptor: int) -> InstalledCertificate:
    name = f"{authority.fingerprint[:_FINGERPRINT_DIGITS]}-{_slug(authority)}.cer"
    try:
        _write(descriptor, name, authority.certificate.public_bytes(Encoding.DER))
    except OSError as error:
        raise TrustDirectoryUnusable(f"{directory / name}: {error.strerror}") from error
    return InstalledCertificate(authority, directory / name, added=True)


def _slug(authority: Authority) -> str:
    names = authority.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    text = str(names[0].value) if names else "unnamed"
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:_MAX_SLUG].strip("-") or "unnamed"


def _write(directory: int, name: str, data: bytes) -> None:
    """All of the file or none of it, and on the disk when this returns."""
    partial = f".{name}.{os.getpid()}.partial"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(partial, flags, 0o600, dir_fd=directory)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(descriptor, _MODE)
            os.fsync(descriptor)
        os.rename(partial, name, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError:
        os.unlink(partial, dir_fd=directory)
        raise
    os.fsync(directory)
