"""What the data at hand make of a verdict: bases, deltas, answers and policies together."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509

from cardd.pki.authorities import Candidate, accept
from cardd.pki.chain import ChainVerifier
from cardd.pki.revocation.book import RevocationBook
from cardd.pki.revocation.finding import Revocation, RevocationMode, RevocationPolicy, RevocationSource
from cardd.pki.revocation.index import CrlIndex
from cardd.pki.revocation.ocsp import OcspStatus
from cardd.pki.trust import CertificateUse, Trust, TrustReason
from cardsim.pki.revocation import RevokedEntry
from tests.unit.pki import factory
from tests.unit.pki.revocation import support
from tests.unit.pki.revocation.support import DAY, NOW

STRICT = RevocationPolicy(RevocationMode.STRICT)
GRACE = RevocationPolicy()
OFFLINE = RevocationPolicy(RevocationMode.OFFLINE)
HOUR = datetime.timedelta(hours=1)
HOLD, REMOVE = x509.ReasonFlags.certificate_hold, x509.ReasonFlags.remove_from_crl


@functools.cache
def leaf() -> x509.Certificate:
    return factory.holder(factory.intermediate())


class Case:
    """Data in a directory, and the verdict under them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._indexes: list[CrlIndex] = []
        self.answer: OcspStatus | None = None

    def add(self, *ders: bytes, at: datetime.datetime = NOW) -> Case:
        """Verified CRLs."""
        for der in ders:
            self._indexes.append(support.index(self._directory, der, f"list-{len(self._indexes)}", at))
        return self

    def root(self) -> Case:
        """A root's CRL that lives long, on which nothing stands."""
        return self.add(support.crl(factory.root(), lifetime=400 * DAY))

    def answered(self, revoked_at: datetime.datetime | None = None, at: datetime.datetime = NOW) -> Case:
        """An OCSP answer about the holder's certificate."""
        self.answer = OcspStatus(leaf().serial_number, at, at + HOUR, revoked_at, None)
        return self

    def book(self, policy: RevocationPolicy, at: datetime.datetime) -> RevocationBook:
        crls: dict[str, list[CrlIndex]] = {}
        for index in self._indexes:
            crls.setdefault(index.facts.issuer, []).append(index)
        return RevocationBook(crls, policy, lambda: at, self._answer)

    def judge(
        self, policy: RevocationPolicy = GRACE, at: datetime.datetime = NOW, judged_for: datetime.datetime | None = None
    ) -> Trust:
        certificates = [factory.root().certificate, factory.intermediate().certificate]
        unpinned = frozenset({factory.fingerprint(certificates[0])})
        accepted = accept([Candidate(one, "") for one in certificates], unpinned=unpinned, now=NOW).authorities
        verifier = ChainVerifier(accepted, self.book(policy, at))
        return verifier.verify(leaf(), CertificateUse.AUTHENTICATION, judged_for or at)

    def _answer(self, certificate: x509.Certificate, _issuer: x509.Certificate) -> OcspStatus | None:
        return self.answer if certificate == leaf() else None


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def listing(*reasons: x509.ReasonFlags | None, **how: int) -> bytes:
    """The intermediate's CRL, with the holder's certificate on it once a reason."""
    return support.crl(factory.intermediate(), *[support.entry(leaf(), reason) for reason in reasons], **how)  # type: ignore[arg-type]  # numbers


def test_good(case: Case) -> None:
    trust = case.root().add(listing()).judge()
    assert trust.reason is TrustReason.OK
    found = trust.revocation
    assert (found.state, found.source, found.policy) == (Revocation.GOOD, RevocationSource.CRL, GRACE)
    assert (found.as_of, found.next_update) == (NOW, NOW + 7 * DAY)


@pytest.mark.parametrize("policy", [STRICT, GRACE, OFFLINE])
@pytest.mark.parametrize("later", [DAY, 1000 * DAY])
def test_a_revoked_certificate_is_refused_however_old_the_list(
    case: Case, policy: RevocationPolicy, later: datetime.timedelta
) -> None:
    case.root().add(listing(x509.ReasonFlags.key_compromise))
    trust = case.judge(policy, NOW + later)
    assert trust.reason is TrustReason.REVOKED
    assert (trust.revocation.state, trust.revocation.reason) == (Revocation.REVOKED, "keyCompromise")
    assert trust.revocation.revoked_at == NOW - DAY
    assert trust.expires is None


