"""Challenges that a token's device signs: random, each used once, for half a minute, and never too many of them."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cardd.access.caller import Caller
from cardd.tokens.errors import ChallengeUnknown, ProofReplayed, TooManyChallenges

CHALLENGE_BYTES: Final = 32
LIFETIME: Final = 30.0
"""Seconds that a challenge is good for."""
PER_USER: Final = 64
"""Of one uid; the oldest makes room."""
TOTAL: Final = 4096
"""Of all; then there are no more until some run out. No one user can take them all."""


@dataclass(slots=True)
class _Challenge:
    uid: int
    expires: float
    used: bool = False


class Challenges:
    """The open challenges, and those used within their time.

    Args:
        clock: seconds of a clock that is never set and goes on in suspend (CLOCK_BOOTTIME): the wall clock's being set
            back must not make a challenge last.
        random: gives random bytes.
    """

    def __init__(self, clock: Callable[[], float], random: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._clock = clock
        self._random = random
        # In the order in which they were given, which is that in which they run out.
        self._open: OrderedDict[bytes, _Challenge] = OrderedDict()

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._open)

    def give(self, caller: Caller) -> bytes:
        """A new challenge for a user, 32 bytes. Any connection of the user may answer: scripts make one for each call.

        Raises:
            TooManyChallenges: the store is full.
        """
        self._forget_old()
        own = [challenge for challenge, about in self._open.items() if about.uid == caller.uid]
        if len(own) >= PER_USER:
            del self._open[own[0]]
        elif len(self._open) >= TOTAL:
            raise TooManyChallenges
        challenge = self._random(CHALLENGE_BYTES)
        self._open[challenge] = _Challenge(caller.uid, self._clock() + LIFETIME)
        return challenge

    def take(self, challenge: bytes, caller: Caller) -> None:
        """Use a challenge up, whatever comes of it.

        Raises:
            ChallengeUnknown: not given to this user, or run out.
            ProofReplayed: used before.
        """
        self._forget_old()
        about = self._open.get(challenge)
        if about is None or about.uid != caller.uid:
            raise ChallengeUnknown
        if about.used:
            raise ProofReplayed
        about.used = True

    def _forget_old(self) -> None:
        now = self._clock()
        while self._open and next(iter(self._open.values())).expires <= now:
            self._open.popitem(last=False)
