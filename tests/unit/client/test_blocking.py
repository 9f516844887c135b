"""The blocking face: the same over a loop in a thread."""

from __future__ import annotations

import threading

import pytest

from cardd import errors
from cardd.client import PinRequest, blocking, events
from cardd.client.errors import BusUnreachable
from tests.unit.client.fake import FakeDaemon, plaintext_of, signature_over

DIGEST = bytes(range(32))


def test_find_authenticate_sign_decrypt_end(daemon: FakeDaemon) -> None:
    with blocking.connect(daemon.address) as client:
        card = client.wait_for_card()
        assert card.info == client.cards()[0].info
        session = card.authenticate(pin=bytearray(b"1234"))
        assert session.sign("signature", "RS256", DIGEST) == signature_over(DIGEST)
        assert session.decrypt("encryption", "RSA1_5", bytes(range(256))) == plaintext_of(bytes(range(256)))
        assert session.get_holder() == card.get_holder()
        assert [one.info.path for one in client.sessions()] == [session.info.path]
        session.end()
        assert session.wait_ended() == session.ended == "ended-by-user"


def test_the_rest_of_the_calls(daemon: FakeDaemon) -> None:
    with blocking.connect(daemon.address) as client:
        (card,) = client.cards()
        assert client.service().version == "9.9.9"
        assert [reader.card for reader in client.readers()] == [card.info.path]
        assert card.get_certificates() == {"authentication": b"\x30\x00"}
        assert card.read_object("CPS_DATA") == b"CPS_DATA"
        card.change_pin(current=bytearray(b"1234"), new=bytearray(b"4321"))
        card.unblock_pin(puk=bytearray(b"12345678"), new=bytearray(b"5678"))
        client.reload()
    assert daemon.pin == b"5678"
    assert daemon.calls[-1] == "Reload"


def test_a_function_answers_the_question(daemon: FakeDaemon) -> None:
    asked: list[PinRequest] = []

    def ask(request: PinRequest) -> bytearray | None:
        assert threading.current_thread() is not threading.main_thread()
        asked.append(request)
        return bytearray(b"1234") if len(asked) == 2 else None

    with blocking.connect(daemon.address) as client:
        (card,) = client.cards()
        registration = client.register_agent(ask)
        with pytest.raises(errors.NotAuthorizedDismissed):
            card.authenticate()
        client.unregister_agent(registration)
        assert card.authenticate(ask=ask).info.card == card.info.path
    assert [request.purpose for request in asked] == ["authenticate", "authenticate"]


def test_watching_and_stopping(daemon: FakeDaemon) -> None:
    with blocking.connect(daemon.address) as client:
        happening = client.watch()
        assert isinstance(next(happening), events.ServiceStarted)
        assert isinstance(next(happening), events.ReaderAdded)
        assert isinstance(next(happening), events.CardInserted)
        daemon.withdraw()
        assert isinstance(next(happening), events.ReaderChanged)


def test_a_wait_that_takes_too_long_is_given_up(daemon: FakeDaemon) -> None:
    daemon.withdraw()
    with blocking.connect(daemon.address) as client:
        listening = client._client._core.connection._signal_listeners
        before = len(listening)
        with pytest.raises(TimeoutError):
            client.wait_for_card(timeout=0.2)
        assert client.cards() == []
        assert len(listening) == before


def test_no_thread_is_left_where_there_is_no_bus() -> None:
    before = threading.active_count()
    with pytest.raises(BusUnreachable):
        blocking.connect("unix:path=/nonexistent/bus")
    assert threading.active_count() == before
