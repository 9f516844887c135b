"""How the story looks in the terminal, and how it ends when a claim is not true."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_BOLD, _DIM, _GREEN, _RED, _PLAIN = ("\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[0m")


class ClaimFailedError(Exception):
    """Something that the story claims is not so."""


class Terminal:
    """Prints steps and checks; counts the checks."""

    def __init__(self) -> None:
        self._colours = sys.stdout.isatty()
        self._step = 0
        self.checks = 0

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One step of the story, with the time that it took."""
        self._step += 1
        print(f"\n{self._in(_BOLD, f'{self._step}. {title}')}", flush=True)
        begun = time.monotonic()
        yield
        print(self._in(_DIM, f"   {(time.monotonic() - begun) * 1000:.0f} ms"), flush=True)

    def say(self, text: str) -> None:
        """One line of the story."""
        print("   " + text.replace("\n", "\n   "), flush=True)

    def check(self, claim: str, holds: object) -> None:
        """A claim, and what was found.

        Raises:
            ClaimFailedError: it does not hold.
        """
        if not holds:
            print(f"   {self._in(_RED, 'not so:')} {claim}", flush=True)
            raise ClaimFailedError(claim)
        self.checks += 1
        print(f"   {self._in(_GREEN, 'ok')} {claim}", flush=True)

    def _in(self, style: str, text: str) -> str:
        return f"{style}{text}{_PLAIN}" if self._colours else text