def test_no_reason_and_a_hold_refuse_as_well(tmp_path: Path) -> None:
    for number, reason in enumerate((None, HOLD)):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert Case(folder).root().add(listing(reason)).judge().reason is TrustReason.REVOKED


def test_what_is_revoked_now_is_not_believed_for_an_earlier_moment(case: Case) -> None:
    """A token minted yesterday is judged at yesterday's moment too."""
    case.root().add(listing(None))
    assert case.judge(judged_for=NOW - HOUR).reason is TrustReason.REVOKED


def test_a_revoked_authority(case: Case) -> None:
    entry = support.entry(factory.intermediate().certificate, x509.ReasonFlags.ca_compromise)
    trust = case.add(support.crl(factory.root(), entry), listing()).judge()
    assert trust.reason is TrustReason.REVOKED
    assert trust.revocation.reason == "cACompromise"


UNKNOWN, OK = TrustReason.REVOCATION_UNKNOWN, TrustReason.OK


@pytest.mark.parametrize(
    ("policy", "age", "reason", "state"),
    [
        (STRICT, 7 * DAY, OK, Revocation.GOOD),
        (STRICT, 7 * DAY + HOUR, UNKNOWN, Revocation.UNKNOWN),
        (GRACE, 7 * DAY + HOUR, OK, Revocation.STALE),
        (GRACE, 14 * DAY, OK, Revocation.STALE),
        (GRACE, 14 * DAY + HOUR, UNKNOWN, Revocation.UNKNOWN),
        (RevocationPolicy(grace=HOUR), 7 * DAY + 2 * HOUR, UNKNOWN, Revocation.UNKNOWN),
        (OFFLINE, 300 * DAY, OK, Revocation.STALE),
    ],
)
def test_how_old_data_may_be(
    case: Case, policy: RevocationPolicy, age: datetime.timedelta, reason: TrustReason, state: Revocation
) -> None:
    trust = case.root().add(listing()).judge(policy, NOW + age)
    assert (trust.reason, trust.revocation.state, trust.revocation.as_of) == (reason, state, NOW)


@pytest.mark.parametrize(("policy", "reason"), [(STRICT, UNKNOWN), (GRACE, UNKNOWN), (OFFLINE, OK)])
@pytest.mark.parametrize("known", ["nothing", "root", "holder"])
def test_no_data(case: Case, policy: RevocationPolicy, reason: TrustReason, known: str) -> None:
    """Data about each certificate below the root are needed, but under `offline`; the verdict says so."""
    if known == "root":
        case.root()
    if known == "holder":
        case.add(listing())
    trust = case.judge(policy)
    assert (trust.reason, trust.revocation.state) == (reason, Revocation.UNKNOWN)
    assert (trust.revocation.as_of, trust.revocation.source) == (None, None)


def test_a_delta_adds(case: Case) -> None:
    case.root().add(listing(number=3), listing(None, number=5, base=3))
    trust = case.judge()
    assert (trust.reason, trust.revocation.source) == (TrustReason.REVOKED, RevocationSource.DELTA_CRL)


def test_a_delta_lifts_a_hold(case: Case) -> None:
    case.root().add(listing(HOLD, number=3))
    assert case.judge().reason is TrustReason.REVOKED
    case.add(listing(REMOVE, number=4, base=3))
    assert case.judge().reason is TrustReason.OK


@pytest.mark.parametrize(
    ("number", "base"),
    [(5, 4), (3, 3), (2, 1)],
    ids=["for a newer base", "of the base's own number", "older than the base"],
)
def test_a_delta_that_does_not_fit_lifts_nothing(case: Case, number: int, base: int) -> None:
    """RFC 5280, 5.2.4: its base at most that number, its own number above it."""
    case.root().add(listing(HOLD, number=3), listing(REMOVE, number=number, base=base))
    assert case.judge().reason is TrustReason.REVOKED


def test_the_newest_delta_counts(case: Case) -> None:
    case.root().add(listing(number=3), listing(HOLD, number=4, base=3), listing(REMOVE, number=5, base=3))
    assert case.judge().reason is TrustReason.OK


def test_a_delta_alone_tells_nothing(case: Case) -> None:
    case.root().add(listing(number=4, base=3))
    assert case.judge().revocation.state is Revocation.UNKNOWN


