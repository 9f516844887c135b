"""org.cardd1.Journal: what happened, to be searched, verified, exported and followed."""

from __future__ import annotations

from typing import Any

from cardd.bus import names
from cardd.bus.descriptors import OwnedFd
from cardd.bus.interface import Call, Interface, Variant, dbus_property, method, variant
from cardd.bus.journal_options import lines_of, search_of
from cardd.bus.options import interaction_allowed
from cardd.journal.problems import Problem, Report
from cardd.sessions.journal_readings import JournalReadings


class JournalInterface(Interface):
    """Stands at /org/cardd1.

    Args:
        readings: of the journal.
    """

    name = names.JOURNAL

    def __init__(self, readings: JournalReadings) -> None:
        super().__init__()
        self._readings = readings

    @method("a{sv}", "h", in_names=("options",), out_names=("entries",))
    async def query(self, call: Call, options: dict[str, Any]) -> OwnedFd:
        """Search, or follow."""
        search = search_of(options)
        return OwnedFd(await self._readings.query(call.caller, search, interactive=_interactive(options)))

    @method("", "a{sv}", out_names=("report",))
    async def verify(self, call: Call) -> dict[str, Variant]:
        """Verify everything."""
        return _report(await self._readings.verify(call.caller, interactive=call.interactive))

    @method("ha{sv}", "h", in_names=("output", "options"), out_names=("proof",))
    async def export(self, call: Call, output: OwnedFd, options: dict[str, Any]) -> OwnedFd:
        """Export with a proof."""
        first, last = lines_of(options)
        return OwnedFd(
            await self._readings.export(
                call.caller, output.fileno(), first=first, last=last, interactive=_interactive(options)
            )
        )

    @dbus_property("s", emits="false")
    def head(self) -> str:
        """The last line."""
        return self._readings.head

    @dbus_property("t", emits="false")
    def entries(self) -> int:
        """How many entries."""
        return self._readings.entries


def _interactive(options: dict[str, Any]) -> bool:
    """The options were looked at before; of the one that every method has, this is what counts."""
    asked = names.OPTION_NO_USER_INTERACTION
    return interaction_allowed({asked: options[asked]} if asked in options else {})


def _report(report: Report) -> dict[str, Variant]:
    return {
        "sound": variant("b", report.sound),
        "count": variant("t", report.count),
        "problems": variant("a(ssts)", [_problem(one) for one in report.problems]),
        "notices": variant("as", list(report.notices)),
        "head": variant("s", "" if report.head is None else str(report.head)),
        "entries": variant("t", report.entries),
        "segments": variant("t", report.segments),
        "sealed": variant("t", report.sealed),
    }


def _problem(problem: Problem) -> list[str | int]:
    return [problem.fault.value, problem.file, problem.seq, problem.text]
