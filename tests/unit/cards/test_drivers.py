"""Finding drivers and choosing one."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from cardd.cards import drivers as module
from cardd.cards.drivers import Drivers
from cardd_drivers.apdu import SW, Command, Response
from cardd_drivers.contract import CardRemoved, Channel, Match, Transport
from tests.unit.cards.support import ATR, SmallDriver


class Quiet:
    """A channel that answers 9000 and counts."""

    atr = ATR
    transport = Transport.T0

    def __init__(self) -> None:
        self.sent = 0

    def transmit(self, command: Command) -> Response:
        self.sent += 1
        return Response(b"", SW.SUCCESS)


def never() -> Channel:
    raise AssertionError("no driver needs the card to be asked")


def sure(match: Match) -> Any:
    return lambda _: match


def raising(_: bytes) -> Match:
    raise ZeroDivisionError


def test_the_surest_driver_wins_without_asking_the_card() -> None:
    possible, certain = SmallDriver("possible", sure(Match.POSSIBLE)), SmallDriver("certain", sure(Match.CERTAIN))
    assert Drivers([possible, certain]).choose(ATR, never) is certain


def test_an_unknown_card_has_no_driver() -> None:
    assert Drivers([SmallDriver("none", sure(Match.NO))]).choose(ATR, never) is None
    assert Drivers([]).choose(ATR, never) is None


def test_rivals_probe_in_order_until_one_says_yes() -> None:
    no, yes, late = SmallDriver("no", probe=False), SmallDriver("yes"), SmallDriver("late")
    channel = Quiet()
    assert Drivers([no, yes, late]).choose(ATR, lambda: channel) is yes
    assert (no.probes, yes.probes, late.probes, channel.sent) == (1, 1, 0, 2)


def test_rivals_that_all_say_no() -> None:
    rivals = [SmallDriver("a", probe=False), SmallDriver("b", probe=False)]
    assert Drivers(rivals).choose(ATR, Quiet) is None


def test_a_weaker_driver_is_not_probed() -> None:
    weak = SmallDriver("weak", sure(Match.POSSIBLE))
    assert Drivers([weak, SmallDriver("a"), SmallDriver("b")]).choose(ATR, Quiet) is not weak
    assert weak.probes == 0


def test_a_driver_that_fails_on_an_atr_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    good = SmallDriver("good")
    assert Drivers([SmallDriver("bad", raising), good]).choose(ATR, never) is good
    assert "bad" in caplog.text


def test_a_driver_that_fails_in_its_probe_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = SmallDriver("bad"), SmallDriver("good")
    monkeypatch.setattr(bad, "probe", lambda _: 1 // 0)
    assert Drivers([bad, good]).choose(ATR, Quiet) is good


def test_a_card_that_leaves_during_a_probe_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def removed(_: Channel) -> bool:
        raise CardRemoved

    leaving = SmallDriver("leaving")
    monkeypatch.setattr(leaving, "probe", removed)
    with pytest.raises(CardRemoved):
        Drivers([leaving, SmallDriver("other")]).choose(ATR, Quiet)


def test_of_two_drivers_of_one_name_the_first_counts(caplog: pytest.LogCaptureFixture) -> None:
    first = SmallDriver("same")
    drivers = Drivers([first, SmallDriver("same")])
    assert drivers.names == ("same",)
    assert drivers.choose(ATR, never) is first
    assert "same" in caplog.text


class Entry:
    """An entry point."""

    def __init__(self, name: str, loaded: Any) -> None:
        self.name = name
        self.value = f"somewhere:{name}"
        self._loaded = loaded

    def load(self) -> Any:
        if isinstance(self._loaded, Exception):
            raise self._loaded
        return self._loaded


def test_drivers_are_found_by_entry_point_and_a_broken_one_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Nameless(SmallDriver):
        name = None  # type: ignore[assignment]  # what a careless third party might ship

        def __init__(self) -> None:
            pass

    entries = [
        Entry("z", SmallDriver("last")),
        Entry("a", SmallDriver("first")),
        Entry("broken", ImportError("no module")),
        Entry("raises", ZeroDivisionError()),
        Entry("object", object()),
        Entry("nameless", Nameless()),
    ]
    monkeypatch.setattr(module, "entry_points", lambda group: entries if group == "cardd.drivers" else [])
    assert Drivers.discover().names == ("first", "last")
    for name in ("broken", "raises", "object", "nameless"):
        assert f"somewhere:{name}" in caplog.text


def test_an_entry_point_that_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = EntryPoint("nowhere", "cardd.no_such_module:driver", "cardd.drivers")
    monkeypatch.setattr(module, "entry_points", lambda group: [nowhere])
    assert Drivers.discover().names == ()


def test_the_native_driver_is_installed() -> None:
    assert "ias-ecc" in Drivers.discover().names
