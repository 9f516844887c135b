"""How long a real card takes: its line, by its answer to reset, and its own work, by command.

>>> from cardsim.timing import TimedCard, VirtualTime
>>> time = VirtualTime()
>>> card = TimedCard(card, wait=time.wait)  # doctest: +SKIP
>>> card.power_on(); time.seconds  # doctest: +SKIP
0.018972
"""

from __future__ import annotations

from cardsim.timing.card import TimedCard, VirtualTime
from cardsim.timing.line import Line
from cardsim.timing.work import Work

__all__ = ["Line", "TimedCard", "VirtualTime", "Work"]
