"""One download, from servers that mean no good."""

from __future__ import annotations

import gzip
import signal
import socket
import threading
from collections.abc import Iterator

import pytest

from cardd.fetch.download import Download, DownloadFailed, Limits, Validators, download
from tests.unit.fetch.server import Web, content, dripping, endless, redirect, serving

LIMITS = Limits(size=1 << 20, seconds=20, silence=10)


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as web:
        yield web


def fetch(web: Web, path: str = "/list.crl", limits: Limits = LIMITS, validators: Validators | None = None) -> Download:
    return download(web.url(path), validators or Validators(), limits)


def failure(web: Web, path: str = "/list.crl", limits: Limits = LIMITS) -> DownloadFailed:
    with pytest.raises(DownloadFailed) as failed:
        fetch(web, path, limits)
    return failed.value


def test_what_comes_and_how_it_is_known_again(web: Web) -> None:
    web.pages["/list.crl"] = content(b"a list", ETag='"7"', Last_Modified="Mon, 01 Jun 2026 12:00:00 GMT")
    found = fetch(web)
    assert found == Download(b"a list", Validators('"7"', "Mon, 01 Jun 2026 12:00:00 GMT"))
    [(_, headers)] = web.asked
    assert headers["Accept-Encoding"] == "identity"
    assert "If-None-Match" not in headers


def test_nothing_changed(web: Web) -> None:
    web.pages["/list.crl"] = content(b"", 304)
    validators = Validators('"7"', "Mon, 01 Jun 2026 12:00:00 GMT")
    assert fetch(web, validators=validators) == Download(None, validators)
    [(_, headers)] = web.asked
    assert (headers["If-None-Match"], headers["If-Modified-Since"]) == (validators.etag, validators.modified)


def test_an_answer_that_says_it_is_huge_is_not_read(web: Web) -> None:
    web.pages["/list.crl"] = content(b"", length=200 * 1024 * 1024)
    assert "larger than 1048576 bytes" in str(failure(web))


def test_an_answer_that_is_huge_without_saying_so_is_cut_off(web: Web) -> None:
    web.pages["/list.crl"] = endless
    assert "larger than" in str(failure(web))


@pytest.mark.parametrize("headers", [False, True])
def test_a_slow_drip_ends_at_the_deadline(web: Web, headers: bool) -> None:
    """No byte is late, so that no time-out of the socket strikes."""
    web.pages["/list.crl"] = dripping(web, headers=headers)
    handler = signal.getsignal(signal.SIGALRM)
    assert "too slow" in str(failure(web, limits=Limits(1 << 20, seconds=0.6, silence=10)))
    assert signal.getsignal(signal.SIGALRM) is handler


def test_a_server_that_falls_silent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}/list.crl"
        with pytest.raises(DownloadFailed, match=r"too slow|does not answer"):
            download(address, Validators(), Limits(1 << 20, seconds=20, silence=0.3))


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as socket_:
        port = socket_.getsockname()[1]
    with pytest.raises(DownloadFailed, match="no connection"):
        download(f"http://127.0.0.1:{port}/", Validators(), LIMITS)


def test_cut_short(web: Web) -> None:
    web.pages["/list.crl"] = content(b"half", length=8)
    assert "cut short" in str(failure(web)) or "broke off" in str(failure(web))


def test_a_packed_answer_is_not_unpacked(web: Web) -> None:
    """A bomb: 10 MB of zeros in 10 kB."""
    web.pages["/list.crl"] = content(gzip.compress(bytes(10_000_000)), Content_Encoding="gzip")
    assert "packed (gzip)" in str(failure(web))


def test_redirects_on_the_same_server_are_followed(web: Web) -> None:
    web.pages["/list.crl"] = redirect("/new.crl")
    web.pages["/new.crl"] = content(b"a list")
    assert fetch(web).content == b"a list"


def test_redirects_without_end(web: Web) -> None:
    web.pages["/list.crl"] = redirect("/list.crl")
    assert "without end" in str(failure(web))
    assert len(web.asked) <= 4
    web.pages.update({f"/{number}": redirect(f"/{number + 1}") for number in range(20)})
    assert "without end" in str(failure(web, "/0"))
    assert len(web.asked) <= 10


@pytest.mark.parametrize("to", ["http://localhost:1/x.crl", "file:///etc/passwd", "ftp://127.0.0.1/x", "//other/x"])
def test_redirects_elsewhere_are_not_followed(web: Web, to: str) -> None:
    """Not to another machine of the hospital, not to a file."""
    web.pages["/list.crl"] = redirect(to)
    said = str(failure(web))
    assert "leads to another" in said or "no HTTP" in said
    assert len(web.asked) == 1


@pytest.mark.parametrize(("status", "header", "wait"), [(403, "", None), (503, "120", 120), (429, "soon", None)])
def test_refusals(web: Web, status: int, header: str, wait: int | None) -> None:
    web.pages["/list.crl"] = content(b"no", status, Retry_After=header)
    failed = failure(web)
    assert (failed.status, failed.retry_after) == (status, wait)


def test_no_http() -> None:
    """A server that speaks another language."""

    def speak() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"\x00\xffSSH-2.0-nonsense\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=speak)
        thread.start()
        with pytest.raises(DownloadFailed, match="broke off"):
            download(f"http://127.0.0.1:{server.getsockname()[1]}/", Validators(), LIMITS)
        thread.join()


def test_no_file() -> None:
    with pytest.raises(DownloadFailed):
        download("file:///etc/hostname", Validators(), LIMITS)
