"""A small cardd in a thread: the D-Bus contract over dbus-next, with a card of make-believe.

It shares no code with cardd's own service but the sentences of its errors, so that client and contract are held against
each other.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from dbus_next.aio.message_bus import MessageBus
from dbus_next.constants import MessageType, NameFlag
from dbus_next.message import Message
from dbus_next.signature import Variant

from cardd.errors import all_errors

ROOT = "/org/cardd1"
READER_PATH = f"{ROOT}/readers/fictional"
MANAGER, READER, CARD, SESSION = (f"org.cardd1.{name}" for name in ("Manager", "Reader", "Card", "Session"))
AGENT = "org.cardd1.Agent"
OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"
PROPERTIES = "org.freedesktop.DBus.Properties"
ERROR = "org.cardd1.Error."
PIN, PUK = b"1234", b"12345678"

HOLDER = {
    "national-id": Variant("s", "899700000017"),
    "national-id-kind": Variant("s", "rpps"),
    "identifier": Variant("s", "99700000017"),
    "family-name": Variant("s", "ÉPREUVE"),
    "given-name": Variant("s", "Camille"),
    "card-type": Variant("s", "CPS"),
    "profession": Variant("i", 10),
    "profession-label": Variant("s", "Médecin"),
    "category": Variant("s", "test"),
    "card-number": Variant("s", "9900000017"),
    "warnings": Variant("as", []),
}

Objects = dict[str, dict[str, dict[str, Variant]]]


class Refusal(Exception):
    """An error reply: its name (without the prefix for cardd's own), and the fields of its sentence or its text."""

    def __init__(self, name: str, text: str = "", **fields: str | int | bool) -> None:
        super().__init__(name)
        self.name = name if "." in name else ERROR + name
        kind = all_errors().get(self.name)
        self.text = text if kind is None else kind(**fields).message


class FakeDaemon:
    """Owns org.cardd1 while the context is entered; `insert` and the like may be called from any thread.

    Attributes:
        calls: members that were called, in order.
        connections: unique names of those who called.
        failures: what a member answers instead of doing its work.
        hold_open: keep the plaintext's descriptor open, as a faulty daemon would.
    """

    def __init__(self, address: str, *, reader: bool = True, card: bool = True) -> None:
        self.address = address
        self.calls: list[str] = []
        self.connections: set[str] = set()
        self.failures: dict[str, Refusal] = {}
        self.hold_open = False
        self.tries_left = 3
        self.pin = PIN
        self.agents: list[tuple[str, str]] = []
        self.warnings = ["A warning of make-believe."]
        self.objects: Objects = {}
        self._numbers = iter(range(1, 1000))
        self._inventory = (reader, card)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._held: list[int] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> FakeDaemon:
        self._thread.start()
        self._run(self._start())
        reader, card = self._inventory
        if reader:
            self.plug()
        if card:
            self.insert()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        for descriptor in self._held:
            os.close(descriptor)

    @property
    def unique_name(self) -> str:
        """Name of the fake's connection."""
        return str(self._bus.unique_name)

    @property
    def card_path(self) -> str:
        """Path of the card that is in."""
        return next(path for path in self.objects if "/cards/" in path)

    @property
    def session_path(self) -> str | None:
        """Path of the session that is open."""
        return next((path for path in self.objects if "/sessions/" in path), None)

    def plug(self) -> None:
        """A reader is plugged in."""
        properties = {
            "Name": Variant("s", "Fictional Reader 00 00"),
            "UsbIds": Variant("s", "1234:5678"),
            "Seat": Variant("s", "seat0"),
            "Card": Variant("o", "/"),
        }
        self._do(lambda: self._add(READER_PATH, READER, properties))

    def insert(self, **changes: Variant) -> str:
        """A card is inserted, identified at once."""
        properties = {
            "Reader": Variant("o", READER_PATH),
            "Driver": Variant("s", "ias_ecc"),
            "State": Variant("s", "identified"),
            "Problem": Variant("s", ""),
            "Kind": Variant("s", "cps3"),
            "PinTriesLeft": Variant("i", self.tries_left),
            "Trust": Variant(
                "a{sv}",
                {
                    "state": Variant("s", "trusted"),
                    "reason": Variant("s", "ok"),
                    "revocation": Variant("s", "not-asked"),
                    "simulator": Variant("b", True),
                    "checked-at": Variant("t", 1_700_000_000),
                    "expires": Variant("t", 1_900_000_000),
                },
            ),
            "Session": Variant("o", "/"),
            "Capabilities": Variant(
                "a{sv}",
                {
                    "sign.signature": Variant("as", ["RS256"]),
                    "sign.authentication": Variant("as", ["RS256"]),
                    "decrypt.encryption": Variant("as", ["RSA1_5"]),
                    "pin-minimum": Variant("u", 4),
                    "pin-maximum": Variant("u", 8),
                    "puk-minimum": Variant("u", 8),
                    "puk-maximum": Variant("u", 8),
                },
            ),
            **changes,
        }
        path = f"{ROOT}/cards/{next(self._numbers)}"

        def insert() -> None:
            self._add(path, CARD, properties)
            self._change(READER_PATH, READER, Card=Variant("o", path))

        self._do(insert)
        return path

    def withdraw(self) -> None:
        """The card is taken out."""

        def withdraw() -> None:
            self._end("card-removed")
            path = self.card_path
            self._change(READER_PATH, READER, Card=Variant("o", "/"))
            self._remove(path, CARD)

        self._do(withdraw)

    def change(self, path: str, interface: str, **properties: Variant) -> None:
        """Properties change, and the bus is told."""
        self._do(lambda: self._change(path, interface, **properties))

    def end(self, reason: str) -> None:
        """The session ends."""
        self._do(lambda: self._end(reason))

    def signal(
        self, path: str, interface: str, member: str, signature: str, *values: Any, destination: str | None = None
    ) -> None:
        """Broadcast anything, or send it to one connection."""
        self._do(lambda: self._signal(path, interface, member, signature, *values, destination=destination))

    def release_name(self) -> None:
        """Stop being org.cardd1, as when the daemon ends."""
        self._run(self._bus.release_name("org.cardd1"))

    def forget_bus(self) -> None:
        """The bus is about to be killed: take its loss as a disconnection of one's own."""
        self._bus._user_disconnect = True

    def ask_agent(self, member: str, signature: str, *values: Any) -> Message:
        """Call the agent registered last, and return its reply."""
        connection, path = self.agents[-1]
        reply: Message = self._run(self._call_agent(connection, path, member, signature, *values))
        return reply

    async def _start(self) -> None:
        self._bus: Any = await MessageBus(bus_address=self.address, negotiate_unix_fd=True).connect()
        self._bus.add_message_handler(self._on_message)
        await self._bus.request_name("org.cardd1", NameFlag.DO_NOT_QUEUE)

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._bus.disconnect()
        await self._bus.wait_for_disconnect()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def _do(self, work: Callable[[], None]) -> None:
        async def on_loop() -> None:
            work()

        self._run(on_loop())

    def _on_message(self, message: Message) -> bool | None:
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        task = self._loop.create_task(self._answer(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _answer(self, message: Message) -> None:
        self.calls.append(message.member)
        self.connections.add(message.sender)
        try:
            if message.member in self.failures:
                raise self.failures[message.member]
            signature, values = await self._serve(message)
            reply = Message.new_method_return(message, signature, values)
        except Refusal as refusal:
            reply = Message(
                message_type=MessageType.ERROR,
                reply_serial=message.serial,
                destination=message.sender,
                error_name=refusal.name,
                signature="s",
                body=[refusal.text],
            )
        finally:
            for descriptor in message.unix_fds:
                if self.hold_open:
                    self._held.append(descriptor)
                else:
                    os.close(descriptor)
        await self._bus.send(reply)

    async def _serve(self, message: Message) -> tuple[str, list[Any]]:
        body = message.body
        match message.interface, message.member:
            case (str(interface), "GetManagedObjects") if interface == OBJECT_MANAGER:
                return "a{oa{sa{sv}}}", [self.objects]
            case (str(interface), "GetAll") if interface == PROPERTIES:
                return "a{sv}", [self._properties(message.path, body[0])]
            case (str(interface), _) if interface == MANAGER:
                return self._serve_manager(message)
            case (str(interface), _) if interface == CARD and message.path in self.objects:
                return await self._serve_card(message)
            case (str(interface), _) if interface == SESSION and message.path in self.objects:
                return self._serve_session(message)
            case (str(interface), _) if interface == SESSION:
                raise Refusal("SessionEnded", reason="card-removed")
        raise Refusal("org.freedesktop.DBus.Error.UnknownObject", "no such object")

    def _properties(self, path: str, interface: str) -> dict[str, Variant]:
        if interface == MANAGER:
            return {
                "Version": Variant("s", "9.9.9"),
                "Drivers": Variant("as", ["ias_ecc"]),
                "Warnings": Variant("as", self.warnings),
            }
        try:
            return self.objects[path][interface]
        except KeyError:
            raise Refusal("org.freedesktop.DBus.Error.UnknownObject", "no such object") from None

    def _serve_manager(self, message: Message) -> tuple[str, list[Any]]:
        match message.member:
            case "RegisterAgent":
                self.agents.append((message.sender, message.body[0]))
            case "UnregisterAgent":
                self.agents.remove((message.sender, message.body[0]))
        return "", []

    async def _serve_card(self, message: Message) -> tuple[str, list[Any]]:
        match message.member:
            case "Authenticate":
                if self.session_path is None:
                    if message.body[0].get("no-user-interaction", Variant("b", False)).value:
                        raise Refusal("NotAuthorizedCanObtain", reason="a PIN is needed")
                    self._verify(await self._ask("authenticate"))
                return "o", [self._open(message.path)]
            case "AuthenticateWithPin":
                self._verify(_read_all(message.unix_fds[message.body[0]]))
                return "o", [self._open(message.path)]
            case "ChangePin":
                current, new = await self._ask("change-current"), await self._ask("change-new")
                self._verify(current)
                self.pin = new
                return "", []
            case "UnblockPin":
                if await self._ask("unblock-puk") != PUK:
                    raise Refusal("PukIncorrect", tries_left=9)
                self.pin, self.tries_left = await self._ask("unblock-new"), 3
                return "", []
        return self._read_card(message)

    def _read_card(self, message: Message) -> tuple[str, list[Any]]:
        match message.member:
            case "GetHolder":
                return "a{sv}", [HOLDER]
            case "GetCertificates":
                return "a{say}", [{"authentication": b"\x30\x00"}]
            case "ReadObject":
                return "ay", [message.body[0].encode()]
        raise Refusal("org.freedesktop.DBus.Error.UnknownMethod", "no such method")

    def _serve_session(self, message: Message) -> tuple[str, list[Any]]:
        match message.member:
            case "Sign":
                return "ay", [signature_over(message.body[2])]
            case "Decrypt":
                cryptogram, index = message.body[2], message.body[3]
                os.write(message.unix_fds[index], plaintext_of(cryptogram))
                return "", []
            case "GetHolder":
                return "a{sv}", [HOLDER]
            case "End":
                self._end("ended-by-user")
                return "", []
        raise Refusal("org.freedesktop.DBus.Error.UnknownMethod", "no such method")

    def _verify(self, pin: bytes) -> None:
        if not self.tries_left:
            raise Refusal("PinBlocked")
        if not 4 <= len(pin) <= 8 or not pin.isdigit():
            raise Refusal("PinFormat", length="4–8")
        self.tries_left = 3 if pin == self.pin else self.tries_left - 1
        self._change(self.card_path, CARD, PinTriesLeft=Variant("i", self.tries_left))
        if pin != self.pin:
            raise Refusal("PinIncorrect", tries_left=self.tries_left)

    def _open(self, card: str) -> str:
        if self.session_path is None:
            path = f"{ROOT}/sessions/s{next(self._numbers)}"
            properties = {
                "Card": Variant("o", card),
                "Level": Variant("s", "card"),
                "Since": Variant("t", 1_700_000_000_000_000),
                "Expires": Variant("t", 0),
                "Uses": Variant("t", 0),
            }
            self._add(path, SESSION, properties)
            self._change(card, CARD, Session=Variant("o", path))
        assert self.session_path is not None
        return self.session_path

    def _end(self, reason: str) -> None:
        path = self.session_path
        if path is not None:
            card = self.objects[path][SESSION]["Card"].value
            self._signal(path, SESSION, "Ended", "s", reason)
            self._change(card, CARD, Session=Variant("o", "/"))
            self._remove(path, SESSION)

    async def _ask(self, purpose: str) -> bytes:
        if not self.agents:
            raise Refusal("NoAgent")
        connection, path = self.agents[-1]
        details = {
            "purpose": Variant("s", purpose),
            "minimum": Variant("u", 4),
            "maximum": Variant("u", 8),
            "tries-left": Variant("i", self.tries_left),
            "last-try": Variant("b", self.tries_left == 1),
            "holder": Variant("s", "Camille ÉPREUVE"),
            "reader": Variant("s", "Fictional Reader 00 00"),
        }
        reply = await self._call_agent(connection, path, "RequestPin", "oa{sv}", self.card_path, details)
        if reply.message_type is MessageType.ERROR:
            if reply.error_name == f"{ERROR}NotAuthorizedDismissed":
                raise Refusal("NotAuthorizedDismissed")
            raise Refusal("AgentFailed", reason=reply.error_name)
        descriptor = reply.unix_fds[reply.body[0]]
        try:
            return _read_all(descriptor)
        finally:
            os.close(descriptor)

    async def _call_agent(self, connection: str, path: str, member: str, signature: str, *values: Any) -> Message:
        call = Message(connection, path, "org.cardd1.Agent", member, signature=signature, body=list(values))
        reply: Message = await self._bus.call(call)
        return reply

    def _add(self, path: str, interface: str, properties: dict[str, Variant]) -> None:
        self.objects[path] = {interface: dict(properties)}
        self._signal(ROOT, OBJECT_MANAGER, "InterfacesAdded", "oa{sa{sv}}", path, {interface: properties})

    def _remove(self, path: str, interface: str) -> None:
        del self.objects[path]
        self._signal(ROOT, OBJECT_MANAGER, "InterfacesRemoved", "oas", path, [interface])

    def _change(self, path: str, interface: str, **properties: Variant) -> None:
        if path in self.objects:
            self.objects[path][interface].update(properties)
        self._signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", interface, properties, [])

    def _signal(
        self, path: str, interface: str, member: str, signature: str, *values: Any, destination: str | None = None
    ) -> None:
        message: Any = Message.new_signal(path, interface, member, signature, list(values))
        if destination is not None:
            message.destination = destination
        self._bus.send(message)


def signature_over(digest: bytes) -> bytes:
    """What the make-believe card signs: 256 bytes that hold the digest."""
    if len(digest) != 32:
        raise Refusal("DigestLength", expected=32, given=len(digest))
    return b"\x01" * 224 + digest


def plaintext_of(cryptogram: bytes) -> bytes:
    """What the make-believe card decrypts: the first bytes, backwards."""
    return cryptogram[:21][::-1]


def _read_all(descriptor: int) -> bytes:
    with open(descriptor, "rb", closefd=False) as reading:
        return reading.read()
