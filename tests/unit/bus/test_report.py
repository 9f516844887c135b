"""What the log may say of a failure."""

from cardd.bus.report import describe


def fail_with(secret: str) -> None:
    try:
        int(secret)
    except ValueError as error:
        raise RuntimeError(f"could not use {secret}") from error


def test_kinds_and_places_but_no_value() -> None:
    try:
        fail_with("1234x")
    except RuntimeError as error:
        text = describe(error)
    assert "RuntimeError" in text
    assert "ValueError" in text
    assert "bus/test_report.py" in text
    assert "fail_with" in text
    assert "1234" not in text
    assert "could not" not in text


def test_a_failure_that_is_its_own_cause_ends() -> None:
    first, second = ValueError("a"), KeyError("b")
    first.__context__, second.__context__ = second, first
    assert describe(first).count("ValueError") == 1
