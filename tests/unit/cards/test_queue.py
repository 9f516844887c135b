"""The order of work for one card."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.cards.queue import PREFERRED_MOST, FairQueue, Priority, QueueFull


def taken(queue: FairQueue[str]) -> list[str]:
    return queue.drain()


def test_callers_take_turns_each_in_its_own_order() -> None:
    queue: FairQueue[str] = FairQueue(64)
    for job in ("a1", "a2", "a3", "b1", "c1", "b2"):
        queue.put(job, job[0], Priority.NORMAL)
    assert taken(queue) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_authentication_goes_first_and_housekeeping_before_it() -> None:
    queue: FairQueue[str] = FairQueue(64)
    queue.put("sign", "a", Priority.NORMAL)
    queue.put("authenticate", "b", Priority.AUTHENTICATION)
    queue.put("release", "c", Priority.HOUSEKEEPING)
    assert taken(queue) == ["release", "authenticate", "sign"]


def test_an_endless_stream_of_authentications_starves_nobody() -> None:
    queue: FairQueue[str] = FairQueue(64)
    queue.put("sign", "a", Priority.NORMAL)
    served = []
    for number in range(2 * PREFERRED_MOST):
        queue.put(f"authenticate{number}", "b", Priority.AUTHENTICATION)
        served.append(queue.take())
    assert served.index("sign") == PREFERRED_MOST


def test_every_priority_has_its_turn_however_much_there_is_of_the_others() -> None:
    queue: FairQueue[Priority] = FairQueue(64)
    for priority in Priority:
        queue.put(priority, "a", priority)
    served = []
    for _ in range(10 * PREFERRED_MOST):
        job = queue.take()
        assert job is not None
        served.append(job)
        queue.put(job, "a", job)
    for priority in Priority:
        turns = [number for number, job in enumerate(served) if job is priority]
        assert all(later - earlier <= PREFERRED_MOST + 2 for earlier, later in itertools.pairwise(turns))
        assert turns[0] <= PREFERRED_MOST + 1


def test_users_take_turns_however_many_connections_one_has() -> None:
    queue: FairQueue[str] = FairQueue(64)
    for number in range(4):
        queue.put(f"crowd{number}", f":1.{number}", Priority.NORMAL, user=1001)
    for number in range(2):
        queue.put(f"lone{number}", ":1.9", Priority.NORMAL, user=1000)
    assert taken(queue) == ["crowd0", "lone0", "crowd1", "lone1", "crowd2", "crowd3"]


def test_a_users_connections_take_turns_among_themselves() -> None:
    queue: FairQueue[str] = FairQueue(64)
    for job in ("a1", "a2", "b1"):
        queue.put(job, job[0], Priority.NORMAL, user=1000)
    queue.put("other", "c", Priority.NORMAL, user=1001)
    assert taken(queue) == ["a1", "other", "b1", "a2"]


def test_the_queue_is_bounded() -> None:
    queue: FairQueue[str] = FairQueue(4)
    for number, caller in enumerate("abcd"):
        queue.put(caller, caller, Priority.NORMAL, user=number)
    with pytest.raises(QueueFull):
        queue.put("e", "e", Priority.NORMAL, user=5)
    queue.put("release", "e", Priority.HOUSEKEEPING)
    assert len(queue) == 5


def test_who_authenticates_is_not_refused_because_others_have_much_to_sign() -> None:
    queue: FairQueue[str] = FairQueue(4)
    for number, caller in enumerate("abcd"):
        queue.put(caller, caller, Priority.NORMAL, user=number)
    queue.put("authenticate", "e", Priority.AUTHENTICATION, user=5)
    assert queue.take() == "authenticate"


def test_one_caller_cannot_fill_the_queue() -> None:
    queue: FairQueue[str] = FairQueue(4)
    queue.put("1", "a", Priority.NORMAL)
    queue.put("2", "a", Priority.NORMAL)
    with pytest.raises(QueueFull):
        queue.put("3", "a", Priority.NORMAL)
    queue.put("4", "b", Priority.NORMAL)


def test_one_user_cannot_fill_the_queue_by_many_connections() -> None:
    queue: FairQueue[int] = FairQueue(16)
    for number in range(14):
        queue.put(number, f":1.{number}", Priority.NORMAL, user=1001)
    with pytest.raises(QueueFull):
        queue.put(14, ":1.14", Priority.NORMAL, user=1001)
    queue.put(15, ":1.15", Priority.NORMAL, user=1000)


def test_the_smallest_queue_takes_one() -> None:
    queue: FairQueue[str] = FairQueue(1)
    queue.put("1", "a", Priority.NORMAL)
    with pytest.raises(QueueFull):
        queue.put("2", "b", Priority.NORMAL)


def test_a_job_can_be_taken_back() -> None:
    queue: FairQueue[str] = FairQueue(4)
    queue.put("1", "a", Priority.NORMAL)
    assert queue.discard("1")
    assert not queue.discard("1")
    assert queue.take() is None


def test_an_empty_queue_gives_nothing() -> None:
    assert FairQueue[str](4).take() is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(list(Priority)), st.booleans()), max_size=60))
def test_everything_put_is_taken_once_and_in_a_callers_order(jobs: list[tuple[str, Priority, bool]]) -> None:
    queue: FairQueue[tuple[int, str, Priority]] = FairQueue(1000)
    discarded: list[tuple[int, str, Priority]] = []
    kept: list[tuple[int, str, Priority]] = []
    for number, (caller, priority, is_discarded) in enumerate(jobs):
        job = (number, caller, priority)
        queue.put(job, caller, priority, user=ord(caller) % 2)
        (discarded if is_discarded else kept).append(job)
    assert all(queue.discard(job) for job in discarded)
    assert len(queue) == len(kept)
    order = queue.drain()
    assert Counter(order) == Counter(kept)
    assert not len(queue)
    for caller in "abc":
        for priority in Priority:
            own = [job[0] for job in order if job[1:] == (caller, priority)]
            assert own == sorted(own)


@given(st.integers(1, 20), st.integers(1, 20))
def test_two_callers_of_one_priority_alternate(first: int, second: int) -> None:
    queue: FairQueue[str] = FairQueue(1000)
    for _ in range(first):
        queue.put("a", "a", Priority.NORMAL)
    for _ in range(second):
        queue.put("b", "b", Priority.NORMAL)
    together = queue.drain()[: 2 * min(first, second)]
    assert together == ["a", "b"] * min(first, second)
