"""The in-process PC/SC stack in another process: its server there, and what stands for it here.

A program that is to be shown to keep nothing of a PIN cannot have the card, or the PIN pad, in its own memory. With
pcscd and vpcd the card is elsewhere, but there is no PIN pad; the in-process stack, which has one, is served instead.

One JSON array a line: a function's name and arguments; its result comes back in the same way. Each thread of the
program has a connection of its own, on which its calls are one after another.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from typing import TYPE_CHECKING, Any

from cardsim.transports.pcsc.constants import ScardConstants as C
from cardsim.transports.pcsc.pin_pad import CONTROL_BASE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cardsim.transports.inprocess import InProcessPcsc

_FUNCTIONS = frozenset(
    {
        "SCardBeginTransaction",
        "SCardCancel",
        "SCardConnect",
        "SCardControl",
        "SCardDisconnect",
        "SCardEndTransaction",
        "SCardEstablishContext",
        "SCardGetAttrib",
        "SCardGetStatusChange",
        "SCardIsValidContext",
        "SCardListReaders",
        "SCardReconnect",
        "SCardReleaseContext",
        "SCardStatus",
        "SCardTransmit",
    }
)
_RAISED = {kind.__name__: kind for kind in (OverflowError, SystemError, TypeError, UnicodeError)}
"""What a stack raises, as pyscard does, for arguments that cannot be what they should; or a kind of it."""


class RemotePcsc(C):
    """Stands for a stack that a ``PcscServer`` serves, as a module like ``smartcard.scard``.

    Args:
        path: of the server's socket.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own = threading.local()

    @staticmethod
    def SCARD_CTL_CODE(code: int) -> int:  # noqa: N802  # pyscard's name
        """Return the control code of a function number."""
        return CONTROL_BASE + code

    def __getattr__(self, function: str) -> Callable[..., Any]:
        """One of the functions of ``smartcard.scard``; without a server they give SCARD_E_NO_SERVICE and no values."""
        if function not in _FUNCTIONS:
            raise AttributeError(function)
        return lambda *arguments: self._call(function, arguments)

    def _call(self, function: str, arguments: tuple[Any, ...]) -> Any:
        try:
            connection = self._connection()
            connection.write(json.dumps([function, *arguments]).encode() + b"\n")
            answer = json.loads(connection.readline())
        except (OSError, ValueError):  # the server has ended, as a pcscd does that dies
            self._own.connection = None
            return [C.SCARD_E_NO_SERVICE]
        if isinstance(answer, dict):
            raise _RAISED[answer["raised"]](answer["text"])
        if function == "SCardGetStatusChange":
            answer[1] = [tuple(state) for state in answer[1]]
        return answer

    def _connection(self) -> Any:
        if getattr(self._own, "connection", None) is None:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as opened:
                opened.connect(str(self._path))
                self._own.connection = opened.makefile("rwb", buffering=0)
        return self._own.connection


class PcscServer:
    """Serves a stack on a socket until it is closed.

    Args:
        path: of the socket; its directory is its owner's alone.
        stack: whose readers, cards and pads stay in this process.
    """

    def __init__(self, path: Path, stack: InProcessPcsc) -> None:
        self._stack = stack
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(str(path))
        self._listening.listen()
        threading.Thread(target=self._accept, name="cardsim PC/SC server", daemon=True).start()

    def close(self) -> None:
        """Take no more connections; those that are open last as long as the program's threads."""
        with contextlib.suppress(OSError):  # it is closed already
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(connection,), name="cardsim PC/SC", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        """Answer one thread; its contexts end with it, as with pcscd."""
        contexts: set[int] = set()
        with connection, connection.makefile("rwb", buffering=0) as lines, contextlib.suppress(OSError):
            for line in lines:
                function, *arguments = json.loads(line)
                answer = self._answer(function, arguments)
                if function == "SCardEstablishContext" and answer[0] == C.SCARD_S_SUCCESS:
                    contexts.add(answer[1])
                lines.write(json.dumps(answer).encode() + b"\n")
        for context in contexts:
            self._stack.SCardReleaseContext(context)  # one that was released is not valid any more, and that is all

    def _answer(self, function: str, arguments: list[Any]) -> Any:
        if function not in _FUNCTIONS:
            return [C.SCARD_E_UNSUPPORTED_FEATURE]
        if function == "SCardGetStatusChange":
            arguments[2] = [tuple(state) if isinstance(state, list) else state for state in arguments[2]]
        try:
            return getattr(self._stack, function)(*arguments)
        except tuple(_RAISED.values()) as error:
            raised = next(name for name, kind in _RAISED.items() if isinstance(error, kind))
            return {"raised": raised, "text": str(error)}
