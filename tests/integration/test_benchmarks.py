"""The benchmarks run and give figures; what they measure is not judged here, since these machines are noisy."""

from __future__ import annotations

import json

import pytest
from benchmarks import apdus, latency
from benchmarks.figure import Figure


def test_commands_are_counted() -> None:
    found = {figure.name: figure for figure in apdus.measure()}
    # Counts are exact, unlike times: these are the goals.
    assert found["apdus/unknown/authenticated"].value <= 25
    assert found["apdus/known/authenticated"].value <= 7
    assert found["apdus/known/shortest-run"].value <= 10
    assert found["apdus/sign/next"].value <= 3
    assert found["apdus/decrypt/next"].value <= 4


def test_latencies_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "REMOVALS", 2)
    monkeypatch.setattr(latency, "CONNECTIONS", 2)
    monkeypatch.setattr(latency, "SIGNATURES", 5)
    figures = latency.measure()
    assert {figure.name.split("/")[0] for figure in figures} == {"removal", "removal-flat-out", "dbus"}
    assert all(figure.value > 0 for figure in figures)


def test_a_figure_is_one_line_of_json() -> None:
    told = json.loads(Figure("a/b", 1.0, "ms", "goal", 2.0).line())
    assert (told["name"], told["ratio"], told["reference_value"]) == ("a/b", 0.5, 2.0)
