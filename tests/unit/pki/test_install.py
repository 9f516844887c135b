"""Adding certificates to the trust directory."""

from __future__ import annotations

import datetime
import itertools
import os
import stat
from pathlib import Path

import pytest

from cardd.pki.authorities import ProblemReason
from cardd.pki.errors import TrustDirectoryUnusable
from cardd.pki.fingerprints import shown
from cardd.pki.install import add_certificates, list_certificates
from tests.unit.pki import factory

ROOT = factory.fingerprint(factory.root().certificate)
BELOW = factory.fingerprint(factory.intermediate().certificate)
UNPINNED = frozenset({ROOT})


def clock() -> datetime.datetime:
    return factory.NOW


@pytest.fixture
def given(tmp_path: Path) -> tuple[Path, Path]:
    incoming = tmp_path / "incoming"
    root = factory.write(incoming, "root.cer", factory.root().certificate)
    return root, factory.write(incoming, "below.pem", factory.intermediate().certificate, pem=True)


def test_files_come_together_in_any_order(given: tuple[Path, Path], tmp_path: Path) -> None:
    for number, order in enumerate(itertools.permutations(given)):
        directory = tmp_path / str(number)
        report = add_certificates(order, directory, unpinned=UNPINNED, clock=clock)
        assert report.problems == ()
        assert [(entry.path.name, entry.added) for entry in report.installed] == [
            (f"{ROOT[:16]}-ac-racine-fictive-fort.cer", True),
            (f"{BELOW[:16]}-ac-fictive-fort-personnes.cer", True),
        ]
        assert sorted(os.listdir(directory)) == sorted(entry.path.name for entry in report.installed)
        assert report.installed[1].path.read_bytes() == factory.der(factory.intermediate().certificate)


def test_the_umask_is_of_no_account(given: tuple[Path, Path], tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        report = add_certificates(given, tmp_path / "trust", unpinned=UNPINNED, clock=clock)
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "trust", report.installed[0].path)]
    assert modes == [0o755, 0o644]
    assert report.installed[0].path.stat().st_uid == os.geteuid()


def test_an_intermediate_may_come_after_its_root(given: tuple[Path, Path], tmp_path: Path) -> None:
    root, below = given
    directory = tmp_path / "trust"
    early = add_certificates([below], directory, unpinned=UNPINNED, clock=clock)
    assert [problem.reason for problem in early.problems] == [ProblemReason.UNKNOWN_ISSUER]
    assert os.listdir(directory) == []
    add_certificates([root], directory, unpinned=UNPINNED, clock=clock)
    late = add_certificates([below], directory, unpinned=UNPINNED, clock=clock)
    assert [entry.authority.fingerprint for entry in late.installed] == [BELOW]


def test_what_is_there_is_not_written_again(given: tuple[Path, Path], tmp_path: Path) -> None:
    directory = tmp_path / "trust"
    kept = factory.write(directory, "by-hand.cer", factory.root().certificate)
    report = add_certificates(given, directory, unpinned=UNPINNED, clock=clock)
    assert [(entry.added, entry.path == kept) for entry in report.installed] == [(False, True), (True, False)]
    assert len(os.listdir(directory)) == 2


def test_a_root_that_no_pin_names_is_refused_and_the_rest_written(given: tuple[Path, Path], tmp_path: Path) -> None:
    stranger = factory.authority("AC RACINE ETRANGERE").certificate
    path = factory.write(tmp_path / "incoming", "stranger.cer", stranger)
    report = add_certificates([path, *given], tmp_path / "trust", unpinned=UNPINNED, clock=clock)
    (problem,) = report.problems
    assert (problem.source, problem.reason) == (str(path), ProblemReason.UNPINNED_ROOT)
    assert shown(factory.fingerprint(stranger)) in problem.detail
    assert len(report.installed) == len(os.listdir(tmp_path / "trust")) == 2


def test_one_out_of_date_is_refused_and_so_is_what_is_below_it(tmp_path: Path) -> None:
    old = factory.authority("AC RACINE PERIMEE", end=factory.NOW - factory.DAY)
    below = factory.authority("AC DESSOUS", old)
    paths = [factory.write(tmp_path, f"{n}.cer", i.certificate) for n, i in enumerate((old, below))]
    unpinned = frozenset({factory.fingerprint(old.certificate)})
    report = add_certificates(paths, tmp_path / "trust", unpinned=unpinned, clock=clock)
    assert report.installed == ()
    assert [(problem.reason, problem.used) for problem in report.problems] == [
        (ProblemReason.EXPIRED, False),
        (ProblemReason.UNKNOWN_ISSUER, False),
    ]


def test_unreadable_files_are_refused_by_name(given: tuple[Path, Path], tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.cer"
    garbage.write_bytes(b"garbage")
    report = add_certificates([tmp_path / "none", garbage, *given], tmp_path / "t", unpinned=UNPINNED, clock=clock)
    assert [(Path(p.source).name, p.reason) for p in report.problems] == [
        ("none", ProblemReason.UNREADABLE),
        ("garbage.cer", ProblemReason.UNREADABLE),
    ]
    assert len(report.installed) == 2


def test_a_directory_that_others_may_write_to_is_refused(given: tuple[Path, Path], tmp_path: Path) -> None:
    directory = tmp_path / "trust"
    directory.mkdir()
    directory.chmod(0o777)
    with pytest.raises(TrustDirectoryUnusable, match="0777"):
        add_certificates(given, directory, unpinned=UNPINNED, clock=clock)
    with pytest.raises(TrustDirectoryUnusable, match="No such file"):
        add_certificates(given, tmp_path / "a" / "b", unpinned=UNPINNED, clock=clock)


def test_a_write_that_fails_leaves_nothing(
    given: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(TrustDirectoryUnusable, match="No space left"):
        add_certificates(given, tmp_path / "trust", unpinned=UNPINNED, clock=clock)
    assert os.listdir(tmp_path / "trust") == []


def test_the_listing_is_what_a_daemon_would_trust(given: tuple[Path, Path], tmp_path: Path) -> None:
    directory = tmp_path / "trust"
    add_certificates(given, directory, unpinned=UNPINNED, clock=clock)
    factory.write(directory, "stranger.cer", factory.authority("AC RACINE ETRANGERE").certificate)
    listing = list_certificates(directory, unpinned=UNPINNED, clock=clock)
    assert [authority.fingerprint for authority in listing.authorities] == [ROOT, BELOW]
    assert [problem.reason for problem in listing.problems] == [ProblemReason.UNPINNED_ROOT]
