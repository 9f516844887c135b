"""What each generation of the CPS does its own way: selecting files, using keys, changing PINs.

Everything else is common: the directories, reading, PIN status and VERIFY, what is remembered. `cps3` and `cps4` hold
one implementation of each protocol here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cardd_drivers.apdu import SHORT_LE_MAX
from cardd_drivers.contract import CardKind, Channel, DecipherAlgorithm, KeyName, SignatureAlgorithm
from cardd_drivers.exchange import Exchange
from cardd_drivers.secret_memory import SecretBytes

if TYPE_CHECKING:
    from cardd_drivers.ias_ecc.key_use import KeyUse
    from cardd_drivers.ias_ecc.objects import Application, PinObject
    from cardd_drivers.ias_ecc.presentation import Presentation
    from cardd_drivers.ias_ecc.store import Store


@dataclass(frozen=True, slots=True)
class Location:
    """A file by the DF that holds it (a path that begins with 3F00, or an AID) and its identifier there."""

    df: bytes
    identifier: bytes


class Selection(Protocol):
    """SELECT. What is current is the caller's to keep.

    Each method raises `UnexpectedResponse` or `SecurityStatusNotSatisfied` where the card refuses.
    """

    @property
    def selected_after_reset(self) -> bool:
        """The application stands selected after a reset, its MF current."""

    def master_file(self) -> None:
        """Make the MF current, whatever went before."""

    def dedicated_file(self, df: bytes) -> None:
        """Make a DF current, given by its path from 3F00 or by its AID."""

    def elementary_file(self, where: Location, in_current_df: bool) -> int | None:
        """Make an EF current.

        Args:
            where: which.
            in_current_df: its DF is the current one.

        Returns:
            Its size in bytes where the card told it: a hint.
        """


class Keys(Protocol):
    """Signatures and decryption; errors as `contract.Card` has them."""

    def signs(self, store: Store, key: KeyName) -> frozenset[SignatureAlgorithm]:
        """What the key signs with, as far as is known without asking the card."""

    def deciphers(self) -> frozenset[DecipherAlgorithm]:
        """What the deciphering key takes."""

    def sign(self, store: Store, key: KeyName, algorithm: SignatureAlgorithm, digest: bytes) -> bytes:
        """Sign a SHA-256 digest (32 bytes)."""

    def decipher(self, store: Store, key: KeyName, algorithm: DecipherAlgorithm, cryptogram: bytes) -> bytearray:
        """Decipher one block."""


class Pins(Protocol):
    """New values for the PIN; the characters were found to fit the PIN's rules. Errors as `contract.Card` has them."""

    def change(self, application: Application, pin: PinObject, old: SecretBytes, new: SecretBytes) -> None:
        """Replace the PIN."""

    def unblock(
        self, application: Application, pin: PinObject, puk: PinObject, puk_characters: SecretBytes, new: SecretBytes
    ) -> None:
        """Set a new PIN with the PUK."""

    def change_on_pad(self, application: Application, pin: PinObject) -> None:
        """`change`, with both typed on the reader."""

    def unblock_on_pad(self, application: Application, pin: PinObject, puk: PinObject) -> None:
        """`unblock`, with both typed on the reader."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation of cards.

    Args:
        kind: as the card's identity says it.
        logical_channel: the card's logical channel on which its application is spoken to.
        selection, keys, pins: makers of its own ways, for one card.
    """

    kind: CardKind
    logical_channel: int
    selection: Callable[[Channel, Exchange], Selection]
    keys: Callable[[KeyUse], Keys]
    pins: Callable[[Presentation], Pins]

    def way(self, channel: Channel) -> tuple[Exchange, Selection]:
        """The way to its application, and how files are selected on it; sends nothing."""
        exchange = Exchange(channel, SHORT_LE_MAX, self.logical_channel)
        return exchange, self.selection(channel, exchange)
