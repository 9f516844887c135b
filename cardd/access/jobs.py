"""Job numbers: short enough to be compared by eye, on the application's window and on the agent's."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection, Sequence
from typing import Final

LETTERS: Final = "ABCDEFGHJKLMNPRSTUVWXYZ"
"""Without I, O and Q, which look like 1 and 0."""
DIGITS: Final = "23456789"

_FORM: Final = re.compile(rf"[{LETTERS}]{{3}}-[{DIGITS}]{{3}}")

Choose = Callable[[Sequence[str]], str]


def new_job_number(taken: Collection[str], choose: Choose = secrets.choice) -> str:
    """A number that no open job has, like "KXR-482": one of six million.

    Args:
        taken: numbers of open jobs, far fewer than there are numbers.
        choose: takes one of several characters at random.
    """
    while True:
        number = "".join(choose(LETTERS) for _ in range(3)) + "-" + "".join(choose(DIGITS) for _ in range(3))
        if number not in taken:
            return number


def is_job_number(text: str) -> bool:
    """Whether a text has the form of one."""
    return _FORM.fullmatch(text) is not None
