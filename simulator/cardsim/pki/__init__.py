"""A fictional PKI with the profile of the French health PKI: every name and number is invented."""

from __future__ import annotations

from cardsim.pki.authorities import Hierarchy
from cardsim.pki.export import export
from cardsim.pki.store import CardCredentials, PkiStore, default_directory

__all__ = ["CardCredentials", "Hierarchy", "PkiStore", "default_directory", "export"]
