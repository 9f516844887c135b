"""Why the journal does not serve."""

from __future__ import annotations

import enum
import errno


class Trouble(enum.StrEnum):
    """What keeps the journal from writing."""

    FULL = "full"
    READ_ONLY = "read-only"
    INPUT_OUTPUT = "input-output"
    NOT_PERMITTED = "not-permitted"
    MISSING = "missing"
    IN_USE = "in-use"
    BUSY = "busy"
    CLOSED = "closed"
    INTERNAL = "internal"


_BY_NUMBER = {
    errno.ENOSPC: Trouble.FULL,
    errno.EDQUOT: Trouble.FULL,
    errno.EFBIG: Trouble.FULL,
    errno.EROFS: Trouble.READ_ONLY,
    errno.EACCES: Trouble.NOT_PERMITTED,
    errno.EPERM: Trouble.NOT_PERMITTED,
    errno.ENOENT: Trouble.MISSING,
    errno.EWOULDBLOCK: Trouble.IN_USE,
}

_SENTENCES = {
    Trouble.FULL: "its disk or quota is full: free some space, it goes on by itself",
    Trouble.READ_ONLY: "its file system is mounted read-only: mount it for writing, it goes on by itself",
    Trouble.INPUT_OUTPUT: "its disk fails: look at the kernel's log",
    Trouble.NOT_PERMITTED: "its directory or a file in it may not be written: give them to the daemon's user",
    Trouble.MISSING: "its directory is missing: create it",
    Trouble.IN_USE: "another process writes it: stop that one",
    Trouble.BUSY: "it has too much to write already: try again in a moment",
    Trouble.CLOSED: "it is closed, the daemon stops",
    Trouble.INTERNAL: "something unforeseen went wrong: the log tells",
}


class JournalUnavailable(Exception):
    """What was to be written is not written; nothing may be done on the strength of it.

    Args:
        trouble: what is wrong.
        detail: the system's own words, empty if there are none.
    """

    def __init__(self, trouble: Trouble, detail: str = "") -> None:
        self.trouble = trouble
        self.detail = detail
        said = f" ({detail})" if detail else ""
        super().__init__(f"The journal cannot be written, {_SENTENCES[trouble]}{said}.")


def trouble_of(error: OSError) -> JournalUnavailable:
    """The failure of a system call, as the journal's own."""
    trouble = _BY_NUMBER.get(error.errno or 0, Trouble.INPUT_OUTPUT)
    return JournalUnavailable(trouble, error.strerror or type(error).__name__)


class LineMalformed(ValueError):
    """A line is none that the journal writes.

    Args:
        problem: what is wrong with it.
    """

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"not a line of the journal: {problem}")
