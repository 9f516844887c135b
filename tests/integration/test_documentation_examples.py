"""Each example of docs/applications.md, run as it stands against a simulated card.

The fenced blocks of one section make one program. It finds the bus as the system bus, `letter.txt` and `message.enc` in
its folder, and the PIN on its standard input.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cardd.client import blocking
from tests.support.running import Running

DOCUMENT = Path(__file__).parents[2] / "docs" / "applications.md"
SECRET = "Results are in; all is well."
PIN = "1234"

_SECTION = re.compile(r"^## (?P<title>.+)$", re.MULTILINE)
_BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_RUNNERS = {"python": [sys.executable], "bash": ["bash", "-euo", "pipefail"]}


def _programs() -> dict[str, tuple[str, str]]:
    """Language and code by the section's title."""
    _, *parts = _SECTION.split(DOCUMENT.read_text())
    found = {}
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        blocks = _BLOCK.findall(text)
        if blocks:
            (language,) = {language for language, _ in blocks}
            found[title] = (language, "".join(code for _, code in blocks))
    return found


PROGRAMS = _programs()


@pytest.fixture
def folder(cardd: Running, tmp_path: Path) -> Iterator[Path]:
    """Where an example runs: a card is in, with a letter to sign and a message for its key."""
    cardd.insert()
    with blocking.connect(cardd.bus.address) as client:
        certificates = client.wait_for_card(timeout=60).get_certificates()
    (tmp_path / "letter.txt").write_text("Dear colleague,\n")
    _openssl(tmp_path, "x509 -inform der -pubkey -noout -out key.pem", certificates["encryption"])
    _openssl(tmp_path, "pkeyutl -encrypt -pubin -inkey key.pem -out message.enc", SECRET.encode())
    _openssl(tmp_path, "x509 -inform der -pubkey -noout -out verify.pem", certificates["signature"])
    yield tmp_path
    cardd.remove()


def _openssl(folder: Path, arguments: str, content: bytes = b"") -> bytes:
    command = ["openssl", *arguments.split()]
    return subprocess.run(command, input=content, cwd=folder, check=True, capture_output=True).stdout


def _run(title: str, cardd: Running, folder: Path) -> str:
    language, code = PROGRAMS[title]
    environment = {
        **os.environ,
        "DBUS_SYSTEM_BUS_ADDRESS": cardd.bus.address,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    environment.pop("CARDD_BUS", None)
    program = folder / f"example.{language}"
    program.write_text(code)
    done = subprocess.run(
        [*_RUNNERS[language], str(program)],
        input=f"{PIN}\n",
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_section_with_code_is_run_below() -> None:
    assert set(PROGRAMS) == {"Python, asyncio", "Python, blocking", "gdbus", "busctl"}


@pytest.mark.parametrize("title", ["Python, asyncio", "Python, blocking", "gdbus"])
def test_an_example_signs_and_decrypts(title: str, cardd: Running, folder: Path) -> None:
    shown = _run(title, cardd, folder)
    assert SECRET in shown
    verified = _openssl(folder, "dgst -sha256 -verify verify.pem -signature letter.sig letter.txt")
    assert verified.strip() == b"Verified OK"
    with blocking.connect(cardd.bus.address) as client:
        assert client.sessions() == []


def test_asyncio_tells_the_holder_and_the_end(cardd: Running, folder: Path) -> None:
    shown = _run("Python, asyncio", cardd, folder)
    assert "Médecin" in shown
    assert "ended: ended-by-user" in shown


def test_gdbus_keeps_the_plaintext_to_its_owner(cardd: Running, folder: Path) -> None:
    shown = _run("gdbus", cardd, folder)
    assert "Verified OK" in shown
    assert (folder / "message.txt").read_text() == SECRET
    assert (folder / "message.txt").stat().st_mode & 0o077 == 0


def test_busctl_signs(cardd: Running, folder: Path) -> None:
    lines = _run("busctl", cardd, folder).splitlines()
    (signature,) = [line.split()[2:] for line in lines if line.startswith("ay 256 ")]
    (folder / "letter.sig").write_bytes(bytes(map(int, signature)))
    verified = _openssl(folder, "dgst -sha256 -verify verify.pem -signature letter.sig letter.txt")
    assert verified.strip() == b"Verified OK"
    with blocking.connect(cardd.bus.address) as client:
        assert client.sessions() == []
