"""What a card's worker thread has of the card: connection, driver, card. Everything here runs on that thread."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from cardd.cards.channel import Checkpoint
from cardd.cards.connection import HoldMode
from cardd.cards.way import Link, NoDriver, Way
from cardd.readers.pin_pad import PadCodes
from cardd.readers.stack import Context, Disposition, Share
from cardd_drivers.contract import (
    Capabilities,
    Card,
    CardError,
    CardMute,
    CardRemoved,
    CardReset,
    Identity,
    KeyName,
    MalformedCardData,
    Memory,
    ObjectNotFound,
    PinStatus,
    ReaderFailure,
    UnexpectedResponse,
)

__all__ = ["CardChanged", "Known", "NoDriver", "Seat"]

CHALLENGE_LENGTH = 32
"""Bytes of fresh randomness that a card proves its possession by."""

T = TypeVar("T")

_HANDLE_IS_DEAD = (CardRemoved, CardReset, CardMute, ReaderFailure)


class CardChanged(CardError):
    """Another card answers than the one that was identified."""


@dataclass(frozen=True, slots=True)
class Possession:
    """How a card answered a fresh challenge that it needed no PIN for; whether the answer is right is not judged here.

    Args:
        challenge: random bytes.
        answer: RS256 over them, by the key of the certificate that was read.
    """

    challenge: bytes
    answer: bytes


@dataclass(frozen=True, slots=True)
class Known:
    """What identification found.

    Args:
        driver: name of the driver.
        identity: what names the card.
        capabilities: what it can do.
        certificates: DER by key; the authentication certificate where the card has one, or that of the key which proves
            possession.
        pin_status: as the card says it now; None when it has no PIN.
        possession: its answer to a challenge, where it has a key that needs no PIN for it.
    """

    driver: str
    identity: Identity
    capabilities: Capabilities
    certificates: Mapping[KeyName, bytes]
    pin_status: PinStatus | None
    possession: Possession | None = None


@dataclass(slots=True)
class _Held:
    connection: Link
    card: Card
    pin_status: PinStatus | None = None
    """As the card told it on this connection, which must be exclusive."""


class Seat:
    """One insertion, seen from its worker thread.

    Args:
        way: to the card.
        memory: what is remembered of cards.
        mode: how it is held.
    """

    def __init__(self, way: Way, memory: Memory, mode: HoldMode) -> None:
        self._way = way
        self._memory = memory
        self._mode = mode
        self._serial: str | None = None
        self._held: _Held | None = None
        self.pad = PadCodes()
        """What the reader's PIN pad offers, once the card was identified."""

    @property
    def is_held(self) -> bool:
        """A connection stays open between operations."""
        return self._held is not None

    @property
    def certain_pin_status(self) -> PinStatus | None:
        """What the card told of its PIN on the exclusive connection that is still open.

        None where it told nothing there, or a code went out since: then only the card knows.
        """
        held = self._held
        return None if held is None or held.connection.tries_may_differ else held.pin_status

    def identify(self, context: Context, checkpoint: Checkpoint) -> Known:
        """Choose a driver, name the card, read its authentication certificate and its PIN's status.

        The connection is then closed, but with `HoldMode.INSERTION`, where it is exclusive and stays.

        Raises:
            HeldByAnother, NoDriver, CardChanged, CardError.
        """
        try:
            return self._identify(context, checkpoint)
        except (MalformedCardData, UnexpectedResponse):
            # Whatever led here may have been one bad answer, and remembered: the next look is a fresh one.
            self.doubt()
            raise

    def doubt(self) -> None:
        """Remember nothing of the card."""
        if self._serial is not None:
            self._memory.forget(self._serial)

    def _identify(self, context: Context, checkpoint: Checkpoint) -> Known:
        stays = self._mode is HoldMode.INSERTION
        if self._held is not None:
            return self._within(lambda card: self._learn(self._named(card), card))
        connection = self._way.open(context, checkpoint, Share.EXCLUSIVE if stays else Share.SHARED)
        try:
            with connection.transaction():
                card = connection.card()
                known = self._learn(self._named(card), card)
            self.pad = connection.pad
        except BaseException as error:
            connection.close(Disposition.RESET if isinstance(error, CardMute) else Disposition.LEAVE)
            raise
        if stays:
            self._held = _Held(connection, card, known.pin_status)
        else:
            connection.close(Disposition.LEAVE)
        return known

    def relearn(self, context: Context, checkpoint: Checkpoint) -> Known:
        """Forget what is remembered of the card, and read it anew.

        Raises:
            As `identify`.
        """
        self.doubt()
        if self._held is None:
            return self.identify(context, checkpoint)
        held = self._held
        with self._dropped_when_dead(), held.connection.transaction():
            held.card = held.connection.card()  # a driver's card may remember too
            return self._learn(self._named(held.card), held.card)

    def hold(self, context: Context, checkpoint: Checkpoint) -> None:
        """Open the connection that lasts until `release`, and make sure that the same card answers on it.

        Raises:
            HeldByAnother, CardChanged, CardError.
        """
        if self._held is not None:
            return
        connection = self._way.open(context, checkpoint, self._mode.share)
        try:
            with connection.transaction():
                card = connection.card()
                self._named(card)
        except BaseException:
            connection.close(Disposition.RESET)
            raise
        self._held = _Held(connection, card)

    def release(self, context: Context, checkpoint: Checkpoint) -> None:
        """Reset the card and end the connection; with `HoldMode.INSERTION`, take it again at once.

        Raises:
            HeldByAnother, CardChanged, CardError: only when it is to be taken again.
        """
        was_held = self._held is not None
        self.close()
        if was_held and self._mode is HoldMode.INSERTION:
            self.hold(context, checkpoint)

    def operate(
        self, context: Context, checkpoint: Checkpoint, operation: Callable[[Card], T], *, under_hold: bool = False
    ) -> T:
        """Run an operation: on the held connection, else on one opened for it.

        The latter leaves the card as it was, or resets it if the operation presented a PIN.

        Args:
            under_hold: refuse where the held connection is gone: on another one, the card might have been verified by
                somebody else meanwhile.

        Raises:
            CardReset: the connection that `under_hold` asks for is gone.
            HeldByAnother, CardChanged, CardError, and what the operation raises.
        """
        if self._held is not None:
            return self._within(operation)
        if under_hold:
            raise CardReset("the card is no longer held")
        connection = self._way.open(context, checkpoint, Share.SHARED)
        try:
            with connection.transaction(forget_pin=True):
                card = connection.card()
                self._named(card)
                return operation(card)
        finally:
            connection.close(Disposition.LEAVE)

    def close(self) -> None:
        """End the held connection, if any; the card is reset if it is still there."""
        held, self._held = self._held, None
        if held is not None:
            held.connection.close(Disposition.RESET)

    def _within(self, operation: Callable[[Card], T]) -> T:
        held = self._held
        if held is None:
            raise CardRemoved("the connection has ended")
        with self._dropped_when_dead(), held.connection.transaction():
            return operation(held.card)

    @contextmanager
    def _dropped_when_dead(self) -> Iterator[None]:
        """Close the held connection when an error says that it, or what the card knew, is gone."""
        try:
            yield
        except _HANDLE_IS_DEAD:
            self.close()
            raise

    def _named(self, card: Card) -> Identity:
        identity = card.identify()
        if self._serial is not None and identity.serial != self._serial:
            raise CardChanged("another card answers")
        self._serial = identity.serial
        return identity

    def _learn(self, identity: Identity, card: Card) -> Known:
        key = card.capabilities().possession or KeyName.AUTHENTICATION
        try:
            certificates = {key: card.read_certificate(key)}
        except ObjectNotFound:
            certificates = {}
        capabilities = card.capabilities()
        status = None if capabilities.pin is None else card.pin_status()
        possession = None if capabilities.possession is None else _proven(card, capabilities.possession)
        return Known(self._way.driver_name, identity, capabilities, certificates, status, possession)


def _proven(card: Card, key: KeyName) -> Possession:
    challenge = secrets.token_bytes(CHALLENGE_LENGTH)
    return Possession(challenge, card.authenticate(key, challenge))
