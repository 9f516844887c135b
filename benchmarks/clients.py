"""A client process with many connections that sign; told and telling by lines on its standard streams."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import sys
import time

from cardd.bus.matching import MatchRule
from cardd.bus.names import SERVICE, SESSION
from cardd.bus.transport import connect
from cardd.client import CarddClient, Session
from cardd.errors import CarddError

DIGEST = hashlib.sha256(b"benchmark").digest()


async def main(bus: str, connections: int) -> None:
    """Serve commands: `sign` (authenticate, then sign until the end), `time N` (N signatures one by one), `quit`."""
    heard: list[int] = []
    listener = await connect(bus)
    await listener.subscribe(
        MatchRule(SERVICE, SESSION, "Ended"), "s", lambda _reason: heard.append(time.monotonic_ns())
    )
    clients = [await CarddClient.connect(bus) for _ in range(connections)]
    loop = asyncio.get_running_loop()
    gc.collect()
    gc.freeze()  # the clients' own garbage is not what is measured
    print("ready", flush=True)
    while (line := await loop.run_in_executor(None, sys.stdin.readline)).strip() not in ("", "quit"):
        command, _, argument = line.strip().partition(" ")
        if command == "sign":
            await _sign_until_the_end(clients, heard)
        elif command == "time":
            print(json.dumps(await _time(clients[0], int(argument))), flush=True)
    for client in clients:
        await client.close()
    listener.close()


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
    print(json.dumps([heard[0], *ends]), flush=True)


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
