"""Reading certificates from files and from the trust directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.pki.authorities import ProblemReason
from cardd.pki.errors import UnreadableCertificates
from cardd.pki.files import (
    MAX_CERTIFICATES,
    MAX_FILE_BYTES,
    MAX_FILES,
    parse_certificates,
    read_directory,
    read_file,
)
from tests.unit.pki import factory

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    directory = tmp_path / "trust"
    directory.mkdir(mode=0o755)
    return directory


def reasons(directory: Path) -> list[tuple[str, ProblemReason]]:
    _, problems = read_directory(directory)
    return [(Path(problem.source).name, problem.reason) for problem in problems]


def test_der_and_pem_files_are_read_in_the_order_of_their_names(trust: Path) -> None:
    root, below = factory.root().certificate, factory.intermediate().certificate
    factory.write(trust, "b.PEM", root, below, pem=True)
    factory.write(trust, "a.cer", root)
    factory.write(trust, "README", root)
    candidates, problems = read_directory(trust, simulator=True)
    assert [(candidate.source, candidate.certificate) for candidate in candidates] == [
        (str(trust / "a.cer"), root),
        (str(trust / "b.PEM"), root),
        (str(trust / "b.PEM"), below),
    ]
    assert all(candidate.simulator for candidate in candidates)
    assert problems == []


def test_text_and_keys_around_pem_blocks_are_passed_over(trust: Path) -> None:
    path = factory.write(trust, "a.pem", factory.root().certificate, pem=True)
    path.write_bytes(b"subject=AC\n-----BEGIN X-----\nAAAA\n-----END X-----\n" + path.read_bytes())
    assert len(read_directory(trust)[0]) == 1


def test_a_missing_directory(tmp_path: Path) -> None:
    assert reasons(tmp_path / "none") == [("none", ProblemReason.NO_DIRECTORY)]


def test_a_file_in_the_directorys_place(tmp_path: Path) -> None:
    path = factory.write(tmp_path, "a.cer", factory.root().certificate)
    assert reasons(path) == [("a.cer", ProblemReason.UNSAFE_DIRECTORY)]


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777, 0o1777])
def test_a_directory_that_others_may_write_to(trust: Path, mode: int) -> None:
    factory.write(trust, "a.cer", factory.root().certificate)
    trust.chmod(mode)
    assert reasons(trust) == [("trust", ProblemReason.UNSAFE_DIRECTORY)]
    assert read_directory(trust)[0] == []


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_a_file_that_others_may_write_to(trust: Path, mode: int) -> None:
    factory.write(trust, "a.cer", factory.root().certificate, mode=mode)
    factory.write(trust, "b.cer", factory.root().certificate)
    assert reasons(trust) == [("a.cer", ProblemReason.UNSAFE_FILE)]
    assert len(read_directory(trust)[0]) == 1


@AS_ROOT
@pytest.mark.parametrize("given_away", ["directory", "file"])
def test_another_owner(trust: Path, given_away: str) -> None:
    path = factory.write(trust, "a.cer", factory.root().certificate)
    os.chown(trust if given_away == "directory" else path, 65534, 0)
    candidates, (problem,) = read_directory(trust)
    assert candidates == []
    assert "65534" in problem.detail


def test_links_fifos_and_folders_are_no_plain_files(trust: Path, tmp_path: Path) -> None:
    outside = factory.write(tmp_path / "outside", "a.cer", factory.root().certificate)
    (trust / "a.cer").symlink_to(outside)
    os.mkfifo(trust / "b.cer", 0o644)
    (trust / "c.cer").mkdir(mode=0o755)
    assert reasons(trust) == [(f"{name}.cer", ProblemReason.UNSAFE_FILE) for name in "abc"]


def test_a_file_that_is_too_large(trust: Path) -> None:
    path = factory.write(trust, "a.pem", factory.root().certificate, pem=True)
    with path.open("ab") as file:
        file.truncate(MAX_FILE_BYTES)
    assert reasons(trust) == []
    with path.open("ab") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    assert reasons(trust) == [("a.pem", ProblemReason.TOO_LARGE)]


@pytest.mark.parametrize("data", [b"", b"\x30\x80", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_file_without_a_certificate(trust: Path, data: bytes) -> None:
    (trust / "a.cer").write_bytes(data)
    (trust / "a.cer").chmod(0o644)
    assert reasons(trust) == [("a.cer", ProblemReason.UNREADABLE)]


def test_der_with_something_behind_it() -> None:
    with pytest.raises(UnreadableCertificates):
        parse_certificates(factory.der(factory.root().certificate) + b"\x00")


def test_too_many_files_and_certificates(trust: Path) -> None:
    for number in range(MAX_FILES + 1):
        factory.write(trust, f"{number:04}.cer", factory.root().certificate)
    candidates, problems = read_directory(trust)
    assert len(candidates) == MAX_FILES
    assert [problem.reason for problem in problems] == [ProblemReason.TOO_MANY]
    bundle = factory.write(trust, "b.pem", *[factory.root().certificate] * (MAX_CERTIFICATES + 1), pem=True)
    with pytest.raises(UnreadableCertificates):
        parse_certificates(bundle.read_bytes())


def test_a_file_that_an_administrator_names_must_be_a_plain_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo"):
        with pytest.raises(UnreadableCertificates):
            read_file(path)
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "none")
    large = tmp_path / "large"
    large.write_bytes(bytes(MAX_FILE_BYTES))
    assert len(read_file(large)) == MAX_FILE_BYTES
    large.write_bytes(bytes(MAX_FILE_BYTES + 1))
    with pytest.raises(UnreadableCertificates):
        read_file(large)


@given(st.binary(max_size=300))
def test_hostile_bytes_are_no_certificate(data: bytes) -> None:
    for hostile in (data, b"-----BEGIN CERTIFICATE-----" + data + b"-----END CERTIFICATE-----"):
        with pytest.raises(UnreadableCertificates):
            parse_certificates(hostile)
