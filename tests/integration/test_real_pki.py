"""The nine public certificates of IGC-Santé under the shipped pins; they are no part of the project."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from cardd.pki.authorities import AuthorityRole, ProblemReason
from cardd.pki.install import add_certificates
from cardd.pki.pins import PINNED_ROOTS
from cardd.pki.store import TrustStore
from cardd.pki.trust import CertificateUse, TrustReason
from tests.unit.pki import factory

CERTIFICATES = Path(__file__).resolve().parents[3] / "shared" / "data" / "igc-sante"

pytestmark = pytest.mark.skipif(
    not CERTIFICATES.is_dir(), reason="the certificates of IGC-Santé are not beside the checkout"
)


def clock() -> datetime.datetime:
    return datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture
def files() -> list[Path]:
    return sorted(CERTIFICATES.glob("*.cer"))


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    return tmp_path / "trust"


def test_all_nine_are_installed_and_loaded_by_the_shipped_pins(files: list[Path], trust: Path) -> None:
    assert len(files) == 9
    report = add_certificates(reversed(files), trust, clock=clock)
    assert report.problems == ()
    assert len(report.installed) == 9
    store = TrustStore.load(trust, clock=clock)
    assert store.problems == ()
    names = {
        authority.fingerprint: authority.subject.partition(",")[0].removeprefix("CN=")
        for authority in store.authorities
        if authority.role is AuthorityRole.ROOT
    }
    assert names == PINNED_ROOTS
    assert len(store.authorities) == 9
    assert not store.simulator_trusted


def test_each_with_a_flipped_bit_is_refused(files: list[Path], trust: Path, tmp_path: Path) -> None:
    for victim in files:
        damaged = bytearray(victim.read_bytes())
        damaged[-1] ^= 1
        copy = tmp_path / victim.name
        copy.write_bytes(damaged)
        others = [file for file in files if file.name.startswith("ACR") and file != victim]
        report = add_certificates([copy, *others], trust, clock=clock)
        # A root's damaged signature is seen first; a pin would miss it as well.
        assert [(problem.source, problem.reason) for problem in report.problems] == [
            (str(copy), ProblemReason.BAD_SIGNATURE)
        ]


def test_an_intermediate_without_its_own_root_is_refused(files: list[Path], trust: Path) -> None:
    chosen = [file for file in files if file.name.startswith(("ACR_STANDARD", "AC_FORT"))]
    report = add_certificates(chosen, trust, clock=clock)
    assert [entry.authority.role for entry in report.installed] == [AuthorityRole.ROOT]
    assert [problem.reason for problem in report.problems] == [ProblemReason.UNKNOWN_ISSUER] * 2


def test_a_twin_of_a_root_in_all_but_its_key_is_refused(files: list[Path], trust: Path, tmp_path: Path) -> None:
    twin = factory.authority("AC RACINE IGC-SANTE FORT", key=factory.rsa_key("thief"))
    path = factory.write(tmp_path / "incoming", "twin.cer", twin.certificate)
    report = add_certificates([path, *files], trust, clock=clock)
    assert [problem.reason for problem in report.problems] == [ProblemReason.UNPINNED_ROOT]
    assert len(report.installed) == 9


def test_a_holder_of_the_fictional_pki_is_not_trusted(files: list[Path], trust: Path) -> None:
    add_certificates(files, trust, clock=clock)
    store = TrustStore.load(trust, clock=clock)
    leaf = factory.holder(factory.intermediate(), start=clock() - factory.DAY)
    assert store.verify(leaf, CertificateUse.AUTHENTICATION, clock()).reason is TrustReason.UNKNOWN_ISSUER
