"""The in-process stack, served to another process, behaves as it does in its own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from cardsim.transports.inprocess import InProcessPcsc, create
from cardsim.transports.pcsc.remote import PcscServer, RemotePcsc
from tests.support.pcsc_conformance import Bench, PcscConformance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class TestRemoteConformance(PcscConformance):
    """See ``PcscConformance``."""

    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[Bench]:
        """A stack with one reader, on its socket."""
        stack = InProcessPcsc()
        server = PcscServer(tmp_path / "pcsc", stack)
        yield Bench(RemotePcsc(tmp_path / "pcsc"), "Simulated 00 00", stack.add_reader("Simulated 00 00"))
        server.close()
        stack.close()

    def test_bad_types_raise(self, bench: Bench) -> None:
        """JSON tells fewer types apart than Python: these."""
        context = bench.context()
        with pytest.raises(TypeError):
            bench.scard.SCardGetStatusChange(context, 0, [("a",)])
        with pytest.raises(UnicodeError):
            bench.scard.SCardGetStatusChange(context, 0, [("\xe9", 0)])
        with pytest.raises(SystemError):
            bench.scard.SCardGetStatusChange(context, -1, [(bench.name, 0)])
        with pytest.raises(TypeError):
            bench.scard.SCardConnect(context, 7, 2, 3)


def test_without_a_server_there_is_no_service(tmp_path: Path) -> None:
    remote = create({"pcsc-socket": str(tmp_path / "nothing")})
    assert remote.SCardEstablishContext(2) == [remote.SCARD_E_NO_SERVICE]


def test_the_socket_of_a_server_is_the_only_option(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stands alone"):
        create({"pcsc-socket": str(tmp_path / "pcsc"), "timing": "yes"})


def test_what_is_no_function_of_pcsc_is_not_there(tmp_path: Path) -> None:
    assert not hasattr(RemotePcsc(tmp_path / "pcsc"), "add_reader")


def test_a_threads_contexts_end_with_it(tmp_path: Path) -> None:
    stack = InProcessPcsc()
    server = PcscServer(tmp_path / "pcsc", stack)
    released = threading.Event()
    release = stack.SCardReleaseContext

    def watched(context: int) -> int:
        result = release(context)
        released.set()
        return result

    stack.SCardReleaseContext = watched  # type: ignore[method-assign,assignment]  # what the server does at the end is seen
    contexts: list[int] = []

    def work() -> None:
        contexts.append(RemotePcsc(tmp_path / "pcsc").SCardEstablishContext(2)[1])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert released.wait(20)
    assert stack.SCardIsValidContext(contexts[0]) == stack.SCARD_E_INVALID_HANDLE
    server.close()
    stack.close()
