"""Which driver speaks to a card: found by entry point, chosen by the card's answer to reset."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from cardd_drivers.contract import CardError, Channel, Driver, Match

DRIVERS_GROUP: Final = "cardd.drivers"
_NEEDED: Final = ("matches", "probe", "open")

logger = logging.getLogger(__name__)


class Drivers:
    """The drivers that can be used.

    Args:
        drivers: in the order in which rivals are asked; of two with one name the first counts.
    """

    def __init__(self, drivers: Iterable[Driver]) -> None:
        self._drivers: dict[str, Driver] = {}
        for driver in drivers:
            if driver.name in self._drivers:
                logger.error("two drivers are named %s; the second is left out", driver.name)
            else:
                self._drivers[driver.name] = driver

    @classmethod
    def discover(cls) -> Drivers:
        """Load every driver that is installed; one that cannot be loaded is logged and left out."""
        entries = sorted(entry_points(group=DRIVERS_GROUP), key=lambda entry: entry.name)
        return cls([driver for entry in entries if (driver := _load(entry)) is not None])

    @property
    def names(self) -> Sequence[str]:
        """Their names."""
        return tuple(self._drivers)

    def knows(self, atr: bytes) -> bool:
        """Whether some driver may speak to a card with this answer to reset."""
        return any(_match(driver, atr) > Match.NO for driver in self._drivers.values())

    def choose(self, atr: bytes, channel: Callable[[], Channel]) -> Driver | None:
        """The driver for a card, or None when no one knows it.

        Args:
            atr: the card's answer to reset.
            channel: a way to the card, asked for only when drivers are equally sure and must probe it.

        Raises:
            CardError: the card or the reader failed during a probe.
        """
        judged = [(match, driver) for driver in self._drivers.values() if (match := _match(driver, atr)) > Match.NO]
        best = max((match for match, _ in judged), default=Match.NO)
        rivals = [driver for match, driver in judged if match == best]
        if len(rivals) <= 1:
            return rivals[0] if rivals else None
        way = channel()
        return next((driver for driver in rivals if _probe(driver, way)), None)


def _load(entry: EntryPoint) -> Driver | None:
    try:
        loaded: Any = entry.load()
        missing = [name for name in _NEEDED if not callable(getattr(loaded, name, None))]
        if not isinstance(getattr(loaded, "name", None), str) or not loaded.name:
            missing.append("name")
    except Exception:  # a third party's code: whatever it raises, the others must serve
        logger.exception("driver %s is left out", entry.value)
        return None
    if missing:
        logger.error("driver %s is left out: it lacks %s", entry.value, ", ".join(missing))
        return None
    driver: Driver = loaded
    return driver


def _match(driver: Driver, atr: bytes) -> Match:
    try:
        return Match(driver.matches(atr))
    except Exception:  # a third party's code, given bytes of an unknown card
        logger.exception("driver %s fails on ATR %s", driver.name, atr.hex())
        return Match.NO


def _probe(driver: Driver, channel: Channel) -> bool:
    try:
        return driver.probe(channel)
    except CardError:
        raise
    except Exception:  # a third party's code, given answers of an unknown card
        logger.exception("driver %s fails in its probe", driver.name)
        return False
