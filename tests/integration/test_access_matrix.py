"""The running daemon with the real polkitd and the rules as shipped: who may do what, by user and login session."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_polkit import log_in, placed, shell
from tests.support.core import pki_store
from tests.support.host import CARDD_UID, MEMBER_UID, OUTSIDER_UID, Host, stage
from tests.support.running import authorities

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and other users are for root")

# One application: tells its pid, waits until it is placed, does what it is told, tells each outcome.
CLIENT = """
import asyncio, hashlib, json, os, sys
print("-", os.getpid(), flush=True)
open("/run/placed").read()
from cardd.client import CarddClient
from cardd.errors import CarddError

async def outcome(work):
    try:
        await work
        return "yes"
    except CarddError as error:
        return error.short_name

async def card_of(client):
    async with asyncio.timeout(20):
        return await client.wait_for_card()

async def main(wanted):
    digest, told = hashlib.sha256(b"x").digest(), {}
    async with await CarddClient.connect() as client:
        card = await card_of(client)
        told["holder"] = await outcome(card.get_holder())
        told["authenticate"] = await outcome(card.authenticate(pin=bytearray(b"1234")))
        told["reload"] = await outcome(client.reload())
        for session in await client.sessions():
            told["sign"] = await outcome(session.sign("signature", "RS256", digest))
            told["raw"] = await outcome(session.sign("authentication", "RS256", digest))
            told["decrypt"] = await outcome(session.decrypt("encryption", "RSA1_5", bytes(256)))
            told["assert"] = await outcome(session.assert_to("https://records.example", bytes(16)))
            told["whose"] = await outcome(session.get_holder())
            if "end" in wanted:
                told["end"] = await outcome(session.end())
    print(json.dumps(told), flush=True)

asyncio.run(main(sys.argv[1:]))
"""

CONFIGURATION = """
[readers]
backend = "cardsim"
options = {{ control = "{folder}/control", home = "{folder}/pki", inserted = "yes" }}
[cards]
memory = ""
[pki]
directory = "{folder}/trust"
simulator = "{folder}/authorities"
[journal]
directory = "{folder}/journal"
journald = false
told = "{folder}/told"
[tokens]
registry = "{folder}/tokens.sqlite"
key = "{folder}/token-key.pem"
[access]
rules = ["{rules}"]
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host with polkitd and cardd, the latter as its own user, with a card in its reader."""
    staged = stage(tmp_path_factory.mktemp("stage"))
    # Below /tmp itself: pytest's own directories are closed to the other users.
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as scratch,
        tempfile.TemporaryDirectory(dir="/tmp") as state,
        Host(staged, Path(scratch)) as running,
    ):
        _prepare(Path(state), staged)
        shell(
            running, "mkdir -p /run/systemd/sessions /run/systemd/users /run/systemd/seats; mkfifo -m 666 /run/placed"
        )
        running.start_bus()
        shell(
            running,
            'actions=/usr/share/polkit-1/actions; mount -t tmpfs -o mode=0755 none $actions; cp "$1" $actions',
            str(staged / "usr/share/polkit-1/actions/org.cardd1.policy"),
        )
        running.start(["/usr/lib/polkit-1/polkitd", "--no-debug"])
        running.start([sys.executable, "-m", "cardd", "--config", f"{state}/cardd.toml"], CARDD_UID)
        for name in ("org.freedesktop.PolicyKit1", "org.cardd1"):
            waited = running.run(["gdbus", "wait", "--system", "--timeout=30", name])
            assert waited.returncode == 0, waited.stderr
        yield running


def _prepare(folder: Path, staged: Path) -> None:
    shutil.copytree(pki_store().directory, folder / "pki")
    authorities(folder)
    (folder / "trust").mkdir()
    rules = shutil.copy(staged / "etc/cardd/rules.toml", folder)
    (folder / "cardd.toml").write_text(CONFIGURATION.format(folder=folder, rules=rules))
    for path in (folder, *folder.rglob("*")):
        os.chown(path, CARDD_UID, CARDD_UID)


def outcomes(host: Host, uid: int, *wanted: str) -> dict[str, str]:
    """What an application of that user gets, by what it tries."""
    process = host.start([sys.executable, "-c", CLIENT, *wanted], uid)
    assert process.stdout is not None
    placed(host, process.stdout.readline(), uid)
    shell(host, "echo >/run/placed")
    line = process.stdout.readline()
    assert line, process.communicate()
    found: dict[str, str] = json.loads(line)
    return found


REFUSED = dict.fromkeys(("sign", "raw", "decrypt", "assert", "whose"), "NotAuthorized")


@pytest.mark.parametrize("session", ["inactive", "remote", None])
def test_who_is_not_at_the_desk_opens_nothing(host: Host, session: str | None) -> None:
    log_in(host, session)
    assert outcomes(host, MEMBER_UID) == {
        "holder": "NotAuthorized",
        "authenticate": "NotAuthorized",
        "reload": "NotAuthorizedCanObtain",
    }


def test_the_holder_at_the_desk_and_everybody_else(host: Host) -> None:
    log_in(host, "active")
    assert outcomes(host, MEMBER_UID) == {
        "holder": "yes",
        "authenticate": "yes",
        "reload": "NotAuthorizedCanObtain",
        "sign": "NoAgent",  # the rules as shipped ask, and nobody can
        "raw": "NotAuthorized",
        "decrypt": "DecryptFailed",  # zeros are no cryptogram: the card was asked
        "assert": "yes",
        "whose": "yes",
    }
    assert outcomes(host, OUTSIDER_UID) == {
        "holder": "NotAuthorized",
        "authenticate": "NotAuthorized",
        "reload": "NotAuthorizedCanObtain",
        **REFUSED,
    }
    root = outcomes(host, 0)
    assert {name: root[name] for name in REFUSED} == REFUSED, "root is not the holder"
    assert root["reload"] == "yes"
    # Switched away, the holder's own programs may no more; to end is always theirs.
    log_in(host, "inactive")
    assert outcomes(host, MEMBER_UID, "end") == {
        "holder": "NotAuthorized",
        "authenticate": "NotAuthorized",
        "reload": "NotAuthorizedCanObtain",
        **REFUSED,
        "end": "yes",
    }
