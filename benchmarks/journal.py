"""What the journal costs, beside SQLite (WAL, synchronous FULL) behind the very same group commit.

Where the directory lies decides most: BENCH_DIRECTORY names one on the disk that is meant.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.as_the_daemon import as_the_daemon
from benchmarks.figure import Figure, percentile
from cardd.journal import CallerRef, Detail, Event, HolderRef, Journal, Kind, Settings, open_directory
from cardd.journal.clock import SystemClock
from cardd.journal.entry import Body, body_of
from cardd.journal.link import ORIGIN, Head, digest_of
from cardd.journal.store import Limits, Store

CALLERS = 50
EACH = 600
ROUNDS = 5
SIZES = (10_000, 100_000, 1_000_000)
_HOLDER = HolderRef("899700000012", "0123456789")
_CALLER = CallerRef(1000, 4242, "app-editor.scope", "org.example.Editor")
_JOURNAL = "0" * 32


_COLUMNS = {
    True: "seq INTEGER PRIMARY KEY, time INTEGER, monotonic INTEGER, boot TEXT, kind TEXT, result TEXT, holder TEXT, "
    "card TEXT, uid INTEGER, pid INTEGER, unit TEXT, application TEXT, what TEXT, prev TEXT, digest TEXT",
    False: "seq INTEGER PRIMARY KEY, time INTEGER, digest TEXT, line BLOB",
}


class SqliteStore:
    """The same entries, chained by the same hashes, as rows; to be put in the place of `Store`. No index but the key.

    Args:
        path: of the database.
        columns: a column for each field, as one would search it; otherwise the ready line is stored as a blob.
    """

    def __init__(self, path: Path, *, columns: bool) -> None:
        self._path = path
        self._columns = columns
        self._rows: sqlite3.Connection | None = None
        self.head: Head | None = Head(_JOURNAL, 0, ORIGIN)
        self.entries = 0
        self.unsealed = 0

    def open(self) -> None:
        """Make the table."""
        self._rows = sqlite3.connect(self._path, isolation_level=None)
        self._rows.execute("PRAGMA journal_mode=WAL")
        self._rows.execute("PRAGMA synchronous=FULL")
        self._rows.execute(f"CREATE TABLE entry ({_COLUMNS[self._columns]})")

    def commit(self, bodies: Sequence[Body]) -> list[Head]:
        """One transaction."""
        if self._rows is None or self.head is None:
            raise RuntimeError("not open")
        seq, digest = self.head.seq, self.head.digest
        rows: list[tuple[object, ...]] = []
        heads: list[Head] = []
        for body in bodies:
            seq += 1
            prev, line = digest, body.line(seq, digest)
            digest = digest_of(line)
            if self._columns:
                rows.append((seq, *_fields(body), prev, digest))
            else:
                rows.append((seq, body.stamp.microseconds, digest, line))
            heads.append(Head(_JOURNAL, seq, digest))
        self._rows.execute("BEGIN")
        self._rows.executemany(f"INSERT INTO entry VALUES ({', '.join('?' * len(rows[0]))})", rows)  # noqa: S608  # question marks
        self._rows.execute("COMMIT")
        self.head = heads[-1]
        self.entries += len(rows)
        return heads

    def seal(self) -> Head | None:
        """Nothing to seal."""
        return None

    def close(self) -> None:
        """Close the database."""
        if self._rows is not None:
            self._rows.close()


def _fields(body: Body) -> tuple[object, ...]:
    event, stamp, holder, caller = body.event, body.stamp, body.event.holder, body.event.caller
    return (
        stamp.microseconds,
        stamp.monotonic,
        stamp.boot,
        event.kind,
        event.result,
        holder and holder.national_id,
        holder and holder.card,
        caller and caller.uid,
        caller and caller.pid,
        caller and caller.unit,
        caller and caller.application,
        body.after[body.after.index('"what":') + 7 : -1],
    )


def measure() -> list[Figure]:
    """Every figure of this file."""
    with as_the_daemon():
        entries = list(_entries())
    return [*entries, *_verification()]


def _event(number: int) -> Event:
    what: dict[Detail, str | int] = {
        Detail.KEY: "signature",
        Detail.ALGORITHM: "RS256",
        Detail.DIGEST: f"{number:064x}",
        Detail.SESSION: "s42",
    }
    return Event(Kind.SIGNED, holder=_HOLDER, caller=_CALLER, what=what)


def _directory() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIRECTORY"))


def _entries() -> Iterable[Figure]:
    ours: list[float] = []
    theirs: list[float] = []
    blobs: list[float] = []
    our_waits: list[float] = []
    their_waits: list[float] = []
    # Turn by turn, so that what else the machine does meets both alike; the first round only warms up.
    for turn in range(ROUNDS + 1):
        for rates, waits, columns in ((ours, our_waits, None), (theirs, their_waits, True), (blobs, [], False)):
            rate, waited = asyncio.run(_callers(columns, callers=CALLERS, each=EACH))
            if turn:
                rates.append(rate)
                waits.extend(waited)
    _, alone = asyncio.run(_callers(None, callers=1, each=500))
    yield Figure(
        "journal/durable-entries",
        statistics.median(ours),
        "1/s",
        "SQLite WAL FULL, same group commit",
        statistics.median(theirs),
        f"{CALLERS} callers; median of {ROUNDS} rounds, turn by turn; goal 1.5 times; SQLite with the ready line as a "
        f"blob {statistics.median(blobs):.0f}",
    )
    sqlite_p99, sync_p99 = percentile(their_waits, 0.99), percentile(_syncs(), 0.99)
    yield Figure(
        "journal/added-latency/p99",
        percentile(our_waits, 0.99),
        "ms",
        "goal",
        3,
        f"{CALLERS} callers that do nothing else; SQLite {sqlite_p99:.2f}; one caller alone "
        f"{percentile(alone, 0.99):.2f}; a bare fdatasync of this disk {sync_p99:.2f}",
    )


async def _callers(columns: bool | None, *, callers: int, each: int) -> tuple[float, list[float]]:
    """Entries a second, and what each waited in milliseconds; ``columns`` None: the journal itself."""
    waits: list[float] = []
    with _directory() as folder:
        journal = Journal(open_directory(Path(folder) / "journal"), Settings())
        if columns is not None:
            # The same thread, queue and wake-ups; only what writes is another.
            stand_in = SqliteStore(Path(folder) / "entries.sqlite", columns=columns)
            journal._writer._store = stand_in  # type: ignore[assignment]  # noqa: SLF001  # the stand-in
        await journal.start()

        async def caller(start: int) -> None:
            for number in range(each):
                begun = time.perf_counter()
                await journal.record(_event(start + number))
                waits.append((time.perf_counter() - begun) * 1000)

        begun = time.perf_counter()
        await asyncio.gather(*(caller(one * each) for one in range(callers)))
        taken = time.perf_counter() - begun
        await journal.close()
    return callers * each / taken, waits


def _syncs() -> list[float]:
    """What the disk alone takes to overwrite and sync one batch, in milliseconds."""
    taken: list[float] = []
    with _directory() as folder:
        descriptor = os.open(Path(folder) / "bare", os.O_RDWR | os.O_CREAT, 0o600)
        os.write(descriptor, bytes(CALLERS * 500))
        os.fsync(descriptor)
        for number in range(500):
            begun = time.perf_counter()
            os.pwrite(descriptor, bytes([number % 256]) * CALLERS * 500, 0)
            os.fdatasync(descriptor)
            taken.append((time.perf_counter() - begun) * 1000)
        os.close(descriptor)
    return taken


# The peak of this program alone: what getrusage tells includes the parent before exec.
_PEAK = """
def _peak():
    [line] = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024
