"""cardd-exe-helper: tells cardd which program a process runs.

The kernel shows the executable of another user's process to those alone who may trace it (ptrace(2), PTRACE_MODE_READ).
cardd may not, and shall not. This program may, by CAP_SYS_PTRACE and nothing else, and does one thing with it. It is
started by its socket, answers one request a connection, and ends when nobody has asked for a while.
"""

from __future__ import annotations

import os
import pwd
import socket
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cardd.access.exe_protocol import PACKET_MAX, SECONDS, Fault, answer_packet, parse_request
from cardd.access.process import PROC, Process, ProcessGone, ProcessUnknown

IDLE_SECONDS: Final = 60.0
_LISTEN_FDS_START: Final = 3  # sd_listen_fds(3)
_UCRED: Final = struct.Struct("=iII")  # unix(7), SO_PEERCRED: pid, uid, gid


def executable_of(pid: int, start_time: int, proc: Path = PROC) -> str | Fault:
    """The path of a process's program, if it is that process and the path leads to that very file here.

    Args:
        pid, start_time: which process (clock ticks after boot).
        proc: where procfs is mounted.
    """
    link = proc / str(pid) / "exe"
    try:
        with Process(pid, proc) as process:
            if process.stat().start_time != start_time:
                return Fault.GONE
            path = os.readlink(link)
            running = link.stat()
            process.require_alive()
    except ProcessGone:
        return Fault.GONE
    except (ProcessUnknown, OSError):
        return Fault.UNREADABLE
    try:
        here = Path(path).stat()
    except (OSError, ValueError):
        return Fault.ELSEWHERE
    return path if (running.st_dev, running.st_ino) == (here.st_dev, here.st_ino) else Fault.ELSEWHERE


def serve_one(connection: socket.socket, allowed_uid: int, proc: Path = PROC) -> None:
    """Answer one request.

    Args:
        connection: SOCK_SEQPACKET; it is closed.
        allowed_uid: who may ask.
        proc: where procfs is mounted.
    """
    with connection:
        connection.settimeout(SECONDS)
        try:
            connection.send(answer_packet(_answer(connection, allowed_uid, proc)))
        except OSError as error:
            # Who asked has left or never spoke: the next one is served.
            print(f"a request was not answered: {error}", file=sys.stderr)


def _answer(connection: socket.socket, allowed_uid: int, proc: Path) -> str | Fault:
    _, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    if uid != allowed_uid:
        return Fault.STRANGER
    try:
        request = parse_request(connection.recv(PACKET_MAX))
    except ValueError:
        return Fault.MALFORMED
    return executable_of(request.pid, request.start_time, proc)


def serve(listening: socket.socket, allowed_uid: int, *, idle: float = IDLE_SECONDS) -> None:
    """Serve until nobody has asked for `idle` seconds.

    Args:
        listening: SOCK_SEQPACKET, listening.
        allowed_uid: who may ask.
        idle: seconds.
    """
    listening.settimeout(idle)
    while True:
        try:
            connection, _ = listening.accept()
        except TimeoutError:
            return
        serve_one(connection, allowed_uid)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `cardd-exe-helper [USER]`: serve the socket that systemd passes; gives the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if len(given) > 1:
        print("usage: cardd-exe-helper [USER]", file=sys.stderr)
        return os.EX_USAGE
    user = given[0] if given else "cardd"
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        print("cardd-exe-helper is started by systemd, with its socket", file=sys.stderr)
        return os.EX_USAGE
    try:
        allowed = pwd.getpwnam(user).pw_uid
    except KeyError:
        print(f"there is no user {user}", file=sys.stderr)
        return os.EX_NOUSER
    with socket.socket(fileno=_LISTEN_FDS_START) as listening:
        if listening.family != socket.AF_UNIX or listening.type != socket.SOCK_SEQPACKET:
            print("the socket must be a Unix socket of sequenced packets", file=sys.stderr)
            return os.EX_USAGE
        serve(listening, allowed)
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
