"""The daemon's face on the bus: objects come and go with what they stand for, in the order in which it happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cardd.bus import names
from cardd.bus.agents import Agents
from cardd.bus.card import CardInterface, card_path
from cardd.bus.manager import ManagerInterface
from cardd.bus.objects import ObjectTree
from cardd.bus.reader import ReaderInterface, reader_path
from cardd.bus.session import SessionInterface, session_path
from cardd.cards.roster import PresentReader
from cardd.errors import CarddError, SessionEnded
from cardd.sessions.presence import Presence
from cardd.sessions.registry import Sessions
from cardd.sessions.session import Session
from cardd.sessions.states import EndReason

CARD_CHANGES = ("Driver", "State", "Problem", "Kind", "PinTriesLeft", "Trust", "Session", "Capabilities")


class Service:
    """Tells the bus what the sessions registry tells it (`cardd.sessions.registry.SessionsListener`).

    Args:
        tree: the objects of this connection.
        sessions: the registry.
        agents: who asks users.
        descriptor_timeout: seconds that a caller has for its end of a descriptor.
    """

    def __init__(self, tree: ObjectTree, sessions: Sessions, agents: Agents, *, descriptor_timeout: float) -> None:
        self._tree = tree
        self._sessions = sessions
        self._agents = agents
        self._descriptor_timeout = descriptor_timeout

    def add_manager(
        self, drivers: Sequence[str], warnings: Callable[[], Sequence[str]], reload: Callable[[], None]
    ) -> None:
        """Put the Manager at the root."""
        self._tree.add(names.ROOT, [ManagerInterface(self._agents, drivers, warnings, reload)])

    def warnings_changed(self) -> None:
        """The Manager's warnings are others now."""
        self._tree.changed(names.ROOT, ManagerInterface, "Warnings")

    def missing(self, path: str) -> CarddError | None:
        """Why there is no object at a path, where cardd knows better than "unknown object"."""
        head, _, number = path.rpartition("/")
        if head != names.SESSIONS or not number.isascii() or not number.isdigit():
            return None
        reason = self._sessions.end_reason(int(number))
        return None if reason is None else SessionEnded(reason=reason.value)

    def reader_added(self, reader: PresentReader) -> None:
        """A reader is plugged in."""
        self._tree.add(reader_path(reader.name), [ReaderInterface(reader)])

    def reader_changed(self, reader: PresentReader) -> None:
        """Its facts changed."""
        path = reader_path(reader.name)
        for changed in ("UsbIds", "Seat", "Card"):
            self._tree.changed(path, ReaderInterface, changed)

    def reader_removed(self, reader: PresentReader) -> None:
        """It is gone."""
        self._tree.remove(reader_path(reader.name))

    def card_added(self, presence: Presence) -> None:
        """A card is in a reader."""
        interface = CardInterface(presence, self._sessions, self._agents, descriptor_timeout=self._descriptor_timeout)
        self._tree.add(card_path(presence), [interface])
        self._reader_card_changed(presence)

    def card_changed(self, presence: Presence) -> None:
        """Something that is known of it changed."""
        for changed in CARD_CHANGES:
            self._tree.changed(card_path(presence), CardInterface, changed)

    def card_removed(self, presence: Presence) -> None:
        """It is gone."""
        self._tree.remove(card_path(presence))
        self._reader_card_changed(presence)

    def session_opened(self, session: Session) -> None:
        """A session began."""
        presence = self._sessions.presence_of(session.card)
        if presence is None:
            return  # it left in this very moment; its end follows
        interface = SessionInterface(session, presence, self._sessions, write_timeout=self._descriptor_timeout)
        self._tree.add(session_path(session), [interface])

    def session_ended(self, session: Session, reason: EndReason) -> None:
        """It ended: `Ended` overtakes whatever still waits to be sent."""
        path = session_path(session)
        self._tree.emit(path, SessionInterface.ended, reason.value, urgent=True)
        self._tree.remove(path)

    def _reader_card_changed(self, presence: Presence) -> None:
        self._tree.changed(reader_path(presence.card.insertion.reader), ReaderInterface, "Card")
