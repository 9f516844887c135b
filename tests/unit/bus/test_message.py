"""Headers: ours against dbus-next's own, and hostile ones."""
# mypy: disable-error-code="no-untyped-call"
# (dbus-next's internals carry no types.)

import struct

import pytest
from dbus_next._private.marshaller import Marshaller
from dbus_next.constants import MessageType
from dbus_next.message import Message
from dbus_next.signature import Variant
from hypothesis import given, settings
from hypothesis import strategies as st

from cardd.bus.message import Flag, Header, Kind, encode_message, parse_header, parse_preamble
from cardd.bus.syntax import Malformed, Unsendable

CALL = Header(
    Kind.METHOD_CALL,
    Flag.ALLOW_INTERACTIVE_AUTHORIZATION,
    7,
    path="/org/cardd1",
    interface="org.cardd1.Manager",
    member="Reload",
    destination=":1.5",
    signature="a{sv}",
    unix_fds=2,
)


def parse(data: bytes) -> Header:
    preamble = parse_preamble(data)
    return parse_header(preamble, data[: preamble.header_bytes])


def by_dbus_next(fields: list[tuple[int, Variant]], *, kind: int = 1) -> bytes:
    marshaller = Marshaller("yyyyuua(yv)", [ord("l"), kind, 0, 1, 0, 9, [list(field) for field in fields]])
    marshaller.marshall()
    marshaller.align(8)
    return bytes(marshaller.buffer)


def test_a_header_survives_the_way() -> None:
    assert parse(encode_message(CALL, b"")) == CALL


def test_dbus_next_reads_what_we_write_and_we_what_it_writes() -> None:
    theirs = Message(
        destination=":1.5",
        path="/a/b",
        interface="i.f",
        member="M",
        message_type=MessageType.SIGNAL,
        signature="su",
        body=["x", 1],
        serial=3,
    )._marshall()
    header = parse(theirs)
    assert (header.kind, header.serial, header.path, header.interface) == (Kind.SIGNAL, 3, "/a/b", "i.f")
    assert (header.member, header.destination, header.signature) == ("M", ":1.5", "su")
    body = theirs[parse_preamble(theirs).header_bytes :]
    assert parse(encode_message(header, body)) == header


def test_errors_and_returns() -> None:
    error = Header(Kind.ERROR, 1, 4, error_name="org.cardd1.Error.Busy", reply_serial=9, destination=":1.1")
    assert parse(encode_message(error)) == error
    assert not error.wants_reply


def test_fields_of_later_versions_are_skipped() -> None:
    """dbus-next ends the connection at a field that it does not know; any client can send one."""
    data = by_dbus_next([(1, Variant("o", "/a")), (42, Variant("a{sv}", {})), (3, Variant("s", "M"))])
    header = parse(data)
    assert (header.path, header.member) == ("/a", "M")


def test_message_types_of_later_versions_are_read() -> None:
    assert parse(by_dbus_next([(1, Variant("o", "/a"))], kind=77)).kind == 77


def test_big_endian_headers_are_read() -> None:
    path = struct.pack(">BB1sxI3s", 1, 1, b"o", 2, b"/a\0")
    fields = path + bytes(-len(path) % 8) + struct.pack(">BB1sxI2s", 3, 1, b"s", 1, b"M\0")
    data = struct.pack(">BBBBIII", ord("B"), 1, 0, 1, 0, 9, len(fields)) + fields + bytes(-len(fields) % 8)
    header = parse(data)
    assert (header.serial, header.path, header.member) == (9, "/a", "M")


@pytest.mark.parametrize("field", [(1, Variant("u", 1)), (5, Variant("s", "x")), (8, Variant("u", 3))])
def test_fields_of_a_wrong_type(field: tuple[int, Variant]) -> None:
    with pytest.raises(Malformed):
        parse(by_dbus_next([field]))


@pytest.mark.parametrize("first", [b"x\1\0\1", b"l\1\0\2"])
def test_what_begins_no_message(first: bytes) -> None:
    with pytest.raises(Malformed):
        parse_preamble(first + bytes(12))


def test_a_length_beyond_the_protocol() -> None:
    with pytest.raises(Malformed, match="longer"):
        parse_preamble(struct.pack("<BBBBIII", ord("l"), 1, 0, 1, 0xFFFFFFF0, 1, 0))


@settings(deadline=None)
@given(st.binary(max_size=120))
def test_any_header_is_read_or_refused(fields: bytes) -> None:
    data = struct.pack("<BBBBIII", ord("l"), 1, 0, 1, 0, 1, len(fields)) + fields + bytes(-len(fields) % 8)
    try:
        header = parse(data)
    except Malformed:
        return
    assert header.serial == 1


@pytest.mark.parametrize(
    "header",
    [
        Header(Kind.SIGNAL, 0, 1, path="/a\n"),
        Header(Kind.SIGNAL, 0, 1, path="a"),
        Header(Kind.SIGNAL, 0, 1, interface="i"),
        Header(Kind.SIGNAL, 0, 1, member="a.b"),
        Header(Kind.SIGNAL, 0, 1, destination="x"),
        Header(Kind.SIGNAL, 0, 1, error_name="no"),
    ],
)
def test_names_that_the_bus_would_not_take(header: Header) -> None:
    with pytest.raises(Unsendable):
        encode_message(header)
