"""A token's process, seen from the daemon: started, asked within a time, ended."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from cardd_drivers.contract import CardError, CardRemoved, CardReset, MalformedCardData, ReaderFailure
from cardd_drivers.isolated.messages import Ask, Fault, MalformedPacket, Told, compose, parse, receive
from cardd_drivers.secret_memory import SecretBytes, wipe

PATIENCE = 8.0
"""Seconds that an answer may take: less than the daemon waits before it gives a card up."""
_ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
_FAULT_FIELDS: Final = 2

logger = logging.getLogger(__name__)


class Refusal(Exception):
    """The token refused; nothing is wrong with its process.

    Args:
        fault: why.
        detail: as the process tells it.
    """

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(f"{fault.value} {detail}".strip())
        self.fault = fault
        self.detail = detail


class TokenProcess:
    """A running process; `open_process` makes one that can be asked.

    Args:
        program: its module, to be run by ``python -m``.
        settings: given to it; nothing secret.
        environment: of the process, beside a few words.
        name: as logs name it.
        lost: called once, from a thread of its own, should the process end unasked.
    """

    def __init__(
        self,
        program: str,
        settings: Mapping[str, Any],
        environment: Mapping[str, str],
        name: str,
        lost: Callable[[], None],
    ) -> None:
        self._name = name
        self._lost = lost
        self._closed = False
        self._why = ""
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._process = _spawn(program, settings, environment, theirs)
        except OSError as error:
            self._connection.close()
            raise ReaderFailure(f"{name}: its process cannot be started ({error.strerror})") from error
        finally:
            theirs.close()
        threading.Thread(target=self._await_end, name=f"end-of-{name}", daemon=True).start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def receive(self, patience: float | None) -> tuple[int, list[memoryview]]:
        """The next packet that it sends.

        Args:
            patience: seconds; None for ever.

        Raises:
            CardReset: it ended, hangs, or sends what is no packet; it is ended.
        """
        self._connection.settimeout(patience)
        try:
            packet = receive(self._connection)
        except TimeoutError:
            raise self._failed(f"gave no answer for {patience:g} s") from None
        except (OSError, MalformedPacket) as error:
            raise self._failed(f"sent no packet ({error})") from error
        if packet is None:
            raise self._failed("ended")
        try:
            return parse(packet)
        except MalformedPacket as error:
            raise self._failed(f"sent garbage ({error})") from error

    def ask(self, what: Ask, *fields: bytes | SecretBytes) -> list[memoryview]:
        """One request; the caller wipes what is secret of the answer.

        Raises:
            Refusal: the token refused.
            CardRemoved: the token is gone.
            ReaderFailure: the module failed; the process is ended.
            CardReset: as `receive`.
        """
        request = compose(what, fields)
        try:
            self._connection.settimeout(PATIENCE)
            self._connection.send(request)
        except OSError:
            raise self._failed("ended") from None
        finally:
            wipe(request)
        return self._result(*self.receive(PATIENCE))

    def await_ready(self) -> None:
        """Wait until it can be asked.

        Raises:
            CardError: it cannot be used, as `ask`.
        """
        try:
            self._result(*self.receive(PATIENCE), wanted=Told.READY)
        except Refusal as refusal:
            self.close()
            raise MalformedCardData(f"{self._name}: {refusal}") from refusal

    def close(self) -> None:
        """End it now. From any thread; harmless when it has ended."""
        self._closed = True
        self._process.kill()
        self._connection.close()

    def interrupt(self) -> None:
        """End it from another thread than the one that receives from it, which then sees its end."""
        self._closed = True
        self._process.kill()

    def _result(self, code: int, fields: list[memoryview], wanted: Told = Told.DONE) -> list[memoryview]:
        if code == wanted:
            return fields
        if code != Told.FAULT or len(fields) != _FAULT_FIELDS:
            raise self._failed(f"answered with code {code}")
        try:
            fault, detail = Fault(bytes(fields[0]).decode()), bytes(fields[1]).decode()
        except ValueError:
            raise self._failed("told of a fault that is none") from None
        if fault is Fault.REMOVED:
            raise CardRemoved(detail)
        if fault is Fault.FAILED:
            logger.error("%s failed: %s", self._name, detail)
            self.close()
            raise ReaderFailure(f"{self._name}: {detail}")
        raise Refusal(fault, detail)

    def _failed(self, how: str) -> CardError:
        """The end of a process that cannot be relied on any more; the log has how it came."""
        if not self._closed:
            self._why = how
            self._process.kill()
        return CardReset(f"{self._name}: the process {how}")

    def _await_end(self) -> None:
        status = self._process.wait()
        if not self._closed:
            logger.error("%s: the process %s; its token's session is over", self._name, self._why or _ending(status))
            self._lost()


def _spawn(
    program: str, settings: Mapping[str, Any], environment: Mapping[str, str], theirs: socket.socket
) -> subprocess.Popen[bytes]:
    # -I: neither the environment nor the directory decides which code is run. The settings are no secrets.
    command = (sys.executable, "-I", "-m", program, str(theirs.fileno()), str(os.getpid()), json.dumps(dict(settings)))
    return subprocess.Popen(  # noqa: S603 - our own program
        command,
        env={**_ENVIRONMENT, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(theirs.fileno(),),
        start_new_session=True,
    )


def _ending(status: int) -> str:
    if status >= 0:
        return f"ended by itself (status {status})"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:  # a real-time signal has no name
        return f"was ended by signal {-status}"


def open_process(
    program: str,
    settings: Mapping[str, Any],
    environment: Mapping[str, str],
    name: str,
    lost: Callable[[], None],
) -> TokenProcess:
    """Start a process and wait until it can be asked; see `TokenProcess`.

    Raises:
        CardError: it cannot be had; nothing of it is left.
    """
    process = TokenProcess(program, settings, environment, name, lost)
    try:
        process.await_ready()
    except CardError:
        process.close()
        raise
    return process
