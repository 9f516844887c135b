"""What a local user may try: each costs the sender an error, and nobody else anything."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from cardd.bus.failures import RemoteError
from cardd.bus.framing import Framer, Incoming
from cardd.bus.handshake import open_socket
from cardd.bus.message import Header, Kind, encode_message
from cardd.bus.wire import Variant, encode_body
from tests.support.bus import PrivateBus
from tests.support.gadget import ECHO, NAME, PATH, SERVICE, Served, null, open_descriptors

BUS = "org.freedesktop.DBus"


class Rude:
    """A connection that sends whatever it likes, as long as the bus lets it through."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.serial = 1
        self.framer = Framer(1 << 20)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def call(self, member: str, signature: str, body: bytes, *, interface: str = NAME) -> Incoming:
        self.serial += 1
        header = Header(
            Kind.METHOD_CALL,
            0,
            self.serial,
            path=PATH,
            interface=interface,
            member=member,
            destination=SERVICE,
            signature=signature,
        )
        await self.send(encode_message(header, body))
        return await self.answer()

    async def answer(self) -> Incoming:
        while True:
            found = self.framer.next()
            if found is None:
                self.framer.feed(await asyncio.get_running_loop().sock_recv(self.sock, 65536))
            elif found.header.reply_serial == self.serial:
                return found


@pytest.fixture
async def rude(bus: PrivateBus) -> AsyncIterator[Rude]:
    sock = await open_socket(bus.address)
    one = Rude(sock)
    hello = Header(Kind.METHOD_CALL, 0, 1, path="/org/freedesktop/DBus", interface=BUS, member="Hello", destination=BUS)
    await one.send(encode_message(hello))
    await one.answer()
    yield one
    sock.close()


async def still_serves(served: Served) -> bool:
    client = await served.client()
    return await served.call(client, ECHO, b"x") == [b"x"] and not served.transport.lost.is_set()


def with_fields(fields: bytes, serial: int) -> bytes:
    """A call with whatever header fields."""
    return struct.pack("<BBBBIII", ord("l"), 1, 0, 1, 0, serial, len(fields)) + fields + bytes(-len(fields) % 8)


def field(code: int, kind: bytes, value: bytes) -> bytes:
    data = bytes((code, len(kind))) + kind + b"\0" + value
    return data + bytes(-len(data) % 8)


def text(value: str) -> bytes:
    return struct.pack("<I", len(value)) + value.encode() + b"\0"


def addressed(member: str = "Echo") -> bytes:
    return field(1, b"o", text(PATH)) + field(3, b"s", text(member)) + field(6, b"s", text(SERVICE))


async def test_countless_values(served: Served, rude: Rude) -> None:
    """256 KiB hold 100,000 numbers: reading them would hold up the loop."""
    body, _ = encode_body("ssv", [NAME, "Level", Variant("an", [1] * 100_000)])
    answer = await rude.call("Set", "ssv", body, interface=f"{BUS}.Properties")
    assert answer.header.error_name == f"{BUS}.Error.InvalidArgs"
    assert "more than" in answer.values("s")[0]
    assert await still_serves(served)


async def test_unknown_header_fields(served: Served, rude: Rude) -> None:
    """dbus-next ends the connection at the first."""
    rude.serial += 1
    await rude.send(
        with_fields(addressed("WhoAmI") + field(99, b"s", text("x")) + field(42, b"u", bytes(4)), rude.serial)
    )
    assert (await rude.answer()).values("su")[0].startswith(":")
    assert await still_serves(served)


async def test_a_header_full_of_unknown_fields(served: Served, rude: Rude) -> None:
    rude.serial += 1
    await rude.send(with_fields(addressed() + field(42, b"y", b"\1") * 20_000, rude.serial))
    assert await still_serves(served)


async def test_a_path_without_end(served: Served, rude: Rude) -> None:
    rude.serial += 1
    fields = field(1, b"o", text("/a" * 200_000)) + field(3, b"s", text("Echo")) + field(6, b"s", text(SERVICE))
    await rude.send(with_fields(fields, rude.serial))
    assert await still_serves(served)


async def test_a_path_without_end_and_descriptors(served: Served, rude: Rude) -> None:
    await still_serves(served)
    before = open_descriptors()
    fields = field(1, b"o", text("/a" * 200_000)) + field(3, b"s", text("Echo")) + field(6, b"s", text(SERVICE))
    data = with_fields(fields + field(9, b"u", struct.pack("<I", 1)), 77)
    with null() as one:
        sent = socket.send_fds(rude.sock, [data], [one.fileno()])
    await rude.send(data[sent:])
    answer = await rude.call("WhoAmI", "", b"")
    assert answer.values("su")
    assert open_descriptors() <= before


async def test_nested_variants(served: Served, rude: Rude) -> None:
    nested = b"\1v\0" * 60 + b"\1y\0\7"
    answer = await rude.call("Echo", "v", nested)
    assert answer.header.error_name == f"{BUS}.Error.InvalidArgs"
    assert await still_serves(served)


async def test_an_imitated_departure(served: Served, rude: Rude) -> None:
    """A signal to this connection alone needs no match rule: anybody can send one."""
    client = await served.client()
    await served.call(client, ECHO, b"x")
    body, _ = encode_body("sss", [client.unique_name, client.unique_name, ""])
    rude.serial += 1
    header = Header(
        Kind.SIGNAL,
        1,
        rude.serial,
        path="/org/freedesktop/DBus",
        interface=BUS,
        member="NameOwnerChanged",
        destination=SERVICE,
        signature="sss",
    )
    await rude.send(encode_message(header, body))
    await rude.call("WhoAmI", "", b"")
    assert served.dispatcher._peers.known(client.unique_name) is not None


async def test_an_imitated_answer(served: Served, rude: Rude) -> None:
    """This bus lets unasked answers through: who was asked is told apart by the sender."""
    asked = await served.client()
    held: list[Incoming] = []
    asked.on_call = held.append
    asking = asyncio.ensure_future(served.transport.call(asked.unique_name, "/", ECHO, (b"x",)))
    await asyncio.sleep(0)
    (serial,) = served.transport._pending
    body, _ = encode_body("ay", [b"forged"])
    forged = Header(
        Kind.METHOD_RETURN, 1, 5, reply_serial=serial, destination=served.transport.unique_name, signature="ay"
    )
    await rude.send(encode_message(forged, body))
    await rude.call("WhoAmI", "", b"")
    assert not asking.done()
    asked.close()
    with pytest.raises(RemoteError) as caught:
        await asking
    assert caught.value.name == f"{BUS}.Error.NoReply"


async def test_a_flood_of_calls(served: Served, rude: Rude) -> None:
    client = await served.client()
    await served.call(client, ECHO, b"x")
    one = encode_message(
        Header(Kind.METHOD_CALL, 1, 9, path=PATH, interface=NAME, member="Fail", destination=SERVICE, signature="s"),
        encode_body("s", ["x"])[0],
    )
    flooding = asyncio.ensure_future(rude.send(one * 2000))
    assert await served.call(client, ECHO, b"y") == [b"y"]
    await flooding
    assert await still_serves(served)
