"""Roots to believe: those that cardd believes here, or those that the user names at their own word."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cardd.cli.commands.trust import configuration
from cardd.cli.failures import FileUnusable

if TYPE_CHECKING:
    from cryptography import x509  # slow to import

    from cardd.tokens.chain import Authorities


def believed(files: list[Path] | None, config: Path | None) -> Authorities:
    """The authorities of named files, or where none is named those that cardd believes.

    Raises:
        FileUnusable: a file cannot be read, or cannot be used.
        ConfigurationUnusable.
    """
    return _named(files) if files else _configured(config)


def certificates_in(files: list[Path]) -> list[x509.Certificate]:
    """The certificates of some files, PEM or DER, as they are.

    Raises:
        FileUnusable: one cannot be read, or holds none.
    """
    from cardd.pki.errors import UnreadableCertificates  # noqa: PLC0415  # cryptography is slow to import
    from cardd.pki.files import parse_certificates, read_file  # noqa: PLC0415  # as above

    found: list[x509.Certificate] = []
    for file in files:
        try:
            found += parse_certificates(read_file(file))
        except UnreadableCertificates as error:
            raise FileUnusable(file=str(file), reason=str(error)) from error
        except OSError as error:
            raise FileUnusable(file=str(file), reason=error.strerror or "?") from error
    return found


def _configured(config: Path | None) -> Authorities:
    from cardd.pki.install import list_certificates  # noqa: PLC0415  # cryptography is slow to import

    pki = configuration(config).pki
    return list_certificates(pki.directory, unpinned=pki.unpinned, simulator=pki.simulator)


def _named(files: list[Path]) -> Authorities:
    from cardd.pki.authorities import Candidate, accept  # noqa: PLC0415  # cryptography is slow to import
    from cardd.pki.fingerprints import fingerprint_of  # noqa: PLC0415  # as above

    candidates = [Candidate(one, str(file)) for file in files for one in certificates_in([file])]
    pins = frozenset(fingerprint_of(one.certificate) for one in candidates)
    acceptance = accept(candidates, unpinned=pins, now=datetime.now(UTC))
    refused = [problem for problem in acceptance.problems if not problem.used]
    if refused:
        raise FileUnusable(file=refused[0].source, reason=refused[0].detail)
    return acceptance
