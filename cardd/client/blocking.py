"""The client for scripts: the same calls without asyncio.

    with cardd.client.blocking.connect() as client:
        card = client.wait_for_card()
        session = card.authenticate(pin=bytearray(b"1234"))
        signature = session.sign("signature", "RS256", digest)

An event loop of its own runs in a thread. One client may be used from several threads.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from cardd.client import objects, secret
from cardd.client import tokens as asynchronous
from cardd.client.agent import Agent, PinRequest
from cardd.client.client import CarddClient
from cardd.client.consent import Access, Document
from cardd.client.events import Event
from cardd.client.objects import Reader
from cardd.client.secret import SecretBytes
from cardd.client.values import Activity, Holder, MintedToken, RegisteredToken, Service

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey  # slow to import

Ask = Callable[[PinRequest], SecretBytes | None]
"""Asks the user, as `Agent.request_pin` does, in a thread of its own."""

_T = TypeVar("_T")


class _Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cardd-client", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _T], timeout: float | None = None) -> _T:
        """Run to the end; an interruption (Ctrl-C, the time-out) cancels it.

        Raises:
            TimeoutError: it took longer than `timeout` seconds.
        """
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout)
        except BaseException:
            if not future.done():
                future.cancel()
                concurrent.futures.wait([self._settled()])
            raise

    @property
    def stopped(self) -> bool:
        """Whether the thread has ended."""
        return self._loop.is_closed()

    def stop(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _settled(self) -> concurrent.futures.Future[None]:
        """Done when the loop has gone round once more, so that a cancellation has had its turn."""

        async def turn() -> None:
            await asyncio.sleep(0)

        return asyncio.run_coroutine_threadsafe(turn(), self._loop)


class Session:
    """A session; `info` is the value that was read when it was opened."""

    def __init__(self, loop: _Loop, info: objects.Session) -> None:
        self._loop = loop
        self.info = info

    @property
    def ended(self) -> str | None:
        """Why the session ended, None while it is not known to have ended."""
        return self.info.ended

    def wait_ended(self, timeout: float | None = None) -> str:
        """Wait for the end and return the reason.

        Raises:
            TimeoutError: it did not end within `timeout` seconds.
        """
        return self._loop.run(self.info.wait_ended(), timeout)

    def sign(
        self,
        key: str,
        algorithm: str,
        digest: bytes,
        *,
        document: Document | None = None,
        ask: Ask | None = None,
        interactive: bool = True,
    ) -> bytes:
        """As `cardd.client.Session.sign`; `ask` stands for its agent."""
        signing = self.info.sign(key, algorithm, digest, document=document, agent=_agent(ask), interactive=interactive)
        return self._loop.run(signing)

    def check_access(
        self, action: str, key: str = "", *, algorithm: str = "", document_kind: str = "", reserve: bool = False
    ) -> Access:
        """As `cardd.client.Session.check_access`."""
        return self._loop.run(
            self.info.check_access(action, key, algorithm=algorithm, document_kind=document_kind, reserve=reserve)
        )

    def decrypt(self, key: str, algorithm: str, cryptogram: bytes, *, document_kind: str = "") -> bytearray:
        """As `cardd.client.Session.decrypt`."""
        return self._loop.run(self.info.decrypt(key, algorithm, cryptogram, document_kind=document_kind))

    def mint_token(
        self,
        device: bytes | str,
        *,
        lifetime: timedelta | None = None,
        audience: Sequence[str] = (),
        kind: str | None = None,
    ) -> MintedToken:
        """As `cardd.client.Session.mint_token`."""
        return self._loop.run(self.info.mint_token(device, lifetime=lifetime, audience=audience, kind=kind))

    def assert_to(self, audience: str, nonce: bytes) -> str:
        """As `cardd.client.Session.assert_to`."""
        return self._loop.run(self.info.assert_to(audience, nonce))

    def get_holder(self) -> Holder:
        """As `cardd.client.Session.get_holder`."""
        return self._loop.run(self.info.get_holder())

    def get_activities(self) -> tuple[Activity, ...]:
        """As `cardd.client.Session.get_activities`."""
        return self._loop.run(self.info.get_activities())

    def select_activity(self, activity_id: str) -> None:
        """As `cardd.client.Session.select_activity`."""
        self._loop.run(self.info.select_activity(activity_id))

    def end(self) -> None:
        """As `cardd.client.Session.end`."""
        self._loop.run(self.info.end())


class Card:
    """A card in a reader; `info` is the value that was read when the client was asked for it."""

    def __init__(self, loop: _Loop, info: objects.Card) -> None:
        self._loop = loop
        self.info = info

    def authenticate(
        self,
        *,
        pin: SecretBytes | None = None,
        ask: Ask | None = None,
        interactive: bool = True,
        last_try: bool = False,
    ) -> Session:
        """As `cardd.client.Card.authenticate`; `ask` stands for its agent."""
        opening = self.info.authenticate(pin=pin, agent=_agent(ask), interactive=interactive, last_try=last_try)
        return Session(self._loop, self._loop.run(opening))

    def change_pin(
        self,
        *,
        current: SecretBytes | None = None,
        new: SecretBytes | None = None,
        ask: Ask | None = None,
        last_try: bool = False,
        without_pin_pad: bool = False,
    ) -> None:
        """As `cardd.client.Card.change_pin`."""
        agent = _agent(ask)
        self._loop.run(
            self.info.change_pin(
                current=current, new=new, agent=agent, last_try=last_try, without_pin_pad=without_pin_pad
            )
        )

    def unblock_pin(
        self,
        *,
        puk: SecretBytes | None = None,
        new: SecretBytes | None = None,
        ask: Ask | None = None,
        last_try: bool = False,
        without_pin_pad: bool = False,
    ) -> None:
        """As `cardd.client.Card.unblock_pin`."""
        agent = _agent(ask)
        self._loop.run(
            self.info.unblock_pin(puk=puk, new=new, agent=agent, last_try=last_try, without_pin_pad=without_pin_pad)
        )

    def get_holder(self) -> Holder:
        """As `cardd.client.Card.get_holder`."""
        return self._loop.run(self.info.get_holder())

    def get_certificates(self) -> Mapping[str, bytes]:
        """As `cardd.client.Card.get_certificates`."""
        return self._loop.run(self.info.get_certificates())

    def read_object(self, label: str) -> bytes:
        """As `cardd.client.Card.read_object`."""
        return self._loop.run(self.info.read_object(label))


class Tokens:
    """As `cardd.client.Tokens`."""

    def __init__(self, loop: _Loop, tokens: asynchronous.Tokens) -> None:
        self._loop = loop
        self._tokens = tokens

    def challenge(self) -> bytes:
        """As `cardd.client.Tokens.challenge`."""
        return self._loop.run(self._tokens.challenge())

    def daemon_key(self) -> bytes:
        """As `cardd.client.Tokens.daemon_key`."""
        return self._loop.run(self._tokens.daemon_key())

    def redeem(self, token: str, proof: str) -> Session:
        """As `cardd.client.Tokens.redeem`."""
        return Session(self._loop, self._loop.run(self._tokens.redeem(token, proof)))

    def redeem_with(self, token: str, key: EllipticCurvePrivateKey) -> Session:
        """As `cardd.client.Tokens.redeem_with`."""
        return Session(self._loop, self._loop.run(self._tokens.redeem_with(token, key)))

    def page(self, *, limit: int = 50, after: str | None = None) -> list[RegisteredToken]:
        """As `cardd.client.Tokens.page`."""
        return self._loop.run(self._tokens.page(limit=limit, after=after))

    def get(self, token_id: str) -> RegisteredToken:
        """As `cardd.client.Tokens.get`."""
        return self._loop.run(self._tokens.get(token_id))

    def revoke(self, token_id: str, reason: str) -> None:
        """As `cardd.client.Tokens.revoke`."""
        self._loop.run(self._tokens.revoke(token_id, reason))


class Client:
    """A connection to cardd, made by `connect`; closed by `close` or at the end of a `with` block."""

    def __init__(self, loop: _Loop, client: CarddClient) -> None:
        self._loop = loop
        self._client = client

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and end the thread."""
        self._loop.run(self._client.close())
        self._loop.stop()

    def service(self) -> Service:
        """As `CarddClient.service`."""
        return self._loop.run(self._client.service())

    def readers(self) -> list[Reader]:
        """As `CarddClient.readers`."""
        return self._loop.run(self._client.readers())

    def cards(self) -> list[Card]:
        """As `CarddClient.cards`."""
        return [Card(self._loop, info) for info in self._loop.run(self._client.cards())]

    def sessions(self) -> list[Session]:
        """As `CarddClient.sessions`."""
        return [Session(self._loop, info) for info in self._loop.run(self._client.sessions())]

    def wait_for_card(
        self, accept: Callable[[objects.Card], bool] = lambda card: card.identified, timeout: float | None = None
    ) -> Card:
        """As `CarddClient.wait_for_card`.

        Raises:
            TimeoutError: no such card within `timeout` seconds.
        """
        return Card(self._loop, self._loop.run(self._client.wait_for_card(accept), timeout))

    def watch(self) -> Iterator[Event]:
        """As `CarddClient.watch`; close the iterator, or the client, to stop."""
        happening = self._client.watch()
        try:
            while True:
                try:
                    yield self._loop.run(anext(happening))
                except StopAsyncIteration:
                    return
        finally:
            if not self._loop.stopped:
                self._loop.run(happening.aclose())

    def register_agent(self, ask: Ask) -> str:
        """As `CarddClient.register_agent`; `ask` is called in a thread of its own."""
        return self._loop.run(self._client.register_agent(_AskingAgent(ask)))

    def unregister_agent(self, registration: str) -> None:
        """As `CarddClient.unregister_agent`."""
        self._loop.run(self._client.unregister_agent(registration))

    @property
    def tokens(self) -> Tokens:
        """As `CarddClient.tokens`."""
        return Tokens(self._loop, self._client.tokens)

    def reload(self) -> None:
        """As `CarddClient.reload`."""
        self._loop.run(self._client.reload())


def connect(address: str | None = None) -> Client:
    """Connect to a message bus.

    Args:
        address: of the bus; None: the system bus.

    Raises:
        BusUnreachable: no such bus, or it refuses this user.
    """
    loop = _Loop()
    try:
        return Client(loop, loop.run(CarddClient.connect(address)))
    except BaseException:
        loop.stop()
        raise


class _AskingAgent(Agent):
    """An agent that calls a function in a thread."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def request_pin(self, request: PinRequest) -> SecretBytes | None:
        moot = threading.Event()

        def ask() -> SecretBytes | None:
            answer = self._ask(request)
            if moot.is_set() and answer is not None:
                secret.wipe(answer)  # nobody waits for it any more
                return None
            return answer

        try:
            return await asyncio.to_thread(ask)
        finally:
            moot.set()


def _agent(ask: Ask | None) -> Agent | None:
    return None if ask is None else _AskingAgent(ask)
