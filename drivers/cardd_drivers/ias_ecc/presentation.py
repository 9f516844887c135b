"""Commands that carry a PIN or a PUK."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cardd_drivers.apdu import Command
from cardd_drivers.contract import ErrorReference, PinStatus
from cardd_drivers.exchange import Exchange
from cardd_drivers.ias_ecc import commands
from cardd_drivers.ias_ecc import pin as pins
from cardd_drivers.ias_ecc.files import Files, df_of
from cardd_drivers.ias_ecc.objects import Application, PinObject
from cardd_drivers.ias_ecc.refusal import require_success
from cardd_drivers.secret_memory import SecretBytes


class Presentation:
    """Presents PINs to one card.

    Args:
        exchange: the way to the card.
        files: what is selected.
    """

    def __init__(self, exchange: Exchange, files: Files) -> None:
        self._exchange = exchange
        self._files = files

    def status(self, application: Application, pin: PinObject) -> PinStatus:
        """Tries left by an empty VERIFY; a global PIN needs no selection for it."""
        self._select_for(application, pin)
        command = commands.verify_status(pin.reference)
        return pins.status(self._exchange.send(command), command)

    def present(
        self,
        application: Application,
        pin: PinObject,
        make: Callable[[int, SecretBytes], Command],
        *characters: SecretBytes,
        meant: ErrorReference = ErrorReference.PIN,
    ) -> None:
        """Send a command whose data field is one secret, or two, padded as the PIN object says.

        Args:
            application: whose DF a local PIN is known in.
            pin: its reference and padding.
            make: the command, from the reference and the padded block.
            characters: the secrets.
            meant: which secret an error is about.

        Raises:
            PinIncorrect, PinBlocked, SecurityStatusNotSatisfied, UnexpectedResponse.
        """
        self._select_for(application, pin)
        with pins.padded(pin, *characters) as block:
            command = make(pin.reference, block)
            pins.require_accepted(self._exchange.send(command), command, meant)

    def present_by_pad(
        self, application: Application, pin: PinObject, meant: ErrorReference = ErrorReference.PIN
    ) -> None:
        """VERIFY with the PIN, or the PUK, that the user types on the reader.

        Raises:
            PinPadFailed, PinIncorrect, PinBlocked, SecurityStatusNotSatisfied, UnexpectedResponse.
            MalformedCardData: a PIN pad cannot form the card's PIN block.
        """
        self._select_for(application, pin)
        block, entry = pins.pad_entry(pin)
        command = replace(commands.verify(pin.reference, block), entry=entry)
        pins.require_accepted(self._exchange.send(command), command, meant)

    def replace_by_pad(
        self,
        application: Application,
        pin: PinObject,
        make: Callable[[int, SecretBytes], Command],
        *,
        with_old: bool = False,
    ) -> None:
        """Send a command that sets a PIN, which the user types on the reader, twice.

        Args:
            application, pin: as `present`.
            make: the command, from the reference and the padded block, or blocks.
            with_old: the present PIN is typed first and goes before the new one.

        Raises:
            As `present_by_pad`.
        """
        self._select_for(application, pin)
        blocks, entry = pins.pad_new_entry(pin, with_old=with_old)
        command = replace(make(pin.reference, blocks), entry=entry)
        pins.require_accepted(self._exchange.send(command), command, ErrorReference.PIN)

    def send(self, command: Command) -> None:
        """Send a command that carries no secret.

        Raises:
            SecurityStatusNotSatisfied, UnexpectedResponse: it is refused.
        """
        require_success(self._exchange.send(command), command)

    def _select_for(self, application: Application, pin: PinObject) -> None:
        """A PIN that is known in one DF only is presented there."""
        if pin.local:
            self._files.select_df(df_of(application, pin.path.value if pin.path else b""))
