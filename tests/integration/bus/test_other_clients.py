"""Clients that are not ours: GDBus's ObjectManager client, gdbus, busctl."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.bus import PrivateBus
from tests.support.gadget import NAME, PATH, ROOT, SERVICE, Gadget, Served

WATCH = Path(__file__).parents[2] / "support" / "gdbus_watch.py"
SYSTEM_PYTHON = "/usr/bin/python3"


def gi_is_there() -> bool:
    """Whether the system's interpreter has GDBus (Debian package python3-gi)."""
    command = [SYSTEM_PYTHON, "-c", "from gi.repository import Gio"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@asynccontextmanager
async def watching(address: str) -> AsyncIterator[Callable[[], Awaitable[Any]]]:
    """GDBus's client; gives what reads its next line."""
    process = await asyncio.create_subprocess_exec(
        SYSTEM_PYTHON, str(WATCH), address, SERVICE, ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    lines = process.stdout

    async def heard() -> Any:
        return json.loads(await lines.readline())

    try:
        yield heard
    finally:
        process.kill()
        await process.wait()


async def run(*command: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def gdbus(bus: PrivateBus, method: str, *arguments: str) -> tuple[int, str, str]:
    return await run(
        "gdbus",
        "call",
        "--address",
        bus.address,
        "--dest",
        SERVICE,
        "--object-path",
        PATH,
        "--method",
        method,
        *arguments,
    )


@pytest.mark.skipif(not gi_is_there(), reason="python3-gi is not installed")
async def test_gdbus_sees_objects_come_change_and_go(bus: PrivateBus, served: Served) -> None:
    """dbus-next announces objects from the wrong path, so that GDBus misses them."""
    async with watching(bus.address) as heard:
        assert await heard() == ["ready", {PATH: {NAME: {"Level": 1}}}]
        served.tree.add(f"{ROOT}/two", [Gadget()])
        assert await heard() == ["added", f"{ROOT}/two", {NAME: {"Level": 1}}]
        served.gadget.number = 7
        served.tree.changed(PATH, Gadget, "Level")
        assert await heard() == ["changed", PATH, {"Level": 7}, []]
        served.tree.remove(f"{ROOT}/two")
        assert await heard() == ["removed", f"{ROOT}/two"]


async def test_gdbus_calls(bus: PrivateBus, served: Served) -> None:
    status, out, _ = await gdbus(bus, f"{NAME}.Echo", "b'abc'")
    assert (status, out) == (0, "(b'abc',)\n")


async def test_gdbus_passes_a_descriptor(bus: PrivateBus, served: Served) -> None:
    status, _, err = await gdbus(bus, f"{NAME}.KeepDescriptor", "0")
    assert (status, err) == (0, "")
    assert len(served.gadget.kept) == 1


async def test_gdbus_names_our_errors(bus: PrivateBus, served: Served) -> None:
    """It shows no sentence that has fields beside it; the name is what it goes by."""
    status, _, err = await gdbus(bus, f"{NAME}.FailAsForeseen")
    assert status == 1
    assert "GDBus.Error:org.cardd1.Error.PinIncorrect" in err


async def test_busctl_says_our_errors(bus: PrivateBus, served: Served) -> None:
    status, _, err = await run("busctl", f"--address={bus.address}", "call", SERVICE, PATH, NAME, "FailAsForeseen")
    assert status == 1
    assert "The PIN is wrong; tries left: 2." in err


async def test_busctl_introspects(bus: PrivateBus, served: Served) -> None:
    status, out, _ = await run("busctl", f"--address={bus.address}", "introspect", SERVICE, PATH)
    assert status == 0
    lines = [line.split() for line in out.splitlines()]
    assert [".Echo", "method", "ay", "ay", "-"] in lines
    assert [".Level", "property", "u", "1", "emits-change"] in lines
    assert [".Ended", "signal", "s", "-", "-"] in lines


async def test_busctl_draws_the_tree(bus: PrivateBus, served: Served) -> None:
    served.tree.add(f"{ROOT}/deep/er", [Gadget()])
    status, out, _ = await run("busctl", f"--address={bus.address}", "tree", "--list", SERVICE)
    assert status == 0
    assert out.split() == ["/", "/org", "/org/example", ROOT, f"{ROOT}/deep", f"{ROOT}/deep/er", PATH]
