"""The tables of the SQLite registry, one step after another; a step that was released is never edited."""

from __future__ import annotations

from typing import Final

# Times are seconds since 1970 (UTC). `audience` is a JSON array. `sequence` is the order of listing.
MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """
        CREATE TABLE tokens (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            token_id TEXT NOT NULL UNIQUE,
            token_hash BLOB NOT NULL CHECK (length(token_hash) = 32),
            subject TEXT NOT NULL,
            kind TEXT NOT NULL,
            issuer TEXT NOT NULL,
            audience TEXT NOT NULL,
            card_id TEXT NOT NULL,
            certificate TEXT NOT NULL,
            thumbprint TEXT NOT NULL,
            authenticated_at INTEGER NOT NULL,
            issued_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE revocations (
            token_id TEXT PRIMARY KEY REFERENCES tokens (token_id),
            reason TEXT NOT NULL,
            revoked_by TEXT NOT NULL,
            revoked_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
    ),
    (
        "ALTER TABLE tokens ADD COLUMN minted_by TEXT NOT NULL DEFAULT ''",
        "CREATE INDEX tokens_by_minter ON tokens (minted_by, sequence)",
    ),
)
"""Statements by step; step n brings the tables to version n (from 1)."""
