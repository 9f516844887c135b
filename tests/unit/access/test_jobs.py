"""Job numbers."""

from cardd.access.jobs import is_job_number, new_job_number


def test_a_number_is_short_and_unlike_any_open_one() -> None:
    taken: set[str] = set()
    for _ in range(500):
        number = new_job_number(taken)
        assert is_job_number(number)
        assert number not in taken
        taken.add(number)


def test_a_number_that_is_taken_is_drawn_again() -> None:
    draws = iter("AAA222" + "BBB333")
    assert new_job_number({"AAA-222"}, lambda letters: next(draws)) == "BBB-333"


def test_what_is_no_number() -> None:
    assert not any(
        map(is_job_number, ["", "AAA-22", "AAA-2222", "aaa-222", "IOQ-222", "AAA-222\n", "AAA 222", "AAA-٢٢٢"])
    )
