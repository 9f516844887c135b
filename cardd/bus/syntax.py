"""What D-Bus allows as names, paths and signatures, and the two failures of whoever breaks it."""

# ruff: noqa: S105  # a "token" here is the letter of a D-Bus type

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from dbus_next.signature import SignatureTree, SignatureType


class Malformed(Exception):
    """Received bytes that are no valid message or body; the text never holds a value."""


class Unsendable(Exception):
    """Something that this side wanted to send and the bus would not take; the text never holds a value."""


class TooLong(Unsendable):
    """A message beyond the limit."""


@lru_cache(maxsize=256)
def parse_signature(signature: str) -> tuple[SignatureType, ...]:
    """The complete types of a signature.

    Raises:
        Malformed: it is no signature.
    """
    try:
        types = tuple(SignatureTree(signature).types)
    except Exception as error:  # InvalidSignatureError, IndexError on some broken ones
        raise Malformed(f"no valid signature ({type(error).__name__})") from None
    if any(_misplaced_entry(kind) for kind in types):
        raise Malformed("a dict entry where none can be")
    return types


def split_signature(signature: str) -> tuple[str, ...]:
    """The complete types of a signature, each as text.

    Raises:
        Malformed: it is no signature.
    """
    return tuple(kind.signature for kind in parse_signature(signature))


def _name_check(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.ASCII)

    @lru_cache(maxsize=1024)
    def check(name: str) -> bool:
        return len(name) <= 255 and compiled.fullmatch(name) is not None

    return check


# D-Bus specification, "Valid Names". Not dbus-next's own: its patterns let a final newline pass.
is_interface_name = _name_check(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
is_member_name = _name_check(r"[A-Za-z_]\w*")
is_bus_name = _name_check(r":[\w-]+(?:\.[\w-]+)+|[A-Za-z_-][\w-]*(?:\.[A-Za-z_-][\w-]*)+")
is_object_path = _name_check(r"/|(?:/\w+)+")
"""Whether this is an object path; those longer than 255 characters are not used here."""


def _misplaced_entry(kind: SignatureType) -> bool:
    """Whether there is a dict entry outside an array, or one with a variant for its key."""
    if kind.token == "{":
        return True
    children = kind.children
    if kind.token == "a" and children[0].token == "{":
        children = children[0].children
        if children[0].token == "v":
            return True
    return any(_misplaced_entry(child) for child in children)
