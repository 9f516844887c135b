"""org.cardd1.Journal over a real bus: who may read what, searches, following, verification, exports."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cardd.bus.descriptors import OwnedFd
from cardd.bus.names import JOURNAL, ROOT, SERVICE
from cardd.bus.transport import RemoteMethod, Transport
from cardd.bus.wire import variant
from cardd.client import CarddClient, JournalQuery
from cardd.client.connection import Connection
from cardd.client.core import Core
from cardd.errors import DescriptorUnusable, InvalidArgument, JournalBusy, NotAuthorized, UnknownOption
from tests.support.core import PATIENCE
from tests.support.running import Running, identified, running_cardd

ROOT_DIRECTORY = Path(__file__).parents[2]
PIN = b"1234"
DIGEST = hashlib.sha256(b"document").digest()
HOLDER = "899900000011"
OTHER_UID = 65534
"""nobody: the bus takes users alone who are in /etc/passwd."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="other users are for root")


@pytest.fixture
def running() -> Iterator[Running]:
    with running_cardd() as one:
        yield one


async def told(client: CarddClient, query: JournalQuery | None = None) -> list[dict[str, Any]]:
    """The entries that a query finds."""
    async with aclosing(client.journal.query(query)) as lines:
        return [json.loads(line) async for line in lines]


async def signed_story(running: Running) -> None:
    """A card, a wrong PIN, a session, two signatures, the end."""
    running.insert()
    async with running.client() as client:
        card = await identified(client)
        with pytest.raises(Exception, match="PIN is wrong"):
            await card.authenticate(pin=bytearray(b"9999"))
        session = await card.authenticate(pin=bytearray(PIN))
        for _ in range(2):
            await session.sign("signature", "RS256", DIGEST)
        await session.end()


async def test_what_happened_is_found_by_each_of_its_marks(running: Running) -> None:
    await signed_story(running)
    async with running.client() as client:
        everything = await told(client)
        kinds = [one["kind"] for one in everything]
        assert kinds[0] == "daemon-started"
        assert kinds[-1] == "journal-read"
        assert everything[-1]["what"] == {"action": "query", "object": ""}
        assert [one["seq"] for one in everything] == sorted(one["seq"] for one in everything)
        signed = await told(client, JournalQuery(kinds=["signed"]))
        assert [one["what"]["digest"] for one in signed] == [DIGEST.hex()] * 2
        assert {one["kind"] for one in await told(client, JournalQuery(result="PinIncorrect"))} == {"refused"}
        (newest,) = await told(client, JournalQuery(holder=HOLDER, newest_first=True, limit=1))
        assert newest["kind"] == "session-ended"
        assert await told(client, JournalQuery(uid=12345)) == []
        since, until = signed[0]["time"], signed[1]["time"]
        moments = [_moment(since), _moment(until)]
        between = await told(client, JournalQuery(since=moments[0], until=moments[1], kinds=["signed"]))
        assert [one["seq"] for one in between] == [signed[0]["seq"]]
        (reading,) = (await told(client, JournalQuery(kinds=["journal-read"], newest_first=True, limit=2)))[1:]
        assert reading["what"]["object"] == f"since={since} until={until} kinds=signed"
        assert await client.journal.entries() >= len(everything)
        assert (await client.journal.head()).split(":")[1].isdigit()


def _moment(text: str) -> Any:
    from cardd.journal.clock import time_of

    return time_of(text)


async def test_what_is_written_later_is_followed(running: Running) -> None:
    async with running.client() as client:
        query = JournalQuery(kinds=["card-inserted", "signed"], follow=True)
        async with aclosing(client.journal.query(query)) as lines, asyncio.timeout(PATIENCE):
            waiting = asyncio.ensure_future(anext(lines))
            running.insert()
            assert json.loads(await waiting)["kind"] == "card-inserted"
            card = await identified(client)
            session = await card.authenticate(pin=bytearray(PIN))
            await session.sign("signature", "RS256", DIGEST)
            assert json.loads(await anext(lines))["kind"] == "signed"
        # One reading, however long it was followed.
        assert len(await told(client, JournalQuery(kinds=["journal-read"]))) == 2


async def test_a_daemon_that_stops_ends_what_is_followed(running: Running) -> None:
    async with running.client() as client:
        async with aclosing(client.journal.query(JournalQuery(follow=True))) as lines, asyncio.timeout(PATIENCE):
            await anext(lines)
            stopping = asyncio.to_thread(running.cardd.stop)
            _, status = await asyncio.gather(_to_the_end(lines), stopping)
        assert status == 0


async def _to_the_end(lines: AsyncIterator[bytes]) -> None:
    async for _ in lines:
        pass


