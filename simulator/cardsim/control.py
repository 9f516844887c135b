"""The control socket of a running simulator: one JSON object a line in, one a line out.

The socket is its owner's alone (mode 0600). Whatever comes in gets an answer, and the server lives on.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import socket
import stat
import tempfile
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING

from cardsim.control_desk import ControlError
from cardsim.trace import Decoder

if TYPE_CHECKING:
    from cardsim.control_desk import Answer, ControlDesk
    from cardsim.trace import Entry

_log = logging.getLogger(__name__)

LONGEST_LINE = 65536
MOST_CONNECTIONS = 16
MOST_ENTRIES_WAITING = 10_000


class ControlSocketError(Exception):
    """The control socket cannot be used; the message says why and what would help."""


def default_path() -> Path:
    """Return ``$XDG_RUNTIME_DIR/cardsim/control``, or ``/tmp/cardsim-UID/control`` where there is no such directory."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        return Path(runtime, "cardsim", "control")
    return Path(tempfile.gettempdir(), f"cardsim-{os.getuid()}", "control")


class ControlServer:
    """Answers on the control socket.

    Args:
        path: of the socket; its directory is made, for its owner alone, where it is missing.
        desk: does what is asked.
    """

    def __init__(self, path: Path, desk: ControlDesk) -> None:
        self.path = path
        self._desk = desk
        self._listening: socket.socket | None = None
        self._thread = threading.Thread(target=self._accept, name="cardsim control", daemon=True)
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()

    def start(self) -> None:
        """Listen, and answer in the background.

        Raises: ``ControlSocketError``: another simulator answers there, or the path cannot be used.
        """
        prepare_directory(self.path.parent)
        remove_stale(self.path)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # Linux gives the socket's file the mode of the unbound socket: it is never open to others.
            os.fchmod(listening.fileno(), stat.S_IRUSR | stat.S_IWUSR)
            listening.bind(str(self.path))
            listening.listen()
        except OSError as error:
            listening.close()
            raise ControlSocketError(f"cannot listen on {self.path}: {error.strerror or error}") from error
        self._listening = listening
        self._thread.start()

    def close(self) -> None:
        """Stop listening, end the connections and take the socket's file away."""
        listening, self._listening = self._listening, None
        if listening is None:
            return
        listening.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._thread.join()
        listening.close()
        self.path.unlink(missing_ok=True)
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):  # it may have ended by itself just now
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        listening = self._listening
        while listening is not None:
            try:
                connection, _ = listening.accept()
            except OSError:  # closed
                return
            with self._lock:
                full = len(self._connections) >= MOST_CONNECTIONS
                if not full:
                    self._connections.add(connection)
            if full:
                connection.close()
                _log.warning("control socket: more than %d connections, one refused", MOST_CONNECTIONS)
                continue
            threading.Thread(target=self._serve, args=(connection,), name="cardsim control client", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as incoming:
                while line := incoming.readline(LONGEST_LINE + 1):
                    if len(line) > LONGEST_LINE:
                        _skip_rest(line, incoming)
                        answer = _refusal("bad-request", f"a request has at most {LONGEST_LINE} bytes")
                    else:
                        answer = self._answer(line)
                    if answer["ok"] and _is_trace(line):
                        self._stream(connection, incoming, answer)
                        return
                    _send(connection, answer)
        except OSError as error:
            _log.debug("control connection: %s", error)
        finally:
            with self._lock:
                self._connections.discard(connection)

    def _stream(self, connection: socket.socket, incoming: IO[bytes], answer: Answer) -> None:
        """Answer ``trace``, and send the reader's exchanges until the client leaves."""
        entries: queue.Queue[Entry | None] = queue.Queue(MOST_ENTRIES_WAITING)
        end = self._desk.feed(str(answer["reader"])).watch(lambda entry: _put(entries, entry))
        writer = threading.Thread(target=_write, args=(connection, entries), name="cardsim trace", daemon=True)
        try:
            _send(connection, answer)  # after the watch began: whoever has the answer misses nothing
            writer.start()
            while incoming.readline(LONGEST_LINE):
                pass  # nothing more can be asked on this connection
        finally:
            end()
            with contextlib.suppress(OSError):  # the client has gone: then the writer fails by itself
                connection.shutdown(socket.SHUT_RDWR)
            _put(entries, None)

    def _answer(self, line: bytes) -> Answer:
        try:
            return {"ok": True, **self._desk.do(_decode(line))}
        except ControlError as error:
            return _refusal(error.name, str(error))
        except Exception:
            _log.exception("control request failed")
            return _refusal("failed", "unforeseen failure; the simulator's log has it")


def _send(connection: socket.socket, answer: Answer) -> None:
    connection.sendall(json.dumps(answer, ensure_ascii=False).encode() + b"\n")


def _is_trace(line: bytes) -> bool:
    """Whether a request that was answered is ``trace``."""
    return bool(json.loads(line)["command"] == "trace")


def _put(entries: queue.Queue[Entry | None], entry: Entry | None) -> None:
    """Hand an entry on; where the client does not read, the oldest goes, and the card need not wait."""
    while True:
        try:
            entries.put_nowait(entry)
        except queue.Full:
            with contextlib.suppress(queue.Empty):
                entries.get_nowait()
        else:
            return


def _write(connection: socket.socket, entries: queue.Queue[Entry | None]) -> None:
    decoder = Decoder()
    with contextlib.suppress(OSError):  # the client has left
        while (entry := entries.get()) is not None:
            connection.sendall(entry.encode(decoder.describe(entry)).encode() + b"\n")


def _refusal(name: str, message: str) -> Answer:
    return {"ok": False, "error": name, "message": message}


def _skip_rest(line: bytes, incoming: IO[bytes]) -> None:
    while line and not line.endswith(b"\n"):
        line = incoming.readline(LONGEST_LINE)


def _decode(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ControlError("bad-request", f"not JSON: {error}") from error


def prepare_directory(directory: Path) -> None:
    """Make a directory for its owner alone, or check one that is there: nobody else may own it.

    Raises: ``ControlSocketError``.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.lstat()
    except OSError as error:
        raise ControlSocketError(f"cannot use {directory}: {error.strerror or error}") from error
    # /tmp/cardsim-UID is a name that any user could take first.
    if not stat.S_ISDIR(found.st_mode) or (found.st_uid not in (os.getuid(), 0)):
        raise ControlSocketError(
            f"{directory} is not a directory of this user's; remove it or name another by --control"
        )


def remove_stale(path: Path) -> None:
    """Take away a socket that nobody answers on any more.

    Raises: ``ControlSocketError``: somebody answers, or it is no socket.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ControlSocketError(f"{path} exists and is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise ControlSocketError(f"cannot use {path}: {error.strerror or error}") from error
        else:
            raise ControlSocketError(f"another simulator answers on {path}; stop it or name another by --control")
