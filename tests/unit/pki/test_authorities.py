"""Which authorities are accepted."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from cardd.pki.authorities import Acceptance, AuthorityRole, Candidate, ProblemReason, accept
from cardd.pki.fingerprints import shown
from tests.unit.pki import factory


def judge(*certificates: x509.Certificate, trusting: factory.Issuer | None = None, keep: bool = True) -> Acceptance:
    root = trusting or factory.root()
    candidates = [Candidate(certificate, f"{place}.cer") for place, certificate in enumerate(certificates)]
    unpinned = frozenset({factory.fingerprint(root.certificate)})
    return accept(candidates, unpinned=unpinned, now=factory.NOW, keep_outdated=keep)


def reasons(outcome: Acceptance) -> list[ProblemReason]:
    return [problem.reason for problem in outcome.problems]


def test_a_root_and_its_intermediate_in_either_order() -> None:
    pair = factory.root().certificate, factory.intermediate().certificate
    for order in itertools.permutations(pair):
        outcome = judge(*order)
        assert [(a.certificate, a.role) for a in outcome.authorities] == [
            (pair[0], AuthorityRole.ROOT),
            (pair[1], AuthorityRole.INTERMEDIATE),
        ]
        assert outcome.problems == ()


def test_a_root_that_no_pin_names_is_refused_with_both_fingerprints() -> None:
    stranger = factory.authority("AC RACINE ETRANGERE").certificate
    outcome = judge(stranger)
    (problem,) = outcome.problems
    assert outcome.authorities == ()
    assert (problem.reason, problem.used) == (ProblemReason.UNPINNED_ROOT, False)
    assert shown(factory.fingerprint(stranger)) in problem.detail
    assert "53:D3:0A:19" in problem.detail


def test_a_root_of_the_simulators_directory_needs_no_pin_and_says_so() -> None:
    root, below = factory.root().certificate, factory.intermediate().certificate
    candidates = [Candidate(root, "a", simulator=True), Candidate(below, "b")]
    outcome = accept(candidates, unpinned=frozenset(), now=factory.NOW)
    assert [authority.simulator for authority in outcome.authorities] == [True, True]


def test_the_same_root_pinned_and_in_the_simulators_directory_is_the_real_one() -> None:
    root = factory.root().certificate
    candidates = [Candidate(root, "a"), Candidate(root, "b", simulator=True)]
    outcome = accept(candidates, unpinned=frozenset({factory.fingerprint(root)}), now=factory.NOW)
    assert [(authority.source, authority.simulator) for authority in outcome.authorities] == [("a", False)]


def test_a_deep_hierarchy_in_any_order() -> None:
    first = factory.authority("AC UN", factory.root())
    second = factory.authority("AC DEUX", first, path_length=0)
    for order in itertools.permutations((factory.root().certificate, first.certificate, second.certificate)):
        assert len(judge(*order).authorities) == 3


def orphan() -> x509.Certificate:
    return factory.authority("AC SANS PARENT", factory.authority("AC RACINE ETRANGERE")).certificate


def forged() -> x509.Certificate:
    false_root = factory.authority("AC RACINE FICTIVE FORT", key=factory.rsa_key("thief"))
    return factory.authority("AC FAUSSE", false_root).certificate


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: factory.authority("X", factory.root(), ca=False).certificate, ProblemReason.NOT_AN_AUTHORITY),
        (lambda: factory.authority("X", factory.root(), ca=None).certificate, ProblemReason.NOT_AN_AUTHORITY),
        (lambda: factory.authority("X", factory.root(), critical=False).certificate, ProblemReason.NOT_AN_AUTHORITY),
        (lambda: factory.authority("X", factory.root(), key_usage=None).certificate, ProblemReason.NOT_AN_AUTHORITY),
        (
            lambda: factory.authority("X", factory.root(), key_usage=factory.usage("crl_sign")).certificate,
            ProblemReason.NOT_AN_AUTHORITY,
        ),
        (lambda: factory.holder(factory.root()), ProblemReason.NOT_AN_AUTHORITY),
        (
            lambda: factory.authority("X", factory.root(), key=factory.rsa_key("short", 1024)).certificate,
            ProblemReason.WEAK_KEY,
        ),
        (
            lambda: factory.signed_with_sha1(factory.intermediate().certificate, factory.root().key),
            ProblemReason.WEAK_SIGNATURE,
        ),
        (lambda: factory.flipped(factory.intermediate().certificate), ProblemReason.BAD_SIGNATURE),
        (forged, ProblemReason.BAD_SIGNATURE),
        (orphan, ProblemReason.UNKNOWN_ISSUER),
    ],
)
def test_an_intermediate_is_refused(make: Callable[[], x509.Certificate], reason: ProblemReason) -> None:
    outcome = judge(factory.root().certificate, make())
    assert [authority.role for authority in outcome.authorities] == [AuthorityRole.ROOT]
    assert reasons(outcome) == [reason]
    assert outcome.problems[0].source == "1.cer"


@pytest.mark.parametrize("limit", [0, 1])
def test_path_length_counts_the_authorities_below(limit: int) -> None:
    top = factory.authority("AC HAUTE", path_length=limit)
    first = factory.authority("AC UN", top)
    second = factory.authority("AC DEUX", first)
    outcome = judge(top.certificate, first.certificate, second.certificate, trusting=top)
    assert len(outcome.authorities) == 1 + limit
    expected = [ProblemReason.PATH_LENGTH] if limit else [ProblemReason.PATH_LENGTH, ProblemReason.UNKNOWN_ISSUER]
    assert reasons(outcome) == expected


def test_a_pinned_root_whose_own_signature_fails_is_refused() -> None:
    root = factory.flipped(factory.root().certificate)
    candidates = [Candidate(root, "a"), Candidate(root, "b", simulator=True)]
    outcome = accept(candidates, unpinned=frozenset({factory.fingerprint(root)}), now=factory.NOW)
    assert reasons(outcome) == [ProblemReason.BAD_SIGNATURE] * 2
    assert outcome.authorities == ()


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        (factory.NOW - 2 * factory.DAY, factory.NOW - factory.DAY, ProblemReason.EXPIRED),
        (factory.NOW + factory.DAY, factory.NOW + 2 * factory.DAY, ProblemReason.NOT_YET_VALID),
    ],
)
def test_one_out_of_date_is_kept_and_told_or_refused(
    start: datetime.datetime, end: datetime.datetime, reason: ProblemReason
) -> None:
    late = factory.authority("AC PERIMEE", factory.root(), start=start, end=end).certificate
    kept = judge(factory.root().certificate, late)
    assert len(kept.authorities) == 2
    assert [(problem.reason, problem.used) for problem in kept.problems] == [(reason, True)]
    refused = judge(factory.root().certificate, late, keep=False)
    assert len(refused.authorities) == 1
    assert [(problem.reason, problem.used) for problem in refused.problems] == [(reason, False)]


def test_duplicates_are_one() -> None:
    pair = factory.root().certificate, factory.intermediate().certificate
    outcome = judge(*pair, *pair)
    assert [authority.source for authority in outcome.authorities] == ["0.cer", "1.cer"]
    assert outcome.problems == ()


def test_a_key_that_is_not_rsa_is_refused() -> None:
    extensions = [(x509.BasicConstraints(True, None), True), (factory.AUTHORITY_USAGE, True)]
    subject = factory.name("AC COURBE")
    above = factory.root().certificate.subject, factory.root().key
    curve = factory.issue(
        subject, factory.ec_key(), *above, extensions, factory.NOW - factory.DAY, factory.NOW + factory.DAY
    )
    assert reasons(judge(factory.root().certificate, curve)) == [ProblemReason.UNSUPPORTED_KEY]


def test_a_name_in_no_alphabet_is_refused() -> None:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "NOMCLAIR")])
    extensions = [(x509.BasicConstraints(True, None), True), (factory.AUTHORITY_USAGE, True)]
    above = factory.root().certificate.subject, factory.root().key
    clear = factory.issue(
        subject, factory.rsa_key("X"), *above, extensions, factory.NOW - factory.DAY, factory.NOW + factory.DAY
    )
    der = factory.der(clear).replace(b"NOMCLAIR", b"NOM\xff\xfeAIR")
    outcome = judge(factory.root().certificate, x509.load_der_x509_certificate(der))
    assert reasons(outcome) == [ProblemReason.MALFORMED]
