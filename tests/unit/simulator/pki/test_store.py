"""The kept PKI: made once, whole, for its owner only."""

from __future__ import annotations

import dataclasses
import datetime
import multiprocessing
import stat
from pathlib import Path

import pytest
from cryptography import x509

from cardsim import PkiStore, profiles
from cardsim.pki import Hierarchy, default_directory
from cardsim.pki.store import PkiStoreError
from cardsim.profiles import CertificateVariant

NOW = datetime.datetime(2026, 3, 15, 10, 30, tzinfo=datetime.UTC)
PHYSICIAN = profiles.load("physician")


def small_store(directory: Path, now: datetime.datetime = NOW) -> PkiStore:
    """A store with small authority keys."""
    return PkiStore(directory, now=lambda: now, authority_key_bits=2048)


def files_of(directory: Path) -> dict[str, bytes]:
    """All files below a directory."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_default_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """XDG_DATA_HOME, or the home directory's share."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_directory() == PkiStore().directory == tmp_path / "cardsim"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_directory() == tmp_path / ".local" / "share" / "cardsim"
    assert not list(tmp_path.iterdir())


def test_second_run_has_the_same_card(tmp_path: Path) -> None:
    """Keys, certificates and authorities are kept."""
    first = small_store(tmp_path / "new").card(PHYSICIAN)
    kept = files_of(tmp_path / "new")
    second = small_store(tmp_path / "new").card(PHYSICIAN)
    assert first.signature.certificate == second.signature.certificate
    assert first.authentication.key.private_numbers() == second.authentication.key.private_numbers()
    assert files_of(tmp_path / "new") == kept


def test_keys_belong_to_their_certificates(tmp_path: Path) -> None:
    """Neither swapped nor shared."""
    card = small_store(tmp_path).card(PHYSICIAN)
    for credentials in (card.authentication, card.signature):
        certificate = x509.load_der_x509_certificate(credentials.certificate)
        assert certificate.public_key() == credentials.key.public_key()
    assert card.authentication.key.public_key() != card.signature.key.public_key()


def test_another_card_under_the_serial_is_a_renewed_one(tmp_path: Path) -> None:
    """Another holder or variant gives other keys; another PIN or state does not."""
    store = small_store(tmp_path)
    first = store.card(PHYSICIAN)
    renewed = store.card(dataclasses.replace(PHYSICIAN, certificates=CertificateVariant.EXPIRED))
    assert renewed.signature.certificate != first.signature.certificate
    card = dataclasses.replace(PHYSICIAN.card, pin="9999", pin_tries_left=0)
    assert store.card(dataclasses.replace(PHYSICIAN, card=card)).signature.certificate == first.signature.certificate


def test_private_keys_are_private(tmp_path: Path) -> None:
    """Mode 600 for keys, 700 for directories."""
    store = small_store(tmp_path / "store")
    store.card(PHYSICIAN)
    keys = list((tmp_path / "store").rglob("*.key"))
    assert len(keys) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}
    folders = [tmp_path / "store", *(path for path in (tmp_path / "store").rglob("*") if path.is_dir())]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}


def test_interrupted_first_use_leaves_nothing_half_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever write fails, the next use finds either nothing or all of it."""

    def broken(*_: object, **__: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("cardsim.pki.store.issue", broken)
        with pytest.raises(KeyboardInterrupt):
            small_store(tmp_path).card(PHYSICIAN)
    assert list((tmp_path / "cards").iterdir()) == []
    whole = small_store(tmp_path).card(PHYSICIAN)
    certificate = x509.load_der_x509_certificate(whole.signature.certificate)
    assert certificate.public_key() == whole.signature.key.public_key()


def test_left_overs_of_a_killed_process_are_swept(tmp_path: Path) -> None:
    """A folder that was never moved to its place goes when the next thing is made."""
    left_over = tmp_path / "cards" / ".new-killed"
    left_over.mkdir(parents=True)
    (left_over / "signature.key").write_text("half")
    small_store(tmp_path).card(PHYSICIAN)
    assert not left_over.exists()


def _make(directory: Path) -> bytes:
    return small_store(directory).card(PHYSICIAN).signature.certificate


def test_two_processes_make_one_thing(tmp_path: Path) -> None:
    """Four at once on an empty directory end with the same card."""
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        made = pool.map(_make, [tmp_path] * 4, chunksize=1)
    assert len(set(made)) == 1
    assert len(list((tmp_path / "cards").iterdir())) == len(list((tmp_path / "authorities").iterdir())) == 1


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("signature.key", b"no key", "no private key"),
        ("signature.key", None, "no private key"),
        ("authentication.cer", None, "no certificate"),
    ],
)
def test_spoilt_card_files_are_named(tmp_path: Path, file: str, content: bytes | None, reason: str) -> None:
    """The error says which file, and what to do."""
    store = small_store(tmp_path)
    store.card(PHYSICIAN)
    path = next(tmp_path.rglob(file))
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(PkiStoreError, match=rf"{file}: {reason}; remove its folder"):
        store.card(PHYSICIAN)


def test_spoilt_authority_is_named(tmp_path: Path) -> None:
    """The same for authorities and their lists."""
    store = small_store(tmp_path)
    store.root_certificate().write_bytes(b"spoilt")
    with pytest.raises(PkiStoreError, match=r"root\.cer: no certificate"):
        store.root()
    (tmp_path / "authorities" / "fort" / "root.crl").write_bytes(b"spoilt")
    with pytest.raises(PkiStoreError, match=r"root\.crl: no certificate revocation list"):
        store.crls()


def test_hierarchies_are_made_when_asked_for(tmp_path: Path) -> None:
    """The strange one only for a card that needs it."""
    store = small_store(tmp_path)
    store.card(PHYSICIAN)
    assert [path.name for path in (tmp_path / "authorities").iterdir()] == ["fort"]
    store.card(dataclasses.replace(PHYSICIAN, certificates=CertificateVariant.STRANGE_ISSUER))
    strange = x509.load_der_x509_certificate(store.intermediate_certificate(Hierarchy.STRANGE).read_bytes())
    strange.verify_directly_issued_by(store.root(Hierarchy.STRANGE).certificate)


def test_base_crls(tmp_path: Path) -> None:
    """Empty, signed by their authority; made anew, with the next number, once they are stale."""
    paths = small_store(tmp_path).crls()
    lists = [x509.load_der_x509_crl(path.read_bytes()) for path in paths]
    store = small_store(tmp_path)
    for crl, authority in zip(lists, (store.root(), store.intermediate()), strict=True):
        assert crl.is_signature_valid(authority.key.public_key())
        assert len(crl) == 0
        assert crl.last_update_utc == NOW
    assert [path.read_bytes() for path in store.crls()] == [path.read_bytes() for path in paths]
    later = NOW + datetime.timedelta(days=8)
    fresh = x509.load_der_x509_crl(small_store(tmp_path, later).crls()[0].read_bytes())
    assert fresh.last_update_utc == later
    assert fresh.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 2


def test_a_renewal_gives_other_keys_under_the_same_serial(tmp_path: Path) -> None:
    """And the same card again is the same."""
    store = PkiStore(tmp_path, authority_key_bits=2048)
    renewed = dataclasses.replace(PHYSICIAN, card=dataclasses.replace(PHYSICIAN.card, renewal=1))
    first, second = store.card(PHYSICIAN), store.card(renewed)
    assert first.authentication.certificate != second.authentication.certificate
    assert store.card(renewed).authentication.certificate == second.authentication.certificate
    assert store.card(PHYSICIAN).authentication.certificate == first.authentication.certificate
