"""OCSP by way of cardd-fetch: from cardd's question over the socket and HTTP to an answer, with all that can lie."""

from __future__ import annotations

import asyncio
import datetime
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID
from hypothesis import given
from hypothesis import strategies as st

from cardd.fetch.answering import Answering
from cardd.fetch.download import Limits
from cardd.pki.revocation.asker import AskerSettings, OcspAsker
from cardd.pki.revocation.asking_protocol import (
    NoAnswer,
    answer_packet,
    parse_answer,
    parse_question,
    question_packet,
    refusal_packet,
)
from cardsim.pki.authorities import Authority
from cardsim.pki.revocation import RevokedEntry, answer, create_responder
from tests.unit.fetch.server import Behaviour, Web, content, serving
from tests.unit.pki import factory
from tests.unit.pki.revocation import support
from tests.unit.pki.revocation.support import DAY, NOW

PATH = "/ocsp/"
PATIENCE = 20.0
LIMITS = Limits(64 * 1024, seconds=15, silence=10)


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as web:
        yield web


@contextmanager
def answering(folder: Path, responders: tuple[str, ...], uid: int | None = None) -> Iterator[Path]:
    """The fetcher's side. The thread must be the main one (SIGALRM): a process of its own serves."""
    path = folder / "ocsp.socket"
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listening.bind(str(path))
    listening.listen()
    child = os.fork()
    if child == 0:
        try:
            Answering(responders, os.getuid() if uid is None else uid, LIMITS).serve(listening, idle=60)
        finally:
            os._exit(0)
    listening.close()
    try:
        yield path
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def responding(*entries: RevokedEntry, by: Authority | None = None, at: datetime.datetime = NOW) -> Behaviour:
    """An OCSP responder over HTTP."""
    issuer = support.authority(factory.intermediate())
    responder = by or create_responder(issuer, factory.rsa_key("responder"), NOW - DAY)

    def respond(handler: BaseHTTPRequestHandler) -> None:
        assert handler.headers["Content-Type"] == "application/ocsp-request"
        request = ocsp.load_der_ocsp_request(handler.rfile.read(int(handler.headers["Content-Length"])))
        der = answer(request, issuer, responder, entries, at).public_bytes(Encoding.DER)
        content(der, Content_Type="application/ocsp-response")(handler)

    return respond


def naming(*addresses: str) -> x509.Certificate:
    """A holder's certificate that names responders."""
    access = [
        x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(address))
        for address in addresses
    ]
    return factory.holder(factory.intermediate(), extra=[(x509.AuthorityInformationAccess(access), False)])


class Asking:
    """cardd's side."""

    def __init__(self, folder: Path, path: Path, responders: tuple[str, ...]) -> None:
        self.now = NOW
        self.news = asyncio.Event()
        self._settings = AskerSettings(responders, folder / "answers", path)
        self.asker = self.new()
        self.issuer = factory.intermediate().certificate

    def new(self) -> OcspAsker:
        """As after a restart."""
        return OcspAsker(self._settings, lambda: self.now, lambda *_: False, self.news.set)

    async def ask(self, certificate: x509.Certificate) -> None:
        """Ask, and wait until it is over one way or the other."""
        self.asker.want(certificate, self.issuer)
        tasks = tuple(self.asker._asking.values())
        if tasks:
            await asyncio.wait_for(asyncio.wait(tasks), PATIENCE)


@pytest.fixture
async def asking(tmp_path: Path, web: Web) -> AsyncIterator[Asking]:
    responders = (web.url(PATH),)
    web.pages[PATH] = responding()
    with answering(tmp_path, responders) as path:
        asking = Asking(tmp_path, path, responders)
        yield asking
        await asking.asker.stop()


