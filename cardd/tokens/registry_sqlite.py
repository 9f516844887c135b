"""The registry in one SQLite file: write-ahead log, every commit synced, one thread that writes and one that reads."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from cardd.tokens.claims import moment, seconds
from cardd.tokens.errors import RegistryUnavailable, TokenExists, TokenUnknown
from cardd.tokens.migrations import MIGRATIONS
from cardd.tokens.registry import Revocation, RevocationObserver, TokenRecord, require_limit, require_text

T = TypeVar("T")

BUSY_TIMEOUT: Final = 5.0
"""Seconds to wait for another process (an administrator's backup) that holds the file."""

_COLUMNS: Final = (
    "token_id, token_hash, subject, kind, issuer, audience, card_id, certificate, thumbprint,"
    " authenticated_at, issued_at, expires_at, minted_by"
)
_SELECT: Final = (
    f"SELECT {_COLUMNS}, reason, revoked_by, revoked_at"  # noqa: S608 - constants only
    " FROM tokens LEFT JOIN revocations USING (token_id)"
)
_INSERT: Final = f"INSERT INTO tokens ({_COLUMNS}) VALUES ({', '.join('?' * 13)})"  # noqa: S608 - constants only


class SqliteTokenRegistry:
    """`TokenRegistry` in a file. Make it with `open`.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._writing = ThreadPoolExecutor(1, "tokens-write")
        self._reading = ThreadPoolExecutor(1, "tokens-read")
        self._observers: list[RevocationObserver] = []
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None

    @classmethod
    async def open(cls, path: Path, *, clock: Callable[[], datetime]) -> Self:
        """Open the registry, making the file (mode 0600) and bringing its tables up to date.

        Args:
            path: its directory is there and the daemon's own.
            clock: the time, for the table of migrations.

        Raises:
            RegistryUnavailable: another kind of file, others may read it, it is damaged, of a later version, or cannot
                be written.
        """
        registry = cls(path)
        try:
            await registry._run(registry._writing, lambda: registry._open_writer(clock()))
            await registry._run(registry._reading, registry._open_reader)
        except BaseException:
            await registry.close()
            raise
        return registry

    async def add(self, record: TokenRecord) -> None:
        """See `TokenRegistry`."""
        await self._run(self._writing, lambda: self._add(record))

    async def get(self, token_id: str) -> TokenRecord:
        """See `TokenRegistry`."""
        return await self._run(self._reading, lambda: _get(self._opened(self._reader), token_id))

    async def list_tokens(
        self, *, limit: int, after: str | None = None, minted_by: str | None = None
    ) -> tuple[TokenRecord, ...]:
        """See `TokenRegistry`."""
        require_limit(limit)
        return await self._run(self._reading, lambda: _list(self._opened(self._reader), limit, after, minted_by))

    async def revoke(self, token_id: str, *, reason: str, by: str, at: datetime) -> Revocation:
        """See `TokenRegistry`."""
        require_text("reason", reason)
        require_text("by", by)
        wanted = Revocation(token_id, reason, by, at.astimezone(UTC).replace(microsecond=0))
        return await self._run(self._writing, lambda: self._revoke(wanted))

    async def is_revoked(self, token_id: str) -> bool:
        """See `TokenRegistry`."""
        return (await self.get(token_id)).revocation is not None

    def on_revoked(self, observer: RevocationObserver) -> Callable[[], None]:
        """See `TokenRegistry`."""
        self._observers.append(observer)
        return functools.partial(self._observers.remove, observer)

    async def close(self) -> None:
        """See `TokenRegistry`."""
        for executor, connection in ((self._reading, self._reader), (self._writing, self._writer)):
            if connection is not None:
                await self._run(executor, connection.close)
            executor.shutdown(wait=False)
        self._reader = self._writer = None

    async def _run(self, executor: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        """Do something in its thread. What was asked for is done even if nobody waits any more: a lost card's token."""
        try:
            pending = self._loop.run_in_executor(executor, work)
        except RuntimeError as error:  # the executor was shut down
            raise RegistryUnavailable(reason="it is closed") from error
        try:
            return await asyncio.shield(pending)
        except sqlite3.Error as error:
            raise RegistryUnavailable(reason=_reason(error)) from error

    def _opened(self, connection: sqlite3.Connection | None) -> sqlite3.Connection:
        if connection is None:
            raise RegistryUnavailable(reason="it is closed")
        return connection

    def _open_writer(self, now: datetime) -> None:
        _make_private(self._path)
        self._writer = _connect(self._path)
        self._writer.execute("PRAGMA journal_mode = WAL")
        self._writer.execute("PRAGMA synchronous = FULL")
        self._writer.execute("PRAGMA foreign_keys = ON")
        _migrate(self._writer, now)

    def _open_reader(self) -> None:
        self._reader = _connect(self._path)
        self._reader.execute("PRAGMA query_only = ON")

    def _add(self, record: TokenRecord) -> None:
        with _transaction(self._opened(self._writer)) as writer:
            taken = writer.execute("SELECT 1 FROM tokens WHERE token_id = ?", (record.token_id,)).fetchone()
            if taken is not None:
                raise TokenExists
            writer.execute(_INSERT, _row(record))

    def _revoke(self, wanted: Revocation) -> Revocation:
        with _transaction(self._opened(self._writer)) as writer:
            before = _get(writer, wanted.token_id).revocation
            if before is not None:
                return before
            writer.execute(
                "INSERT INTO revocations (token_id, reason, revoked_by, revoked_at) VALUES (?, ?, ?, ?)",
                (wanted.token_id, wanted.reason, wanted.by, seconds(wanted.at)),
            )
        # From this thread, so that nobody's cancelled wait keeps it from the observers.
        self._loop.call_soon_threadsafe(self._announce, wanted)
        return wanted

    def _announce(self, revocation: Revocation) -> None:
        for observer in tuple(self._observers):
            observer(revocation)


def _connect(path: Path) -> sqlite3.Connection:
    # Used by one thread, which is not always the one that closes an interpreter down; transactions are ours.
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)


