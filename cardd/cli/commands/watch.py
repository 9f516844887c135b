"""`cardctl watch`: what happens, as it happens."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import typer

from cardd.cli import wording
from cardd.cli.i18n import _
from cardd.cli.output import Output, plain
from cardd.cli.settings import run_connected
from cardd.client import Card, CarddClient, events
from cardd.client.events import Event
from cardd.errors import CarddError


def watch(context: typer.Context) -> None:
    """Tell what happens to readers, cards and sessions, until Ctrl-C."""
    run_connected(context, _watch)


async def _watch(client: CarddClient, output: Output) -> None:
    teller = _Teller()
    async with aclosing(client.watch()) as happening:
        async for event in happening:
            now = datetime.now(UTC)
            output.document({"time": now, "event": _name(event), **_content(event)})
            for line in await teller.lines(event):
                output.line(f"{now.astimezone():%H:%M:%S.%f}"[:-3] + f"  {line}")


def _name(event: Event) -> str:
    """The class's name with hyphens: card-inserted."""
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in type(event).__name__).lstrip("-")


def _content(event: Event) -> Mapping[str, Any]:
    content: Mapping[str, Any] = plain(event)
    return content


class _Teller:
    """Says events in words; remembers what was said, so that a change is told only where people would see one."""

    def __init__(self) -> None:
        self._readers: dict[str, str] = {}
        self._told: dict[str, str] = {}

    async def lines(self, event: Event) -> list[str]:
        match event:
            case events.ServiceStarted(service):
                return [
                    _("cardd {version} is running").format(version=service.version),
                    *map(wording.warning, service.warnings),
                ]
            case events.ServiceChanged(service):
                return [wording.warning(one) for one in service.warnings]
            case events.ServiceStopped():
                return [_("cardd was stopped")]
            case events.ReaderAdded(reader):
                self._readers[reader.path] = wording.clean(reader.name)
                return [_("Reader plugged in: {reader}").format(reader=wording.clean(reader.name))]
            case events.ReaderRemoved(reader):
                return [_("Reader unplugged: {reader}").format(reader=wording.clean(reader.name))]
            case events.CardInserted(card) | events.CardChanged(card):
                return await self._card(card)
            case events.CardRemoved(card):
                self._told.pop(card.path, None)
                return [_("Card taken out of {reader}").format(reader=self._reader(card))]
            case events.SessionStarted():
                return [_("Session opened")]
            case events.SessionEnded(reason=reason):
                return [_("Session ended: {reason}").format(reason=wording.end_reason(reason))]
        return []

    async def _card(self, card: Card) -> list[str]:
        lines = []
        said = await _said_of(card)
        if card.path not in self._told:
            lines.append(_("Card inserted into {reader}").format(reader=self._reader(card)))
        if said != self._told.get(card.path):
            lines.append(said)
        self._told[card.path] = said
        return lines

    def _reader(self, card: Card) -> str:
        return self._readers.get(card.reader, "?")


async def _said_of(card: Card) -> str:
    if not card.identified:
        return _("Card: {state}").format(state=wording.card_state(card.state, card.kind))
    try:
        named = wording.holder(await card.get_holder())
    except CarddError:
        named = wording.card_kind(card.kind)  # gone again, or not for this user to know
    return _("Card of {holder}; certificate {trust}").format(holder=named, trust=wording.trust(card.trust))
