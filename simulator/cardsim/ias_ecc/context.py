"""What the commands of an IAS ECC card work on: its files, its volatile state, its switches."""

from __future__ import annotations

from dataclasses import dataclass, field

from cardsim.behaviour import Behaviour, LogoutRule, MissingObject
from cardsim.ias_ecc import fcp
from cardsim.ias_ecc.access_rules import Condition, FileAccess, Interface, KeyAccess, PinAccess, condition_for
from cardsim.ias_ecc.files import DedicatedFile, ElementaryFile, File, access_rules_of
from cardsim.ias_ecc.keys import PrivateKeyObject
from cardsim.ias_ecc.pins import Pin
from cardsim.ias_ecc.sdo import SdoClass, SdoName, SecurityDataObject
from cardsim.ias_ecc.security_environment import (
    ControlReferenceTemplate,
    CurrentEnvironment,
    Reference,
    StoredEnvironment,
)
from cardsim.rsa import RandomBytes
from cardsim.status_words import StatusError, StatusWord


@dataclass(slots=True)
class VolatileState:
    """What is lost with the power.

    Args:
        current_df: the current DF; the master file after a reset.
        current_ef: the current EF, if any.
        verified: references of the PINs that were verified.
        environment: the current security environment.
        challenge: what GET CHALLENGE gave last, until it has served.
        authenticated: numbers of the symmetric keys by which the world outside has authenticated itself.
        renewable: references of the PINs whose retry counter the PUK has reset, until they get a new value (CPS4).
    """

    current_df: DedicatedFile
    current_ef: ElementaryFile | None = None
    verified: set[int] = field(default_factory=set)
    environment: CurrentEnvironment = field(default_factory=CurrentEnvironment)
    challenge: bytes | None = field(default=None, repr=False)
    authenticated: set[int] = field(default_factory=set)
    renewable: set[int] = field(default_factory=set)


