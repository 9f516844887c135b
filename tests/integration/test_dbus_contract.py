"""The XML files under dbus/ are the contract: the running service must say the same of itself."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from cardd.client import CarddClient
from tests.support.running import Running, emptied, identified

DBUS = Path(__file__).parents[2] / "dbus"
EMITS_CHANGED = "org.freedesktop.DBus.Property.EmitsChangedSignal"


def members(interface: ET.Element) -> set[tuple[str, ...]]:
    """Everything that a client depends on, as comparable facts."""
    facts: set[tuple[str, ...]] = set()
    for member in interface:
        name = member.get("name", "")
        if member.tag in ("method", "signal"):
            facts.add((member.tag, name))
            for index, argument in enumerate(member.findall("arg")):
                direction = argument.get("direction", "in" if member.tag == "method" else "")
                facts.add((member.tag, name, str(index), direction, argument.get("name", ""), argument.get("type", "")))
        elif member.tag == "property":
            emits = next((one.get("value", "") for one in member if one.get("name") == EMITS_CHANGED), "true")
            facts.add((member.tag, name, member.get("type", ""), member.get("access", ""), emits))
    return facts


def contract(interface: str) -> set[tuple[str, ...]]:
    """What the file says."""
    found = ET.parse(DBUS / f"{interface}.xml").getroot().find("interface")
    assert found is not None
    return members(found)


def served(running: Running, path: str, interface: str) -> set[tuple[str, ...]]:
    """What gdbus is told by the running service."""
    command = ["gdbus", "introspect", "--address", running.bus.address, "--dest", "org.cardd1", "--object-path", path]
    xml = subprocess.run([*command, "--xml"], check=True, capture_output=True, text=True).stdout
    found = ET.fromstring(xml).find(f"interface[@name='{interface}']")
    assert found is not None, f"{path} has no {interface}"
    return members(found)


@pytest.fixture
async def with_session(cardd: Running) -> dict[str, str]:
    """A path for each interface, a session included."""
    cardd.insert()
    async with cardd.client() as client:
        card = await identified(client)
        session = await card.authenticate(pin=bytearray(b"1234"))
        return {
            "org.cardd1.Manager": "/org/cardd1",
            "org.cardd1.Journal": "/org/cardd1",
            "org.cardd1.Reader": card.reader,
            "org.cardd1.Card": card.path,
            "org.cardd1.Session": session.path,
        }


@pytest.fixture(autouse=True)
def empty_afterwards(cardd: Running) -> Iterator[None]:
    """No card stays in."""
    yield
    cardd.remove()


async def test_the_service_is_what_its_contract_says(cardd: Running, with_session: dict[str, str]) -> None:
    for interface, path in with_session.items():
        assert served(cardd, path, interface) == contract(interface), interface


async def test_busctl_reads_every_object(cardd: Running, with_session: dict[str, str]) -> None:
    tree = subprocess.run(
        ["busctl", f"--address={cardd.bus.address}", "--list", "tree", "org.cardd1"],
        check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    for interface, path in with_session.items():
        assert path in tree
        shown = subprocess.run(
            ["busctl", f"--address={cardd.bus.address}", "introspect", "org.cardd1", path, interface],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        for fact in contract(interface):
            assert f".{fact[1]}" in shown


async def test_who_the_holder_is_never_travels_in_a_broadcast(cardd: Running, with_session: dict[str, str]) -> None:
    """Neither names nor numbers nor certificates are in what any local user may read."""
    async with cardd.client() as client:
        holder = await (await client.cards())[0].get_holder()
    shown = subprocess.run(
        ["gdbus", "call", "--address", cardd.bus.address, "--dest", "org.cardd1", "--object-path", "/org/cardd1",
         "--method", "org.freedesktop.DBus.ObjectManager.GetManagedObjects"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    secrets = (holder.national_id, holder.identifier, holder.family_name, holder.given_name, holder.card_number,
               holder.serial)  # fmt: skip
    assert all(secrets), "the holder is known"
    for secret in secrets:
        assert str(secret) not in shown


async def test_objects_come_and_go_with_what_they_stand_for(cardd: Running, with_session: dict[str, str]) -> None:
    async with await CarddClient.connect(cardd.bus.address) as client:
        _, readers, cards, sessions = await client.overview()
        assert [reader.card for reader in readers] == [cards[0].path]
        assert cards[0].session == sessions[0].path
        cardd.remove()
        await emptied(client)
        _, readers, cards, sessions = await client.overview()
        assert ([reader.card for reader in readers], cards, sessions) == ([None], [], [])
