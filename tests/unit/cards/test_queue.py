"""The order of work for one card."""

from __future__ import annotations

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


def test_the_queue_is_bounded() -> None:
    queue: FairQueue[str] = FairQueue(4)
    for caller in "abcd":
        queue.put(caller, caller, Priority.NORMAL)
    with pytest.raises(QueueFull):
        queue.put("e", "e", Priority.AUTHENTICATION)
    queue.put("release", "e", Priority.HOUSEKEEPING)
    assert len(queue) == 5


def test_one_caller_cannot_fill_the_queue() -> None:
    queue: FairQueue[str] = FairQueue(4)
    queue.put("1", "a", Priority.NORMAL)
    queue.put("2", "a", Priority.AUTHENTICATION)
    with pytest.raises(QueueFull):
        queue.put("3", "a", Priority.NORMAL)
    queue.put("4", "b", Priority.NORMAL)


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


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(list(Priority))), max_size=60))
def test_everything_put_is_taken_once_and_in_a_callers_order(jobs: list[tuple[str, Priority]]) -> None:
    queue: FairQueue[tuple[int, str, Priority]] = FairQueue(1000)
    put = [(number, caller, priority) for number, (caller, priority) in enumerate(jobs)]
    for job in put:
        queue.put(job, job[1], job[2])
    order = queue.drain()
    assert Counter(order) == Counter(put)
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
