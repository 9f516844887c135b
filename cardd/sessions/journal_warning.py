"""What an administrator is warned of while the journal cannot be written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cardd.errors import N_
from cardd.journal import Trouble

_SENTENCES: Final[Mapping[Trouble, str]] = {
    Trouble.FULL: N_(
        "The journal's disk or quota is full: nothing is served until there is room. It then goes on by itself."
    ),
    Trouble.READ_ONLY: N_(
        "The journal's file system is mounted read-only: nothing is served until it is mounted for writing. It then "
        "goes on by itself."
    ),
    Trouble.NOT_PERMITTED: N_(
        "cardd may not write the journal's directory or a file in it: nothing is served. Give them to the user cardd."
    ),
    Trouble.MISSING: N_("The journal's directory is missing: nothing is served. Create it for the user cardd."),
    Trouble.IN_USE: N_("Another process writes the journal: nothing is served. Stop that process."),
}
_OTHERWISE: Final = N_("The journal cannot be written: nothing is served. See `sudo journalctl -u cardd`.")


def warning_of(trouble: Trouble) -> str:
    """One sentence in English, a message id of the catalogue."""
    return _SENTENCES.get(trouble, _OTHERWISE)
