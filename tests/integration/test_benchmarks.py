"""The benchmarks run and give figures; what they measure is not judged here, since these machines are noisy."""

from __future__ import annotations

import json

import pytest
from benchmarks import access, apdus, journal, latency, load, peers, process, tokens
from benchmarks.figure import Figure
from benchmarks.meter import Meter

from cardd.access.rulebook import Rulebook
from cardsim.timing import TimedCard, VirtualTime
from cardsim.trace import ExchangeFeed
from tests.support.core import card_of
from tests.support.cryptolib import CryptolibUnavailable, find_cryptolib
from tests.support.pcscd import PcscdUnavailable
from tests.support.pkcs11 import OPENSC
from tests.unit.access.support import request


def test_commands_are_counted() -> None:
    found = {figure.name: figure for figure in apdus.measure()}
    # Counts are exact, unlike times: these are the goals.
    assert found["apdus/unknown/authenticated"].value <= 25
    assert found["apdus/known/authenticated"].value <= 7
    assert found["apdus/known/shortest-run"].value <= 10
    assert found["apdus/sign/next"].value <= 3
    assert found["apdus/decrypt/next"].value <= 4
    cps4 = {name.removeprefix("apdus/cps4/"): figure for name, figure in found.items() if "cps4" in name}
    assert [figure.value for figure in cps4.values()] == [22, 26, 3, 8, 10, 2, 3]
    assert all(figure.value < figure.reference_value for figure in cps4.values())


def test_the_meter_measures_what_a_timed_card_takes() -> None:
    time, feed = VirtualTime(), ExchangeFeed()
    card = TimedCard(card_of(), wait=time.wait)
    commands = (
        "00B09C000C",
        "00A4090C043F000001",
        "002000010831323334FFFFFFFF",
        "002241A406840182800102",
        "0088000001AA",
    )
    with Meter(feed, card.protocol) as meter:
        feed.control("power-on", card.power_on())
        for command in map(bytes.fromhex, commands):
            feed.exchange(command, card.transmit(command))
    assert meter.total.seconds == pytest.approx(time.seconds)
    assert time.seconds > 0.5, "a computation with the key among them"
    assert (meter.total.commands, meter.total.sent, meter.total.received) == (5, 44, 14 + 4 * 2)
    feed.exchange(b"\x00\xb0\x9c\x00\x0c", b"\x90\x00")
    assert meter.total.commands == 5, "its context has ended"


def test_peers_are_measured_beside_ours_on_the_same_card() -> None:
    """Commands, bytes and the model's time are exact, so that goals and order hold in every run."""
    try:
        found = {figure.name.removeprefix("peers/"): figure.value for figure in peers.measure()}
    except PcscdUnavailable as reason:
        pytest.skip(f"pcscd unavailable: {reason}")
    for job, goal in peers.COMMANDS_GOALS.items():
        assert found[f"{job}/ours"] <= goal
    for name in ("ours", "ours-session"):
        for card in ("", "cps4/"):
            assert found[f"{card}known/ready/{name}/time"] <= peers.READY_GOAL
            assert found[f"{card}known/authenticated/{name}/time"] <= peers.AUTHENTICATED_GOAL
    for name in ("opensc", "opensc-cache", "cryptolib"):
        jobs = [job for job in found if job.endswith(f"/{name}")]
        # The CPS4 is unknown to OpenSC.
        assert len(jobs) == ((16 if name == "cryptolib" else 8) if name in installed() else 0)
        # A session of ours has a challenge signed by the card in it, which no peer asks for: as many commands in one
        # case, and more time in others.
        more = [job for job in jobs if job != "cps4/known/pin-verified/cryptolib"]
        assert all(found[job] > found[job.removesuffix(name) + "ours"] for job in more)
        slower = [job for job in jobs if "pin-verified" not in job and "shortest-run" not in job]
        assert all(found[f"{job}/time"] > found[f"{job.removesuffix(name)}ours/time"] for job in slower)


