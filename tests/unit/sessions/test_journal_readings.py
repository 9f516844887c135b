"""Readings of the journal: readers that do not read, daemons that stop, what is told before anything is shown."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cardd.access.caller import Caller
from cardd.errors import JournalBusy, JournalUnavailable
from cardd.journal import Detail, Event, Journal, Kind, open_directory
from cardd.journal.query import Query
from cardd.journal.refusals import Refusals
from cardd.sessions.account import Account
from cardd.sessions.journal_readings import Bounds, JournalReadings, Search

ROOT = Caller(":1.1", 0, 42)
FOREVER = 1e6
LONG = 400
"""Entries that make more than two pipes hold."""


@asynccontextmanager
async def readings(
    folder: Path, bounds: Bounds | None = None, entries: int = 0
) -> AsyncIterator[tuple[JournalReadings, Journal]]:
    files = open_directory(folder / "journal")
    journal = Journal(files)
    await journal.start()
    refusals = Refusals(journal)
    one = JournalReadings(journal, files, Account(journal, refusals), lambda _: (), bounds=bounds)
    await asyncio.gather(*(journal.record(event(number)) for number in range(entries)))
    yield one, journal
    await one.stop()
    refusals.close()
    await journal.close()
    files.close()


def event(number: int) -> Event:
    return Event(Kind.SIGNED, what={Detail.NUMBER: number, Detail.KEY: "k" * 200})


async def until_over(one: JournalReadings) -> None:
    async with asyncio.timeout(20):
        while one._flows:
            await asyncio.sleep(0.01)


def read(descriptor: int) -> list[bytes]:
    with open(descriptor, "rb") as reading:
        return reading.readlines()


async def test_a_reader_that_does_not_read_is_given_up(tmp_path: Path) -> None:
    async with readings(tmp_path, Bounds(patience=0), LONG) as (one, _):
        reading = await one.query(ROOT, Search(Query()), interactive=False)
        await until_over(one)
        assert 0 < len(read(reading)) < LONG


async def test_a_reader_that_reads_gets_everything_up_to_its_own_reading(tmp_path: Path) -> None:
    async with readings(tmp_path, Bounds(patience=FOREVER), LONG) as (one, journal):
        reading = await one.query(ROOT, Search(Query()), interactive=False)
        await journal.record(event(LONG))
        lines = await asyncio.to_thread(read, reading)
        assert len(lines) == LONG + 1
        assert b'"kind":"journal-read"' in lines[-1]
        await until_over(one)


async def test_a_limit_counts_what_is_shown(tmp_path: Path) -> None:
    async with readings(tmp_path, entries=10) as (one, _):
        reading = await one.query(ROOT, Search(Query(limit=3, newest_first=True)), interactive=False)
        assert len(await asyncio.to_thread(read, reading)) == 3


async def test_an_export_that_is_not_taken_has_no_proof(tmp_path: Path) -> None:
    async with readings(tmp_path, Bounds(patience=0), LONG) as (one, _):
        reading, writing = os.pipe()
        proof = await one.export(ROOT, writing, interactive=False)
        os.close(writing)
        await until_over(one)
        assert read(proof) == []
        assert len(read(reading)) < LONG


async def test_a_stop_ends_what_nobody_reads_and_what_is_followed(tmp_path: Path) -> None:
    async with readings(tmp_path, Bounds(patience=FOREVER), LONG) as (one, _):
        stuck = await one.query(ROOT, Search(Query()), interactive=False)
        followed = await one.query(ROOT, Search(Query(after=10**9), follow=True), interactive=False)
        await one.stop()
        await until_over(one)
        with pytest.raises(JournalBusy):
            await one.query(ROOT, Search(Query()), interactive=False)
        assert read(followed) == []
        assert len(read(stuck)) < LONG


async def test_nothing_is_shown_that_cannot_be_written_down(tmp_path: Path) -> None:
    async with readings(tmp_path, entries=3) as (one, journal):
        await journal.close()
        reading, writing = os.pipe()
        for attempt in (
            one.query(ROOT, Search(Query()), interactive=False),
            one.verify(ROOT, interactive=False),
            one.export(ROOT, writing, interactive=False),
        ):
            with pytest.raises(JournalUnavailable):
                await attempt
        os.close(reading)
        os.close(writing)
        assert not one._flows


async def test_one_verification_at_a_time(tmp_path: Path) -> None:
    async with readings(tmp_path, entries=LONG) as (one, _):
        first = asyncio.ensure_future(one.verify(ROOT, interactive=False))
        await asyncio.sleep(0)
        with pytest.raises(JournalBusy):
            await one.verify(ROOT, interactive=False)
        assert (await first).sound
        assert (await one.verify(ROOT, interactive=False)).sound


async def test_readings_leave_no_descriptor_and_no_follower(tmp_path: Path) -> None:
    async with readings(tmp_path, entries=3) as (one, journal):
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            reading = await one.query(ROOT, Search(Query(), follow=True), interactive=False)
            os.close(reading)
            await until_over(one)
        assert len(os.listdir("/proc/self/fd")) == before
        assert not journal._followers
