"""A real HTTP server on this machine that behaves as badly as it is told to."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Behaviour = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Web:
    """Paths, what is done for each, and what was asked."""

    address: str
    pages: dict[str, Behaviour] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str) -> str:
        """The address of a path."""
        return f"{self.address}{path}"

    def count(self, path: str) -> int:
        """How often it was asked for."""
        return sum(one == path for one, _ in self.asked)


@contextlib.contextmanager
def serving() -> Iterator[Web]:
    """The server, on a port of its own; what still drips ends with it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the library's name
            web.asked.append((self.path, dict(self.headers.items())))
            with contextlib.suppress(ConnectionError):
                web.pages[self.path](self)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web = Web(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield web
    finally:
        web.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def content(body: bytes, status: int = 200, *, length: int | None = None, **headers: str) -> Behaviour:
    """Answer with some bytes; underlines in names of headers stand for hyphens."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def redirect(to: str) -> Behaviour:
    """Lead elsewhere."""
    return content(b"", 302, Location=to)


def endless(handler: BaseHTTPRequestHandler) -> None:
    """Bytes without a declared end; the connection's close ends them."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(bytes(1 << 20))


def dripping(web: Web, *, headers: bool = False) -> Behaviour:
    """A byte now and then, for ever: in the body, or in the headers already."""

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        if headers:
            handler.flush_headers()
        else:
            handler.end_headers()
        while not web.over.wait(0.05):
            handler.wfile.write(b"X")

    return drip
