"""How messages are built, and what an error looks like."""

import os

import pytest

from cardd.bus.descriptors import OwnedFd
from cardd.bus.failures import StandardError, StandardName
from cardd.bus.framing import Framer, Incoming
from cardd.bus.message import Header, Kind
from cardd.bus.outgoing import build, error_reply, method_return
from cardd.bus.syntax import TooLong, Unsendable
from cardd.errors import CardFault, PinIncorrect

CALL = Header(Kind.METHOD_CALL, 0, 5, path="/a", member="M", sender=":1.9")


def null() -> OwnedFd:
    return OwnedFd(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))


def read(data: bytes, descriptors: list[OwnedFd] | None = None) -> Incoming:
    framer = Framer(1 << 20)
    framer.feed(data, descriptors)
    found = framer.next()
    assert found is not None
    return found


def test_a_result_answers_its_call() -> None:
    header = read(method_return(CALL, 77, "s", ["x"], 1000).data).header
    assert (header.kind, header.serial, header.reply_serial, header.destination) == (Kind.METHOD_RETURN, 77, 5, ":1.9")


def test_a_result_with_descriptors_says_how_many() -> None:
    descriptors = [null(), null()]
    reply = method_return(CALL, 1, "hh", descriptors, 1000)
    assert read(reply.data, []).header.unix_fds == 2
    reply.close()
    assert all(one.closed for one in descriptors)


def test_one_of_ours_carries_its_sentence_alone() -> None:
    """GDBus shows the sentence only where it is the whole body."""
    found = read(error_reply(CALL, 1, PinIncorrect(tries_left=2)))
    assert found.header.error_name == "org.cardd1.Error.PinIncorrect"
    assert found.values("s") == ["The PIN is wrong; tries left: 2."]


def test_a_standard_error_carries_one_sentence() -> None:
    found = read(error_reply(CALL, 1, StandardError(StandardName.UNKNOWN_METHOD, "no such method")))
    assert found.header.error_name == "org.freedesktop.DBus.Error.UnknownMethod"
    assert found.values("s") == ["no such method"]


def test_a_message_that_cannot_be_built_closes_its_descriptors() -> None:
    descriptor = null()
    header = Header(Kind.METHOD_RETURN, 0, 1, reply_serial=1, signature="hs")
    with pytest.raises(Unsendable):
        build(header, [descriptor, "nul\0"], 1000)
    assert descriptor.closed


def test_a_message_beyond_the_limit() -> None:
    descriptor = null()
    header = Header(Kind.METHOD_RETURN, 0, 1, reply_serial=1, signature="hay")
    with pytest.raises(TooLong):
        build(header, [descriptor, bytes(1000)], 1000)
    assert descriptor.closed


def test_a_field_that_the_bus_would_not_take() -> None:
    with pytest.raises(Unsendable):
        error_reply(CALL, 1, CardFault(detail="\0"))
