"""Composition root: builds every part from the configuration, starts them, stops them. The only file that knows all."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from cardd import __version__
from cardd.access.actions import Action
from cardd.access.desks import Desks
from cardd.access.logins import LogindFiles
from cardd.access.polkit import NoPolkit, Polkit, PolkitFailed
from cardd.access.rules_file import RulesError, load_host_rules
from cardd.bus import names
from cardd.bus.agents import Agents
from cardd.bus.dispatch import Dispatcher
from cardd.bus.doorkeeping import host_doorkeeper
from cardd.bus.failures import BusError
from cardd.bus.logind import LoginManager
from cardd.bus.objects import ObjectTree
from cardd.bus.polkit import BusAuthority
from cardd.bus.service import Service
from cardd.bus.transport import Transport, connect
from cardd.cards.channel import APDU_LEVEL
from cardd.cards.connection import HoldMode
from cardd.cards.drivers import Drivers
from cardd.cards.memory import open_memory
from cardd.cards.roster import Roster
from cardd.cards.tokens import TokenWatch, make_sources
from cardd.config import DEFAULT_PATH, Config, ConfigError, TokensSection, load
from cardd.errors import N_, ConfigurationInvalid
from cardd.hardening import close_memory
from cardd.journal import Detail, JournalUnavailable, Kind, clipped
from cardd.journal.book import Book, open_book
from cardd.pki.blocklist import BlockListUnusable
from cardd.pki.keeper import TrustKeeper, TrustSettings
from cardd.pki.revocation.finding import RevocationMode, RevocationPolicy
from cardd.pki.revocation.keeper import RevocationSettings, TrustedPlaces
from cardd.readers.events import ReaderEvent
from cardd.readers.stack import PcscStack, StackUnavailable, load_stack
from cardd.readers.watch import Watch
from cardd.sessions.absence import Absence, AbsencePolicy
from cardd.sessions.account import Account
from cardd.sessions.holders_told import HoldersTold
from cardd.sessions.journal_readings import JournalReadings
from cardd.sessions.journal_warning import warning_of
from cardd.sessions.notices import Notices
from cardd.sessions.presence import Environment
from cardd.sessions.registry import Sessions
from cardd.sessions.token_settings import TokenSettings, lifetime_rules
from cardd.sessions.tokens import Tokens
from cardd_drivers.secret_memory import can_lock
from cardd_drivers.token_source import SourceUnusable

log = logging.getLogger("cardd")

SIMULATOR_TRUSTED = N_(
    "The simulator's authorities are trusted: whoever has their keys can pass for any professional. "
    "Remove [pki] simulator from the configuration of a real workstation."
)
NO_ROOTS = N_("No root certificate is trusted: no card can be used. Run `cardctl trust add`.")
HOLD_SHARED = N_('[cards] hold is "shared": other programs can use the PIN of a card while a session is open.')
SAME_USER = N_(
    'Without polkit, every program of a user may use what belongs to that user: [access] without-polkit is "same-user".'
)
REVOCATION_OFFLINE = N_(
    '[revocation] policy is "offline": a revoked card is trusted where no data here say so, however old they are.'
)
CLOCK_BEHIND = N_(
    "The clock was set back: cardd goes on from the latest time that it has seen. Set the clock right; should that "
    "later time have been wrong, stop cardd and remove the file that [pki] clock-mark names."
)
PIN_IN_SWAP = N_(
    "The kernel does not let cardd lock memory, so that a PIN could reach the swap device while it is typed or used: "
    "give the service LimitMEMLOCK=8M."
)
SWITCH_SECONDS = 0.0005
"""How long one Python thread may keep another waiting."""
FAREWELL_SECONDS = 3.0
"""How long the last answers may take to leave; a bus that does not take them must not keep the daemon."""
EXIT_CONFIGURATION = 78
"""EX_CONFIG (sysexits.h): starting again does not help."""
EXIT_UNAVAILABLE = 69
"""EX_UNAVAILABLE (sysexits.h): the bus is gone or refuses; systemd starts the daemon again."""


class Daemon:
    """Every part of the running daemon.

    Args:
        path: of the configuration file, read again on Reload.
        config: what it says now.
        bus_address: D-Bus address, None for the system bus.
        stack: where readers come from, instead of what the configuration names.

    Raises:
        RulesError: the rules cannot be used.
        BlockListUnusable: the block list cannot be read.
    """

    def __init__(self, path: Path, config: Config, bus_address: str | None, stack: PcscStack | None = None) -> None:
        self._path = path
        self._config = config
        self._bus_address = bus_address
        self._stack = stack
        self._trust = TrustKeeper(_trust_settings(config))
        self._rules = load_host_rules(config.access.rules, rights=config.access.rights)
        self._environment = Environment(
            trust=lambda: self._trust.store, clock=self._trust.clock, blocks=lambda: self._trust.blocks
        )
        self._desks = Desks()
        self._sessions: Sessions | None = None
        self._account: Account | None = None
        self._book: Book | None = None
        self._service: Service | None = None
        self._tokens: Tokens | None = None
        self._can_lock = can_lock()
        if not self._can_lock:
            log.warning("%s", PIN_IN_SWAP)

    @property
    def sessions(self) -> Sessions:
        """Cards in readers and open sessions.

        Raises:
            RuntimeError: the daemon does not run yet.
        """
        if self._sessions is None:
            raise RuntimeError("the daemon does not run")
        return self._sessions

    async def run(self) -> int:
        """Serve until told to stop, or until the bus is lost; gives the exit status.

        Raises:
            BusError: no bus, or the name cannot be had.
            StackUnavailable: the readers' backend cannot be loaded.
            JournalUnavailable: the journal's directory cannot be had.
            PolkitFailed: the bus does not tell of polkit's changes.
        """
        stack = self._stack or load_stack(self._config.readers.backend, self._config.readers.options)
        section = self._config.journal
        async with open_book(section.directory, journald=section.journald) as book:
            account = Account(book.journal, book.refusals, book.connections)
            account.noted(Kind.DAEMON_STARTED, what={Detail.VERSION: __version__})
            self._account = account
            self._book = book
            self._sessions = Sessions(self._environment, account, idle=self._config.sessions.idle, desks=self._desks)
            transport = await connect(self._bus_address)
            try:
                return await self._serve(transport, stack, self._sessions, book)
            finally:
                transport.close()
                account.noted(Kind.DAEMON_STOPPED, what={Detail.VERSION: __version__})

    async def _serve(self, transport: Transport, stack: PcscStack, sessions: Sessions, book: Book) -> int:
        config = self._config
        drivers = Drivers.discover()
        tree = ObjectTree(transport, names.ROOT)
        agents = Agents(transport, timeout=config.pin.agent_timeout, descriptor_timeout=config.pin.descriptor_timeout)
        tokens = self._tokens = self._token_face(sessions, book)
        polkit = await self._polkit(transport)
        door = host_doorkeeper(transport, polkit, lambda: self._rules, agents, sessions.account)
        notices = Notices(HoldersTold(config.journal.told), agents, sessions.account)
        service = Service(
            tree, sessions, tokens, agents, door, notices, descriptor_timeout=config.pin.descriptor_timeout
        )
        service.add_manager(drivers.names, self._warnings, self._reload)
        readings = JournalReadings(
            book.journal,
            book.files,
            sessions.account,
            lambda uid: sessions.holders_of(uid) | tokens.holders_of(uid),
            may_read_all=lambda caller, ask: door.may(caller, Action.READ_JOURNAL, interactive=ask),
        )
        service.add_journal(readings)
        book.journal.listen(service.warnings_changed)
        self._service = service
        sessions.listen(service, agents)
        tokens.listen(service)
        dispatcher = Dispatcher(transport, tree, missing=service.missing, refused=service.refused)
        for forget in (agents.forget, door.forget, polkit.forget):
            dispatcher.on_departed(forget)
        dispatcher.on_arrived(sessions.account.connected)
        await dispatcher.start()
        roster = _roster(config, stack, drivers, sessions)
        loop = asyncio.get_running_loop()

        def hand_over(event: ReaderEvent) -> None:
            loop.call_soon_threadsafe(roster.handle, event)

        watches = _Watches(stack, config, hand_over)
        login_manager = self._login_manager(transport, roster, sessions, tokens)
        stop = _stop_requested(loop, self._reload_quietly)
        roster.watched_by(watches.look_again)
        watches.start()
        try:
            self._trust.start(self._trust_changed)
            await self._trust.ready()
            await login_manager.start()
            await book.opening
            if book.journal.trouble is not None:
                log.error("%s Nothing is served until it can.", book.journal.trouble)
            await transport.request_name(names.SERVICE)
            log.info("cardd %s serves %s", __version__, names.SERVICE)
            return await _until_stopped(stop, transport)
        finally:
            login_manager.stop()
            tokens.stop()
            await sessions.stop()
            await asyncio.to_thread(watches.stop)
            await roster.stop()
            await notices.stop()
            await _within(FAREWELL_SECONDS, dispatcher.stop(), transport.flushed())
            await readings.stop()
            await tokens.close()
            await self._trust.stop()

    def _token_face(self, sessions: Sessions, book: Book) -> Tokens:
        return Tokens(
            _token_settings(self._config.tokens),
            self._environment,
            sessions,
            sessions.account,
            journal_head=lambda: "" if book.journal.head is None else str(book.journal.head),
            idle=self._config.sessions.idle,
            desks=self._desks,
        )

    def _login_manager(self, transport: Transport, roster: Roster, sessions: Sessions, tokens: Tokens) -> LoginManager:
        section = self._config.sessions
        policy = AbsencePolicy(end_on_lock=section.end_on_lock, end_on_seat_switch=section.end_on_seat_switch)
        absence = Absence(policy, roster, sessions.account, (sessions, tokens), LogindFiles(), self._desks)
        return LoginManager(transport, absence, desks=policy.minds_desks)

    async def _polkit(self, transport: Transport) -> Polkit:
        without = NoPolkit(self._config.access.without_polkit)
        polkit = Polkit(BusAuthority(transport), without=without, own_uid=os.getuid())
        await polkit.start()
        return polkit

    def _warnings(self) -> list[str]:
        warnings = list(self._trust.warnings())
        if self._trust.store.simulator_trusted:
            warnings.append(SIMULATOR_TRUSTED)
        if not self._trust.store.roots:
            warnings.append(NO_ROOTS)
        if self._trust.mode is RevocationMode.OFFLINE:
            warnings.append(REVOCATION_OFFLINE)
        if self._trust.clock.behind is not None:
            warnings.append(CLOCK_BEHIND)
        if self._config.cards.hold == HoldMode.SHARED:
            warnings.append(HOLD_SHARED)
        if self._config.access.without_polkit == NoPolkit.SAME_USER:
            warnings.append(SAME_USER)
        if not self._can_lock:
            warnings.append(PIN_IN_SWAP)
        if self._book is not None and self._book.journal.trouble is not None:
            warnings.append(warning_of(self._book.journal.trouble.trouble))
        return warnings

    def _reload(self) -> None:
        """Read the configuration's trust and rules again; what needs a restart is said."""
        try:
            config = load(self._path)
            rules = load_host_rules(config.access.rules, rights=config.access.rights)
            # What polkit's absence means, and where the time is kept, is for a restart.
            access = replace(config.access, without_polkit=self._config.access.without_polkit)
            pki = replace(config.pki, clock_mark=self._config.pki.clock_mark)
            config = replace(config, access=access, pki=pki)
            self._trust.reload(_trust_settings(config))
        except (ConfigError, RulesError, BlockListUnusable) as error:
            raise ConfigurationInvalid(problem=str(error)) from error
        old = self._config
        if replace(config, pki=old.pki, revocation=old.revocation, log=old.log, access=old.access) != old:
            log.warning("changes in other sections than [pki], [revocation], [log] and [access] count after a restart")
        self._rules = rules
        self._config = config
        _set_level(config)
        if self._account is not None:
            self._account.noted(Kind.CONFIGURATION_CHANGED, what={Detail.FILE: clipped(str(self._path))})
        self._trust_changed()
        log.info("configuration, trust directory and rules read again")

    def _trust_changed(self) -> None:
        """Other roots, CRLs, blocked cards, another time: decide anew on every card, end what is not believed now."""
        if self._sessions is not None:
            self._sessions.judge_again()
        if self._tokens is not None:
            self._tokens.judge_again()
        if self._service is not None:
            self._service.warnings_changed()

    def _reload_quietly(self) -> None:
        try:
            self._reload()
        except ConfigurationInvalid as error:
            log.error("%s", error.message)


