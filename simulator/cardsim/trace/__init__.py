"""What a card is asked and what it answers: to look at, to keep, and to read in words. Secrets are hidden at once."""

from __future__ import annotations

from cardsim.trace.decode import Decoder
from cardsim.trace.feed import ExchangeFeed
from cardsim.trace.mask import Mask
from cardsim.trace.transcript import Entry, TranscriptError, load

__all__ = ["Decoder", "Entry", "ExchangeFeed", "Mask", "TranscriptError", "load"]