async def test_the_daemon_verifies_itself_and_finds_what_was_spoilt(running: Running) -> None:
    await signed_story(running)
    async with running.client() as client:
        report = await client.journal.verify()
        assert report.sound
        assert report.problems == ()
        assert report.entries >= 6
        assert any("witness" in notice for notice in report.notices)
        (segment,) = (running.folder / "journal").glob("journal-*.jsonl")
        content = segment.read_bytes()
        spoilt = content.replace(b'"kind":"signed"', b'"kind":"refuse"', 1)
        with segment.open("r+b") as writing:
            writing.write(spoilt[: content.rindex(b"}\n") + 2])
        report = await client.journal.verify()
        assert not report.sound
        assert report.problems[0].fault == "altered"


async def test_an_export_convinces_a_program_that_knows_nothing_of_cardd(running: Running, tmp_path: Path) -> None:
    await signed_story(running)
    content, proof = tmp_path / "export.jsonl", tmp_path / "proof.jsonl"
    async with running.client() as client:
        for first in (1, 4):
            with content.open("wb") as lines, proof.open("wb") as statement:
                await client.journal.export(lines, statement, first=first)
            command = [sys.executable, str(ROOT_DIRECTORY / "scripts" / "journal-verify"), "--key"]
            command += [str(running.folder / "journal" / "first-key.pub"), "--proof", str(proof), str(content)]
            verified = subprocess.run(command, capture_output=True, text=True, check=False)
            assert verified.returncode == 0, verified.stdout + verified.stderr
        exported = [json.loads(line) for line in content.read_text().splitlines()]
        assert exported[0]["seq"] == 4
        assert exported[-1]["kind"] == "seal"
        assert [one["kind"] for one in exported].count("journal-exported") == 2
        content.write_bytes(content.read_bytes().replace(b'"kind":"signed"', b'"kind":"refuse"', 1))
        assert subprocess.run(command, capture_output=True, check=False).returncode == 1


@asynccontextmanager
async def bare(running: Running) -> AsyncIterator[Transport]:
    """The bus without the client's help."""
    connection = await Connection.connect(running.bus.address)
    yield connection._transport
    await connection.close()


async def query(transport: Transport, options: dict[str, Any]) -> OwnedFd:
    """Call Query with raw options."""
    (answer,) = await transport.call(SERVICE, ROOT, RemoteMethod(JOURNAL, "Query", "a{sv}", "h"), (options,))
    assert isinstance(answer, OwnedFd)
    return answer


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"colour": variant("s", "red")}, UnknownOption),
        ({"limit": variant("s", "many")}, InvalidArgument),
        ({"limit": variant("u", 0)}, InvalidArgument),
        ({"since": variant("t", 2**64 - 1)}, InvalidArgument),
        ({"kind": variant("as", ["signed", "sung"])}, InvalidArgument),
        ({"after": variant("t", 10**18)}, InvalidArgument),
        ({"follow": variant("b", True), "limit": variant("u", 1)}, InvalidArgument),
        ({"follow": variant("b", True), "newest-first": variant("b", True)}, InvalidArgument),
    ],
)
async def test_options_that_mean_nothing_are_refused_by_name(
    cardd: Running, options: dict[str, Any], error: type[Exception]
) -> None:
    async with bare(cardd) as transport:
        with pytest.raises(Exception, match=r".") as caught:
            await query(transport, options)
        assert error.__name__ in str(caught.value)
        assert next(iter(options)) in str(caught.value)


async def test_one_kind_may_be_a_plain_word(cardd: Running) -> None:
    async with bare(cardd) as transport:
        with await query(transport, {"kind": variant("s", "daemon-started")}) as answer:
            text = await asyncio.to_thread(_read_all, answer.fileno())
        assert [json.loads(line)["kind"] for line in text.splitlines()] == ["daemon-started"]


def _read_all(descriptor: int) -> bytes:
    with open(descriptor, "rb", closefd=False) as reading:
        return reading.read()


async def test_lines_that_there_are_not_are_not_exported(cardd: Running) -> None:
    async with cardd.client() as client:
        for first, last in ((0, None), (10**9, None), (3, 2)):
            with pytest.raises(InvalidArgument):
                await client.journal.export(io.BytesIO(), io.BytesIO(), first=first, last=last)


async def test_an_export_goes_into_the_writable_end_of_a_pipe_alone(cardd: Running, tmp_path: Path) -> None:
    export = RemoteMethod(JOURNAL, "Export", "ha{sv}", "h")
    reading, writing = os.pipe()
    os.close(writing)
    async with bare(cardd) as transport:
        for descriptor in (reading, os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)):
            with OwnedFd(descriptor) as output, pytest.raises(Exception, match=DescriptorUnusable.__name__):
                await transport.call(SERVICE, ROOT, export, (output, {}))


