"""The stage as a whole: a bus, cardd on it, and one reader inside cardd with a card to insert and remove."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Self

from cardsim import profiles
from cardsim.control_cards import DEFAULT_PROFILE
from cardsim.control_client import ask
from cardsim.pki import PkiStore, export
from cardsim.stage.bus import OPEN_POLICY, PrivateBus
from cardsim.stage.daemon import SERVING_RULES, CarddProcess

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType


class Stage:
    """Runs all of it, and ends all of it on leaving the context. No pcscd is needed.

    Args:
        folder: for everything that cardd writes; exists. The caller removes it.
        home: where the fictional PKI and the cards' keys are kept; None: the user's own place.
        profile: whose card goes in where ``insert`` names none: a profile's name, or the path of its file.
        policy: of the bus, as XML.
        sections: further configuration of cardd as TOML text by section name.
        rules: who may do what, as ``CarddProcess`` takes it.
        timing: the cards take the time of real ones.
        pin_pad: the reader has one.
    """

    def __init__(
        self,
        folder: Path,
        home: Path | None = None,
        *,
        profile: str = DEFAULT_PROFILE,
        policy: str = OPEN_POLICY,
        sections: Mapping[str, str] | None = None,
        rules: str = SERVING_RULES,
        timing: bool = False,
        pin_pad: bool = False,
    ) -> None:
        self.folder = folder
        self.profile = profiles.load(profile)
        self.control = folder / "control"
        self.bus = PrivateBus(policy=policy)
        self._profile_name = profile
        self._store = PkiStore(home)
        self._sections = {"readers": self._readers(timing, pin_pad), **(sections or {})}
        self._rules = rules
        self._running = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as starting:
            starting.enter_context(self.bus)
            authorities = self.folder / "authorities"
            export(self._store, authorities)
            self.daemon = starting.enter_context(
                CarddProcess(
                    self.folder,
                    self.bus.address,
                    authorities=authorities,
                    sections=self._sections,
                    rules=self._rules,
                )
            )
            self._running = starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    @property
    def address(self) -> str:
        """Address of the bus: what an application is to take for the system bus (``DBUS_SYSTEM_BUS_ADDRESS``)."""
        return self.bus.address

    @property
    def pin(self) -> str:
        """PIN of the stage's profile, as a new card has it; fictional."""
        return self.profile.card.pin

    def insert(self, profile: str | None = None) -> None:
        """Put a card in; returns when the reader has it, while cardd still reads it.

        Args:
            profile: whose; None: the card that was in last, at first the stage's.

        Raises: ``ControlError``: no such profile, or a card is in already; ``ControlSocketError``: cardd has ended.
        """
        ask(self.control, "insert", profile=profile)

    def remove(self) -> None:
        """Take the card out, whatever it is doing; a reader without one stays as it is.

        Raises: ``ControlSocketError``.
        """
        ask(self.control, "remove")

    def fault(self, *specifications: str) -> None:
        """Arm faults on the reader.

        Args:
            specifications: as ``sw@3:6F00``; see ``cardsim.faults``.

        Raises: ``ControlError``: one is not understood; ``ControlSocketError``.
        """
        for each in specifications:
            ask(self.control, "fault", fault=each)

    def clear_faults(self) -> None:
        """Disarm what is armed.

        Raises: ``ControlSocketError``.
        """
        ask(self.control, "clear-faults")

    def _readers(self, timing: bool, pin_pad: bool) -> str:
        options = {
            "control": str(self.control),
            "home": str(self._store.directory),
            "inserted": "no",
            "pin-pad": "yes" if pin_pad else "no",
            "profile": self._profile_name,
            "timing": "yes" if timing else "no",
        }
        listed = ", ".join(f"{name} = {_toml(value)}" for name, value in options.items())
        # Programs insert and remove faster than any loose contact.
        return f'backend = "cardsim"\nflapping = 0\noptions = {{ {listed} }}'


def _toml(value: str) -> str:
    """A TOML string (basic string: backslash and quote escaped; paths hold no control characters worth keeping)."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
