"""How the CPS4 changes a PIN: the old one, or the PUK, is verified first; the new one then comes alone."""

from __future__ import annotations

from cardd_drivers.contract import ErrorReference
from cardd_drivers.ias_ecc import commands
from cardd_drivers.ias_ecc.cps4 import commands as cps4_commands
from cardd_drivers.ias_ecc.objects import Application, PinObject
from cardd_drivers.ias_ecc.presentation import Presentation
from cardd_drivers.secret_memory import SecretBytes


class Cps4Pins:
    """`Pins` of the CPS4.

    Args:
        presentation: presents them.
    """

    def __init__(self, presentation: Presentation) -> None:
        self._presentation = presentation

    def change(self, application: Application, pin: PinObject, old: SecretBytes, new: SecretBytes) -> None:
        """VERIFY of the old PIN, then CHANGE REFERENCE DATA with the new one."""
        self._presentation.present(application, pin, commands.verify, old)
        self._presentation.present(application, pin, cps4_commands.change_to, new)

    def unblock(
        self, application: Application, pin: PinObject, puk: PinObject, puk_characters: SecretBytes, new: SecretBytes
    ) -> None:
        """VERIFY of the PUK, RESET RETRY COUNTER, then CHANGE REFERENCE DATA with the new PIN."""
        self._presentation.present(application, puk, commands.verify, puk_characters, meant=ErrorReference.PUK)
        self._presentation.send(cps4_commands.reset_retry_counter_alone(pin.reference))
        self._presentation.present(application, pin, cps4_commands.change_to, new)

    def change_on_pad(self, application: Application, pin: PinObject) -> None:
        """The same commands: the pad asks for the old PIN, then for the new one."""
        self._presentation.present_by_pad(application, pin)
        self._presentation.replace_by_pad(application, pin, cps4_commands.change_to)

    def unblock_on_pad(self, application: Application, pin: PinObject, puk: PinObject) -> None:
        """The same commands: the pad asks for the PUK, then, the counter being reset, for the new PIN."""
        self._presentation.present_by_pad(application, puk, ErrorReference.PUK)
        self._presentation.send(cps4_commands.reset_retry_counter_alone(pin.reference))
        self._presentation.replace_by_pad(application, pin, cps4_commands.change_to)