async def test_a_user_has_so_many_readings_and_no_more_until_one_ends(cardd: Running) -> None:
    async with cardd.client() as client, asyncio.timeout(PATIENCE):
        following = [client.journal.query(JournalQuery(follow=True)) for _ in range(4)]
        for one in following:
            await anext(one)
        with pytest.raises(JournalBusy):
            await told(client)
        await following[0].aclose()
        # The daemon hears of the closed pipe from the kernel, a moment later.
        while True:
            try:
                assert await told(client)
                break
            except JournalBusy:
                await asyncio.sleep(0.01)
        for one in following:
            await one.aclose()


AS_ANOTHER = """
import asyncio, json, os, sys
os.setgroups([]); os.setgid({uid}); os.setuid({uid})
from cardd.client import CarddClient, JournalQuery
from cardd.errors import CarddError
from contextlib import aclosing

async def said(work):
    try:
        return await work
    except CarddError as error:
        return type(error).__name__

async def found(client, query=None):
    async with aclosing(client.journal.query(query)) as lines:
        return [json.loads(line) async for line in lines]

async def main():
    import io
    async with await CarddClient.connect(sys.argv[1]) as client:
        told = {{}}
        told["before"] = await said(found(client))
        (card,) = await client.cards()
        session = await card.authenticate(pin=bytearray(b"1234"))
        await session.sign("signature", "RS256", bytes(32))
        told["own"] = await said(found(client))
        told["named"] = len(await said(found(client, JournalQuery(holder="{holder}", limit=2))))
        told["other"] = await said(found(client, JournalQuery(holder="899900000029")))
        told["verify"] = await said(client.journal.verify())
        told["export"] = await said(client.journal.export(io.BytesIO(), io.BytesIO()))
        async with aclosing(client.journal.query(JournalQuery(follow=True))) as lines:
            await anext(lines)
            await session.end()
            told["followed"] = [json.loads(line)["kind"] async for line in lines]
        told["after"] = await said(found(client))
    print(json.dumps(told))

asyncio.run(main())
"""


@needs_root
async def test_the_owner_of_a_session_reads_the_entries_of_its_holder_while_it_is_open(running: Running) -> None:
    await signed_story(running)
    script = AS_ANOTHER.format(uid=OTHER_UID, holder=HOLDER)
    command = [sys.executable, "-c", script, running.bus.address]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [found[one] for one in ("before", "other", "verify", "export", "after")] == [NotAuthorized.__name__] * 5
    assert found["named"] == 2
    own = found["own"]
    assert {one["holder"]["id"] for one in own} == {HOLDER}
    assert {one["caller"]["uid"] for one in own if one["kind"] == "signed"} == {os.getuid(), OTHER_UID}
    # The reading itself is among them, as one of the holder's own.
    assert (own[-1]["kind"], own[-1]["holder"]) == ("journal-read", {"card": "", "id": HOLDER})
    assert found["followed"][-1] == "session-ended"
    async with running.client() as client:
        refused = await told(client, JournalQuery(uid=OTHER_UID, result=NotAuthorized.__name__))
        assert [one["what"]["action"] for one in refused] == ["Query", "Query", "Verify", "Export", "Query"]


async def test_each_connection_is_written_down_once(running: Running) -> None:
    async with running.client() as client:
        await told(client)
        await told(client)
        connected = await told(client, JournalQuery(kinds=["caller-connected"]))
    assert [one["caller"]["pid"] for one in connected] == [os.getpid()]
    async with running.client() as client:
        entries = await told(client)
    kinds = [one["kind"] for one in entries]
    assert kinds.count("caller-connected") == 2
    assert kinds.index("caller-connected") < kinds.index("journal-read")


async def test_connections_without_end_are_summed_up(running: Running) -> None:
    connections = [await Connection.connect(running.bus.address) for _ in range(20)]
    for _ in range(6):
        for number, connection in enumerate(connections):
            await CarddClient(Core(connection)).journal.verify()
            await connection.close()
            connections[number] = await Connection.connect(running.bus.address)
    running.cardd.stop()
    text = "".join(path.read_text().rstrip("\0") for path in (running.folder / "journal").glob("*.jsonl"))
    connected = [one for one in map(json.loads, text.splitlines()) if one["kind"] == "caller-connected"]
    assert len(connected) == 101
    assert connected[-1]["what"]["count"] == 20
    assert connected[-1]["caller"] == {"application": "", "pid": None, "uid": os.getuid(), "unit": ""}
