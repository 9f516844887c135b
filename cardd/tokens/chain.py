"""The certificates that a token carries (`x5c`), and who judges them.

Roots come from the verifier alone. Intermediates may come with the token, so that the roots suffice to verify one.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from cardd.pki.authorities import Authority, AuthorityRole, Candidate, accept
from cardd.pki.certificates import READ_ERRORS, load_certificate
from cardd.pki.chain import ChainVerifier, RevocationStep
from cardd.pki.errors import UnreadableCertificates
from cardd.pki.fingerprints import fingerprint_of
from cardd.pki.strength import weakness
from cardd.pki.trust import CertificateUse, Trust, TrustReason, TrustState, refused
from cardd.tokens.errors import ChainRefused, TokenMalformed
from cardd.tokens.strict import NotStrict, base64_bytes

MAX_CERTIFICATES: Final = 4
"""In an `x5c`: a holder's and its intermediates; the health PKI has one of these."""

Chain = tuple[x509.Certificate, ...]
"""The holder's certificate first, then authorities, as they came."""


class ChainJudge(Protocol):
    """Whoever knows the trusted roots."""

    def judge(self, chain: Chain, at: datetime) -> Trust:
        """Judge the first certificate for authentication; total.

        Args:
            chain: not empty; the others may help, and are trusted in nothing.
            at: the moment to judge at, aware.
        """


class Authorities(Protocol):
    """What is asked of a trust store: `cardd.pki.store.TrustStore` is one."""

    @property
    def authorities(self) -> tuple[Authority, ...]:
        """Accepted roots and intermediates."""


class StoreJudge:
    """Judges under the trust store in force.

    Args:
        store: the store now; it changes when the trust directory is read again.
        revocation: what is asked behind a path now; None: nobody is.
        blocked: whether a holder's certificate stands on the block list now.
    """

    def __init__(
        self,
        store: Callable[[], Authorities],
        revocation: Callable[[], RevocationStep | None] = lambda: None,
        blocked: Callable[[x509.Certificate], bool] = lambda _: False,
    ) -> None:
        self._store = store
        self._revocation = revocation
        self._blocked = blocked

    def judge(self, chain: Chain, at: datetime) -> Trust:
        """See `ChainJudge`. What came along is accepted only as an intermediate under an accepted authority."""
        authorities = self._store().authorities
        known = {authority.fingerprint for authority in authorities}
        helpers = [one for one in chain[1:] if fingerprint_of(one) not in known and not _of_no_use(one)]
        if helpers:
            authorities = _with_helpers(authorities, helpers, at)
        verifier = ChainVerifier(authorities, self._revocation())
        trust = verifier.verify(chain[0], CertificateUse.AUTHENTICATION, at)
        return refused(trust, TrustReason.BLOCKED) if self._blocked(chain[0]) else trust


def _of_no_use(certificate: x509.Certificate) -> bool:
    """A root that came with a token proves nothing, not even one whose pin is shipped: the administrator adds roots."""
    if weakness(certificate) is not None:
        return True
    try:
        return certificate.issuer == certificate.subject
    except READ_ERRORS:
        return True


def _with_helpers(
    authorities: tuple[Authority, ...], helpers: Sequence[x509.Certificate], at: datetime
) -> tuple[Authority, ...]:
    # The store's own roots were accepted before, by pin or by the administrator's word.
    roots = frozenset(one.fingerprint for one in authorities if one.role is AuthorityRole.ROOT)
    candidates = [Candidate(one.certificate, one.source, simulator=one.simulator) for one in authorities]
    candidates += [Candidate(one, "x5c") for one in helpers]
    return accept(candidates, unpinned=roots, now=at).authorities


def require_trusted(judge: ChainJudge, chain: Chain, moments: Iterable[datetime], what: str) -> Trust:
    """The verdict at the last of the moments; at each of them the chain must be trusted.

    Raises:
        ChainRefused: with the reason.
    """
    verdicts = [judge.judge(chain, moment) for moment in moments]
    for verdict in verdicts:
        if verdict.state is not TrustState.TRUSTED:
            raise ChainRefused(what=what, reason=verdict.reason.value)
    return verdicts[-1]


def x5c_of(chain: Iterable[x509.Certificate]) -> list[str]:
    """The header member (RFC 7515, 4.1.6)."""
    return [base64.b64encode(one.public_bytes(Encoding.DER)).decode("ascii") for one in chain]


def read_x5c(value: object, what: str) -> Chain:
    """The certificates of a header member.

    Raises:
        TokenMalformed: no list of 1 to `MAX_CERTIFICATES` certificates.
    """
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_CERTIFICATES:
        raise TokenMalformed(what=what, reason=f"its x5c is no list of 1 to {MAX_CERTIFICATES} certificates")
    chain: list[x509.Certificate] = []
    for one in value:
        try:
            chain.append(load_certificate(base64_bytes(one if isinstance(one, str) else "")))
        except (NotStrict, UnreadableCertificates) as error:
            raise TokenMalformed(what=what, reason="its x5c holds something else than certificates") from error
    return tuple(chain)


def rsa_key_of(certificate: x509.Certificate, what: str) -> rsa.RSAPublicKey:
    """The key of a holder's certificate that may be relied on.

    Raises:
        ChainRefused: malformed, no RSA key, under 2048 bits, signed with SHA-1.
    """
    weak = weakness(certificate)
    key = None if weak is not None else certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise ChainRefused(what=what, reason="unsupported-key" if weak is None else weak.value)
    return key


def issuers_of(trust: Trust, authorities: Iterable[Authority]) -> Chain:
    """The intermediates of a verdict, to go along in an `x5c`.

    Args:
        trust: of the holder's certificate.
        authorities: those it was judged under.
    """
    by_fingerprint = {one.fingerprint: one.certificate for one in authorities}
    between = [link.fingerprint for link in trust.chain[1:-1]]
    return tuple(by_fingerprint[one] for one in between if one in by_fingerprint)
