from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from pathlib import Path

import pytest

from cardd.tokens import migrations, registry_sqlite
from cardd.tokens.errors import RegistryUnavailable, TokenUnknown
from cardd.tokens.registry_sqlite import SqliteTokenRegistry
from tests.unit.tokens.registry_contract import RegistryContract, record
from tests.unit.tokens.support import NOW, Clock, open_registry


class TestSqliteKeepsTheContract(RegistryContract):
    """See `RegistryContract`."""


async def test_it_is_there_again_after_a_restart(tmp_path: Path) -> None:
    first = await open_registry(tmp_path)
    one = record()
    await first.add(one)
    revocation = await first.revoke(one.token_id, reason="lost", by="uid:0", at=NOW)
    await first.close()
    second = await open_registry(tmp_path)
    assert (await second.get(one.token_id)).revocation == revocation
    await second.close()


async def test_another_process_sees_what_was_reported(registry: SqliteTokenRegistry, tmp_path: Path) -> None:
    one = record()
    await registry.add(one)
    with sqlite3.connect(tmp_path / "tokens.sqlite") as other:
        assert other.execute("SELECT token_id FROM tokens").fetchall() == [(one.token_id,)]
    other.close()


async def test_a_revocation_given_up_before_it_begins_is_made(registry: SqliteTokenRegistry) -> None:
    one = record()
    await registry.add(one)
    heard, gate = asyncio.Event(), threading.Event()
    registry.on_revoked(lambda _revocation: heard.set())
    registry._writing.submit(gate.wait)
    revoking = asyncio.create_task(registry.revoke(one.token_id, reason="lost", by="uid:0", at=NOW))
    await asyncio.sleep(0)
    revoking.cancel()
    await asyncio.sleep(0)
    gate.set()
    async with asyncio.timeout(20):
        await heard.wait()


async def test_how_it_writes(registry: SqliteTokenRegistry) -> None:
    assert registry._writer is not None
    assert registry._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert registry._writer.execute("PRAGMA synchronous").fetchone() == (2,)


async def test_its_files_are_the_daemons_alone(registry: SqliteTokenRegistry, tmp_path: Path) -> None:
    await registry.add(record())
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes.keys() >= {"tokens.sqlite", "tokens.sqlite-wal"}
    assert set(modes.values()) == {0o600}


async def test_a_failed_write_leaves_nothing(registry: SqliteTokenRegistry) -> None:
    broken = record(token_hash=b"short")
    with pytest.raises(RegistryUnavailable):
        await registry.add(broken)
    with pytest.raises(TokenUnknown):
        await registry.get(broken.token_id)
    await registry.add(record())


async def test_a_full_disk_is_said_and_passes(registry: SqliteTokenRegistry) -> None:
    assert registry._writer is not None
    (pages,) = registry._writer.execute("PRAGMA page_count").fetchone()
    registry._writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(RegistryUnavailable, match="full"):
        await asyncio.gather(*(registry.add(record()) for _ in range(200)))
    registry._writer.execute("PRAGMA max_page_count = 100000")
    await registry.add(record())


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
async def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "tokens.sqlite"
    path.touch()
    path.chmod(mode)
    with pytest.raises(RegistryUnavailable, match="0600"):
        await open_registry(tmp_path)


async def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").touch(0o600)
    (tmp_path / "tokens.sqlite").symlink_to(tmp_path / "real")
    with pytest.raises(RegistryUnavailable, match="cannot be opened"):
        await open_registry(tmp_path)
    (tmp_path / "tokens.sqlite").unlink()
    os.mkfifo(tmp_path / "tokens.sqlite", 0o600)
    with pytest.raises(RegistryUnavailable, match="no plain file"):
        await open_registry(tmp_path)


async def test_a_missing_directory_is_said(tmp_path: Path) -> None:
    with pytest.raises(RegistryUnavailable, match="cannot be opened"):
        await open_registry(tmp_path / "nowhere")


async def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokens.sqlite"
    path.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    path.chmod(0o600)
    with pytest.raises(RegistryUnavailable, match="no SQLite database"):
        await open_registry(tmp_path)


async def test_a_later_version_is_refused(tmp_path: Path) -> None:
    await (await open_registry(tmp_path)).close()
    with sqlite3.connect(tmp_path / "tokens.sqlite") as other:
        other.execute("INSERT INTO migrations VALUES (99, 0)")
    other.close()
    with pytest.raises(RegistryUnavailable, match="later version"):
        await open_registry(tmp_path)


async def test_a_step_is_added_to_an_older_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await open_registry(tmp_path)
    one = record()
    await first.add(one)
    await first.close()
    more = (*migrations.MIGRATIONS, ("CREATE INDEX tokens_by_card ON tokens (card_id)",))
    monkeypatch.setattr(registry_sqlite, "MIGRATIONS", more)
    second = await open_registry(tmp_path)
    assert await second.get(one.token_id) == one
    assert second._writer is not None
    assert second._writer.execute("SELECT version, applied_at FROM migrations ORDER BY version").fetchall() == [
        (version, int(NOW.timestamp())) for version in range(1, len(more) + 1)
    ]
    await second.close()


async def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await (await open_registry(tmp_path)).close()
    broken = (*migrations.MIGRATIONS, ("CREATE TABLE extra (a)", "CREATE NONSENSE"))
    with monkeypatch.context() as patched:
        patched.setattr(registry_sqlite, "MIGRATIONS", broken)
        with pytest.raises(RegistryUnavailable):
            await open_registry(tmp_path)
    again = await SqliteTokenRegistry.open(tmp_path / "tokens.sqlite", clock=Clock())
    assert again._writer is not None
    tables = {name for (name,) in again._writer.execute("SELECT name FROM sqlite_master")}
    assert "extra" not in tables
    await again.close()


def test_a_record_shows_nobody() -> None:
    assert "899900000011" not in repr(record())