class CardContext:
    """The card under the commands.

    Args:
        master_file: the file tree with its security data objects.
        interface: the interface the card is spoken to by.
        behaviour: its switches.
        random_bytes: its random number generator.
    """

    def __init__(
        self, master_file: DedicatedFile, interface: Interface, behaviour: Behaviour, random_bytes: RandomBytes
    ) -> None:
        self.master_file = master_file
        self.interface = interface
        self.behaviour = behaviour
        self.random_bytes = random_bytes
        self.state = VolatileState(master_file)

    def reset(self) -> None:
        """Lose everything volatile."""
        self.state = VolatileState(self.master_file)

    # Selection

    def select(self, file: File) -> None:
        """Make a file current. A security environment belongs to its DF and is lost when another becomes current."""
        if isinstance(file, ElementaryFile):
            self.state.current_ef = file
            return
        if file is not self.state.current_df:
            self.state.environment.clear()
            if self.behaviour.logout is LogoutRule.ANY_DF:
                self.state.verified.clear()
        self.state.current_df = file
        self.state.current_ef = None

    def enter_df_of(self, file: ElementaryFile, parent: DedicatedFile) -> None:
        """Make an EF current that a path led to, and with it the DF it is in."""
        if parent is not self.state.current_df:
            self.select(parent)
        self.state.current_ef = file

    def selected_by_name(self, file: DedicatedFile) -> None:
        """Apply the switch that says whether SELECT by AID drops the verified PINs."""
        rule = self.behaviour.logout
        if rule in (LogoutRule.ANY_DF, LogoutRule.ANY_AID) or (
            rule is LogoutRule.ROOT_AID and file is self.master_file
        ):
            self.state.verified.clear()

    # Objects

    def security_object(self, name: SdoName) -> SecurityDataObject:
        """The SDO of that name in the current DF.

        Raises:
            StatusError: 6A88 or 6A80, there is none here.
        """
        found = self.state.current_df.objects.get(name)
        if found is None:
            not_found = self.behaviour.missing_object is MissingObject.NOT_FOUND
            raise StatusError(StatusWord.REFERENCED_DATA_NOT_FOUND if not_found else StatusWord.INCORRECT_DATA)
        return found

    def pin(self, reference: int) -> Pin:
        """The PIN of that global reference, whatever DF is current.

        Raises:
            StatusError: 6A88, there is none.
        """
        found = self.master_file.objects.get(SdoName(SdoClass.PIN, reference))
        if not isinstance(found, Pin):
            raise StatusError(StatusWord.REFERENCED_DATA_NOT_FOUND)
        return found

    def unblocking(self, pin: Pin) -> Pin:
        """The reference data whose verification the rule for resetting a PIN demands.

        Raises:
            StatusError: 6A88, its rule names none.
        """
        number = self._user_password(condition_for(pin.access_rules, self.interface, PinAccess.RESET).environment)
        if number is None:
            raise StatusError(StatusWord.REFERENCED_DATA_NOT_FOUND)
        return self.pin(number)

    def reference(self, template: ControlReferenceTemplate) -> Reference:
        """What MSE SET put into a template.

        Raises:
            StatusError: 6985, nothing.
        """
        found = self.state.environment.templates.get(template)
        if found is None:
            raise StatusError(StatusWord.CONDITIONS_OF_USE_NOT_SATISFIED)
        return found

    def usable_key(self, template: ControlReferenceTemplate, mode: KeyAccess) -> PrivateKeyObject:
        """The private key that a template names, if it may be used in that mode now.

        Raises:
            StatusError: 6985 no template, 6A88 no such key, 6982 its access rule is not satisfied.
        """
        number = self.reference(template).key
        found = self.state.current_df.objects.get(SdoName(SdoClass.RSA_PRIVATE, number or 0))
        if not isinstance(found, PrivateKeyObject):
            raise StatusError(StatusWord.REFERENCED_DATA_NOT_FOUND)
        self._demand(condition_for(found.access_rules, self.interface, mode))
        return found

    # Access

    def demand_file_access(self, file: File, mode: FileAccess) -> None:
        """Enforce the rule that the file's own FCP shows.

        Raises:
            StatusError: 6982.
        """
        self._demand(condition_for(access_rules_of(fcp.encode(file)), self.interface, mode))

    def demand_object_access(self, item: SecurityDataObject, mode: PinAccess | KeyAccess) -> None:
        """Enforce the rule that the object's own DOCP shows; an object without rules is open.

        Raises:
            StatusError: 6982.
        """
        if item.access_rules is not None:
            self._demand(condition_for(item.access_rules, self.interface, mode))

    def _demand(self, condition: Condition) -> None:
        if condition.always:
            return
        if condition.never or not self._satisfied(condition):
            raise StatusError(StatusWord.SECURITY_STATUS_NOT_SATISFIED)

    def _satisfied(self, condition: Condition) -> bool:
        secure_messaging, external, user = condition.methods
        # Nobody speaks secure messaging to these cards.
        results = [False] if secure_messaging else []
        if external:
            results.append(self._externally_authenticated(condition.environment))
        if user:
            results.append(self.user_authenticated(condition.environment))
        return bool(results) and (all(results) if condition.all_needed else any(results))

    def user_authenticated(self, environment: int) -> bool:
        """Whether the PIN that a stored security environment asks for is verified."""
        pin = self._user_password(environment)
        return pin is not None and pin in self.state.verified

    def user_blocked(self, environment: int) -> bool:
        """Whether that PIN has no try left."""
        pin = self._user_password(environment)
        return pin is not None and self.pin(pin).blocked

    def _externally_authenticated(self, environment: int) -> bool:
        stored = self.stored_environment(environment)
        return stored is not None and stored.external_key in self.state.authenticated

    def _user_password(self, environment: int) -> int | None:
        stored = self.stored_environment(environment)
        return stored.user_password if stored else None

    def stored_environment(self, number: int) -> StoredEnvironment | None:
        """The stored security environment of that number, or None."""
        stored = self.master_file.objects.get(SdoName(SdoClass.SECURITY_ENVIRONMENT, number))
        return stored if isinstance(stored, StoredEnvironment) else None

    def computed(self) -> None:
        """Apply the switches of cards that forget their security environment or PINs after a computation."""
        if self.behaviour.environment_lost_after_use:
            self.state.environment.clear()
        if self.behaviour.pin_lost_after_use:
            self.state.verified.clear()
