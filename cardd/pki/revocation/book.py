"""The step behind the path: a chain that holds is looked up, and the policy decides (RFC 5280, 6.3)."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from cryptography import x509

from cardd.pki.revocation.evidence import Evidence, Lookup, evidence_of_answer, evidence_of_crls, weigh
from cardd.pki.revocation.finding import Revocation, RevocationFinding, RevocationPolicy
from cardd.pki.revocation.index import IndexUnusable
from cardd.pki.revocation.issuers import issuer_id
from cardd.pki.revocation.ocsp import OcspStatus
from cardd.pki.trust import Trust, TrustReason, refused

log = logging.getLogger(__name__)

Answers = Callable[[x509.Certificate, x509.Certificate], OcspStatus | None]
"""The OCSP answer at hand about a certificate by an issuer, None where there is none."""

_WORST_FIRST: Final = (Revocation.REVOKED, Revocation.UNKNOWN, Revocation.STALE, Revocation.GOOD)
_NAMES: Final[Mapping[x509.ReasonFlags, str]] = MappingProxyType({flag: str(flag.value) for flag in x509.ReasonFlags})


@dataclass(frozen=True, slots=True)
class RevocationBook:
    """All data at hand, under a policy. To have other data is to have another book.

    Args:
        crls: verified CRLs, by `issuers.issuer_id`.
        policy: how old they may be.
        clock: the time, aware. What is revoked now is not believed for an earlier moment either: a key that was lost
            may have signed any date.
        answers: what OCSP said.
    """

    crls: Mapping[str, Sequence[Lookup]]
    policy: RevocationPolicy
    clock: Callable[[], datetime]
    answers: Answers = lambda _certificate, _issuer: None

    def judge(self, trust: Trust, chain: Sequence[x509.Certificate]) -> Trust:
        """Add what is known of revocation to the verdict on a chain; it can only get worse.

        Args:
            trust: a trusted verdict.
            chain: its certificates, up to the root. The root is trusted by the configuration: nobody revokes it but by
                taking it away there.
        """
        now = self.clock()
        findings = [self._finding(certificate, issuer, now) for certificate, issuer in itertools.pairwise(chain)]
        worst = min(findings, key=_severity, default=RevocationFinding(Revocation.GOOD, self.policy))
        judged = replace(trust, revocation=worst)
        if worst.state is Revocation.REVOKED:
            return refused(judged, TrustReason.REVOKED)
        if worst.state is Revocation.UNKNOWN and self.policy.needs_data:
            return refused(judged, TrustReason.REVOCATION_UNKNOWN)
        return judged

    def is_good(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        """Whether data that the policy accepts say that a certificate is not revoked."""
        return self._finding(certificate, issuer, self.clock()).state in (Revocation.GOOD, Revocation.STALE)

    def needs_answer(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        """Whether OCSP should be asked: there are no data that are current."""
        state = self._finding(certificate, issuer, self.clock()).state
        return state in (Revocation.STALE, Revocation.UNKNOWN)

    def _finding(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> RevocationFinding:
        counted = weigh(self._evidence(certificate, issuer))
        if counted is None:
            return RevocationFinding(Revocation.UNKNOWN, self.policy)
        finding = RevocationFinding(
            self._state(counted, now), self.policy, counted.source, counted.as_of, counted.next_update
        )
        if counted.entry is None:
            return finding
        reason = counted.entry.reason
        return replace(finding, revoked_at=counted.entry.moment, reason="" if reason is None else _NAMES[reason])

    def _state(self, counted: Evidence, now: datetime) -> Revocation:
        if counted.entry is not None:
            return Revocation.REVOKED
        if not self.policy.accepts(counted.next_update, now):
            return Revocation.UNKNOWN
        return Revocation.GOOD if now <= counted.next_update else Revocation.STALE

    def _evidence(self, certificate: x509.Certificate, issuer: x509.Certificate) -> Iterable[Evidence]:
        try:
            found = evidence_of_crls(certificate, self.crls.get(issuer_id(issuer), ()))
        except (IndexUnusable, OSError) as error:
            # The disk fails, or somebody changed the file: as if there were none, which the policy judges.
            log.error("revocation data cannot be read: %s", error)
            found = []
        answer = self.answers(certificate, issuer)
        return [*found, evidence_of_answer(answer)] if answer is not None else found


_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)


def _severity(finding: RevocationFinding) -> tuple[int, datetime]:
    return _WORST_FIRST.index(finding.state), finding.next_update or _BEGINNING
