from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from cardd.access.caller import Caller
from cardd.tokens.challenges import CHALLENGE_BYTES, LIFETIME, PER_USER, TOTAL, Challenges
from cardd.tokens.errors import ChallengeUnknown, ProofReplayed, TooManyChallenges
from tests.unit.tokens.support import CALLER, STRANGER


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_random_and_once() -> None:
    challenges = Challenges(Seconds())
    first, second = challenges.give(CALLER), challenges.give(CALLER)
    assert first != second
    assert len(first) == CHALLENGE_BYTES
    challenges.take(first, CALLER)
    with pytest.raises(ProofReplayed):
        challenges.take(first, CALLER)
    challenges.take(second, CALLER)


def test_for_half_a_minute() -> None:
    clock = Seconds()
    challenges = Challenges(clock)
    early, late = challenges.give(CALLER), challenges.give(CALLER)
    clock.now += LIFETIME - 0.001
    challenges.take(early, CALLER)
    clock.now += 0.001
    with pytest.raises(ChallengeUnknown):
        challenges.take(late, CALLER)
    assert len(challenges) == 0


def test_for_the_same_user() -> None:
    challenges = Challenges(Seconds())
    challenge = challenges.give(CALLER)
    with pytest.raises(ChallengeUnknown):
        challenges.take(challenge, STRANGER)
    challenges.take(challenge, Caller(":1.99", uid=CALLER.uid))


def test_the_oldest_of_a_user_makes_room() -> None:
    challenges = Challenges(Seconds())
    others = challenges.give(STRANGER)
    given = [challenges.give(CALLER) for _ in range(PER_USER + 1)]
    with pytest.raises(ChallengeUnknown):
        challenges.take(given[0], CALLER)
    challenges.take(given[1], CALLER)
    challenges.take(others, STRANGER)


def test_never_too_many() -> None:
    clock = Seconds()
    challenges = Challenges(clock)
    for uid in range(TOTAL // PER_USER):
        for _ in range(PER_USER):
            challenges.give(Caller(":1.1", uid=uid))
    with pytest.raises(TooManyChallenges):
        challenges.give(Caller(":1.1", uid=TOTAL))
    assert len(challenges) == TOTAL
    clock.now += LIFETIME
    challenges.give(Caller(":1.1", uid=TOTAL))
    assert len(challenges) == 1


class ChallengesModel(RuleBasedStateMachine):
    """Whatever is given, waited for and taken, in any order: once, in time, by its user, else refused."""

    given = Bundle("given")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Seconds()
        self.challenges = Challenges(self.clock)
        self.used: set[bytes] = set()

    @rule(target=given, caller=st.sampled_from([CALLER, STRANGER]))
    def give(self, caller: Caller) -> tuple[bytes, Caller, float]:
        return self.challenges.give(caller), caller, self.clock.now

    @rule(seconds=st.floats(0, 20))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(one=given, caller=st.sampled_from([CALLER, STRANGER]))
    def take(self, one: tuple[bytes, Caller, float], caller: Caller) -> None:
        challenge, owner, at = one
        late = self.clock.now >= at + LIFETIME
        if late or caller is not owner:
            with pytest.raises(ChallengeUnknown):
                self.challenges.take(challenge, caller)
        elif challenge in self.used:
            with pytest.raises(ProofReplayed):
                self.challenges.take(challenge, caller)
        else:
            self.challenges.take(challenge, caller)
            self.used.add(challenge)

    @rule(one=consumes(given))
    def strange(self, one: tuple[bytes, Caller, float]) -> None:
        with pytest.raises(ChallengeUnknown):
            self.challenges.take(bytes(reversed(one[0])), one[1])

    @invariant()
    def bounded(self) -> None:
        assert len(self.challenges) <= 2 * PER_USER


TestChallengesModel = ChallengesModel.TestCase
