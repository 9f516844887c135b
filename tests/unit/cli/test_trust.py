"""`cardctl trust`: certificates installed, refused and listed, and the daemon told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from cardd.pki.fingerprints import fingerprint_of
from tests.support.bus import PrivateBus
from tests.unit.cli.conftest import Cardctl
from tests.unit.client.fake import FakeDaemon, Refusal
from tests.unit.pki import factory


def _root(common_name: str) -> x509.Certificate:
    """A self-signed authority that is valid today: `trust add` goes by the clock of the computer."""
    key, now = factory.rsa_key(common_name), datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(factory.name(common_name))
        .issuer_name(factory.name(common_name))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(factory.AUTHORITY_USAGE, critical=True)
        .sign(key, hashes.SHA256())
    )


class Desk:
    """A configuration with a trust directory, one root that it allows and one that it does not."""

    def __init__(self, folder: Path) -> None:
        allowed, stranger = _root("RACINE D'ESSAI"), _root("INCONNUE")
        self.directory = folder / "trust"
        self.allowed, self.stranger = folder / "allowed.pem", folder / "stranger.cer"
        self.allowed.write_bytes(allowed.public_bytes(Encoding.PEM))
        self.stranger.write_bytes(stranger.public_bytes(Encoding.DER))
        self.config = folder / "cardd.toml"
        self.config.write_text(f'[pki]\ndirectory = "{self.directory}"\nunpinned = ["{fingerprint_of(allowed)}"]\n')


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    tmp_path.chmod(0o755)
    return Desk(tmp_path)


def test_what_is_allowed_is_added_and_the_daemon_told(cardctl: Cardctl, daemon: FakeDaemon, desk: Desk) -> None:
    result = cardctl("trust", "add", str(desk.allowed), "--config", str(desk.config), "--json")
    assert result.code == 0
    (installed,) = result.document["installed"]
    assert (installed["name"], installed["role"], installed["added"]) == ("RACINE D'ESSAI", "root", True)
    assert Path(installed["path"]).parent == desk.directory
    assert result.document["reload"] == "done"
    assert daemon.calls == ["Reload"]
    again = cardctl("trust", "add", str(desk.allowed), "--config", str(desk.config))
    assert again.text.splitlines() == ["Already there: RACINE D'ESSAI", "cardd has read them."]


def test_what_is_not_is_refused_with_its_file(cardctl: Cardctl, daemon: FakeDaemon, desk: Desk) -> None:
    result = cardctl("trust", "add", str(desk.stranger), str(desk.allowed), "--config", str(desk.config))
    assert result.code == 1
    assert "Added: RACINE D'ESSAI" in result.text
    assert str(desk.stranger) in result.err
    assert "Certificates refused: 1." in result.err


def test_a_daemon_that_is_not_running_reads_them_later(cardctl: Cardctl, bus: PrivateBus, desk: Desk) -> None:
    result = cardctl("trust", "add", str(desk.allowed), "--config", str(desk.config), "--lang", "fr")
    assert result.code == 0
    assert "cardd n'est pas en marche ; il les lira à son démarrage." in result.text


def test_a_daemon_that_cannot_reload_is_told_of(cardctl: Cardctl, daemon: FakeDaemon, desk: Desk) -> None:
    daemon.failures["Reload"] = Refusal("NotAuthorized", reason="only root may reload")
    result = cardctl("trust", "add", str(desk.allowed), "--config", str(desk.config))
    assert result.code == 0
    assert "cardd has not read them: This is not allowed: only root may reload." in result.text


def test_list(cardctl: Cardctl, bus: PrivateBus, desk: Desk) -> None:
    empty = cardctl("trust", "list", "--config", str(desk.config))
    assert "No authority is trusted" in empty.text
    cardctl("trust", "add", str(desk.allowed), "--config", str(desk.config))
    desk.stranger.rename(desk.directory / "stranger.cer")
    listed = cardctl("trust", "list", "--config", str(desk.config))
    assert listed.text.startswith("RACINE D'ESSAI")
    assert "stranger.cer" in listed.err
    document = cardctl("trust", "list", "--config", str(desk.config), "--json").document
    assert [one["name"] for one in document["authorities"]] == ["RACINE D'ESSAI"]
    assert [one["used"] for one in document["problems"]] == [False]


@pytest.mark.parametrize("command", [["trust", "list"], ["trust", "add", "x"]])
def test_a_configuration_that_cannot_be_used(cardctl: Cardctl, tmp_path: Path, command: list[str]) -> None:
    config = tmp_path / "cardd.toml"
    config.write_text("[pki]\nnonsense = 1\n")
    result = cardctl(*command, "--config", str(config))
    assert result.code == 2
    assert f"{config}, line 2" in result.err


def test_a_directory_that_cannot_be_made(cardctl: Cardctl, desk: Desk) -> None:
    desk.config.write_text('[pki]\ndirectory = "/proc/nothing/trust"\n')
    result = cardctl("trust", "add", str(desk.allowed), "--config", str(desk.config))
    assert result.code == 2
    assert "/proc/nothing/trust" in result.err
