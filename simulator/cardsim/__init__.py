"""cardsim: a simulated French health professional card (CPS), with a fictional PKI and profiles of holders.

A card in three lines, without any reader:

>>> from cardsim import PkiStore, personalise, profiles
>>> card = personalise(profiles.load("physician"), PkiStore(directory))  # doctest: +SKIP
>>> card.power_on(); card.transmit(bytes.fromhex("0020000100")).hex()  # doctest: +SKIP
'63c3'
"""

from __future__ import annotations

from cardsim import profiles
from cardsim.card import CardProtocol, SimulatedCard
from cardsim.personalise import personalise
from cardsim.pki import PkiStore

__all__ = ["CardProtocol", "PkiStore", "SimulatedCard", "personalise", "profiles"]
