"""Keys in files: a software certificate, mostly an establishment's. The key is opened in a process of its own.

Named by the entry point ``software`` of the group ``cardd.token_sources``; configured by ``[[drivers.software]]``.
"""

from cardd_drivers.software.source import make_source

__all__ = ["make_source"]
