"""A disk that refuses under a running core: nothing is served, sessions still end, and it goes on by itself."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cardd.errors import JournalUnavailable
from cardd.journal import Journal, Kind, Trouble
from cardd.journal.files import DirectoryFiles
from cardd.journal.query import Query, search
from cardd.journal.refusals import Refusals
from cardd.journal.verify import verify
from cardd.sessions.account import Account
from cardd.sessions.states import EndReason
from tests.support.core import HOLDER, Core, card_of, running_core
from tests.support.faulty_files import FaultyFiles

DIGEST = bytes(32)


@asynccontextmanager
async def core_on(files: FaultyFiles) -> AsyncIterator[tuple[Core, Journal]]:
    """A core whose journal is on these files."""
    journal = Journal(files)
    await journal.start()
    refusals = Refusals(journal)
    try:
        async with running_core(account=Account(journal, refusals)) as core:
            yield core, journal
    finally:
        refusals.close()
        await journal.close()


@pytest.mark.parametrize(
    ("number", "trouble"),
    [
        (errno.ENOSPC, Trouble.FULL),
        (errno.EDQUOT, Trouble.FULL),
        (errno.EROFS, Trouble.READ_ONLY),
        (errno.EIO, Trouble.INPUT_OUTPUT),
        (errno.EACCES, Trouble.NOT_PERMITTED),
    ],
)
async def test_service_stops_sessions_end_and_it_goes_on(tmp_path: Path, number: int, trouble: Trouble) -> None:
    directory = DirectoryFiles(tmp_path / "journal", create=True)
    files = FaultyFiles(directory)
    async with core_on(files) as (core, journal):
        session = await core.authenticated(card_of())
        await session.sign(HOLDER, "signature", "RS256", DIGEST)
        files.failure = number
        for _ in range(3):
            with pytest.raises(JournalUnavailable) as refused:
                await session.sign(HOLDER, "signature", "RS256", DIGEST)
            assert refused.value.fields["reason"] == trouble.value
        assert journal.trouble is not None
        assert journal.trouble.trouble is trouble
        core.reader.remove()
        await core.gone()
        assert core.heard.ends() == [EndReason.CARD_REMOVED]
        presence = await core.insert(card_of())
        with pytest.raises(JournalUnavailable):
            await core.authenticate(presence)
        assert files.failed > 5
        files.failure = None
        session = await core.authenticate(presence)
        await session.sign(HOLDER, "signature", "RS256", DIGEST)
        assert journal.trouble is None
    assert verify(directory).problems == ()
    kinds = [found.entry.kind for found in search(directory, Query())]
    assert kinds.count(Kind.SIGNED) == 2, "what was refused was not written"
    ends = [found.entry for found in search(directory, Query(kinds=frozenset({Kind.SESSION_ENDED.value})))]
    assert [one.what["reason"] for one in ends] == ["card-removed", "daemon-stopped"]
    directory.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
async def test_a_core_that_starts_on_such_a_disk_serves_when_it_can(tmp_path: Path, number: int) -> None:
    directory = DirectoryFiles(tmp_path / "journal", create=True)
    files = FaultyFiles(directory)
    files.failure = number
    async with core_on(files) as (core, journal):
        assert journal.trouble is not None
        presence = await core.insert(card_of())
        with pytest.raises(JournalUnavailable):
            await core.authenticate(presence)
        files.failure = None
        await core.authenticate(presence)
    assert verify(directory).problems == ()
    kinds = [found.entry.kind for found in search(directory, Query())]
    assert kinds.index(Kind.CARD_INSERTED) < kinds.index(Kind.AUTHENTICATED), "what nobody waited for was remembered"
    directory.close()
