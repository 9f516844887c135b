"""Equivalent devices: tokens of any PKCS#11 module, each used in a process of its own.

Named by the entry point ``pkcs11`` of the group ``cardd.token_sources``; configured by ``[[drivers.pkcs11]]``.
"""

from cardd_drivers.pkcs11.source import make_source

__all__ = ["make_source"]
