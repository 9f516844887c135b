"""`cardctl trust lists`: what is here, what is not used, what could not be fetched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cardd.fetch.state import ResourceState, save_states
from tests.unit.cli.conftest import Cardctl
from tests.unit.pki import factory
from tests.unit.pki.revocation import support

HOUR = timedelta(hours=1)
ADDRESS = "http://pki.invalid/list.crl"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    factory.write(tmp_path / "trust", "root.cer", factory.root().certificate)
    factory.write(tmp_path / "trust", "intermediate.cer", factory.intermediate().certificate)
    (tmp_path / "fetched").mkdir()
    fingerprint = factory.fingerprint(factory.root().certificate)
    path = tmp_path / "cardd.toml"
    path.write_text(
        f'[pki]\ndirectory = "{tmp_path / "trust"}"\nunpinned = ["{fingerprint}"]\n'
        f'[revocation]\nfetched = "{tmp_path / "fetched"}"\n'
    )
    return path


def test_lists_and_what_is_wrong(cardctl: Cardctl, config: Path) -> None:
    folder = config.parent / "fetched"
    now = datetime.now(UTC).replace(microsecond=0)
    leaf = factory.holder(factory.intermediate())
    current = support.crl(factory.intermediate(), support.entry(leaf), at=now - HOUR, number=7)
    (folder / "a.crl").write_bytes(current)
    (folder / "b.crl").write_bytes(support.crl(factory.root(), at=now - timedelta(days=30), number=3))
    (folder / "c.crl").write_bytes(b"<html>")
    failed = ResourceState().failed(now, "the server answers 403")
    save_states(folder, {ADDRESS: failed})
    result = cardctl("trust", "lists", "--config", str(config), "--json")
    assert result.code == 0
    first, second, third = result.document["lists"]
    assert (first["number"], first["entries"], first["current"], first["delta"]) == (7, 1, True, False)
    assert (second["number"], second["current"]) == (3, False)
    assert "not a CRL" in third["problem"]
    [fetching] = result.document["fetching"]
    assert (fetching["address"], fetching["failures"], fetching["problem"]) == (ADDRESS, 1, "the server answers 403")
    said = cardctl("trust", "lists", "--config", str(config))
    assert "overdue" in said.text
    assert "c.crl" in said.err
    assert f"{ADDRESS}: the server answers 403" in said.err


def test_nothing_is_here(cardctl: Cardctl, config: Path) -> None:
    result = cardctl("trust", "lists", "--config", str(config))
    assert result.code == 0
    assert "There are no lists" in result.text
