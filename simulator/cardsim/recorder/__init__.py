"""Records what programs say to a card in a real reader, and plays a recording as a card.

Nobody can listen to the exchanges of other programs with pcscd. So the recorder holds the card's reader alone, and
offers the card a second time, in a virtual reader (vpcd): what programs say to it there goes through our hands.
"""

from __future__ import annotations

from cardsim.recorder.bridge import Bridge
from cardsim.recorder.real_card import RealCard
from cardsim.recorder.replay import ReplayedCard

__all__ = ["Bridge", "RealCard", "ReplayedCard"]
