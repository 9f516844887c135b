"""How the CPS3 changes a PIN: old and new in one command; the new one after the PUK."""

from __future__ import annotations

from cardd_drivers.contract import ErrorReference
from cardd_drivers.ias_ecc import commands
from cardd_drivers.ias_ecc.objects import Application, PinObject
from cardd_drivers.ias_ecc.presentation import Presentation
from cardd_drivers.secret_memory import SecretBytes


class Cps3Pins:
    """`Pins` of the CPS3.

    Args:
        presentation: presents them.
    """

    def __init__(self, presentation: Presentation) -> None:
        self._presentation = presentation

    def change(self, application: Application, pin: PinObject, old: SecretBytes, new: SecretBytes) -> None:
        """CHANGE REFERENCE DATA with the old and the new PIN."""
        self._presentation.present(application, pin, commands.change_reference_data, old, new)

    def unblock(
        self, application: Application, pin: PinObject, puk: PinObject, puk_characters: SecretBytes, new: SecretBytes
    ) -> None:
        """VERIFY of the PUK, then RESET RETRY COUNTER with the new PIN."""
        self._presentation.present(application, puk, commands.verify, puk_characters, meant=ErrorReference.PUK)
        self._presentation.present(application, pin, commands.reset_retry_counter, new)

    def change_on_pad(self, application: Application, pin: PinObject) -> None:
        """The same command; the pad asks for both PINs and puts them in."""
        self._presentation.replace_by_pad(application, pin, commands.change_reference_data, with_old=True)

    def unblock_on_pad(self, application: Application, pin: PinObject, puk: PinObject) -> None:
        """The same commands: the pad asks for the PUK, then for the new PIN."""
        self._presentation.present_by_pad(application, puk, ErrorReference.PUK)
        self._presentation.replace_by_pad(application, pin, commands.reset_retry_counter)
