"""Whose signals count."""

import pytest

from cardd.bus.matching import BUS, BUS_PATH, MatchRule
from cardd.bus.message import Header, Kind

DEPARTURES = MatchRule(BUS, BUS, "NameOwnerChanged", BUS_PATH, ((2, ""),))


def signal(sender: str, *, destination: str | None = None, path: str = BUS_PATH) -> Header:
    return Header(
        Kind.SIGNAL, 0, 1, path=path, interface=BUS, member="NameOwnerChanged", sender=sender, destination=destination
    )


def test_the_rule_as_the_bus_takes_it() -> None:
    assert DEPARTURES.text() == (
        "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
        "member='NameOwnerChanged',path='/org/freedesktop/DBus',arg2=''"
    )


def test_the_bus_itself_counts() -> None:
    assert DEPARTURES.matches(signal(BUS))


def test_an_imitation_does_not() -> None:
    assert not DEPARTURES.matches(signal(":1.66"))
    assert not DEPARTURES.matches(signal(":1.66", destination=":1.1"))
    assert not DEPARTURES.matches(signal(BUS, path="/elsewhere"))


def test_behind_a_well_known_name_only_broadcasts_count() -> None:
    rule = MatchRule("org.freedesktop.PolicyKit1", "org.freedesktop.PolicyKit1.Authority", "Changed")
    header = Header(Kind.SIGNAL, 0, 1, path="/x", interface=rule.interface, member=rule.member, sender=":1.7")
    assert rule.matches(header)
    aimed = Header(
        Kind.SIGNAL, 0, 1, path="/x", interface=rule.interface, member=rule.member, sender=":1.66", destination=":1.1"
    )
    assert not rule.matches(aimed)


def test_a_unique_name_counts_alone() -> None:
    rule = MatchRule(":1.7", "a.b", "C")
    assert rule.matches(Header(Kind.SIGNAL, 0, 1, path="/x", interface="a.b", member="C", sender=":1.7"))
    assert not rule.matches(Header(Kind.SIGNAL, 0, 1, path="/x", interface="a.b", member="C", sender=":1.8"))


def test_an_apostrophe_is_refused() -> None:
    with pytest.raises(ValueError, match="apostrophe"):
        MatchRule("a.b", "a.b", "C", arguments=((0, "it's"),))