def _make_private(path: Path) -> None:
    """Make the file before SQLite does, whose umask may be another; SQLite gives its log the same mode."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise RegistryUnavailable(reason=f"its file cannot be opened ({error.strerror})") from error
    try:
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise RegistryUnavailable(reason="its path is no plain file")
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise RegistryUnavailable(reason="its file must be the daemon's alone: chmod 0600, chown to the daemon's user")


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _migrate(connection: sqlite3.Connection, now: datetime) -> None:
    with _transaction(connection):
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL) STRICT"
        )
        (version,) = connection.execute("SELECT coalesce(max(version), 0) FROM migrations").fetchone()
        if version > len(MIGRATIONS):
            raise RegistryUnavailable(reason="its file is of a later version of cardd")
        for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
            for statement in statements:
                connection.execute(statement)
            connection.execute("INSERT INTO migrations VALUES (?, ?)", (number, seconds(now)))


def _get(connection: sqlite3.Connection, token_id: str) -> TokenRecord:
    found = connection.execute(f"{_SELECT} WHERE token_id = ?", (token_id,)).fetchone()
    if found is None:
        raise TokenUnknown
    return _record(found)


def _list(
    connection: sqlite3.Connection, limit: int, after: str | None, minted_by: str | None
) -> tuple[TokenRecord, ...]:
    sequence = 0
    if after is not None:
        found = connection.execute("SELECT sequence FROM tokens WHERE token_id = ?", (after,)).fetchone()
        if found is None:
            raise TokenUnknown
        (sequence,) = found
    whose, values = ("", ()) if minted_by is None else ("AND minted_by = ?", (minted_by,))
    query = f"{_SELECT} WHERE sequence > ? {whose} ORDER BY sequence LIMIT ?"
    rows = connection.execute(query, (sequence, *values, limit))
    return tuple(_record(row) for row in rows)


def _row(record: TokenRecord) -> tuple[object, ...]:
    return (
        record.token_id,
        record.token_hash,
        record.subject,
        record.kind,
        record.issuer,
        json.dumps(record.audience),
        record.card_id,
        record.certificate,
        record.thumbprint,
        seconds(record.authenticated_at),
        seconds(record.issued_at),
        seconds(record.expires_at),
        record.minted_by,
    )


def _record(row: tuple[Any, ...]) -> TokenRecord:  # the columns of _SELECT, which STRICT tables hold to their types
    token_id, token_hash, subject, kind, issuer, audience, card_id, certificate, thumbprint = row[:9]
    authenticated_at, issued_at, expires_at, minted_by, reason, revoked_by, revoked_at = row[9:]
    revoked = revoked_at is not None
    return TokenRecord(
        token_id=token_id,
        token_hash=token_hash,
        subject=subject,
        kind=kind,
        issuer=issuer,
        audience=tuple(json.loads(audience)),
        card_id=card_id,
        certificate=certificate,
        thumbprint=thumbprint,
        authenticated_at=moment(authenticated_at),
        issued_at=moment(issued_at),
        expires_at=moment(expires_at),
        minted_by=minted_by,
        revocation=Revocation(token_id, reason, revoked_by, moment(revoked_at)) if revoked else None,
    )


def _reason(error: sqlite3.Error) -> str:
    """SQLite's own name of the failure: its text may quote a value."""
    name = getattr(error, "sqlite_errorname", "")
    return _SENTENCES.get(name.removeprefix("SQLITE_").partition("_")[0], name or type(error).__name__)


_SENTENCES: Final = {
    "FULL": "its disk or quota is full",
    "READONLY": "its file or file system is read-only",
    "BUSY": "another process holds its file",
    "CORRUPT": "its file is damaged",
    "NOTADB": "its file is no SQLite database",
    "CANTOPEN": "its file cannot be opened",
    "IOERR": "its disk fails",
}
