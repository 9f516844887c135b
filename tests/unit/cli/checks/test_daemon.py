"""Checks that ask the daemon."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from dbus_next.signature import Variant

from cardd import __version__
from cardd.cli.checks.daemon import check_cards, check_daemon, check_readers, check_service
from cardd.cli.checks.model import State
from cardd.client import CarddClient, Service, Trust
from tests.support.bus import PrivateBus
from tests.unit.cli.conftest import Cardctl
from tests.unit.client.fake import FakeDaemon, Refusal


async def test_everything_is_there(daemon: FakeDaemon) -> None:
    found = {one.name: one.state for one in await check_daemon(daemon.address)}
    assert found == {
        "bus": State.OK,
        "daemon": State.OK,
        "version": State.WARNING,
        "warning": State.WARNING,
        "readers": State.OK,
        "card 1": State.OK,
    }


async def test_no_bus() -> None:
    (found,) = await check_daemon("unix:path=/nonexistent/bus")
    assert (found.name, found.state) == ("bus", State.PROBLEM)
    assert "--bus" in found.remedy


async def test_no_daemon(bus: PrivateBus) -> None:
    found = (await check_daemon(bus.address))[-1]
    assert (found.name, found.state) == ("daemon", State.PROBLEM)
    assert "systemctl enable --now cardd" in found.remedy


@pytest.mark.parametrize(
    "refusal",
    [Refusal("org.freedesktop.DBus.Error.AccessDenied"), Refusal("Internal", reference="x"), Refusal("Novelty")],
)
async def test_a_daemon_that_refuses(daemon: FakeDaemon, refusal: Refusal) -> None:
    daemon.failures["GetManagedObjects"] = refusal
    found = (await check_daemon(daemon.address))[-1]
    assert (found.name, found.state) == ("daemon", State.PROBLEM)
    assert found.remedy


def test_a_daemon_without_drivers() -> None:
    found = {one.name: one.state for one in check_service(Service(__version__, (), ()))}
    assert found == {"daemon": State.OK, "drivers": State.PROBLEM}


def test_no_reader_and_no_card() -> None:
    assert check_readers([]).state is State.PROBLEM
    assert [one.state for one in check_cards([])] == [State.SKIPPED]


@pytest.mark.parametrize(
    ("changes", "state", "remedy"),
    [
        ({"state": "in-use"}, State.PROBLEM, "OpenSC"),
        ({"state": "unknown"}, State.PROBLEM, "CPS"),
        ({"state": "failed", "problem": "org.cardd1.Error.CardMute"}, State.PROBLEM, "contacts"),
        ({"state": "present"}, State.WARNING, "seconds"),
        ({"pin_tries_left": 0}, State.PROBLEM, "pin unblock"),
        ({"pin_tries_left": 1}, State.WARNING, "next login"),
        ({"trust": Trust(state="untrusted", reason="unknown-issuer")}, State.PROBLEM, "trust add"),
    ],
)
async def test_a_card_with_a_problem(daemon: FakeDaemon, changes: dict[str, object], state: State, remedy: str) -> None:
    async with await CarddClient.connect(daemon.address) as client:
        (card,) = await client.cards()
    found = check_cards([replace(card, **changes)])[-1]  # type: ignore[arg-type]  # the table's values fit
    assert found.state is state
    assert remedy in found.remedy


def test_doctor_counts_and_ends_with_one(cardctl: Cardctl, daemon: FakeDaemon, tmp_path: Path) -> None:
    config = tmp_path / "cardd.toml"
    config.write_text(f'[readers]\nbackend = "cardsim"\n[pki]\ndirectory = "{tmp_path}/trust"\n')
    arguments = ("doctor", "--bus", daemon.address, "--config", str(config))
    document = cardctl(*arguments, "--json").document
    states = {one["name"]: one["state"] for one in document["checks"]}
    assert states["authorities"] == "problem"
    assert "pcscd" not in states
    assert "rights" not in states
    assert document["problems"] == sum(one["state"] == "problem" for one in document["checks"]) == 1
    result = cardctl(*arguments, "--lang", "fr")
    assert result.code == 1
    assert "1 problème trouvé." in result.text
    assert "→ Téléchargez les certificats" in result.text


def test_doctor_reads_a_wrong_configuration(cardctl: Cardctl, daemon: FakeDaemon, tmp_path: Path) -> None:
    config = tmp_path / "cardd.toml"
    config.write_text("[pki]\ndirectoy = 'x'\n")
    document = cardctl("doctor", "--bus", daemon.address, "--config", str(config), "--json").document
    (found,) = [one for one in document["checks"] if one["name"] == "configuration"]
    assert found["state"] == "problem"
    assert "line 2" in found["finding"]


def test_doctor_on_the_system_bus_looks_at_rights_and_policy(cardctl: Cardctl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CARDD_BUS")
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
    names = [one["name"] for one in cardctl("doctor", "--json").document["checks"]]
    assert {"rights", "bus-policy", "pcscd", "clock"} <= set(names)


async def test_a_card_in_use_is_found_over_the_bus(daemon: FakeDaemon) -> None:
    daemon.change(daemon.card_path, "org.cardd1.Card", State=Variant("s", "in-use"))
    assert (await check_daemon(daemon.address))[-1].state is State.PROBLEM
