"""NIST's Public Key Interoperability Test Suite (PKITS 1.0.1): paths and CRLs, decided as its authors say.

Certificates and lists come with the package cryptography_vectors. The name of an end entity's certificate tells what is
expected of it: "Invalid…" is to be refused, all others accepted (initial policy set any-policy, no explicit policy
asked for). All authorities and lists are at hand at once, as in a trust directory, under the policy `strict`.

No certificate that PKITS calls invalid is accepted. Some that it calls valid are refused: each is listed with a reason.
"""

from __future__ import annotations

import enum
import functools
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cryptography_vectors
import pytest
from cryptography import x509
from cryptography.utils import CryptographyDeprecationWarning

from cardd.pki.authorities import Candidate, accept
from cardd.pki.certificates import load_certificate
from cardd.pki.chain import ChainVerifier
from cardd.pki.errors import UnreadableCertificates
from cardd.pki.fingerprints import fingerprint_of
from cardd.pki.revocation.book import RevocationBook
from cardd.pki.revocation.crl import CrlEntry, CrlFacts, VerifiedCrl, read_crl
from cardd.pki.revocation.faults import DataRefused
from cardd.pki.revocation.finding import RevocationMode, RevocationPolicy
from cardd.pki.trust import CertificateUse, Trust, TrustReason, TrustState

DATA = Path(cryptography_vectors.__file__).parent / "x509" / "PKITS_data"
NOW = datetime(2011, 4, 15, tzinfo=UTC)
"""Between the bad dates of the suite (up to 1 January 2011) and the end of its good ones (2030)."""
END_ENTITY = "EE"


class Why(enum.Enum):
    """Why something valid is refused: each on the safe side, none met in the health PKI."""

    POLICIES = "its authorities have critical policy extensions, which the library does not process: it refuses them"
    NAME_CONSTRAINTS = "directory names or URIs in critical nameConstraints, which the library does not process"
    AUTHORITY = "the certificate to be judged is an authority's: no card has one, and none may pass for a holder's"
    SELF_ISSUED = "a self-issued certificate for a change of keys; here who issues himself is a root, and needs a pin"
    CRL_KEY = "the list is signed by a key that may sign lists alone; only accepted authorities' lists count"
    INDIRECT = "an indirect CRL, or one of another issuer (cRLIssuer)"
    REASONS = "lists that cover some reasons only"
    NAMES = "names that are equal but for case, spaces or string type: the library compares their bytes"
    DSA = "DSA: RSA alone is accepted"
    DATE = "a date before 2050 as GeneralizedTime, which RFC 5280, 4.1.2.5, forbids"
    NOT_CRITICAL = "an authority whose basicConstraints are not critical, which RFC 5280, 4.2.1.9, forbids"


REFUSED = {
    Why.POLICIES: (
        "ValidPolicyMappingTest1 ValidPolicyMappingTest3 ValidPolicyMappingTest5 ValidPolicyMappingTest6 "
        "ValidPolicyMappingTest9 ValidPolicyMappingTest11 ValidPolicyMappingTest12 ValidPolicyMappingTest13 "
        "ValidPolicyMappingTest14 ValidinhibitAnyPolicyTest2 inhibitAnyPolicyTest3 ValidinhibitPolicyMappingTest2 "
        "ValidinhibitPolicyMappingTest4 ValidrequireExplicitPolicyTest1 ValidrequireExplicitPolicyTest2 "
        "ValidrequireExplicitPolicyTest4"
    ),
    Why.NAME_CONSTRAINTS: (
        "ValidDNandRFC822nameConstraintsTest27 ValidDNnameConstraintsTest1 ValidDNnameConstraintsTest4 "
        "ValidDNnameConstraintsTest5 ValidDNnameConstraintsTest6 ValidDNnameConstraintsTest11 "
        "ValidDNnameConstraintsTest14 ValidDNnameConstraintsTest18 ValidURInameConstraintsTest34 "
        "ValidURInameConstraintsTest36"
    ),
    Why.AUTHORITY: (
        "DifferentPoliciesTest7 DifferentPoliciesTest8 OverlappingPoliciesTest6 ValidonlyContainsCACertsTest13 "
        "ValidpathLenConstraintTest8 ValidpathLenConstraintTest14"
    ),
    Why.SELF_ISSUED: (
        "ValidBasicSelfIssuedNewWithOldTest3 ValidBasicSelfIssuedNewWithOldTest4 ValidBasicSelfIssuedOldWithNewTest1 "
        "ValidDNnameConstraintsTest19 ValidSelfIssuedinhibitAnyPolicyTest7 ValidSelfIssuedinhibitAnyPolicyTest9 "
        "ValidSelfIssuedinhibitPolicyMappingTest7 ValidSelfIssuedpathLenConstraintTest15 "
        "ValidSelfIssuedpathLenConstraintTest17 ValidSelfIssuedrequireExplicitPolicyTest6"
    ),
    Why.CRL_KEY: "ValidBasicSelfIssuedCRLSigningKeyTest6 ValidSeparateCertificateandCRLKeysTest19",
    Why.INDIRECT: (
        "ValidIDPwithindirectCRLTest22 ValidIDPwithindirectCRLTest24 ValidIDPwithindirectCRLTest25 "
        "ValidcRLIssuerTest28 ValidcRLIssuerTest29 ValidcRLIssuerTest30 ValidcRLIssuerTest33"
    ),
    Why.REASONS: "ValidonlySomeReasonsTest18 ValidonlySomeReasonsTest19",
    Why.NAMES: (
        "ValidNameChainingWhitespaceTest3 ValidNameChainingWhitespaceTest4 ValidNameChainingCapitalizationTest5 "
        "ValidRolloverfromPrintableStringtoUTF8StringTest10 ValidUTF8StringCaseInsensitiveMatchTest11"
    ),
    Why.DSA: "ValidDSASignaturesTest4 ValidDSAParameterInheritanceTest5",
    Why.DATE: "ValidGeneralizedTimenotBeforeDateTest4",
    Why.NOT_CRITICAL: "ValidbasicConstraintsNotCriticalTest4",
}
DIFFERENCES = {f"{name}{END_ENTITY}": why for why, listed in REFUSED.items() for name in listed.split()}