class _Watches:
    """What tells of readers, cards and tokens.

    Raises:
        SourceUnusable: a table of [drivers] cannot be used.
    """

    def __init__(self, stack: PcscStack, config: Config, tell: Callable[[ReaderEvent], None]) -> None:
        sources = make_sources({"pkcs11": config.drivers.pkcs11, "software": config.drivers.software})
        self._watch = Watch(stack, tell)
        self._tokens = TokenWatch(sources, tell)

    def start(self) -> None:
        """Start their threads."""
        self._watch.start()
        self._tokens.start()

    def look_again(self) -> None:
        """Look at everything afresh."""
        self._watch.look_again()
        self._tokens.look_again()

    def stop(self) -> None:
        """End the threads. Blocks shortly."""
        self._watch.stop()
        self._tokens.stop()


def _trust_settings(config: Config) -> TrustSettings:
    pki, section = config.pki, config.revocation
    policy = RevocationPolicy(RevocationMode(section.policy), timedelta(days=section.grace_days))
    # The simulator's CRLs lie beside its authorities.
    sources = tuple(one for one in (section.fetched, section.mirror, pki.simulator) if one is not None)
    places = TrustedPlaces(pki.directory, pki.unpinned, pki.simulator)
    return TrustSettings(
        places, pki.blocked, pki.clock_mark, RevocationSettings(policy, section.index, sources, section.responders)
    )


