"""Connecting: what is told where it cannot be done."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path

import pytest

from cardd import errors
from cardd.client import CarddClient
from cardd.client.errors import AccessDenied, BusUnreachable, ConnectionLost, DaemonNotRunning
from tests.support.bus import PrivateBus
from tests.unit.client.fake import FakeDaemon, Refusal

CLOSED_POLICY = """<policy context="default">
    <allow own="*"/>
    <allow send_destination="org.freedesktop.DBus"/>
    <allow receive_sender="*"/>
  </policy>"""


async def test_no_bus_there(tmp_path: Path) -> None:
    address = f"unix:path={tmp_path}/nothing"
    with pytest.raises(BusUnreachable) as raised:
        await CarddClient.connect(address)
    assert raised.value.fields["address"] == address
    assert "cardctl doctor" in raised.value.message


@pytest.mark.parametrize("address", ["nonsense", "tcp:host=localhost,port=1", "unix:path=/bad\0path"])
async def test_an_address_that_cannot_be_used(address: str) -> None:
    with pytest.raises(BusUnreachable):
        await CarddClient.connect(address)


async def test_no_daemon_on_the_bus(shared_bus: PrivateBus) -> None:
    async with await CarddClient.connect(shared_bus.address) as client:
        assert not client.daemon_runs
        with pytest.raises(DaemonNotRunning):
            await client.cards()


async def test_the_policy_of_the_bus_forbids_it() -> None:
    with PrivateBus(policy=CLOSED_POLICY) as bus, FakeDaemon(bus.address):
        async with await CarddClient.connect(bus.address) as client:
            assert client.daemon_runs
            with pytest.raises(AccessDenied):
                await client.cards()


async def test_a_closed_client(daemon: FakeDaemon) -> None:
    client = await CarddClient.connect(daemon.address)
    (card,) = await client.cards()
    await client.close()
    with pytest.raises(ConnectionLost):
        await card.get_holder()


async def test_reload_passes_the_line_at_fault_on(client: CarddClient, daemon: FakeDaemon) -> None:
    daemon.failures["Reload"] = Refusal("ConfigurationInvalid", problem="cardd.toml, line 3: no")
    with pytest.raises(errors.ConfigurationInvalid) as raised:
        await client.reload()
    assert raised.value.fields == {"problem": "cardd.toml, line 3: no"}


async def test_overview(client: CarddClient, daemon: FakeDaemon) -> None:
    service, readers, cards, sessions = await client.overview()
    assert (service.version, service.drivers, service.warnings) == ("9.9.9", ("ias_ecc",), tuple(daemon.warnings))
    assert [reader.card for reader in readers] == [card.path for card in cards]
    assert sessions == []


async def test_many_calls_at_once(client: CarddClient) -> None:
    (card,) = await client.cards()
    session = await card.authenticate(pin=bytearray(b"1234"))
    signatures = await asyncio.gather(*(session.sign("signature", "RS256", bytes(31) + bytes([n])) for n in range(40)))
    assert [signature[-1] for signature in signatures] == list(range(40))


async def test_connecting_and_closing_leaves_nothing_open(daemon: FakeDaemon) -> None:
    async def once() -> None:
        async with await CarddClient.connect(daemon.address) as client:
            await client.cards()

    await once()
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        await once()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before