@pytest.fixture(autouse=True)
def posts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server answers POST as GET."""
    monkeypatch.setattr(BaseHTTPRequestHandler, "do_POST", lambda self: self.do_GET(), raising=False)


async def test_an_answer_comes_is_kept_and_not_asked_for_again(asking: Asking, web: Web) -> None:
    leaf = naming(web.url(PATH))
    assert asking.asker.answer(leaf, asking.issuer) is None
    await asking.ask(leaf)
    found = asking.asker.answer(leaf, asking.issuer)
    assert found is not None
    assert (found.revoked_at, found.this_update) == (None, NOW)
    assert asking.news.is_set()
    await asking.ask(leaf)
    assert web.count(PATH) == 1
    # After a restart it is there, verified anew.
    assert asking.new().answer(leaf, asking.issuer) == found
    asking.now = found.next_update + DAY
    await asking.ask(leaf)
    assert web.count(PATH) == 2


async def test_revoked(asking: Asking, web: Web) -> None:
    leaf = naming(web.url(PATH))
    web.pages[PATH] = responding(support.entry(leaf, x509.ReasonFlags.key_compromise))
    await asking.ask(leaf)
    found = asking.asker.answer(leaf, asking.issuer)
    assert found is not None
    assert found.revoked_at == NOW - DAY


async def test_a_kept_answer_that_was_changed_is_none(asking: Asking, web: Web, tmp_path: Path) -> None:
    leaf = naming(web.url(PATH))
    await asking.ask(leaf)
    [kept] = (tmp_path / "answers").iterdir()
    assert f"{leaf.serial_number:x}" not in kept.name
    der = bytearray(kept.read_bytes())
    der[len(der) // 2] ^= 1
    kept.write_bytes(bytes(der))
    assert asking.new().answer(leaf, asking.issuer) is None


async def test_only_responders_of_the_list_are_asked(asking: Asking, web: Web) -> None:
    """Whoever makes a certificate must not choose which machines of the hospital are called."""
    web.pages["/intranet"] = content(b"")
    await asking.ask(naming(web.url("/intranet"), "http://127.0.0.1:1/", "file:///etc/passwd"))
    assert web.asked == []
    await asking.ask(naming(web.url("/intranet"), web.url(PATH)))
    assert [path for path, _ in web.asked] == [PATH]


async def test_a_certificate_that_names_nobody(asking: Asking, web: Web) -> None:
    await asking.ask(factory.holder(factory.intermediate()))
    assert web.asked == []


@pytest.mark.parametrize(
    "bad",
    [
        lambda: content(b"<html>", Content_Type="text/html"),
        lambda: content(b""),
        lambda: content(bytes(70_000)),
        lambda: content(b"", 500),
        lambda: responding(by=support.authority(factory.authority("AC INCONNUE"))),
        lambda: responding(at=NOW + DAY),
    ],
    ids=["page", "nothing", "large", "error", "stranger", "future"],
)
async def test_bad_answers_count_for_nothing_and_are_not_asked_for_at_once(
    asking: Asking, web: Web, tmp_path: Path, bad: Callable[[], Behaviour]
) -> None:
    leaf = naming(web.url(PATH))
    web.pages[PATH] = bad()
    await asking.ask(leaf)
    await asking.ask(leaf)
    assert web.count(PATH) == 1
    assert asking.asker.answer(leaf, asking.issuer) is None
    assert not asking.news.is_set()
    assert not (tmp_path / "answers").exists()
    web.pages[PATH] = responding()
    asking.now += datetime.timedelta(minutes=16)
    await asking.ask(leaf)
    assert asking.asker.answer(leaf, asking.issuer) is not None


async def test_nobody_serves_the_socket(tmp_path: Path, web: Web) -> None:
    asking = Asking(tmp_path, tmp_path / "nothing", (web.url(PATH),))
    leaf = naming(web.url(PATH))
    await asking.ask(leaf)
    assert asking.asker.answer(leaf, asking.issuer) is None


def exchange(path: Path, packet: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(str(path))
        connection.send(packet)
        return parse_answer(connection.recv(1 << 17))


@pytest.mark.parametrize("packet", [b"nonsense", b"http://127.0.0.1/\n", b"\xff\nx", b"http://x/\n" + bytes(5000)])
def test_the_fetcher_refuses_what_is_no_question_and_serves_on(tmp_path: Path, web: Web, packet: bytes) -> None:
    web.pages[PATH] = content(b"an answer")
    with answering(tmp_path, (web.url(PATH),)) as path:
        with pytest.raises(NoAnswer):
            exchange(path, packet)
        assert exchange(path, question_packet(web.url(PATH), b"request")) == b"an answer"


def test_the_fetcher_asks_nobody_else_and_for_nobody_else(tmp_path: Path, web: Web) -> None:
    """cardd's word is not enough to have another address called; nor may others call at all."""
    web.pages.update({PATH: content(b"an answer"), "/intranet": content(b"secret")})
    with answering(tmp_path, (web.url(PATH),)) as path, pytest.raises(NoAnswer, match="not one of"):
        exchange(path, question_packet(web.url("/intranet"), b"request"))
    other = tmp_path / "other"
    other.mkdir()
    with answering(other, (web.url(PATH),), uid=os.getuid() + 1) as path, pytest.raises(NoAnswer, match="another user"):
        exchange(path, question_packet(web.url(PATH), b"request"))
    assert web.asked == []


@given(st.binary(max_size=300))
def test_any_packet_is_read_or_refused(packet: bytes) -> None:
    for parse in (parse_question, parse_answer):
        try:
            parse(packet)
        except (ValueError, NoAnswer):
            continue


def test_packets_travel() -> None:
    assert parse_question(question_packet("http://a/", b"\x30\n\x00")) == ("http://a/", b"\x30\n\x00")
    assert parse_answer(answer_packet(b"no \n")) == b"no \n"
    with pytest.raises(NoAnswer, match="déjà"):
        parse_answer(refusal_packet("déjà"))
