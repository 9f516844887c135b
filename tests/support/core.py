"""The daemon's core without a bus, on the in-process PC/SC stack: for interleavings that must be exact."""

from __future__ import annotations

import asyncio
import functools
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, TypeVar

from cardd.access.caller import Caller
from cardd.cards.connection import HoldMode
from cardd.cards.drivers import Drivers
from cardd.cards.memory import open_memory
from cardd.cards.roster import PresentReader, Roster
from cardd.journal import Event, JournalUnavailable, Kind, Trouble
from cardd.pki.store import TrustStore
from cardd.readers.events import ReaderEvent
from cardd.readers.stack import PcscStack, load_stack
from cardd.readers.watch import Watch
from cardd.sessions.account import Account
from cardd.sessions.pin import PinQuestion
from cardd.sessions.presence import Environment, Presence
from cardd.sessions.registry import Sessions
from cardd.sessions.secret import Secret
from cardd.sessions.session import Session
from cardd.sessions.states import EndReason, State
from cardd_drivers import contactless, ias_ecc
from cardd_drivers.contract import Memory
from cardsim import PkiStore, profiles
from cardsim.card import SimulatedCard
from cardsim.personalise import personalise
from cardsim.transports.inprocess import InProcessPcsc, InProcessReader
from cardsim.transports.reader import CardReader
from cardsim.transports.vpcd import VpcdReader

READER = "Test Reader 00 00"
HOLDER = Caller(":1.1", uid=1000)
STRANGER = Caller(":1.2", uid=1001)
PIN = b"1234"
PUK = b"12345678"
PATIENCE = 20.0


@functools.cache
def pki_store() -> PkiStore:
    """One fictional PKI for the whole run; small authority keys are made in a moment."""
    folder = Path(tempfile.gettempdir()) / "cardd-tests-pki"
    return PkiStore(folder, authority_key_bits=2048)


def card_of(profile: str = "physician") -> SimulatedCard:
    """A fresh card of a profile: its counters full, its PIN as the profile says."""
    return personalise(profiles.load(profile), pki_store())


class Typed:
    """A PIN source that answers what a test lays ready, by purpose or in general; keeps the questions."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self.asks_user = True
        self.may_be_last_try = False
        self.questions: list[PinQuestion] = []
        self.given: list[Secret] = []

    async def answer(self, question: PinQuestion) -> Secret:
        """The next answer laid ready; the last one again when they run out."""
        self.questions.append(question)
        text = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        secret = Secret(bytearray(text))
        self.given.append(secret)
        return secret


@dataclass
class Heard:
    """What the sessions registry told, in order."""

    news: list[tuple[str, object]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    told: Callable[[str, object], None] | None = None
    """Is called with each piece of news, the moment it comes."""

    def _add(self, what: str, about: object) -> None:
        self.news.append((what, about))
        self.changed.set()
        if self.told is not None:
            self.told(what, about)

    def reader_added(self, reader: PresentReader) -> None:
        """See SessionsListener."""
        self._add("reader-added", reader.name)

    def reader_changed(self, reader: PresentReader) -> None:
        """See SessionsListener."""
        self._add("reader-changed", reader.name)

    def reader_removed(self, reader: PresentReader) -> None:
        """See SessionsListener."""
        self._add("reader-removed", reader.name)

    def card_added(self, presence: Presence) -> None:
        """See SessionsListener."""
        self._add("card-added", presence.number)

    def card_changed(self, presence: Presence) -> None:
        """See SessionsListener."""
        self._add("card-changed", presence.number)

    def card_removed(self, presence: Presence) -> None:
        """See SessionsListener."""
        self._add("card-removed", presence.number)

    def session_opened(self, session: Session) -> None:
        """See SessionsListener."""
        self._add("session-opened", session.number)

    def session_ended(self, session: Session, reason: EndReason) -> None:
        """See SessionsListener."""
        self._add("session-ended", (session.number, reason))

    def ends(self) -> list[EndReason]:
        """The reasons of the sessions that ended."""
        return [about[1] for what, about in self.news if what == "session-ended" and isinstance(about, tuple)]


class Noted:
    """A journal that keeps what it is told; `broken` makes it one that cannot be written."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.broken: Trouble | None = None

    async def record(self, event: Event) -> None:
        """Keep it, or fail."""
        await asyncio.sleep(0)
        if self.broken is not None:
            raise JournalUnavailable(self.broken)
        self.events.append(event)

    def note(self, event: Event) -> None:
        """Keep it."""
        self.events.append(event)

    def kinds(self) -> list[Kind]:
        """What happened, in order."""
        return [event.kind for event in self.events]


Slot = TypeVar("Slot", bound=CardReader)


