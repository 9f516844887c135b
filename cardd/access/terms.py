"""How far one consent reaches. No mode is without a limit of uses and of time."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

USES_MAX: Final = 250
SECONDS_MAX: Final = 24 * 3600
"""As the German health connector's comfort signature: 250 signatures within 24 hours (gemSpec_Kon)."""


class ConsentMode(enum.StrEnum):
    """What one consent is for, from the narrowest to the widest."""

    DOCUMENT = "document"
    """One document, by its digest."""
    BATCH = "batch"
    """The documents that the application counted out before."""
    SESSION = "session"
    """Whatever this application asks for, while the session and the limits last."""

    @property
    def width(self) -> int:
        """To compare."""
        return list(ConsentMode).index(self)


@dataclass(frozen=True, slots=True)
class ConsentTerms:
    """The limits of a consent.

    Args:
        mode: what it is for.
        uses: signatures, 1 to 250; 1 in mode document.
        seconds: how long it lasts after it was given, more than 0, at most a day.

    Raises:
        ValueError: no such limits.
    """

    mode: ConsentMode
    uses: int
    seconds: float

    def __post_init__(self) -> None:
        if not 1 <= self.uses <= USES_MAX:
            raise ValueError(f"uses must be from 1 to {USES_MAX}")
        if self.mode is ConsentMode.DOCUMENT and self.uses != 1:
            raise ValueError("a consent for one document has one use")
        if not 0 < self.seconds <= SECONDS_MAX:
            raise ValueError(f"seconds must be more than 0 and at most {SECONDS_MAX}")

    def narrowed(self, mode: ConsentMode, uses: int) -> ConsentTerms:
        """The terms for what an application asks, within these.

        Args:
            mode: what it wants.
            uses: how many documents it has.

        Raises:
            ValueError: it wants more than these terms give; the text says what.
        """
        if mode.width > self.mode.width:
            raise ValueError(f"one consent is for one {self.mode.value} at most, not for a {mode.value}")
        wanted = 1 if mode is ConsentMode.DOCUMENT else uses
        if not 1 <= wanted <= self.uses:
            raise ValueError(f"one consent is for 1 to {self.uses} documents, not for {wanted}")
        return ConsentTerms(mode, wanted, self.seconds)


ONE_DOCUMENT: Final = ConsentTerms(ConsentMode.DOCUMENT, 1, 120)
"""Where a rule says nothing else."""
