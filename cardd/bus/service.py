"""The daemon's face on the bus: objects come and go with what they stand for, in the order in which it happened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from cardd.bus import names
from cardd.bus.agents import Agents
from cardd.bus.card import CardInterface, card_path
from cardd.bus.doorkeeper import Doorkeeper
from cardd.bus.interface import Call, Emits, Interface, Variant
from cardd.bus.journal import JournalInterface
from cardd.bus.manager import ManagerInterface
from cardd.bus.objects import ObjectTree, properties_of
from cardd.bus.reader import ReaderInterface, reader_path
from cardd.bus.session import SessionInterface, session_path
from cardd.bus.token_session import TokenSessionInterface, token_session_path
from cardd.cards.roster import PresentReader
from cardd.errors import CarddError, CardRemoved, SessionEnded
from cardd.sessions.account import Whose
from cardd.sessions.journal_readings import JournalReadings
from cardd.sessions.notices import Notices
from cardd.sessions.presence import Presence
from cardd.sessions.registry import Sessions
from cardd.sessions.session import Session
from cardd.sessions.states import EndReason
from cardd.sessions.token_session import TokenSession
from cardd.sessions.tokens import Tokens


class Service:
    """Tells the bus what sessions and tokens tell it (`SessionsListener`, `TokenSessionsListener`).

    Args:
        tree: the objects of this connection.
        sessions: the registry.
        tokens: what is done with tokens.
        agents: who asks users.
        door: judges each call.
        notices: tells holders of the journal.
        descriptor_timeout: seconds that a caller has for its end of a descriptor.
    """

    def __init__(
        self,
        tree: ObjectTree,
        sessions: Sessions,
        tokens: Tokens,
        agents: Agents,
        door: Doorkeeper,
        notices: Notices,
        *,
        descriptor_timeout: float,
    ) -> None:
        self._tree = tree
        self._sessions = sessions
        self._tokens = tokens
        self._agents = agents
        self._door = door
        self._notices = notices
        self._descriptor_timeout = descriptor_timeout
        self._told: dict[tuple[str, str], dict[str, Variant]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def add_manager(
        self, drivers: Sequence[str], warnings: Callable[[], Sequence[str]], reload: Callable[[], None]
    ) -> None:
        """Put the Manager at the root."""
        manager = ManagerInterface(
            self._agents, self._tokens, self._door, drivers, warnings, reload, read_timeout=self._descriptor_timeout
        )
        self._add(names.ROOT, manager)

    def add_journal(self, readings: JournalReadings) -> None:
        """Put the journal at the root."""
        self._add(names.ROOT, JournalInterface(readings))

    def warnings_changed(self) -> None:
        """The Manager's warnings are others now."""
        self._tell_changes(names.ROOT)

    def missing(self, path: str) -> CarddError | None:
        """Why there is no object at a path, where cardd knows better than "unknown object"."""
        head, _, number = path.rpartition("/")
        if head != names.SESSIONS or not number.isascii() or not number.isdigit():
            return None
        reason = self._sessions.end_reason(int(number))
        return None if reason is None else SessionEnded(reason=reason.value)

    async def refused(self, call: Call, error: CarddError) -> None:
        """Tell the journal of a refusal before it is replied; what an end refuses is told after: ending never waits."""
        told = self._sessions.account.refused(call.caller, call.member, error, self._whose_at(call.path))
        if isinstance(error, SessionEnded | CardRemoved):
            task = asyncio.get_running_loop().create_task(told)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            await told

    def reader_added(self, reader: PresentReader) -> None:
        """A reader is plugged in."""
        self._add(reader_path(reader.name), ReaderInterface(reader))

    def reader_changed(self, reader: PresentReader) -> None:
        """Its facts changed."""
        self._tell_changes(reader_path(reader.name))

    def reader_removed(self, reader: PresentReader) -> None:
        """It is gone."""
        self._remove(reader_path(reader.name))

    def card_added(self, presence: Presence) -> None:
        """A card is in a reader."""
        interface = CardInterface(
            presence, self._sessions, self._agents, self._door, descriptor_timeout=self._descriptor_timeout
        )
        self._add(card_path(presence), interface)
        self._reader_card_changed(presence)

    def card_changed(self, presence: Presence) -> None:
        """Something that is known of it changed."""
        self._tell_changes(card_path(presence))

    def card_removed(self, presence: Presence) -> None:
        """It is gone."""
        self._remove(card_path(presence))
        self._reader_card_changed(presence)

    def session_opened(self, session: Session) -> None:
        """A session began."""
        presence = self._sessions.presence_of(session.card)
        if presence is None:
            return  # it left in this very moment; its end follows
        interface = SessionInterface(
            session, presence, self._sessions, self._tokens, self._door, write_timeout=self._descriptor_timeout
        )
        self._add(session_path(session), interface)
        self._notices.session_opened(session)

    def session_ended(self, session: Session, reason: EndReason) -> None:
        """It ended: `Ended` overtakes whatever still waits to be sent."""
        path = session_path(session)
        self._tree.emit(path, SessionInterface.ended, reason.value, urgent=True)
        self._remove(path)
        self._door.session_ended(session.number)

    def token_session_opened(self, session: TokenSession) -> None:
        """A token was redeemed."""
        self._add(token_session_path(session), TokenSessionInterface(session, self._tokens, self._door))

    def token_session_ended(self, session: TokenSession, reason: EndReason) -> None:
        """It ended: as `session_ended`."""
        path = token_session_path(session)
        self._tree.emit(path, TokenSessionInterface.ended, reason.value, urgent=True)
        self._remove(path)

    def _whose_at(self, path: str) -> Whose:
        for interface in self._tree.interfaces(path).values():
            if isinstance(interface, CardInterface | SessionInterface):
                return interface.presence
            if isinstance(interface, TokenSessionInterface):
                return interface.session.whose
        return None

    def _reader_card_changed(self, presence: Presence) -> None:
        self._tell_changes(reader_path(presence.card.insertion.reader))

    def _add(self, path: str, interface: Interface) -> None:
        self._tree.add(path, [interface])
        self._told[path, interface.name] = dict(properties_of(interface))

    def _remove(self, path: str) -> None:
        for name in self._tree.interfaces(path):
            del self._told[path, name]
        self._tree.remove(path)

    def _tell_changes(self, path: str) -> None:
        """Announce the properties whose values are others than when they were last told."""
        for interface in self._tree.interfaces(path).values():
            now = dict(properties_of(interface))
            before, self._told[path, interface.name] = self._told[path, interface.name], now
            for name, declared in interface.declaration.properties.items():
                if declared.emits is Emits.TRUE and now.get(name) != before.get(name):
                    self._tree.changed(path, type(interface), name)
