"""MANAGE SECURITY ENVIRONMENT."""

from __future__ import annotations

import pytest

from tests.unit.simulator.host import SELECT_APPLICATION, Host


@pytest.mark.parametrize(
    "command",
    [
        "002241A406800102840182",
        "002241A406840182800102",
        "002241B606800142840181",
        "002241B606840181800112",
        "002241B80680011A840182",
        "002241B80684018280011A",
        "002241AA03800140",
        "002241AA03800110",
    ],
)
def test_set(host: Host, command: str) -> None:
    """Each template, the values in either order; no PIN is needed."""
    host.send(SELECT_APPLICATION)
    assert host.send(command) == "9000"


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("002241A406800142840182", "6A80"),
        ("002241A4068001FF840182", "6A80"),
        ("002241AA03800142", "6A80"),
        ("002241B60680011A840181", "6A80"),
        ("002241A406800102840183", "6A88"),
        ("002241A406800102840102", "6A88"),
        ("002241A403800102", "6A80"),
        ("002241A403840182", "6A80"),
        ("002241A409800102800102840182", "6A80"),
        ("002241A40780010284020182", "6A80"),
        ("002241AA06800140840182", "6A80"),
        ("002241A4028001", "6A80"),
        ("002241A4", "6A80"),
        ("002281A406800102840182", "6A80"),
        ("002281B606800142840181", "6A86"),
        ("002241B406800102840182", "6A86"),
        ("0022F201", "6A86"),
    ],
)
def test_refusals(host: Host, command: str, sw: str) -> None:
    """Unknown algorithms 6A80, unknown keys 6A88, unknown templates 6A86."""
    host.send(SELECT_APPLICATION)
    assert host.send(command) == sw


def test_keys_are_local_to_their_df(host: Host) -> None:
    """At the master file there is none."""
    assert host.send("002241A406800102840182") == "6A88"


def test_environment_stays_until_another_df_is_selected(host: Host) -> None:
    """The same DF again leaves it; the master file takes it."""
    host.ready().send("002241A406800102840182")
    host.send(SELECT_APPLICATION)
    assert host.ask("0088000003010203")[-4:] == "9000"
    host.send("00A4020C02D107")
    assert host.ask("0088000003010203")[-4:] == "9000"
    host.send("00A4020C023F00")
    host.send(SELECT_APPLICATION)
    assert host.send("0088000003010203") == "6985"


def test_refused_set_leaves_what_was_set(host: Host) -> None:
    """Nothing half set."""
    host.ready().send("002241A406800102840182")
    assert host.send("002241A406800102840183") == "6A88"
    assert host.ask("0088000003010203")[-4:] == "9000"


def test_restore(host: Host) -> None:
    """A stored environment replaces the current one, in which keys were named; one that is not stored does not."""
    host.ready()
    assert host.send("002241A406840182800102") == "9000"
    assert host.send("0022F302") == "6A88"
    assert host.send("0022F30102AABB") == "6700"
    assert host.ask("008800000431323334").endswith("9000")
    assert host.send("0022F301") == "9000"
    assert host.send("008800000431323334") == "6985"
