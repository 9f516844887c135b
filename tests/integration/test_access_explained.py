"""`cardctl rules check` for other callers, places and times; and Session.CheckAccess, which says the same."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.running import BIN, Running, open_session, running_cardd

CASES = """
[[rule]]
name = "night"
action = "decrypt"
hours = "22:00-06:00"
effect = "deny"

[[rule]]
name = "second seat"
action = "decrypt"
seat = "seat1"
effect = "deny"

[[rule]]
name = "container"
action = "decrypt"
container = true
effect = "deny"

[[rule]]
name = "service"
action = "decrypt"
unit = "records.service"
user = "daemon"
session = "other"
effect = "allow"

[[rule]]
name = "daemons"
action = "decrypt"
group = "daemon"
session = "own-active"
effect = "deny"

[[rule]]
name = "old padding"
action = "decrypt"
algorithm = "RSA1_5"
effect = "deny"

[[rule]]
name = "remote"
action = "sign"
session = "own"
effect = "deny"

[[rule]]
name = "letters"
action = "sign"
document-kind = "letter"
effect = "deny"

[[rule]]
name = "program"
action = "sign"
user-unit = "app-*-org.example.Records-*.scope"
effect = "allow"

[[rule]]
name = "sign"
action = "sign"
key = "signature"
effect = "ask"
"""
NOON = ("--at", "2026-03-02T12:00")
SIGN = ("sign", "--key", "signature", "--session", "own-active")


@pytest.fixture(scope="module")
def cardd() -> Iterator[Running]:
    with running_cardd(rules=CASES) as running:
        yield running


def rules_check(cardd: Running, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "cardctl"), "--bus", cardd.bus.address, "--json", "rules", "check", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("asked", "effect", "rule"),
    [
        (("decrypt", *NOON), "allow", ""),
        (("decrypt", "--at", "2026-03-02T23:00"), "deny", "night"),
        (("decrypt", *NOON, "--seat", "seat1"), "deny", "second seat"),
        (("decrypt", *NOON, "--seat", "seat0"), "allow", ""),
        (("decrypt", *NOON, "--container", "docker"), "deny", "container"),
        (("decrypt", *NOON, "--session", "other"), "deny", ""),
        (("decrypt", *NOON, "--session", "other", "--unit", "records.service"), "deny", ""),
        (("decrypt", *NOON, "--session", "other", "--unit", "records.service", "--user", "daemon"), "allow", "service"),
        (("decrypt", *NOON, "--user", "daemon"), "deny", "daemons"),
        (("decrypt", *NOON, "--user", "4000000000"), "deny", "daemons"),  # whose groups are not known: it narrows
        (("decrypt", *NOON, "--alg", "RSA1_5"), "deny", "old padding"),
        (SIGN, "ask", "sign"),
        ((*SIGN, "--session", "own"), "deny", "remote"),
        ((*SIGN, "--kind", "letter"), "deny", "letters"),
        ((*SIGN, "--user-unit", "app-gnome-org.example.Records-42.scope"), "allow", "program"),
        ((*SIGN, "--kind", "letter", "--user-unit", "app-gnome-org.example.Records-42.scope"), "deny", "letters"),
        ((*SIGN, "--key", "authentication"), "deny", ""),
    ],
)
def test_another_caller_place_and_time(cardd: Running, asked: tuple[str, ...], effect: str, rule: str) -> None:
    done = rules_check(cardd, *asked)
    assert done.returncode == 0, done.stdout + done.stderr
    access: dict[str, Any] = json.loads(done.stdout)["access"]
    assert access["effect"] == effect
    assert (f"({rule})" in access["rule"]) if rule else access["rule"] == ""


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (("--at", "noon"), "when"),
        (("--at", "2026-03-02T12:00+01:00"), "when"),
        (("--session", "mine"), "session"),
        (("--user", "no such user"), "--user"),
        (("--user", "4294967295"), "uid"),
        (("--unit", "x" * 257), "unit"),
    ],
)
def test_what_cannot_be_supposed_is_named(cardd: Running, wrong: tuple[str, ...], named: str) -> None:
    done = rules_check(cardd, "sign", *wrong)
    assert done.returncode != 0
    assert f"argument {named} " in done.stdout + done.stderr


async def test_check_access_gives_the_same_answer(cardd: Running) -> None:
    async with open_session(cardd) as session, cardd.client() as client:
        for action, key, algorithm, kind in [
            ("sign", "signature", "RS256", ""),
            ("sign", "signature", "RS256", "letter"),
            ("sign", "authentication", "RS256", ""),
            ("decrypt", "encryption", "RSA1_5", ""),
            ("assert", "", "", ""),
            ("mint-token", "", "", ""),
            ("read-holder", "", "", ""),
        ]:
            answer = await session.check_access(action, key, algorithm=algorithm, document_kind=kind)
            explained = await client.access.explain(
                action, key=key, algorithm=algorithm, document_kind=kind, card_type="CPS", profession=10
            )
            told = (explained.effect, explained.rule, explained.reason)
            assert (answer.effect, answer.rule, answer.reason) == told, action
