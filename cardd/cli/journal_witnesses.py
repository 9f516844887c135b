"""What witnesses kept: notes of heads, what journalctl gave out, proofs of exports, tokens, timestamps; told apart by
what they are."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cardd.cli.failures import FileUnusable
from cardd.cli.roots import believed, certificates_in
from cardd.journal.errors import LineMalformed
from cardd.journal.journald import JournaldMalformed, is_journald, journald_heads
from cardd.journal.link import Head
from cardd.journal.statement import Statement
from cardd.journal.witness import heads_in

_TOKEN: Final = re.compile(rb"\s*eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\s*")
_DER_SEQUENCE: Final = b"\x30"


class WitnessKind(enum.StrEnum):
    """Who saw a head."""

    NOTE = "note"
    """Whoever wrote it down."""
    JOURNALD = "journald"
    EXPORT = "export"
    TOKEN = "token"  # noqa: S105  # a word
    """A card, which signed it."""
    TIMESTAMP = "timestamp"
    """An authority (RFC 3161)."""


@dataclass(frozen=True, slots=True)
class Testimony:
    """What one file says.

    Args:
        file: its name.
        kind: who saw it.
        heads: at least one.
        at: when it was seen, where a signature says so.
    """

    file: Path
    kind: WitnessKind
    heads: tuple[Head, ...]
    at: datetime | None = None

    @property
    def last(self) -> Head:
        """The head of the latest line."""
        return max(self.heads, key=lambda head: head.seq)


@dataclass(frozen=True, slots=True)
class Roots:
    """Whom signatures of witnesses must lead to.

    Args:
        timestamps: files with roots of timestamp authorities.
        tokens: files with roots of the health PKI; empty for those that cardd believes.
        config: where cardd's configuration is, None for the usual place.
    """

    timestamps: Sequence[Path] = ()
    tokens: Sequence[Path] = ()
    config: Path | None = None


def testimony(file: Path, roots: Roots) -> Testimony:
    """Read what a witness kept; what is signed is verified.

    Raises:
        FileUnusable: it cannot be read, or there is no head in it.
        TimestampRefused: a timestamp that does not hold.
        TokenError: a token that does not hold.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise FileUnusable(file=str(file), reason=error.strerror or "?") from error
    if data.startswith(_DER_SEQUENCE):
        return _timestamp(file, roots)
    if _TOKEN.fullmatch(data):
        return _token(file, data.decode("ascii").strip(), roots)
    kind, heads = _unsigned(file, data)
    if not heads:
        raise FileUnusable(file=str(file), reason="no head of a journal is in it")
    return Testimony(file, kind, tuple(heads))


def _unsigned(file: Path, data: bytes) -> tuple[WitnessKind, list[Head]]:
    if is_journald(data):
        try:
            return WitnessKind.JOURNALD, journald_heads(data)
        except JournaldMalformed as error:
            raise FileUnusable(file=str(file), reason=str(error)) from error
    try:
        return WitnessKind.EXPORT, [Statement.parse(data.partition(b"\n")[0]).end]
    except LineMalformed:  # no proof: then a text in which heads were noted
        return WitnessKind.NOTE, heads_in(data.decode("utf-8", "replace"))


def _timestamp(file: Path, roots: Roots) -> Testimony:
    from cardd.cli.timestamps import seen_by_authority  # noqa: PLC0415  # cryptography is slow to import

    if not roots.timestamps:
        raise FileUnusable(file=str(file), reason="a timestamp needs the root of its authority (--tsa-root)")
    head, at = seen_by_authority(file, certificates_in(list(roots.timestamps)))
    return Testimony(file, WitnessKind.TIMESTAMP, (head,), at)


def _token(file: Path, text: str, roots: Roots) -> Testimony:
    from cardd.tokens.chain import StoreJudge  # noqa: PLC0415  # cryptography is slow to import
    from cardd.tokens.claims import read_token_claims  # noqa: PLC0415  # as above
    from cardd.tokens.compact import read_compact  # noqa: PLC0415  # as above
    from cardd.tokens.verify import TOKEN, TokenVerifier  # noqa: PLC0415  # as above

    authorities = believed(list(roots.tokens), roots.config)
    # As of its own time: as a witness it is as good when it has expired.
    minted = read_token_claims(read_compact(text, TOKEN).claims, TOKEN.what).issued_at
    claims = TokenVerifier(StoreJudge(lambda: authorities), lambda: minted).verify(text).claims
    if not claims.journal_head:
        raise FileUnusable(file=str(file), reason="the token says nothing of a journal")
    return Testimony(file, WitnessKind.TOKEN, (Head.parse(claims.journal_head),), claims.issued_at)
