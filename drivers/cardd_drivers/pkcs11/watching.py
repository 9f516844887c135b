"""Which tokens a module has, told again after each change; in a process that never logs in."""

from __future__ import annotations

import socket
import time
from collections.abc import Collection, Iterable
from typing import Final

import pkcs11

from cardd_drivers.isolated.messages import Told, compose
from cardd_drivers.pkcs11.module import faults
from cardd_drivers.pkcs11.tokens import TokenSeen

_TOKENS_MAX: Final = 64
_AFTER_ODD_EVENT: Final = 0.2
"""Seconds to wait when a module tells of a change in a way that cannot be read."""


class Watching:
    """Sends the list of tokens.

    Args:
        module: path of the shared object.
        slots: those that are looked at; empty: all.
        poll: seconds between two looks, where the module has no C_WaitForSlotEvent.
        connection: where to.

    Raises:
        Faulty: the module cannot be loaded.
    """

    def __init__(self, module: str, slots: Collection[int], poll: float, connection: socket.socket) -> None:
        self._slots = slots
        self._poll = poll
        self._connection = connection
        self._stays: dict[int, int] = {}
        self._told: list[TokenSeen] | None = None
        with faults():
            self._library = pkcs11.lib(module)

    def run(self) -> None:
        """Until the daemon hangs up.

        Raises:
            OSError: it has.
            Faulty: the module fails.
        """
        while True:
            with faults():
                self._tell()
                self._wait()

    def _tell(self) -> None:
        tokens = list(self._seen())[:_TOKENS_MAX]
        if tokens != self._told:
            self._connection.send(compose(Told.TOKENS, [field for one in tokens for field in one.fields()]))
            self._told = tokens

    def _seen(self) -> Iterable[TokenSeen]:
        for slot in self._library.get_slots(token_present=True):
            if self._slots and slot.slot_id not in self._slots:
                continue
            try:
                token = slot.get_token()
            except pkcs11.PKCS11Error:  # it goes, or is none that this module knows
                continue
            if token.flags & pkcs11.TokenFlag.TOKEN_INITIALIZED:
                stay = self._stays.setdefault(slot.slot_id, 0)
                serial = token.serial.decode("utf-8", "replace")
                yield TokenSeen(slot.slot_id, stay, slot.slot_description, token.label, serial)

    def _wait(self) -> None:
        try:
            slot = self._library.wait_for_slot_event()
            self._stays[slot.slot_id] = self._stays.get(slot.slot_id, 0) + 1
        except pkcs11.FunctionNotSupported:
            time.sleep(self._poll)
            # PKCS #11 2.40, 5.4: a module need not see new slots, nor miss old ones, between two initialisations.
            self._library.reinitialize()
        except pkcs11.PKCS11Error:  # for instance of a reader that is gone
            time.sleep(_AFTER_ODD_EVENT)
