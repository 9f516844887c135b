"""The roots of the health PKI that are trusted, by their SHA-256 fingerprints.

The certificates themselves are not shipped: an administrator adds them (`cardctl trust add`), and each must be the
one whose fingerprint stands here.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

PINNED_ROOTS: Final = MappingProxyType(
    {
        # A professional's card is issued below FORT.
        "53d30a19570826bde0c0762501f1f1c7a659f976c6c023123df5239df34a4eea": "AC RACINE IGC-SANTE FORT",
        "5891815e864506c662afb32f8de5b8de38bffa1af721780b69e19a0c050386c3": "AC RACINE IGC-SANTE STANDARD",
        "2d9e22ca19f777c6b745257c723ecb8df3c35fa6f1f6ec36b83600c97346967f": "AC RACINE IGC-SANTE ELEMENTAIRE",
    }
)
"""Fingerprint (64 lower-case hexadecimal digits) to common name; as published for IGC-Santé, roots of 2013 to 2033."""
