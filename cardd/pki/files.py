"""Reading certificates from files, and from a directory that only root or the daemon may have written.

All is done by descriptors, so that nothing is exchanged between a check and its use.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography import x509

from cardd.pki.authorities import Candidate, Problem, ProblemReason
from cardd.pki.certificates import READ_ERRORS, load_certificate
from cardd.pki.errors import TrustDirectoryUnusable, UnreadableCertificates

SUFFIXES: Final = (".cer", ".crt", ".pem", ".der")
MAX_FILE_BYTES: Final = 256 * 1024
"""The whole chain of the health PKI takes 20 kB."""
MAX_FILES: Final = 256
MAX_CERTIFICATES: Final = 64
"""In one file."""

_PEM_BLOCK: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
# O_NONBLOCK: opening a FIFO must not wait for a writer.
_READ_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


def parse_certificates(data: bytes) -> list[x509.Certificate]:
    """The certificates of a file: one in DER, or any number in PEM.

    Raises:
        UnreadableCertificates: There is none, one is broken, or there are too many.
    """
    blocks = _PEM_BLOCK.findall(data)
    if len(blocks) > MAX_CERTIFICATES:
        raise UnreadableCertificates(f"more than {MAX_CERTIFICATES} certificates in one file")
    if not blocks:
        return [load_certificate(data)]
    try:
        return [x509.load_pem_x509_certificate(block) for block in blocks]
    except READ_ERRORS:
        raise UnreadableCertificates("a certificate in PEM is broken") from None


def read_file(path: Path) -> bytes:
    """A file that an administrator names, whoever owns it.

    Raises:
        UnreadableCertificates: Too large, or not a regular file.
        OSError: It cannot be opened or read.
    """
    descriptor = os.open(path, _READ_FLAGS)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnreadableCertificates("not a regular file")
        return _read(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def trusted_directory(directory: Path) -> Iterator[int]:
    """A descriptor of the directory, once it is known that only root and this user may write to it.

    Raises:
        TrustDirectoryUnusable: It is missing, no directory, or others may write to it.
    """
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise TrustDirectoryUnusable(f"{directory}: {error.strerror}") from error
    try:
        fault = _ownership_fault(os.fstat(descriptor))
        if fault is not None:
            raise TrustDirectoryUnusable(f"{directory}: {fault}")
        yield descriptor
    finally:
        os.close(descriptor)


def read_directory(directory: Path, *, simulator: bool = False) -> tuple[list[Candidate], list[Problem]]:
    """The certificates of a trust directory, in the order of the files' names.

    Args:
        directory: Its files with a suffix of a certificate are read; others and its own folders are passed over.
        simulator: What the candidates say of their origin.

    Returns:
        What may be accepted, and a problem for each thing that cannot be used. Never raises for what lies there.
    """
    try:
        with trusted_directory(directory) as descriptor:
            return _read_entries(directory, descriptor, simulator)
    except TrustDirectoryUnusable as error:
        missing = isinstance(error.__cause__, FileNotFoundError)
        reason = ProblemReason.NO_DIRECTORY if missing else ProblemReason.UNSAFE_DIRECTORY
        return [], [Problem(str(directory), reason, str(error))]


def _read_entries(directory: Path, descriptor: int, simulator: bool) -> tuple[list[Candidate], list[Problem]]:
    names = sorted(name for name in os.listdir(descriptor) if name.lower().endswith(SUFFIXES))
    candidates: list[Candidate] = []
    problems: list[Problem] = []
    if len(names) > MAX_FILES:
        detail = f"more than {MAX_FILES} files; those beyond are not read"
        problems.append(Problem(str(directory), ProblemReason.TOO_MANY, detail))
    for name in names[:MAX_FILES]:
        source = str(directory / name)
        found = _read_entry(descriptor, name, source)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            candidates.extend(Candidate(certificate, source, simulator) for certificate in found)
    return candidates, problems


def _read_entry(directory: int, name: str, source: str) -> list[x509.Certificate] | Problem:
    try:
        descriptor = os.open(name, _READ_FLAGS | os.O_NOFOLLOW, dir_fd=directory)
    except OSError as error:  # a link too: who may exchange what it points to is not known here
        return Problem(source, ProblemReason.UNSAFE_FILE, f"cannot be opened as a plain file: {error.strerror}")
    try:
        status = os.fstat(descriptor)
        fault = "not a regular file" if not stat.S_ISREG(status.st_mode) else _ownership_fault(status)
        if fault is not None:
            return Problem(source, ProblemReason.UNSAFE_FILE, fault)
        if status.st_size > MAX_FILE_BYTES:
            return Problem(source, ProblemReason.TOO_LARGE, f"more than {MAX_FILE_BYTES} bytes")
        return parse_certificates(_read(descriptor))
    except UnreadableCertificates as error:
        return Problem(source, ProblemReason.UNREADABLE, str(error))
    except OSError as error:
        return Problem(source, ProblemReason.UNREADABLE, f"cannot be read: {error.strerror}")
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> bytes:
    with open(descriptor, "rb", closefd=False) as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise UnreadableCertificates(f"more than {MAX_FILE_BYTES} bytes")
    return data


def _ownership_fault(status: os.stat_result) -> str | None:
    if status.st_uid not in {0, os.geteuid()}:
        return f"owned by uid {status.st_uid}, who is neither root nor this user"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"its group or others may write to it (mode {stat.S_IMODE(status.st_mode):04o})"
    return None