class CoreOn(Generic[Slot]):
    """Readers, cards and sessions, running; cards come into one slot."""

    def __init__(self, reader: Slot, sessions: Sessions, heard: Heard, journal: Noted, roster: Roster) -> None:
        self.journal = journal
        self.roster = roster
        self.reader = reader
        self.sessions = sessions
        self.heard = heard

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so, looking after each piece of news."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self.heard.changed.clear()
                await self.heard.changed.wait()

    async def insert(self, card: SimulatedCard, *, until: State = State.TRUSTED) -> Presence:
        """Put a card in and wait until it has got that far."""
        self.reader.insert(card)
        await self.until(lambda: any(one.state is until for one in self.sessions.presences))
        return next(iter(self.sessions.presences))

    async def authenticated(self, card: SimulatedCard) -> Session:
        """Put a card in and open its session."""
        presence = await self.insert(card)
        return await self.authenticate(presence)

    async def authenticate(self, presence: Presence, pin: bytes = PIN, caller: Caller = HOLDER) -> Session:
        """Open a session."""
        return await self.sessions.authentication(presence).authenticate(caller, Typed(pin))

    async def gone(self) -> None:
        """Wait until no card is in."""
        await self.until(lambda: not tuple(self.sessions.presences))


class Core(CoreOn[InProcessReader]):
    """The same on the in-process stack."""

    def __init__(
        self,
        pcsc: InProcessPcsc,
        reader: InProcessReader,
        sessions: Sessions,
        heard: Heard,
        journal: Noted,
        roster: Roster,
    ) -> None:
        super().__init__(reader, sessions, heard, journal, roster)
        self.pcsc = pcsc


@asynccontextmanager
async def running_core(
    *,
    hold: HoldMode = HoldMode.SESSION,
    queue: int = 64,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    memory: Path | Memory | None = None,
    account: Account | None = None,
    judged_by: Callable[[TrustStore], Environment] | None = None,
    idle: float = 0,
    flapping: int = 0,
    pcsc: InProcessPcsc | None = None,
) -> AsyncIterator[Core]:
    """A core with one reader; everything has stopped afterwards. Its journal is `Noted`, unless an account is given.

    Cards are judged by the simulator's authorities, or by what `judged_by` makes of their store. The stack is a fresh
    one, or that of a test which wants other readers beside.
    """
    pcsc = pcsc or InProcessPcsc()
    reader = pcsc.add_reader(READER)
    running = _running(
        PcscStack(pcsc),
        hold=hold,
        queue=queue,
        clock=clock,
        memory=memory,
        account=account,
        judged_by=judged_by,
        idle=idle,
        flapping=flapping,
    )
    async with running as parts:
        yield Core(pcsc, reader, *parts)


@asynccontextmanager
async def running_core_on_pcscd(slot: VpcdReader, *, hold: HoldMode) -> AsyncIterator[CoreOn[VpcdReader]]:
    """A core on the pcscd that this process is led to, cards coming into one virtual slot; it is empty afterwards."""
    async with _running(load_stack("pcsc", {}), hold=hold) as parts:
        core = CoreOn(slot, *parts)
        try:
            yield core
        finally:
            slot.remove()
            await core.gone()


@asynccontextmanager
async def _running(
    stack: PcscStack,
    *,
    hold: HoldMode,
    queue: int = 64,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    memory: Path | Memory | None = None,
    account: Account | None = None,
    judged_by: Callable[[TrustStore], Environment] | None = None,
    idle: float = 0,
    flapping: int = 0,
) -> AsyncIterator[tuple[Sessions, Heard, Noted, Roster]]:
    with tempfile.TemporaryDirectory(prefix="cardd-authorities-") as name:
        authorities = Path(name)
        for source in (pki_store().root_certificate(), pki_store().intermediate_certificate()):
            (authorities / f"{source.stem}.cer").write_bytes(source.read_bytes())
        store = TrustStore.load(authorities, unpinned=frozenset(), simulator=authorities, clock=clock)
    journal, heard = Noted(), Heard()
    environment = Environment(lambda: store, clock) if judged_by is None else judged_by(store)
    sessions = Sessions(environment, account or Account(journal, journal), idle=idle)
    sessions.listen(heard)
    roster = Roster(
        stack,
        Drivers([ias_ecc.driver, contactless.driver]),
        sessions,
        memory=_memory(memory),
        hold=hold,
        queue=queue,
        flapping=flapping,
    )
    loop = asyncio.get_running_loop()

    def hand_over(event: ReaderEvent) -> None:
        loop.call_soon_threadsafe(roster.handle, event)

    watch = Watch(stack, hand_over)
    roster.watched_by(watch.look_again)
    watch.start()
    try:
        yield sessions, heard, journal, roster
    finally:
        await sessions.stop()
        await asyncio.to_thread(watch.stop)
        await asyncio.sleep(0)
        await roster.stop()


def _memory(given: Path | Memory | None) -> Memory:
    return open_memory(given) if given is None or isinstance(given, Path) else given
