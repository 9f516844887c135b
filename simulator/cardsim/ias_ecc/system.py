"""The card operating system: power, class byte, dispatch to the commands, transmission."""

from __future__ import annotations

import os
import threading

from cardsim import apdu
from cardsim.apdu import CLA_CHAINING, CommandApdu, Response
from cardsim.behaviour import Behaviour
from cardsim.card import CardProtocol
from cardsim.ias_ecc.access_rules import Interface
from cardsim.ias_ecc.context import CardContext
from cardsim.ias_ecc.cps3 import CPS3
from cardsim.ias_ecc.files import DedicatedFile
from cardsim.ias_ecc.generation import Generation
from cardsim.ias_ecc.transmission import INS_GET_RESPONSE, Transmission
from cardsim.rsa import RandomBytes
from cardsim.status_words import StatusError, StatusWord


class IasEccCard:
    """An IAS ECC card; a ``cardsim.card.SimulatedCard``.

    What is in EEPROM (PIN values and counters, file contents) lives in ``master_file`` and outlasts the power.

    Args:
        master_file: the file tree with its security data objects.
        atr: answer to reset.
        protocol: T=0 or T=1.
        generation: the commands it knows, and the classes it takes.
        interface: contact or contactless; chooses the access rules.
        behaviour: switches.
        random_bytes: where random numbers come from.
    """

    def __init__(
        self,
        master_file: DedicatedFile,
        *,
        atr: bytes,
        protocol: CardProtocol,
        generation: Generation = CPS3,
        interface: Interface = Interface.CONTACT,
        behaviour: Behaviour | None = None,
        random_bytes: RandomBytes = os.urandom,
    ) -> None:
        self._atr = atr
        self._context = CardContext(master_file, interface, behaviour or Behaviour(), random_bytes)
        self._transmission = Transmission(protocol, direct=self._context.behaviour.direct_answers)
        self._commands = generation.commands
        self._applications = generation.applications(self._context)
        self._powered = False
        self._lock = threading.Lock()

    @property
    def atr(self) -> bytes:
        """Answer to reset."""
        return self._atr

    @property
    def protocol(self) -> CardProtocol:
        """T=0 or T=1."""
        return self._transmission.protocol

    @property
    def master_file(self) -> DedicatedFile:
        """The file tree: EEPROM."""
        return self._context.master_file

    def power_on(self) -> bytes:
        """Cold or warm reset; returns the ATR."""
        with self._lock:
            self._lose_volatile_state()
            self._powered = True
            return self._atr

    def power_off(self) -> None:
        """Take the power away."""
        with self._lock:
            self._lose_volatile_state()
            self._powered = False

    def transmit(self, command: bytes) -> bytes:
        """Answer one command APDU; without power, with nothing. Never raises."""
        with self._lock:
            if not self._powered:
                return b""
            try:
                return self._answer(apdu.parse(command, extended=self._context.behaviour.extended_length)).encode()
            except StatusError as refused:
                return Response(sw=refused.sw).encode()

    def _lose_volatile_state(self) -> None:
        self._context.reset()
        self._transmission.reset()
        self._applications.reset()

    def _answer(self, command: CommandApdu) -> Response:
        transmission = self._transmission
        elsewhere = self._applications.answer(command)
        if elsewhere is not None:
            transmission.reset()
            return elsewhere
        if command.ins == INS_GET_RESPONSE and not command.cla & CLA_CHAINING:
            waiting = transmission.get_response(command)
            if waiting is None:
                raise StatusError(StatusWord.CONDITIONS_OF_USE_NOT_SATISFIED)
            return waiting
        transmission.drop_pending()
        repeated = transmission.repeated(command)
        if repeated is not None:
            return repeated
        function = self._commands.get(command.ins)
        if function is None:
            raise StatusError(StatusWord.INS_NOT_SUPPORTED)
        whole = transmission.assemble(command)
        if whole is None:
            return Response()
        return transmission.deliver(whole, function(self._context, whole))
