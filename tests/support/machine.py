"""One machine: a private pcscd, cardd's core on it, and other programs that use the same card."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

from cardd.cards.connection import HoldMode
from cardd.readers.stack import CardHandle, Code, Context, Disposition, Flag, PcscError, Share, load_stack
from cardd.sessions.presence import Presence
from cardsim import personalise, profiles
from cardsim.behaviour import Behaviour
from cardsim.card import SimulatedCard
from cardsim.pki.store import CardCredentials
from cardsim.profiles.model import Profile
from cardsim.transports.vpcd import VpcdAddress, VpcdReader
from tests.support.core import CoreOn, pki_store, running_core_on_pcscd
from tests.support.pcscd import PrivatePcscd
from tests.support.pkcs11 import (
    OPENSC,
    SHA256_PREFIX,
    Module,
)

DIGEST = hashlib.sha256(b"document").digest()
INFORMATION = SHA256_PREFIX + DIGEST
PATIENCE = 60
"""Seconds after which another program hangs."""


@contextmanager
def another_program() -> Iterator[Context]:
    """A program of its own, as PC/SC has it."""
    context = load_stack("pcsc", {}).establish()
    try:
        yield context
    finally:
        context.release()


@contextmanager
def shared(pcscd: PrivatePcscd, at_the_end: Disposition = Disposition.LEAVE) -> Iterator[CardHandle]:
    """A shared connection of another program."""
    with another_program() as context:
        handle = context.connect(pcscd.reader_names[0], Share.SHARED)
        try:
            yield handle
        finally:
            handle.disconnect(at_the_end)


class Machine:
    """One pcscd, and on it cardd and other programs.

    Args:
        pcscd: runs.
        core: cardd's.
    """

    def __init__(self, pcscd: PrivatePcscd, core: CoreOn[VpcdReader]) -> None:
        self.core = core
        self._pcscd = pcscd
        self.opensc = Module(OPENSC or Path(), pcscd.environment)

    def tool(self, *argv: str) -> str:
        """Run a program that must not succeed, nor hang; what it says."""
        done = subprocess.run(
            argv, env=self._pcscd.environment, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        assert done.returncode != 0
        return done.stdout + done.stderr

    def connect(self) -> str:
        """What PC/SC says to a program that would share the card: the name of its refusal, or nothing."""
        try:
            with shared(self._pcscd):
                return ""
        except PcscError as error:
            return Code(error.code).name

    def signature_without_pin(self) -> bool:
        """Whether a program that knows no PIN gets a signature, by INTERNAL AUTHENTICATE on either layout of a CPS3."""
        with shared(self._pcscd) as handle:
            for command in ("00A4090C043F000001", "002241A406840182800102"):
                assert handle.transmit(bytes.fromhex(command)) == b"\x90\x00"
            answer = handle.transmit(b"\x00\x88\x00\x00" + bytes((len(INFORMATION),)) + INFORMATION)
        assert answer in (b"\x61\x00", b"\x69\x82")
        return answer == b"\x61\x00"

    def is_free(self, presence: Presence) -> bool:
        """Whether no program holds the card, by PC/SC and as cardd knows; one that ended is gone a little later."""
        with another_program() as context:
            (state,) = context.look([self._pcscd.reader_names[0]])
        held = state.flags & (Flag.INUSE | Flag.EXCLUSIVE)
        return not held and presence.card.held_by_another() is None

    def reset(self) -> None:
        """Another program resets the card."""
        with shared(self._pcscd, Disposition.RESET):
            pass


@asynccontextmanager
async def machine(pcscd: PrivatePcscd) -> AsyncIterator[Machine]:
    """cardd on this pcscd, its reader empty before and after."""
    slot = VpcdReader(VpcdAddress(port=pcscd.ports[0]))
    async with running_core_on_pcscd(slot, hold=HoldMode.SESSION) as core:
        yield Machine(pcscd, core)
    await asyncio.to_thread(pcscd.await_empty)


async def settled(condition: Callable[[], bool]) -> None:
    """Wait until something is so that nobody is told of: who holds the card."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.02)


def physician(behaviour: Behaviour | None = None, *, renewal: int = 0, name: str = "physician") -> Profile:
    """The physician's card, as it is or otherwise."""
    profile = profiles.load(name)
    return replace(profile, behaviour=behaviour, card=replace(profile.card, renewal=renewal))


def made(profile: Profile) -> SimulatedCard:
    """A card of a profile."""
    return personalise(profile, pki_store())


def issued(profile: Profile) -> CardCredentials:
    """What was issued for it."""
    return pki_store().card(profile)


def tries_left(card: SimulatedCard) -> int:
    """Tries left, asked of the card itself."""
    answer = card.transmit(bytes.fromhex("0020000100"))
    assert answer[0] == 0x63 or answer == b"\x69\x83", "its PIN is not verified"
    return answer[1] & 0x0F if answer[0] == 0x63 else 0


def verifications(reader: VpcdReader) -> list[bytes]:
    """Every VERIFY with a PIN from now on."""
    seen: list[bytes] = []
    reader.exchanges.watch(
        lambda entry: seen.append(entry.command) if entry.command[1:2] == b"\x20" and len(entry.command) > 5 else None
    )
    return seen
