"""From an address to an authenticated socket. D-Bus specification, "Server Addresses" and "Authentication Protocol"."""

# mypy: disable-error-code="no-untyped-call"
# (dbus-next's internals carry no types.)

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator

from dbus_next._private.address import parse_address
from dbus_next.auth import AuthExternal
from dbus_next.errors import AuthError, InvalidAddressError

from cardd.bus.failures import BusUnavailable

SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket"
MAX_LINE_BYTES = 16 * 1024  # a bus that sends more without an end of line speaks another protocol
SEND_BUFFER_BYTES = 256 * 1024


def system_bus_address() -> str:
    """The system bus of this host, or the one that the environment names."""
    return os.environ.get("DBUS_SYSTEM_BUS_ADDRESS") or SYSTEM_BUS


async def open_socket(address: str) -> socket.socket:
    """Connect and authenticate; the returned socket is non-blocking and ready for Hello.

    Args:
        address: one or more addresses separated by `;`, tried in order. Unix sockets only: others carry no
            descriptors.

    Raises:
        BusUnavailable: none of them answers, or the bus refuses this process.
    """
    refused: list[str] = []
    for target in _unix_targets(address):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            await asyncio.get_running_loop().sock_connect(sock, target)
            await _authenticate(sock)
        except (OSError, AuthError, ValueError) as error:
            sock.close()
            refused.append(f"{target.removeprefix(chr(0))}: {error}")
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise BusUnavailable("no message bus could be reached: " + ("; ".join(refused) or "no unix socket in the address"))


def _unix_targets(address: str) -> Iterator[str]:
    try:
        parsed = parse_address(address)
    except InvalidAddressError as error:
        raise BusUnavailable(f"the bus address cannot be used: {error}") from None
    for transport, options in parsed:
        if transport == "unix" and "path" in options:
            yield options["path"]
        elif transport == "unix" and "abstract" in options:
            yield "\0" + options["abstract"]


class _Dialogue(AuthExternal):
    """dbus-next's side of the dialogue, line by line."""

    def start(self) -> str:
        """The first line."""
        return self._authentication_start(negotiate_unix_fd=True)

    def answer(self, line: str) -> str:
        """What follows a line of the bus; raises AuthError or ValueError when that is a refusal or no such line."""
        return str(self._receive_line(line))


async def _authenticate(sock: socket.socket) -> None:
    """SASL EXTERNAL with the kernel's credentials, and descriptor passing.

    Raises:
        AuthError: the bus refuses.
        OSError: the connection broke.
        ValueError: the bus answers something that is not of this protocol.
    """
    loop = asyncio.get_running_loop()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    dialogue = _Dialogue()
    await loop.sock_sendall(sock, b"\0" + _line(dialogue.start()))
    while True:
        answer = dialogue.answer(await _read_line(sock))
        await loop.sock_sendall(sock, _line(answer))
        if answer == "BEGIN":
            return


def _line(text: str) -> bytes:
    return f"{text}\r\n".encode()


async def _read_line(sock: socket.socket) -> str:
    """One line without its end; the bus sends nothing more until it is answered."""
    line = b""
    while not line.endswith(b"\r\n"):
        data = await asyncio.get_running_loop().sock_recv(sock, 1024)
        if not data:
            raise ConnectionResetError("the bus closed the connection while authenticating")
        line += data
        if len(line) > MAX_LINE_BYTES or b"\r\n" in line[:-2]:
            raise ValueError("the bus does not speak the authentication protocol")
    return line[:-2].decode("ascii")