def test_a_delta_of_another_issuers_hand(case: Case) -> None:
    """The root's delta says nothing about the intermediate's certificates."""
    remove = support.entry(leaf(), REMOVE)
    case.root().add(listing(HOLD, number=3), support.crl(factory.root(), remove, number=4, base=3))
    assert case.judge().reason is TrustReason.REVOKED


def test_a_fresh_delta_makes_an_old_base_current(case: Case) -> None:
    case.root().add(
        listing(number=3),
        listing(
            number=4,
            base=3,
        ),
    )
    later = NOW + 10 * DAY
    case.add(support.crl(factory.intermediate(), number=9, base=3, at=later), at=later)
    trust = case.judge(STRICT, later)
    assert (trust.reason, trust.revocation.as_of) == (TrustReason.OK, later)


def scoped(*entries: RevokedEntry, users: bool = False, authorities: bool = False) -> bytes:
    point = x509.IssuingDistributionPoint(None, None, users, authorities, None, False, False)
    return support.crl(factory.intermediate(), *entries, extensions=[(point, True)])


def test_a_list_for_authorities_says_nothing_of_holders(case: Case) -> None:
    case.root().add(scoped(authorities=True))
    assert case.judge().revocation.state is Revocation.UNKNOWN
    case.add(scoped(users=True))
    assert case.judge().revocation.state is Revocation.GOOD


def test_a_delta_of_another_scope_lifts_nothing(case: Case) -> None:
    """RFC 5280, 5.2.4 (c)."""
    point = x509.IssuingDistributionPoint(None, None, True, False, None, False, False)
    remove = support.entry(leaf(), REMOVE)
    delta = support.crl(factory.intermediate(), remove, number=4, base=3, extensions=[(point, True)])
    case.root().add(listing(HOLD, number=3), delta)
    assert case.judge().reason is TrustReason.REVOKED


def test_ocsp_where_the_list_is_old(case: Case) -> None:
    later = NOW + 20 * DAY
    case.root().add(listing())
    assert case.judge(GRACE, later).reason is UNKNOWN
    trust = case.answered(at=later).judge(GRACE, later)
    assert (trust.reason, trust.revocation.state) == (OK, Revocation.GOOD)
    assert trust.revocation.source is RevocationSource.OCSP


def test_an_answer_that_says_revoked_counts_beside_a_good_list(case: Case) -> None:
    case.root().add(listing()).answered(revoked_at=NOW - HOUR)
    assert case.judge().reason is TrustReason.REVOKED


def test_a_good_answer_lifts_a_hold_but_no_revocation(tmp_path: Path) -> None:
    def reason(listed: x509.ReasonFlags, at: datetime.datetime) -> TrustReason:
        folder = tmp_path / f"{listed.name}-{at:%d-%H}"
        folder.mkdir()
        return Case(folder).root().add(listing(listed)).answered(at=at).judge(at=NOW + HOUR).reason

    assert reason(HOLD, NOW + HOUR) is OK
    assert reason(HOLD, NOW - HOUR) is TrustReason.REVOKED
    assert reason(x509.ReasonFlags.superseded, NOW + HOUR) is TrustReason.REVOKED


def test_when_ocsp_is_to_be_asked(case: Case) -> None:
    """Where there are no data that are current."""
    issuer = factory.intermediate().certificate
    ask: Callable[[datetime.datetime], bool] = lambda at: case.book(GRACE, at).needs_answer(leaf(), issuer)  # noqa: E731
    assert ask(NOW)
    case.add(listing())
    assert [ask(NOW), ask(NOW + 8 * DAY), ask(NOW + 30 * DAY)] == [False, True, True]
    assert [case.book(GRACE, at).is_good(leaf(), issuer) for at in (NOW, NOW + 30 * DAY)] == [True, False]


def test_a_file_that_fails_is_no_data(case: Case, tmp_path: Path) -> None:
    case.root().add(listing(None))
    whole = tmp_path / "list-1.crlx"
    whole.write_bytes(whole.read_bytes()[:-1] + b"\x77")  # a reason that there is not
    trust = case.judge()
    assert (trust.reason, trust.revocation.state) == (UNKNOWN, Revocation.UNKNOWN)


def test_a_path_that_does_not_hold_is_not_asked_about(case: Case) -> None:
    trust = case.root().add(listing()).judge(judged_for=NOW + 3000 * DAY)
    assert (trust.reason, trust.revocation.state) == (TrustReason.EXPIRED, Revocation.NOT_ASKED)
