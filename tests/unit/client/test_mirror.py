"""The copy of the daemon's objects, signal by signal."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.bus.names import CARD, MANAGER, READER, ROOT, SESSION
from cardd.client import events
from cardd.client.connection import OBJECT_MANAGER, PROPERTIES, Signal
from cardd.client.core import Core
from cardd.client.ends import EndLedger
from cardd.client.errors import UnexpectedReply
from cardd.client.mirror import Mirror

OWNER = ":1.7"
CARD_PATH, READER_PATH, SESSION_PATH = f"{ROOT}/cards/1", f"{ROOT}/readers/r", f"{ROOT}/sessions/s"


class FakeCore:
    """What values need of a core."""

    def __init__(self) -> None:
        self.ends = EndLedger()


def mirror_of(**objects: dict[str, Any]) -> Mirror:
    known = {"reader": (READER_PATH, READER), "card": (CARD_PATH, CARD), "session": (SESSION_PATH, SESSION)}
    content = {known[name][0]: {known[name][1]: properties} for name, properties in objects.items()}
    return Mirror(cast("Core", FakeCore()), OWNER, {"Version": "1", "Warnings": []}, content)


def signal(interface: str, member: str, *values: Any, path: str = ROOT) -> Signal:
    return Signal(OWNER, path, interface, member, list(values))


async def test_beginning_tells_everything_in_order() -> None:
    mirror = mirror_of(session={"Card": CARD_PATH}, card={"Reader": READER_PATH}, reader={"Name": "R"})
    kinds = [type(event) for event in mirror.beginning()]
    assert kinds == [events.ServiceStarted, events.ReaderAdded, events.CardInserted, events.SessionStarted]


async def test_end_takes_everything_away_in_reverse() -> None:
    mirror = mirror_of(session={}, card={}, reader={})
    told = list(mirror.end())
    assert [type(event) for event in told] == [
        events.SessionEnded,
        events.CardRemoved,
        events.ReaderRemoved,
        events.ServiceStopped,
    ]
    assert isinstance(told[0], events.SessionEnded)
    assert told[0].reason == "daemon-stopped"


@pytest.mark.parametrize(
    ("path", "interface", "kind"),
    [
        (READER_PATH, READER, events.ReaderAdded),
        (CARD_PATH, CARD, events.CardInserted),
        (SESSION_PATH, SESSION, events.SessionStarted),
    ],
)
async def test_an_object_comes(path: str, interface: str, kind: type) -> None:
    mirror = mirror_of()
    (event,) = mirror.apply(signal(OBJECT_MANAGER, "InterfacesAdded", path, {interface: {}, "org.example.More": {}}))
    assert isinstance(event, kind)


async def test_a_card_that_is_told_twice_has_changed() -> None:
    mirror = mirror_of(card={"State": "present"})
    (event,) = mirror.apply(signal(OBJECT_MANAGER, "InterfacesAdded", CARD_PATH, {CARD: {"State": "identified"}}))
    assert isinstance(event, events.CardChanged)
    assert event.card.state == "identified"


async def test_properties_change() -> None:
    mirror = mirror_of(card={"State": "present", "Kind": ""}, reader={"Name": "R"})
    (event,) = mirror.apply(signal(PROPERTIES, "PropertiesChanged", CARD, {"State": "identified"}, [], path=CARD_PATH))
    assert isinstance(event, events.CardChanged)
    assert (event.card.state, event.card.kind) == ("identified", "")
    (event,) = mirror.apply(signal(PROPERTIES, "PropertiesChanged", READER, {"Card": CARD_PATH}, [], path=READER_PATH))
    assert isinstance(event, events.ReaderChanged)
    assert event.reader == mirror.readers()[0]
    assert event.reader.card == CARD_PATH


async def test_warnings_change() -> None:
    mirror = mirror_of()
    (event,) = mirror.apply(signal(PROPERTIES, "PropertiesChanged", MANAGER, {"Warnings": ["w"]}, []))
    assert isinstance(event, events.ServiceChanged)
    assert (event.service.version, event.service.warnings) == ("1", ("w",))


async def test_a_session_ends_once() -> None:
    mirror = mirror_of(session={"Card": CARD_PATH})
    (event,) = mirror.apply(signal(SESSION, "Ended", "card-removed", path=SESSION_PATH))
    assert isinstance(event, events.SessionEnded)
    assert event.reason == "card-removed"
    assert not list(mirror.apply(signal(OBJECT_MANAGER, "InterfacesRemoved", SESSION_PATH, [SESSION])))
    assert not list(mirror.apply(signal(SESSION, "Ended", "card-removed", path=SESSION_PATH)))


async def test_a_session_that_vanishes_without_a_word() -> None:
    mirror = mirror_of(session={})
    (event,) = mirror.apply(signal(OBJECT_MANAGER, "InterfacesRemoved", SESSION_PATH, [SESSION]))
    assert isinstance(event, events.SessionEnded)
    assert event.reason == "unknown"


async def test_removal_tells_what_was_last_known() -> None:
    mirror = mirror_of(card={"Kind": "cps3"}, reader={"Name": "R"})
    (card_event,) = mirror.apply(signal(OBJECT_MANAGER, "InterfacesRemoved", CARD_PATH, [CARD]))
    (reader_event,) = mirror.apply(signal(OBJECT_MANAGER, "InterfacesRemoved", READER_PATH, [READER]))
    assert isinstance(card_event, events.CardRemoved)
    assert card_event.card.kind == "cps3"
    assert isinstance(reader_event, events.ReaderRemoved)
    assert reader_event.reader.name == "R"
    assert not mirror.cards()
    assert not mirror.readers()


_PATHS = st.sampled_from([ROOT, CARD_PATH, READER_PATH, SESSION_PATH, "/elsewhere"])
_INTERFACES = st.sampled_from([CARD, READER, SESSION, MANAGER, "org.example.Other"])
_PROPERTIES = st.dictionaries(
    st.sampled_from(["State", "Name", "Card", "Session", "Trust", "Warnings"]),
    st.sampled_from(["x", "/", 1, True]) | st.just({}) | st.just([]),
    max_size=3,
)
_SIGNALS = st.one_of(
    st.builds(
        lambda path, interface, values: signal(OBJECT_MANAGER, "InterfacesAdded", path, {interface: values}),
        _PATHS, _INTERFACES, _PROPERTIES,
    ),
    st.builds(
        lambda path, interface: signal(OBJECT_MANAGER, "InterfacesRemoved", path, [interface]), _PATHS, _INTERFACES
    ),
    st.builds(
        lambda path, interface, values: signal(PROPERTIES, "PropertiesChanged", interface, values, [], path=path),
        _PATHS, _INTERFACES, _PROPERTIES,
    ),
    st.builds(lambda path: signal(SESSION, "Ended", "card-removed", path=path), _PATHS),
)  # fmt: skip


@given(signals=st.lists(_SIGNALS, max_size=12))
async def test_any_signals_keep_events_and_objects_in_step(signals: list[Signal]) -> None:
    mirror = mirror_of()
    there: set[str] = set()
    comes = {events.CardInserted: "card", events.ReaderAdded: "reader", events.SessionStarted: "session"}
    goes = {events.CardRemoved: "card", events.ReaderRemoved: "reader", events.SessionEnded: "session"}
    try:
        for received in signals:
            for event in mirror.apply(received):
                if type(event) in comes:
                    name = comes[type(event)]
                    key = name + getattr(event, name).path
                    assert key not in there
                    there.add(key)
                elif type(event) in goes:
                    name = goes[type(event)]
                    there.remove(name + getattr(event, name).path)
        assert len(there) == len(mirror.cards()) + len(mirror.readers()) + len(mirror.sessions())
    except UnexpectedReply:
        pass  # a property of a wrong type is refused, and the watcher told


async def test_what_changes_nothing_is_not_told() -> None:
    mirror = mirror_of(card={"State": "present"})
    again = signal(PROPERTIES, "PropertiesChanged", CARD, {"State": "present"}, [], path=CARD_PATH)
    assert not list(mirror.apply(again))
    assert not list(mirror.apply(signal(OBJECT_MANAGER, "InterfacesAdded", CARD_PATH, {CARD: {"State": "present"}})))
