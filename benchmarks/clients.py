"""A client process with many connections that sign; told and telling by lines on its standard streams."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import sys
import time
from contextlib import aclosing, suppress

from cardd.bus.failures import RemoteError
from cardd.bus.matching import MatchRule
from cardd.bus.names import MANAGER, ROOT, SERVICE, SESSION
from cardd.bus.transport import RemoteMethod, connect
from cardd.client import CarddClient, Session
from cardd.client.errors import DaemonNotRunning
from cardd.client.events import CardChanged, CardInserted
from cardd.client.wrapping import wrapped
from cardd.errors import CarddError

LARGE_AT_ONCE = 4
"""Large messages under way at one time."""
DIGEST = hashlib.sha256(b"benchmark").digest()


class Clients:
    """The connections, and what they do when told.

    Args:
        bus: address.
        clients: one for each connection.
        heard: moments at which `Ended` came (CLOCK_MONOTONIC, ns).
    """

    def __init__(self, bus: str, clients: list[CarddClient], heard: list[int]) -> None:
        self._bus = bus
        self._clients = clients
        self._heard = heard
        self._sessions: list[Session] = []
        self._flood: asyncio.Task[None] | None = None

    async def obey(self, command: str, argument: str) -> None:
        """Do what a line says, and tell what came of it as a line."""
        match command:
            case "sign":
                await _sign_until_the_end(self._clients, self._heard)
            case "time":
                _tell(await _time(self._clients[0], int(argument)))
            case "identified":
                await _tell_identified(self._clients[0])
            case "sessions":
                self._sessions = await _a_session_each(self._clients, int(argument))
                _tell(time.monotonic_ns())
            case "each":
                _tell(await asyncio.gather(*(_moments(session, int(argument)) for session in self._sessions)))
            case "large":
                self._flood = asyncio.create_task(_send_large(self._bus, int(argument)))
            case _:
                raise ValueError(command)

    async def close(self) -> None:
        """Leave the bus."""
        if self._flood is not None:
            self._flood.cancel()
            await asyncio.gather(self._flood, return_exceptions=True)
        for client in self._clients:
            await client.close()


async def main(bus: str, connections: int) -> None:
    """Serve commands until `quit`:

    `sign` (authenticate, then sign until the end), `time N` (N signatures one by one), `identified` (when a card is
    known), `sessions N` (when N cards are known, a session for each connection, the cards in turn), `each N` (N
    signatures in each of them, all at once), `large N` (messages of N bytes, without end).
    """
    heard: list[int] = []
    listener = await connect(bus)
    async with await CarddClient.connect(bus) as client:
        await _serving(client)
    await listener.subscribe(
        MatchRule(SERVICE, SESSION, "Ended"), "s", lambda _reason: heard.append(time.monotonic_ns())
    )
    clients = Clients(bus, [await CarddClient.connect(bus) for _ in range(connections)], heard)
    loop = asyncio.get_running_loop()
    gc.collect()
    gc.freeze()  # the clients' own garbage is not what is measured
    print("ready", flush=True)
    while (line := await loop.run_in_executor(None, sys.stdin.readline)).strip() not in ("", "quit"):
        command, _, argument = line.strip().partition(" ")
        await clients.obey(command, argument)
    await clients.close()
    listener.close()


def _tell(value: object) -> None:
    print(json.dumps(value), flush=True)


async def _serving(client: CarddClient) -> None:
    """Wait for the daemon."""
    while True:
        try:
            await client.service()
        except DaemonNotRunning:
            await asyncio.sleep(0.01)
        else:
            return


async def _tell_identified(client: CarddClient) -> None:
    """When no card is in, tell `watching`; then when one is known: moment (ns)."""
    while await client.cards():
        await asyncio.sleep(0.005)
    async with aclosing(client.watch()) as happening:
        print("watching", flush=True)
        async for event in happening:
            if isinstance(event, CardInserted | CardChanged) and event.card.identified:
                _tell(time.monotonic_ns())
                return


async def _a_session_each(clients: list[CarddClient], wanted: int) -> list[Session]:
    """When so many cards are known, a session for each client, the cards in turn."""
    await clients[0].wait_for_card()
    while len(cards := [card for card in await clients[0].cards() if card.identified]) < wanted:
        await asyncio.sleep(0.005)
    paths = [card.path for card in cards]
    opening = [_authenticated(client, paths[number % wanted]) for number, client in enumerate(clients)]
    return await asyncio.gather(*opening)


async def _authenticated(client: CarddClient, path: str) -> Session:
    (card,) = [card for card in await client.cards() if card.path == path]
    return await card.authenticate(pin=bytearray(b"1234"))


async def _moments(session: Session, count: int) -> list[int]:
    """When each of `count` signatures was there (ns)."""
    moments = []
    for _ in range(count):
        await session.sign("signature", "RS256", DIGEST)
        moments.append(time.monotonic_ns())
    return moments


async def _send_large(bus: str, size: int) -> None:
    """Have the daemon read messages of that size, and refuse them."""
    transport = await connect(bus)
    options = wrapped({"padding": "x" * size})
    method = RemoteMethod(MANAGER, "ListTokens", "a{sv}", "aa{sv}")

    async def send() -> None:
        while True:
            with suppress(RemoteError):
                await transport.call(SERVICE, ROOT, method, (options,))

    try:
        await asyncio.gather(*(send() for _ in range(LARGE_AT_ONCE)))
    finally:
        transport.close()


async def _session(client: CarddClient) -> Session:
    while True:
        for card in await client.cards():
            if card.identified:
                return await card.authenticate(pin=bytearray(b"1234"))
        await asyncio.sleep(0.005)


async def _sign_until_the_end(clients: list[CarddClient], heard: list[int]) -> None:
    """Each connection signs in a loop; tells when the signal was there, then when each session object knew of it.

    Times are CLOCK_MONOTONIC, ns.
    """
    heard.clear()
    sessions = [await _session(client) for client in clients]
    ends: list[int] = []
    signing = [asyncio.create_task(_sign(session)) for session in sessions]
    hearing = [asyncio.create_task(_hear(session, ends)) for session in sessions]
    await asyncio.sleep(0.05)
    print("signing", flush=True)
    await asyncio.gather(*hearing)
    await asyncio.gather(*signing)
    _tell([heard[0], *ends])


async def _sign(session: Session) -> None:
    while True:
        try:
            await session.sign("signature", "RS256", DIGEST)
        except CarddError:
            return


async def _hear(session: Session, ends: list[int]) -> None:
    await session.wait_ended()
    ends.append(time.monotonic_ns())


async def _time(client: CarddClient, count: int) -> list[float]:
    """Seconds of each of `count` signatures."""
    session = await _session(client)
    taken = []
    for _ in range(count):
        begun = time.perf_counter()
        await session.sign("signature", "RS256", DIGEST)
        taken.append(time.perf_counter() - begun)
    return taken


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