REVOKED = [
    "InvalidRevokedCATest2",
    "InvalidRevokedEETest3",
    "InvalidLongSerialNumberTest18",
    "InvaliddeltaCRLTest3",
    "InvaliddeltaCRLTest4",
    "InvaliddeltaCRLTest6",
    "InvaliddeltaCRLTest9",
    "InvaliddistributionPointTest2",
    "InvaliddistributionPointTest6",
]
"""Those that are on a list that we use. (The negative serial number of 4.4.15 is refused by the library before.)"""


@dataclass
class Listed:
    """A verified list in memory."""

    crl: VerifiedCrl

    @property
    def facts(self) -> CrlFacts:
        """See `cardd.pki.revocation.evidence.Lookup`."""
        return self.crl.facts

    def find(self, serial: int) -> CrlEntry | None:
        """See `cardd.pki.revocation.evidence.Lookup`."""
        return next((entry for entry in self.crl.entries if entry.serial == serial), None)


def certificate(path: Path) -> x509.Certificate | None:
    """A certificate of the suite; None where it is none for us (a DSA key without parameters)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)  # of a negative serial number, 4.4.14
        try:
            return load_certificate(path.read_bytes())
        except UnreadableCertificates:
            return None


@functools.cache
def verifier() -> ChainVerifier:
    """Everything at hand: the suite's one trust anchor, all authorities, all lists that are believed."""
    files = [path for path in sorted((DATA / "certs").iterdir()) if not path.stem.endswith(END_ENTITY)]
    found = [(path.name, one) for path in files if (one := certificate(path)) is not None]
    anchor = dict(found)["TrustAnchorRootCertificate.crt"]
    candidates = [Candidate(one, name) for name, one in found]
    accepted = accept(candidates, unpinned=frozenset({fingerprint_of(anchor)}), now=NOW).authorities
    crls: dict[str, list[Listed]] = {}
    for crl in lists([authority.certificate for authority in accepted]):
        crls.setdefault(crl.facts.issuer, []).append(Listed(crl))
    book = RevocationBook(crls, RevocationPolicy(RevocationMode.STRICT), lambda: NOW)
    return ChainVerifier(accepted, book)


def lists(authorities: list[x509.Certificate]) -> Iterator[VerifiedCrl]:
    """Those that are believed."""
    for path in sorted((DATA / "crls").iterdir()):
        try:
            yield read_crl(path.read_bytes(), authorities, NOW)
        except DataRefused:
            continue


def end_entities() -> list[str]:
    """Every certificate of the suite that is to be judged."""
    return sorted(path.stem for path in (DATA / "certs").iterdir() if path.stem.endswith(END_ENTITY))


@functools.cache
def verdict(name: str) -> Trust | None:
    """On one of them; None where it cannot even be read."""
    leaf = certificate(DATA / "certs" / f"{name}.crt")
    return None if leaf is None else verifier().verify(leaf, CertificateUse.AUTHENTICATION, NOW)


@pytest.mark.parametrize("name", end_entities())
def test_it_is_decided_as_its_authors_say(name: str) -> None:
    trust = verdict(name)
    accepted = trust is not None and trust.state is TrustState.TRUSTED
    expected = not name.startswith("Invalid") and name not in DIFFERENCES
    assert accepted is expected, DIFFERENCES.get(name, trust)


@pytest.mark.parametrize("name", REVOKED)
def test_revoked_ones_are_refused_because_they_are_revoked(name: str) -> None:
    """Not because the list could not be used."""
    trust = verdict(f"{name}{END_ENTITY}")
    assert trust is not None
    assert trust.reason is TrustReason.REVOKED


def test_the_differences_are_those_of_the_suite() -> None:
    """None is listed that does not exist, and nothing that is to be refused."""
    assert set(DIFFERENCES) <= set(end_entities())
    assert not any(name.startswith("Invalid") for name in DIFFERENCES)
    assert (len(end_entities()), len(DIFFERENCES)) == (223, 62)
