"""Which authorities are accepted: a root by its pin, an intermediate by its signature under an accepted root.

One set of rules for the daemon's store and for the command that installs certificates.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from cardd.pki.certificates import READ_ERRORS
from cardd.pki.fingerprints import fingerprint_of, shown
from cardd.pki.pins import PINNED_ROOTS
from cardd.pki.strength import weakness
from cardd.pki.trust import TrustReason

# No path length constraint: longer than any path that is followed.
_UNLIMITED: Final = 16


class AuthorityRole(enum.StrEnum):
    """What an authority is in a chain."""

    ROOT = "root"
    INTERMEDIATE = "intermediate"


class ProblemReason(enum.StrEnum):
    """Why something that was to be trusted is not, or will not be for long."""

    NO_DIRECTORY = "no-directory"
    UNSAFE_DIRECTORY = "unsafe-directory"
    UNSAFE_FILE = "unsafe-file"
    TOO_LARGE = "too-large"
    TOO_MANY = "too-many"
    UNREADABLE = "unreadable"
    MALFORMED = "malformed"
    WEAK_KEY = "weak-key"
    WEAK_SIGNATURE = "weak-signature"
    UNSUPPORTED_KEY = "unsupported-key"
    NOT_AN_AUTHORITY = "not-an-authority"
    BAD_SIGNATURE = "bad-signature"
    UNPINNED_ROOT = "unpinned-root"
    UNKNOWN_ISSUER = "unknown-issuer"
    PATH_LENGTH = "path-length"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about a configured certificate that its administrator should know.

    Args:
        source: The file or directory.
        reason: Which problem.
        detail: A sentence for people.
        fingerprint: SHA-256 of the certificate, None where none was read.
        used: Whether the certificate is in use nevertheless (one that is out of date, which each verification finds).
    """

    source: str
    reason: ProblemReason
    detail: str
    fingerprint: str | None = None
    used: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A certificate that somebody wants trusted.

    Args:
        certificate: As parsed.
        source: Where it stands, for messages.
        simulator: Whether the configuration names its place as the simulator's: no pin is asked of a root there.
    """

    certificate: x509.Certificate
    source: str
    simulator: bool = False


@dataclass(frozen=True, slots=True)
class Authority:
    """An accepted authority.

    Args:
        certificate: Its certificate.
        fingerprint: SHA-256, 64 lower-case hexadecimal digits.
        role: Root or intermediate.
        source: Where it stands.
        simulator: Whether its root is one of the simulator's.
        below: How many authorities may follow under it.
    """

    certificate: x509.Certificate = field(repr=False)
    fingerprint: str
    role: AuthorityRole
    source: str
    simulator: bool
    below: int

    @property
    def subject(self) -> str:
        """Its name, as RFC 4514 writes it."""
        return self.certificate.subject.rfc4514_string()


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The outcome for some candidates.

    Args:
        authorities: Accepted ones, roots first.
        problems: What was refused, and what is used although out of date.
    """

    authorities: tuple[Authority, ...]
    problems: tuple[Problem, ...]


def accept(
    candidates: Iterable[Candidate], *, unpinned: frozenset[str], now: datetime, keep_outdated: bool = True
) -> Acceptance:
    """Decide which candidates are trusted. Their order is of no account, save that the first of equals stands.

    Args:
        candidates: Roots and intermediates.
        unpinned: SHA-256 fingerprints (64 lower-case hexadecimal digits) of roots trusted beside the pinned ones.
        now: To tell which are out of date, aware.
        keep_outdated: Whether those are accepted, with a problem that says so, or refused.
    """
    return _Acceptor(unpinned, now, keep_outdated).run(candidates)