def _token_settings(section: TokensSection) -> TokenSettings:
    rules = lifetime_rules(section.rules, section.default_lifetime, section.maximum_lifetime)
    return TokenSettings(section.registry, section.key, section.audience, rules)


def _roster(config: Config, stack: PcscStack, drivers: Drivers, sessions: Sessions) -> Roster:
    cards = config.cards
    memory = open_memory(cards.memory)
    hold, flapping = HoldMode(cards.hold), config.readers.flapping
    return Roster(stack, drivers, sessions, memory=memory, hold=hold, queue=cards.queue, flapping=flapping)


def _stop_requested(loop: asyncio.AbstractEventLoop, reload: Callable[[], None]) -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload)
    return stop


async def _until_stopped(stop: asyncio.Event, transport: Transport) -> int:
    waits = [asyncio.create_task(stop.wait()), asyncio.create_task(transport.lost.wait())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    if transport.lost.is_set():
        log.error("the bus is gone (%s): every session ends here", transport.lost_reason)
        return EXIT_UNAVAILABLE
    log.info("stopping")
    return 0


async def _within(seconds: float, *works: Coroutine[None, None, None]) -> None:
    """Do one after the other, for so long at most."""
    try:
        async with asyncio.timeout(seconds):
            for work in works:
                await work
    except TimeoutError:
        log.warning("the bus did not take the last answers within %g seconds", seconds)
    finally:
        for work in works:
            work.close()


def _set_level(config: Config) -> None:
    levels = {"apdu": APDU_LEVEL}
    level = levels.get(config.log.level, logging.getLevelNamesMapping().get(config.log.level.upper(), logging.INFO))
    logging.getLogger().setLevel(level)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="cardd", description="Serve health professionals' cards on D-Bus, exactly while they are in a reader."
    )
    parser.add_argument("--config", type=Path, default=DEFAULT_PATH, metavar="FILE", help=f"default: {DEFAULT_PATH}")
    parser.add_argument("--bus", metavar="ADDRESS", help="D-Bus address; default: the system bus")
    parser.add_argument("--version", action="version", version=f"cardd {__version__}")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `cardd`."""
    close_memory()
    options = _arguments(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.addLevelName(APDU_LEVEL, "APDU")
    try:
        config = load(options.config)
    except ConfigError as error:
        log.error("%s", error)
        return EXIT_CONFIGURATION
    _set_level(config)
    # The watch thread must mark a departed card at once, whatever another thread computes: measured with one busy
    # thread, a mark waits 3 ms at p99 instead of the 20 ms that Python's default interval (5 ms) gives.
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        return asyncio.run(Daemon(options.config, config, options.bus).run())
    except (StackUnavailable, SourceUnusable, JournalUnavailable, RulesError, BlockListUnusable) as error:
        log.error("%s", error)
        return EXIT_CONFIGURATION
    except (BusError, PolkitFailed) as error:
        log.error("%s", error)
        return EXIT_UNAVAILABLE


if __name__ == "__main__":
    sys.exit(main())
