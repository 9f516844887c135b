"""A copy of the daemon's objects, kept up by its signals, that turns them into events. It never touches the bus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from cardd.bus.names import CARD, MANAGER, READER, ROOT, SESSION
from cardd.client import events
from cardd.client.connection import OBJECT_MANAGER, PROPERTIES, Signal
from cardd.client.core import Core, Link
from cardd.client.events import Event
from cardd.client.objects import Card, Reader, Session, card_from, reader_from, session_from
from cardd.client.values import EndReason, Properties, Service, service_from

Objects = Mapping[str, Mapping[str, Properties]]
"""Properties by interface by object path, as GetManagedObjects returns them."""


class Mirror:
    """The objects of one run of the daemon.

    Args:
        core: what cards and sessions call through.
        owner: unique name of that run.
        manager: properties of the manager.
        objects: reply of GetManagedObjects.
    """

    def __init__(self, core: Core, owner: str, manager: Properties, objects: Objects) -> None:
        self.owner = owner
        self._link = partial(Link, core, owner)
        self._manager = dict(manager)
        self._readers: dict[str, dict[str, object]] = {}
        self._cards: dict[str, dict[str, object]] = {}
        self._sessions: dict[str, dict[str, object]] = {}
        self._kinds = {READER: self._readers, CARD: self._cards, SESSION: self._sessions}
        for path, interfaces in objects.items():
            for interface, properties in interfaces.items():
                if interface in self._kinds:
                    self._kinds[interface][path] = dict(properties)

    def service(self) -> Service:
        """The daemon itself."""
        return service_from(self._manager)

    def readers(self) -> list[Reader]:
        """Every reader."""
        return [reader_from(path, properties) for path, properties in self._readers.items()]

    def cards(self) -> list[Card]:
        """Every card."""
        return [self._card(path) for path in self._cards]

    def sessions(self) -> list[Session]:
        """Every session."""
        return [self._session(path) for path in self._sessions]

    def beginning(self) -> Iterator[Event]:
        """What is there, as if it had just come."""
        yield events.ServiceStarted(self.service())
        yield from (events.ReaderAdded(reader) for reader in self.readers())
        yield from (events.CardInserted(card) for card in self.cards())
        yield from (events.SessionStarted(session) for session in self.sessions())

    def end(self) -> Iterator[Event]:
        """The daemon left: everything is gone."""
        for session in self.sessions():
            yield events.SessionEnded(session, session.ended or EndReason.DAEMON_STOPPED)
        yield from (events.CardRemoved(card) for card in self.cards())
        yield from (events.ReaderRemoved(reader) for reader in self.readers())
        yield events.ServiceStopped()

    def apply(self, signal: Signal) -> Iterator[Event]:
        """Follow one signal of this run of the daemon; one that is not understood changes nothing."""
        values: list[Any] = signal.values
        match signal.interface, signal.member, values:
            case (str(interface), "InterfacesAdded", [str(path), dict(interfaces)]) if interface == OBJECT_MANAGER:
                for name, properties in interfaces.items():
                    yield from self._added(path, name, properties)
            case (str(interface), "InterfacesRemoved", [str(path), list(names)]) if interface == OBJECT_MANAGER:
                for name in names:
                    yield from self._removed(path, name)
            case (str(interface), "PropertiesChanged", [str(name), dict(changed), list()]) if interface == PROPERTIES:
                yield from self._changed(signal.path, name, changed)
            case (str(interface), "Ended", [str(reason)]) if interface == SESSION and signal.path in self._sessions:
                session = self._session(signal.path)
                del self._sessions[signal.path]
                yield events.SessionEnded(session, reason)

    def _added(self, path: str, interface: str, properties: Properties) -> Iterator[Event]:
        if interface not in self._kinds:
            return
        if path in self._kinds[interface]:
            # Told between the question for all objects and its answer.
            yield from self._changed(path, interface, properties)
            return
        self._kinds[interface][path] = dict(properties)
        if interface == READER:
            yield events.ReaderAdded(reader_from(path, properties))
        elif interface == CARD:
            yield events.CardInserted(self._card(path))
        else:
            yield events.SessionStarted(self._session(path))

    def _removed(self, path: str, interface: str) -> Iterator[Event]:
        if path not in self._kinds.get(interface, {}):
            return  # a session that has ended is gone from here already
        if interface == READER:
            yield events.ReaderRemoved(reader_from(path, self._readers[path]))
        elif interface == CARD:
            yield events.CardRemoved(self._card(path))
        else:
            session = self._session(path)
            yield events.SessionEnded(session, session.ended or "unknown")
        del self._kinds[interface][path]

    def _changed(self, path: str, interface: str, changed: Properties) -> Iterator[Event]:
        known = self._manager if (path, interface) == (ROOT, MANAGER) else self._kinds.get(interface, {}).get(path)
        if known is None or known == {**known, **changed}:
            return
        known.update(changed)
        if interface == MANAGER:
            yield events.ServiceChanged(self.service())
        elif interface == READER:
            yield events.ReaderChanged(reader_from(path, known))
        elif interface == CARD:
            yield events.CardChanged(self._card(path))
        # A session's properties that change (Expires) are read when they are wanted.

    def _card(self, path: str) -> Card:
        return card_from(self._link(path), self._cards[path])

    def _session(self, path: str) -> Session:
        return session_from(self._link(path), self._sessions[path])
