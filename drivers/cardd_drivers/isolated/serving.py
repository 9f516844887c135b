"""The token's process: answers requests about one token until the daemon hangs up."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from cardd_drivers.contract import DecipherAlgorithm, SignatureAlgorithm
from cardd_drivers.isolated.confine import confine
from cardd_drivers.isolated.description import Description
from cardd_drivers.isolated.messages import Ask, Fault, MalformedPacket, Told, compose, parse, receive
from cardd_drivers.secret_memory import SecretBytes, wipe


class Faulty(Exception):
    """There is no result.

    Args:
        fault: why.
        detail: for the log; nothing secret.
    """

    def __init__(self, fault: Fault, detail: str = "") -> None:
        super().__init__(f"{fault.value} {detail}")
        self.fault = fault
        self.detail = detail


class Backend(Protocol):
    """One token; each method raises `Faulty`."""

    def describe(self) -> Description:
        """What it is."""

    def certificate(self, position: int) -> tuple[bytes, bytes]:
        """Id and DER of one of its certificates."""

    def tries_left(self) -> int | None:
        """Of its PIN; None where it does not say."""

    def login(self, pin: SecretBytes) -> None:
        """Present the PIN, once."""

    def set_pin(self, old: SecretBytes, new: SecretBytes) -> None:
        """Replace the PIN."""

    def sign(self, key: bytes, algorithm: SignatureAlgorithm, digest: bytes) -> bytes:
        """Sign a SHA-256 digest."""

    def decipher(self, key: bytes, algorithm: DecipherAlgorithm, cryptogram: bytes) -> bytes | bytearray:
        """Decipher a block."""

    def read_object(self, label: str) -> bytes:
        """A data object's value."""


def process_main(make: Callable[[Mapping[str, Any], socket.socket], Backend | None], arguments: Sequence[str]) -> int:
    """Entry point of a token's process.

    Args:
        make: gives the token of these settings; None where it has served in a way of its own.
        arguments: descriptor of the connection, process id of the daemon, settings in JSON.
    """
    descriptor, parent, settings = arguments
    confine(int(parent))
    connection = socket.socket(fileno=int(descriptor))
    try:
        backend = make(json.loads(settings), connection)
        if backend is not None:
            _send(connection, Told.READY)
            serve(connection, backend)
    except Faulty as faulty:
        _send(connection, Told.FAULT, [faulty.fault.value.encode(), _plain(faulty.detail)])
    except OSError:  # the daemon has hung up
        return 1
    except Exception as error:  # foreign code: whatever it raises, the daemon is told that it did
        _send(connection, Told.FAULT, [Fault.FAILED.value.encode(), type(error).__name__.encode()])
    # A module's threads and destructors have nothing to say any more.
    sys.stdout.flush()
    os._exit(0)


def serve(connection: socket.socket, backend: Backend) -> None:
    """Answer requests until the other side hangs up.

    Raises:
        OSError: it hangs up in the midst of an answer.
    """
    while (packet := receive(connection)) is not None:
        try:
            answer = _answer(backend, packet)
        finally:
            wipe(packet)
        try:
            connection.send(answer)
        finally:
            wipe(answer)


def _answer(backend: Backend, packet: memoryview) -> memoryview:
    try:
        code, fields = parse(packet)
        return compose(Told.DONE, _HANDLERS[Ask(code)](backend, fields))
    except Faulty as faulty:
        return compose(Told.FAULT, [faulty.fault.value.encode(), _plain(faulty.detail)])
    except (MalformedPacket, ValueError, KeyError) as error:
        return compose(Told.FAULT, [Fault.FAILED.value.encode(), type(error).__name__.encode()])


def _describe(backend: Backend, _: list[memoryview]) -> Sequence[bytes]:
    return backend.describe().fields()


def _certificate(backend: Backend, fields: list[memoryview]) -> Sequence[bytes]:
    return backend.certificate(int(bytes(fields[0])))


def _pin_state(backend: Backend, _: list[memoryview]) -> Sequence[bytes]:
    tries = backend.tries_left()
    return [b"" if tries is None else b"%d" % tries]


def _login(backend: Backend, fields: list[memoryview]) -> Sequence[bytes]:
    backend.login(fields[0])
    return []


def _set_pin(backend: Backend, fields: list[memoryview]) -> Sequence[bytes]:
    backend.set_pin(fields[0], fields[1])
    return []


def _sign(backend: Backend, fields: list[memoryview]) -> Sequence[bytes]:
    key, algorithm, digest = (bytes(one) for one in fields)
    return [backend.sign(key, SignatureAlgorithm(algorithm.decode()), digest)]


def _decipher(backend: Backend, fields: list[memoryview]) -> Sequence[bytes | bytearray]:
    key, algorithm, cryptogram = (bytes(one) for one in fields)
    return [backend.decipher(key, DecipherAlgorithm(algorithm.decode()), cryptogram)]


def _object(backend: Backend, fields: list[memoryview]) -> Sequence[bytes]:
    return [backend.read_object(bytes(fields[0]).decode())]


_HANDLERS: Mapping[Ask, Callable[[Backend, list[memoryview]], Sequence[bytes | bytearray]]] = {
    Ask.DESCRIBE: _describe,
    Ask.CERTIFICATE: _certificate,
    Ask.PIN_STATE: _pin_state,
    Ask.LOGIN: _login,
    Ask.SET_PIN: _set_pin,
    Ask.SIGN: _sign,
    Ask.DECIPHER: _decipher,
    Ask.OBJECT: _object,
}


def _send(connection: socket.socket, code: Told, fields: Sequence[bytes] = ()) -> None:
    with contextlib.suppress(BrokenPipeError):
        connection.send(compose(code, fields))


def _plain(detail: str) -> bytes:
    return "".join(one if one.isprintable() else "?" for one in detail)[:500].encode()
