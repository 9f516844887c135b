"""The cards of one simulator, by profile: each is made once and keeps what happened to it (PIN, tries)."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cardsim import profiles
from cardsim.look_alike import LOOK_ALIKES, LookAlikeCard
from cardsim.personalise import personalise
from cardsim.pki import PkiStore
from cardsim.timing import TimedCard

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cardsim.card import SimulatedCard
    from cardsim.profiles import Profile

DEFAULT_PROFILE = "physician"


@dataclass(frozen=True, slots=True)
class PreparedCard:
    """A card with what it was made from.

    Attributes:
        profile: its holder and settings.
        card: the card itself.
    """

    profile: Profile
    card: SimulatedCard

    @property
    def name(self) -> str:
        """Return the profile's name."""
        return self.profile.name

    def is_same_card(self, other: PreparedCard | PreparedLookAlike | None) -> bool:
        """Return whether it is the other one, or that one's other interface: a card is in one place."""
        if not isinstance(other, PreparedCard):
            return False
        ours, theirs = self.profile.card, other.profile.card
        return self.card is other.card or (ours.serial == theirs.serial and ours.interface is not theirs.interface)


@dataclass(frozen=True, slots=True)
class PreparedLookAlike:
    """A card that is but an answer to reset (``cardsim.look_alike``).

    Attributes:
        name: what it is.
        card: the card itself.
    """

    name: str
    card: LookAlikeCard

    def is_same_card(self, other: PreparedCard | PreparedLookAlike | None) -> bool:
        """Return whether it is the other one."""
        return self is other


class CardCupboard:
    """Makes cards of profiles and keeps them.

    Args:
        home: directory of the fictional PKI and the cards' keys; None: the user's own.
        make: makes a card of a profile.
        timing: every card takes the time of a real one; else those whose profile says so.
    """

    def __init__(
        self,
        home: Path | None = None,
        make: Callable[[Profile, PkiStore], SimulatedCard] = personalise,
        *,
        timing: bool = False,
    ) -> None:
        self._store = PkiStore(home)
        self._make = make
        self._timing = timing
        self._lock = threading.Lock()
        self._prepared: dict[str, PreparedCard] = {}
        self._look_alikes = {name: PreparedLookAlike(name, LookAlikeCard(atr)) for name, atr in LOOK_ALIKES.items()}

    def card(self, name: str) -> PreparedCard:
        """Return the card of a profile, the same at each call.

        Args:
            name: of a profile, or the path of its file.

        Raises: ``profiles.ProfileError``, ``PkiStoreError``, ``OSError``.
        """
        with self._lock:
            if name not in self._prepared:
                profile = profiles.load(name)
                card = self._make(profile, self._store)
                timed = self._timing or profile.timing
                self._prepared[name] = PreparedCard(profile, TimedCard(card) if timed else card)
            return self._prepared[name]

    def any_card(self, name: str) -> PreparedCard | PreparedLookAlike:
        """Return a look-alike by its name, else as ``card``."""
        return self._look_alikes.get(name) or self.card(name)

    def owner(self, card: SimulatedCard | None) -> PreparedCard | PreparedLookAlike | None:
        """Return what a card was made from; None for a card that is not from here."""
        with self._lock:
            kept: tuple[PreparedCard | PreparedLookAlike, ...] = (*self._prepared.values(), *self._look_alikes.values())
            return next((each for each in kept if each.card is card), None)
