"""The authorities that a configuration trusts."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from cardd.pki.authorities import ProblemReason
from cardd.pki.store import TrustStore
from cardd.pki.trust import CertificateUse, TrustReason, TrustState
from tests.unit.pki import factory

ROOT = factory.fingerprint(factory.root().certificate)
AUTHENTICATION = CertificateUse.AUTHENTICATION


def clock() -> datetime.datetime:
    return factory.NOW


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    directory = tmp_path / "trust"
    factory.write(directory, "root.cer", factory.root().certificate)
    factory.write(directory, "below.cer", factory.intermediate().certificate)
    return directory


def test_an_unpinned_root_is_trusted_where_the_configuration_names_it(trust: Path) -> None:
    store = TrustStore.load(trust, unpinned=frozenset({ROOT}), clock=clock)
    assert [authority.source for authority in store.authorities] == [str(trust / "root.cer"), str(trust / "below.cer")]
    assert store.problems == ()
    assert not store.simulator_trusted
    verdict = store.verify(factory.holder(factory.intermediate()), AUTHENTICATION, factory.NOW)
    assert (verdict.state, verdict.simulator) == (TrustState.TRUSTED, False)


def test_without_it_nothing_is(trust: Path) -> None:
    store = TrustStore.load(trust, clock=clock)
    assert store.roots == ()
    assert [(Path(p.source).name, p.reason) for p in store.problems] == [
        ("root.cer", ProblemReason.UNPINNED_ROOT),
        ("below.cer", ProblemReason.UNKNOWN_ISSUER),
    ]
    verdict = store.verify(factory.holder(factory.intermediate()), AUTHENTICATION, factory.NOW)
    assert verdict.reason is TrustReason.NO_ROOTS


def test_the_simulator_is_trusted_only_where_the_configuration_names_it(trust: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir(mode=0o755)
    store = TrustStore.load(empty, simulator=trust, clock=clock)
    assert store.simulator_trusted
    assert store.problems == ()
    verdict = store.verify(factory.holder(factory.intermediate()), AUTHENTICATION, factory.NOW)
    assert (verdict.state, verdict.simulator) == (TrustState.TRUSTED, True)
    assert not TrustStore.load(empty, clock=clock).simulator_trusted


def test_the_simulators_directory_is_held_to_the_same_rules(trust: Path, tmp_path: Path) -> None:
    trust.chmod(0o777)
    store = TrustStore.load(tmp_path / "none", simulator=trust, clock=clock)
    assert not store.simulator_trusted
    assert [problem.reason for problem in store.problems] == [
        ProblemReason.NO_DIRECTORY,
        ProblemReason.UNSAFE_DIRECTORY,
    ]


def test_a_clock_that_was_wrong_at_the_load_does_no_lasting_harm(trust: Path) -> None:
    store = TrustStore.load(
        trust, unpinned=frozenset({ROOT}), clock=lambda: datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    )
    assert [(problem.reason, problem.used) for problem in store.problems] == [(ProblemReason.NOT_YET_VALID, True)] * 2
    leaf = factory.holder(factory.intermediate())
    assert store.verify(leaf, AUTHENTICATION, factory.NOW).state is TrustState.TRUSTED
