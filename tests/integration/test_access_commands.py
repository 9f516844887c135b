"""cardctl on who may do what: whoami, rules, and the agent on a terminal and by a pinentry."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from cardd.cli.pinentry import PinentryAgent, find_pinentry
from cardd.client import ConsentRequest, NoticeRequest, PinRequest, Session
from cardd.errors import AgentFailed, ConsentRefused
from tests.support.running import BIN, Running, emptied, identified, open_session, running_cardd
from tests.unit.cli.test_on_terminal import Conversation

RULES = """
[[rule]]
name = "browser"
action = "sign"
flatpak = "org.mozilla.firefox"
effect = "deny"

[[rule]]
name = "the rest"
action = "sign"
key = "signature"
effect = "ask"
own-agent = true
"""


@pytest.fixture(scope="module")
def cardd() -> Iterator[Running]:
    with running_cardd(rules=RULES) as running:
        yield running


@pytest.fixture
async def session(cardd: Running) -> AsyncIterator[Session]:
    async with open_session(cardd) as session:
        yield session


def cardctl(cardd: Running, *arguments: str) -> dict[str, Any]:
    command = [str(BIN / "cardctl"), "--bus", cardd.bus.address, "--json", *arguments]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def test_whoami_tells_what_cardd_sees(cardd: Running) -> None:
    caller = cardctl(cardd, "whoami")["caller"]
    assert caller["uid"] == os.getuid()
    assert caller["pid"] > 1
    assert caller["connection"].startswith(":1.")


def test_rules_check_tells_which_rule_decides_and_why_the_others_do_not(cardd: Running) -> None:
    access = cardctl(cardd, "rules", "check", "sign", "--key", "signature")["access"]
    assert access["effect"] == "ask"
    assert "(the rest)" in access["rule"]
    assert [step["failing"] for step in access["steps"]] == [["flatpak"], []]
    access = cardctl(cardd, "rules", "check", "sign", "--key", "signature", "--flatpak", "org.mozilla.firefox")[
        "access"
    ]
    assert access["effect"] == "deny"
    assert "(browser)" in access["rule"]


def test_rules_show_gives_the_files_in_the_configuration(cardd: Running) -> None:
    files = cardctl(cardd, "rules", "show", "--config", str(cardd.cardd.config))["files"]
    assert list(files.values()) == [RULES]


@pytest.mark.parametrize(("answer", "agreed"), [("o\n", True), ("\n", False)])
async def test_the_agent_asks_on_the_terminal(cardd: Running, session: Session, answer: str, agreed: bool) -> None:
    talk = Conversation("--bus", cardd.bus.address, "--lang", "fr", "agent", "--terminal")
    try:
        await asyncio.to_thread(talk.until, "Ctrl-C")
        signing = asyncio.create_task(session.sign("signature", "RS256", bytes(32)))
        await asyncio.to_thread(talk.until, "veut signer avec la carte de Éloïse O'HARA-LEFÈVRE")
        await asyncio.to_thread(talk.until, "Signer ?")
        talk.type(answer)
        if agreed:
            assert len(await signing) == 256
        else:
            with pytest.raises(ConsentRefused):
                await signing
    finally:
        talk.close()


PINENTRY = """#!/bin/sh
echo "OK Pleased to meet you"
while read -r line; do
    echo "$line" >>"$0.log"
    case $line in
        GETPIN) {getpin} ;;
        CONFIRM) {confirm} ;;
        MESSAGE) {message} ;;
        *) echo OK ;;
    esac
