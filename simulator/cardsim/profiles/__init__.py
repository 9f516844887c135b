"""Profiles: who holds a simulated card and how that card behaves, as readable TOML.

>>> from cardsim import profiles
>>> profiles.load("physician").holder.title
'Médecin'
"""

from __future__ import annotations

from cardsim.profiles.loader import ProfileError, load, names
from cardsim.profiles.model import Activity, CardSettings, CardType, CertificateVariant, Holder, Profile

__all__ = [
    "Activity",
    "CardSettings",
    "CardType",
    "CertificateVariant",
    "Holder",
    "Profile",
    "ProfileError",
    "load",
    "names",
]