def installed() -> set[str]:
    """Which peers are there."""
    names = set() if OPENSC is None else {"opensc", "opensc-cache"}
    try:
        find_cryptolib()
    except CryptolibUnavailable:
        return names
    return names | {"cryptolib"}


def test_latencies_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "REMOVALS", 2)
    monkeypatch.setattr(latency, "CONNECTIONS", 2)
    monkeypatch.setattr(latency, "SIGNATURES", 5)
    figures = latency.measure()
    assert {figure.name.split("/")[0] for figure in figures} == {
        "removal",
        "removal-large-messages",
        "removal-flat-out",
        "dbus",
    }
    assert all(figure.value > 0 for figure in figures)


def test_many_clients_and_many_readers_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("CLIENTS", 3), ("SIGNATURES_EACH", 2), ("READERS", 3), ("SIGNATURES_A_CARD", 2)):
        monkeypatch.setattr(load, name, value)
    monkeypatch.setattr(load, "SIGNATURE_SECONDS", 0.02)
    figures = {figure.name: figure for figure in [*load.utilisation(), *load.sixteen_readers()]}
    assert 0 < figures["card/utilisation/50-clients"].value <= 1
    assert 0 < figures["readers/16/utilisation"].value <= 1
    assert figures["card/longest-wait/50-clients"].value >= 20, "milliseconds: no signature takes less"
    assert all(figure.value > 0 < figure.reference_value for figure in figures.values())


def test_insertions_are_measured_beside_the_cards_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "INSERTIONS", 1)
    figures = {figure.name: figure for figure in load.insertions()}
    for figure in figures.values():
        assert figure.value > figure.reference_value > 0
    known, unknown = (figures[f"insert/identified/{name}/p50"].reference_value for name in ("known", "unknown"))
    assert known < unknown / 10, "what is remembered of a card spares it most of its work"


def test_growth_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("INSERTIONS", 6), ("WARM_UP", 3), ("SESSION_EVERY", 2)):
        monkeypatch.setattr(process, name, value)
    (figure,) = process.growth()
    assert figure.name == "daemon/growth/6-insertions"
    assert figure.note.startswith("4")  # tens of megabytes, as the daemon's own


def test_access_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "DECISIONS", 20)
    monkeypatch.setattr(access, "LOOK_UPS", 3)
    figures = [*access.decisions(), *access.look_ups()]
    assert {figure.name.split("/")[1] for figure in figures} == {"rules", "caller"}
    assert all(figure.value > 0 for figure in figures)


def test_the_rules_that_are_measured_decide_by_the_last_one() -> None:
    book = Rulebook(access.rules())
    for number in (0, 7):
        decision = book.decide(request(facts=access._program(number)))
        assert str(decision.rule) == f"rules.toml, rule {access.RULES}"


def test_tokens_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("MINTINGS", 3), ("REDEMPTIONS", 5), ("WARM_UP", 1), ("SIZES", (20, 500))):
        monkeypatch.setattr(tokens, name, value)
    figures = {figure.name: figure for figure in tokens.measure()}
    assert set(figures) == {
        "token/mint/overhead/p50",
        "token/mint/overhead/p99",
        "token/redeem/500/p50",
        "token/redeem/500/p99",
    }
    assert all(figure.value > 0 for figure in figures.values())


def test_the_journal_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("CALLERS", 3), ("EACH", 5), ("ROUNDS", 1), ("SIZES", (100, 300))):
        monkeypatch.setattr(journal, name, value)
    figures = {figure.name: figure for figure in journal.measure()}
    assert {"journal/durable-entries", "journal/added-latency/p99", "journal/verify/300"} <= set(figures)
    assert all(figure.value > 0 for figure in figures.values())


def test_a_figure_is_one_line_of_json() -> None:
    told = json.loads(Figure("a/b", 1.0, "ms", "goal", 2.0).line())
    assert (told["name"], told["ratio"], told["reference_value"]) == ("a/b", 0.5, 2.0)