done
"""


def pinentry(folder: Path, *, getpin: str = "exit", confirm: str = "exit", message: str = "exit") -> PinentryAgent:
    program = folder / "pinentry"
    program.write_text(PINENTRY.format(getpin=getpin, confirm=confirm, message=message))
    program.chmod(0o755)
    return PinentryAgent(program)


ASKED_PIN = PinRequest("/org/cardd1/cards/1", "authenticate", 4, 4, 1, "Jeanne DOE", "", last_try=True)
ASKED_CONSENT = ConsentRequest(
    "/org/cardd1/sessions/1", "KXR-482", "org.example.App", 42, 1000, "signature", "letter", "100 %", "00" * 32, 1,
    "batch", 3, 600.0, "Jeanne DOE",
)  # fmt: skip


async def test_pinentry_gives_the_pin_unescaped(tmp_path: Path) -> None:
    agent = pinentry(tmp_path, getpin='printf "D 12%%2534\\nOK\\n"')
    assert await agent.request_pin(ASKED_PIN) == bytearray(b"12%34")
    assert "LAST try" in (tmp_path / "pinentry.log").read_text()


@pytest.mark.parametrize(("code", "answer"), [(83886179, None), (83886194, AgentFailed)])
async def test_pinentry_that_gives_no_pin(tmp_path: Path, code: int, answer: type[Exception] | None) -> None:
    agent = pinentry(tmp_path, getpin=f'echo "ERR {code} no"')
    if answer is None:
        assert await agent.request_pin(ASKED_PIN) is None
    else:
        with pytest.raises(answer):
            await agent.request_pin(ASKED_PIN)


@pytest.mark.parametrize(
    ("says", "agreed"), [("echo OK", True), ('echo "ERR 83886194 no"', False), ('echo "ERR 83886179 no"', False)]
)
async def test_pinentry_asks_for_consent(tmp_path: Path, says: str, agreed: bool) -> None:
    assert await pinentry(tmp_path, confirm=says).confirm(ASKED_CONSENT) is agreed
    shown = (tmp_path / "pinentry.log").read_text()
    assert "SETDESC org.example.App (process 42)" in shown
    assert "KXR-482" in shown
    assert "100 %25" in shown


async def test_pinentry_that_dies_or_is_not_there_is_no_consent(tmp_path: Path) -> None:
    with pytest.raises(AgentFailed):
        await pinentry(tmp_path).confirm(ASKED_CONSENT)
    with pytest.raises(AgentFailed):
        await PinentryAgent(tmp_path / "none").confirm(ASKED_CONSENT)


def test_pinentry_is_for_desktops(tmp_path: Path) -> None:
    pinentry(tmp_path)
    assert find_pinentry({"PATH": str(tmp_path)}) is None
    assert find_pinentry({"PATH": str(tmp_path), "DISPLAY": ":0"}) == tmp_path / "pinentry"
    assert find_pinentry({"PATH": "/nonexistent", "DISPLAY": ":0"}) is None


ASKED_NOTICE = NoticeRequest("journal", "Jeanne DOE")


@pytest.mark.parametrize("says", ["echo OK", 'echo "ERR 83886179 closed"'])
async def test_pinentry_shows_a_notice_until_it_is_closed(tmp_path: Path, says: str) -> None:
    assert await pinentry(tmp_path, message=says).notify(ASKED_NOTICE)
    shown = (tmp_path / "pinentry.log").read_text()
    assert "SETDESC To Jeanne DOE:%0AEach use of your card" in shown
    assert "cardctl journal query" in shown
    assert "without limit" in shown


async def test_pinentry_that_shows_no_notice(tmp_path: Path) -> None:
    with pytest.raises(AgentFailed):
        await pinentry(tmp_path).notify(ASKED_NOTICE)
    assert await pinentry(tmp_path).notify(NoticeRequest("weather", "Jeanne DOE")) is False


async def test_the_agent_on_the_terminal_tells_of_the_journal(cardd: Running) -> None:
    talk = Conversation("--bus", cardd.bus.address, "--lang", "fr", "agent", "--terminal")
    try:
        await asyncio.to_thread(talk.until, "Ctrl-C")
        async with cardd.client() as client:
            await emptied(client)
            cardd.insert("nurse")
            await (await identified(client)).authenticate(pin=bytearray(b"1234"))
        await asyncio.to_thread(talk.until, "est consignée dans un journal")
        await asyncio.to_thread(talk.until, "cardctl journal query")
    finally:
        cardd.remove()
        talk.close()
