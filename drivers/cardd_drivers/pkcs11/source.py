"""The tokens of a PKCS#11 module. It runs in processes of its own: one that watches, one for each connection."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cardd_drivers.contract import CardError, CardKind
from cardd_drivers.isolated.messages import MalformedPacket, Told
from cardd_drivers.isolated.opened import OpenProcess
from cardd_drivers.isolated.process import TokenProcess, open_process
from cardd_drivers.pkcs11.settings import Settings
from cardd_drivers.pkcs11.tokens import TokenSeen, parse_tokens
from cardd_drivers.token_source import TokenListener

PROGRAM: Final = "cardd_drivers.pkcs11.child"
BACK_OFF_FIRST: Final = 0.5
BACK_OFF_MOST: Final = 60.0
"""Seconds before a watching process that ended is started again."""

logger = logging.getLogger(__name__)


class ModuleSource:
    """A `cardd_drivers.token_source.TokenSource`.

    Args:
        settings: which module.
    """

    driver = "pkcs11"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.name = f"PKCS#11 {settings.name}"
        self._stopping = threading.Event()
        self._process: TokenProcess | None = None
        self._present: dict[TokenSeen, ModuleToken] = {}

    def watch(self, listener: TokenListener) -> None:
        """Tell what the watching process tells; start it again when it ends. Its end is the end of every token."""
        back_off = BACK_OFF_FIRST
        while not self._stopping.is_set():
            told = self._watch_once(listener)
            if self._stopping.is_set():
                break
            listener.tokens_are(self._tokens(()))
            back_off = BACK_OFF_FIRST if told else min(2 * back_off, BACK_OFF_MOST)
            self._stopping.wait(back_off)
        listener.tokens_are(self._tokens(()))

    def stop(self) -> None:
        """End the watching process."""
        self._stopping.set()
        if (process := self._process) is not None:
            process.interrupt()

    def _watch_once(self, listener: TokenListener) -> bool:
        """Whether the process told anything before it ended."""
        told = False
        process: TokenProcess | None = None
        try:
            process = self._process = TokenProcess(
                PROGRAM, self._child_settings(None), self._settings.environment, self.name, lambda: None
            )
            if self._stopping.is_set():
                process.interrupt()
            while True:
                listener.tokens_are(self._tokens(self._seen(*process.receive(None))))
                told = True
        except (CardError, MalformedPacket) as error:
            if not self._stopping.is_set():
                logger.error("%s: %s; no token of it is there until it runs again", self.name, error)
        finally:
            self._process = None
            if process is not None:
                process.close()
        return told

    def _seen(self, code: int, fields: Sequence[memoryview]) -> Sequence[TokenSeen]:
        if code == Told.FAULT:
            raise MalformedPacket(f"the module cannot be used: {' '.join(bytes(one).decode() for one in fields)}")
        if code != Told.TOKENS:
            raise MalformedPacket(f"code {code} where tokens are told")
        return parse_tokens(fields)

    def _tokens(self, seen: Sequence[TokenSeen]) -> Sequence[ModuleToken]:
        """A token that stays is the same object."""
        self._present = {one: self._present.get(one) or ModuleToken(self._settings, self, one) for one in seen}
        return tuple(self._present.values())

    def _child_settings(self, slot: int | None) -> Mapping[str, Any]:
        chosen = self._settings
        return {"module": str(chosen.module), "slots": list(chosen.slots), "poll": chosen.poll, "slot": slot}

    def open(self, seen: TokenSeen, lost: Callable[[], None]) -> TokenProcess:
        """A process for one of the tokens.

        Raises:
            CardError: it cannot be had.
        """
        name = f"{self.name}, slot {seen.slot}"
        return open_process(PROGRAM, self._child_settings(seen.slot), self._settings.environment, name, lost)


class ModuleToken:
    """A `cardd_drivers.token_source.Token`.

    Args:
        settings: of its module.
        source: opens it.
        seen: what the watching process said of it.
    """

    def __init__(self, settings: Settings, source: ModuleSource, seen: TokenSeen) -> None:
        self._source = source
        self._seen = seen
        self.place: str = f"PKCS#11 {settings.name} slot {seen.slot}"
        self.pcsc_reader = seen.description.rstrip(" \0")

    def open(self, checkpoint: Callable[[], None], lost: Callable[[], None]) -> OpenProcess:
        """A process of its own."""
        return OpenProcess(self._source.open(self._seen, lost), CardKind.PKCS11, checkpoint)


def make_source(table: Mapping[str, Any]) -> ModuleSource:
    """See `cardd_drivers.token_source.MakeSource`."""
    return ModuleSource(Settings.parse(table))