class _Acceptor:
    def __init__(self, unpinned: frozenset[str], now: datetime, keep_outdated: bool) -> None:
        self._unpinned = unpinned
        self._now = now
        self._keep_outdated = keep_outdated
        self._accepted: dict[str, Authority] = {}
        self._problems: list[Problem] = []

    def run(self, candidates: Iterable[Candidate]) -> Acceptance:
        intermediates: list[Candidate] = []
        for candidate in candidates:
            if self._sound(candidate):
                if _self_issued(candidate.certificate):
                    self._root(candidate)
                else:
                    intermediates.append(candidate)
        self._intermediates(intermediates)
        return Acceptance(tuple(self._accepted.values()), tuple(self._problems))

    def _refuse(self, candidate: Candidate, reason: ProblemReason, detail: str) -> None:
        found = fingerprint_of(candidate.certificate)
        self._problems.append(Problem(candidate.source, reason, detail, found))

    def _sound(self, candidate: Candidate) -> bool:
        weak = weakness(candidate.certificate) or _unreadable_subject(candidate.certificate)
        if weak is not None:
            self._refuse(candidate, ProblemReason(weak.value), _WEAKNESSES[weak])
            return False
        if not _may_issue(candidate.certificate):
            self._refuse(
                candidate,
                ProblemReason.NOT_AN_AUTHORITY,
                "its basic constraints (critical, CA) and key usage (keyCertSign) do not make it an authority",
            )
            return False
        return True

    def _root(self, candidate: Candidate) -> None:
        certificate = candidate.certificate
        found = fingerprint_of(certificate)
        if found in self._accepted:
            return
        if not _signed_by(certificate, certificate):
            self._refuse(candidate, ProblemReason.BAD_SIGNATURE, "its own signature does not hold")
        elif not (candidate.simulator or found in PINNED_ROOTS or found in self._unpinned):
            expected = ", ".join(f"{shown(pin)} ({name})" for pin, name in PINNED_ROOTS.items())
            self._refuse(
                candidate,
                ProblemReason.UNPINNED_ROOT,
                f"its SHA-256 fingerprint {shown(found)} is none of those expected: {expected}; "
                "another root is trusted only where [pki] unpinned names its fingerprint",
            )
        else:
            below = _path_length(certificate)
            self._take(Authority(certificate, found, AuthorityRole.ROOT, candidate.source, candidate.simulator, below))

    def _intermediates(self, waiting: Sequence[Candidate]) -> None:
        """Accept what verifies under what is accepted, until nothing more does."""
        while True:
            rest = [candidate for candidate in waiting if not self._intermediate(candidate)]
            if len(rest) == len(waiting):
                break
            waiting = rest
        for candidate in waiting:
            self._refuse(candidate, *self._orphan(candidate.certificate))

    def _intermediate(self, candidate: Candidate) -> bool:
        certificate = candidate.certificate
        found = fingerprint_of(certificate)
        if found in self._accepted:
            return True
        issuers = [a for a in self._accepted.values() if a.below > 0 and _signed_by(certificate, a.certificate)]
        if not issuers:
            return False
        issuer = max(issuers, key=lambda authority: authority.below)
        below = min(_path_length(certificate), issuer.below - 1)
        role = AuthorityRole.INTERMEDIATE
        self._take(Authority(certificate, found, role, candidate.source, issuer.simulator, below))
        return True

    def _orphan(self, certificate: x509.Certificate) -> tuple[ProblemReason, str]:
        """Why an intermediate has no issuer here."""
        if any(_signed_by(certificate, authority.certificate) for authority in self._accepted.values()):
            return ProblemReason.PATH_LENGTH, "its issuer may certify no further authority (path length)"
        issuer = certificate.issuer
        if any(issuer == authority.certificate.subject for authority in self._accepted.values()):
            return ProblemReason.BAD_SIGNATURE, "its signature is not by the accepted authority of its issuer's name"
        return ProblemReason.UNKNOWN_ISSUER, f"no accepted authority is its issuer, {issuer.rfc4514_string()}"

    def _take(self, authority: Authority) -> None:
        outdated = self._outdated(authority.certificate)
        if outdated is not None:
            reason, detail = outdated
            used = self._keep_outdated
            self._problems.append(Problem(authority.source, reason, detail, authority.fingerprint, used=used))
            if not used:
                return
        self._accepted[authority.fingerprint] = authority

    def _outdated(self, certificate: x509.Certificate) -> tuple[ProblemReason, str] | None:
        first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if self._now > last:
            return ProblemReason.EXPIRED, f"expired at {last:%Y-%m-%d %H:%M} UTC"
        if self._now < first:
            return ProblemReason.NOT_YET_VALID, f"valid from {first:%Y-%m-%d %H:%M} UTC on: is the clock right?"
        return None


_WEAKNESSES: Final[dict[TrustReason, str]] = {
    TrustReason.MALFORMED: "a field of it cannot be read, or it is no X.509 version 3 certificate",
    TrustReason.WEAK_KEY: "its RSA key has less than 2048 bits",
    TrustReason.WEAK_SIGNATURE: "it is not signed by RSA with SHA-256, SHA-384 or SHA-512",
    TrustReason.UNSUPPORTED_KEY: "its key is not RSA",
}


def _unreadable_subject(certificate: x509.Certificate) -> TrustReason | None:
    try:
        return None if certificate.subject.rdns else TrustReason.MALFORMED
    except READ_ERRORS:
        return TrustReason.MALFORMED


def _self_issued(certificate: x509.Certificate) -> bool:
    return certificate.issuer == certificate.subject


def _may_issue(certificate: x509.Certificate) -> bool:
    """RFC 5280, 4.2.1.9 and 4.2.1.3; both extensions are asked for, as the health PKI's authorities have them."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return constraints.critical and constraints.value.ca and usage.key_cert_sign


def _path_length(certificate: x509.Certificate) -> int:
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    return _UNLIMITED if constraints.path_length is None else min(constraints.path_length, _UNLIMITED)


def _signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the issuer's name and key are those behind the certificate."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *READ_ERRORS):
        return False
    return True