"""

_VERIFY = """
import sys, time
from pathlib import Path
from cardd.journal.files import DirectoryFiles
from cardd.journal.verify import verify
files = DirectoryFiles(Path(sys.argv[1]))
begun = time.perf_counter()
report = verify(files)
assert report.sound, report.problems
print(time.perf_counter() - begun, report.entries, _peak())
"""

_VERIFY_SQLITE = """
import hashlib, sqlite3, sys, time
begun, prev, count = time.perf_counter(), "0" * 64, 0
for seq, digest, line in sqlite3.connect(sys.argv[1]).execute("SELECT seq, digest, line FROM entry ORDER BY seq"):
    place = line.index(b'"prev":"') + 8
    assert line[place : place + 64].decode() == prev and hashlib.sha256(line).hexdigest() == digest
    prev, count = digest, count + 1
print(time.perf_counter() - begun, count, _peak())
"""


def _verification() -> Iterable[Figure]:
    memory: dict[int, float] = {}
    for size in SIZES:
        with _directory() as folder:
            directory, database = Path(folder) / "journal", Path(folder) / "entries.sqlite"
            directory.mkdir()
            _fill(Store(open_directory(directory), SystemClock(), Limits()), size)
            _fill(SqliteStore(database, columns=False), size)
            seconds, memory[size] = _timed(_VERIFY, directory, size)
            their_seconds, _ = _timed(_VERIFY_SQLITE, database, size)
        yield Figure(
            f"journal/verify/{size}",
            size / seconds,
            "1/s",
            "the bare chain in SQLite",
            size / their_seconds,
            f"{seconds:.2f} s; form of each line, seals, order and counts too",
        )
    least, most = SIZES[0], SIZES[-1]
    yield Figure(
        "journal/verify/memory", memory[most], "MB", f"of {least} entries", memory[least], f"peak, {most} entries"
    )


def _fill(store: Store | SqliteStore, size: int) -> None:
    store.open()
    stamp = SystemClock().now()
    bodies = [body_of(_event(number), stamp) for number in range(500)]
    while store.entries < size:
        store.commit(bodies[: size - store.entries])
    store.seal()
    store.close()


def _timed(program: str, path: Path, size: int) -> tuple[float, float]:
    """Seconds and megabytes of a process of its own."""
    command = [sys.executable, "-c", _PEAK + program, str(path)]
    seconds, count, memory = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    if int(count) != size:
        raise RuntimeError(f"{count} entries were read where {size} were written")
    return float(seconds), float(memory)


def main() -> int:
    """Print each figure as a line of JSON."""
    for figure in measure():
        print(figure.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
