"""A JOSE library that the project does not otherwise use: what it verifies, others can."""

from __future__ import annotations

from jwcrypto import jwk, jws

__all__ = ["jwk", "jws"]
