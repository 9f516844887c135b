"""The authorities that a configuration trusts, loaded once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cryptography import x509

from cardd.pki.authorities import Authority, AuthorityRole, Problem, accept
from cardd.pki.chain import ChainVerifier, RevocationStep
from cardd.pki.files import read_directory
from cardd.pki.trust import CertificateUse, Trust

Clock = Callable[[], datetime]
"""The time now, aware."""


class TrustStore:
    """Accepted authorities, what was wrong with the others, and the verifier under them. To reload is to make another.

    Args:
        authorities: Accepted, roots first.
        problems: What its administrator should know.
        revocation: Asked behind each path that holds; None: nobody is.
    """

    __slots__ = ("_chains", "authorities", "problems", "revocation")

    def __init__(
        self,
        authorities: tuple[Authority, ...],
        problems: tuple[Problem, ...],
        revocation: RevocationStep | None = None,
    ) -> None:
        self.authorities = authorities
        self.problems = problems
        self.revocation = revocation
        self._chains = ChainVerifier(authorities, revocation)

    def asking(self, revocation: RevocationStep) -> TrustStore:
        """The same store that asks about revocation."""
        return TrustStore(self.authorities, self.problems, revocation)

    @classmethod
    def load(
        cls, directory: Path, *, unpinned: frozenset[str] = frozenset(), simulator: Path | None = None, clock: Clock
    ) -> TrustStore:
        """Read and judge all that is configured. Never raises for what lies on the disk: see `problems`.

        Args:
            directory: Of the administrator's certificates (DER or PEM).
            unpinned: SHA-256 fingerprints (64 lower-case hexadecimal digits) of roots trusted beside the pinned ones.
            simulator: Directory of the simulator's certificates, where the configuration names one: its roots need
                no pin.
            clock: Tells which certificates are out of date; those are kept, since each verification looks at its own
                moment and a clock may be set right later.
        """
        candidates, problems = read_directory(directory)
        if simulator is not None:
            fictional, more = read_directory(simulator, simulator=True)
            candidates += fictional
            problems += more
        accepted = accept(candidates, unpinned=unpinned, now=clock())
        return cls(accepted.authorities, (*problems, *accepted.problems))

    @property
    def roots(self) -> tuple[Authority, ...]:
        """The accepted roots; with none, nothing is trusted."""
        return tuple(a for a in self.authorities if a.role is AuthorityRole.ROOT)

    @property
    def simulator_trusted(self) -> bool:
        """Whether a root of the simulator is trusted: never on a machine that serves patients."""
        return any(root.simulator for root in self.roots)

    def verify(self, leaf: x509.Certificate, use: CertificateUse, at: datetime) -> Trust:
        """Judge a holder's certificate; see `ChainVerifier.verify`."""
        return self._chains.verify(leaf, use, at)
