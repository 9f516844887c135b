from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from cardd.tokens.daemon_key import load_or_make
from cardd.tokens.errors import DaemonKeyUnusable
from cardd.tokens.jose import Type
from tests.unit.pki.factory import rsa_key
from tests.unit.tokens import second_library


def pem(key: object) -> bytes:
    assert hasattr(key, "private_bytes")
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert isinstance(content, bytes)
    return content


def test_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    first = load_or_make(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_make(path).public.thumbprint == first.public.thumbprint
    assert [one.name for one in tmp_path.iterdir()] == ["key.pem"]


def test_its_mode_is_not_the_umasks_affair(tmp_path: Path) -> None:
    before = os.umask(0o277)
    try:
        load_or_make(tmp_path / "key.pem")
    finally:
        os.umask(before)
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600


def test_starts_at_once_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        keys = list(threads.map(load_or_make, [tmp_path / "key.pem"] * 32))
    assert len({key.public.thumbprint for key in keys}) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["key.pem"]


def test_what_fails_midway_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", fail)
        with pytest.raises(DaemonKeyUnusable, match="No space"):
            load_or_make(tmp_path / "key.pem")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key.pem"
    load_or_make(path)
    path.chmod(mode)
    with pytest.raises(DaemonKeyUnusable, match="0600"):
        load_or_make(path)


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    load_or_make(tmp_path / "real.pem")
    (tmp_path / "link.pem").symlink_to(tmp_path / "real.pem")
    with pytest.raises(DaemonKeyUnusable):
        load_or_make(tmp_path / "link.pem")
    os.mkfifo(tmp_path / "pipe.pem", 0o600)
    with pytest.raises(DaemonKeyUnusable, match="no plain file"):
        load_or_make(tmp_path / "pipe.pem")


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", pem(rsa_key("holder")), pem(ec.generate_private_key(ec.SECP384R1())), b"x" * 9000]
)
def test_what_is_no_such_key_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(DaemonKeyUnusable):
        load_or_make(path)
    assert path.read_bytes() == content


def test_it_signs_what_another_library_verifies(tmp_path: Path) -> None:
    key = load_or_make(tmp_path / "key.pem")
    signed = key.sign(Type.ASSERTION, {"sub": "x"})
    other = second_library.jws.JWS()
    other.deserialize(signed, second_library.jwk.JWK(**key.public.jwk), alg="ES256")
    assert other.payload == b'{"sub":"x"}'
    assert other.jose_header["kid"] == key.public.thumbprint


def test_it_shows_nothing(tmp_path: Path) -> None:
    key = load_or_make(tmp_path / "key.pem")
    private = load_pem_private_key((tmp_path / "key.pem").read_bytes(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert str(private.private_numbers().private_value) not in repr(key)
    assert repr(key) == f"DaemonKey({key.public.thumbprint})"
