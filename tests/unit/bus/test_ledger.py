"""What calls may take, by connection and together."""

import pytest

from cardd.bus.failures import StandardError, StandardName
from cardd.bus.ledger import Ledger
from cardd.bus.limits import Limits

LIMITS = Limits(
    calls_per_connection=2,
    bytes_per_connection=100,
    descriptors_per_connection=3,
    calls=3,
    bytes=150,
    descriptors=4,
)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(LIMITS)


def refused(ledger: Ledger, sender: str, size: int, descriptors: int) -> bool:
    with pytest.raises(StandardError) as caught:
        ledger.open(sender, size, descriptors)
    return caught.value.name == StandardName.LIMITS_EXCEEDED


def test_calls_of_a_connection(ledger: Ledger) -> None:
    ledger.open("a", 1, 0)
    ledger.open("a", 1, 0)
    assert refused(ledger, "a", 1, 0)
    ledger.open("b", 1, 0)
    ledger.close("a", 1, 0)
    ledger.open("a", 1, 0)


def test_bytes_of_a_connection(ledger: Ledger) -> None:
    ledger.open("a", 60, 0)
    assert refused(ledger, "a", 41, 0)
    ledger.open("a", 40, 0)


def test_descriptors_of_a_connection(ledger: Ledger) -> None:
    assert refused(ledger, "a", 1, 4)
    ledger.open("a", 1, 3)
    assert refused(ledger, "a", 1, 1)


def test_all_together(ledger: Ledger) -> None:
    ledger.open("a", 90, 3)
    assert refused(ledger, "b", 61, 0)
    assert refused(ledger, "b", 1, 2)
    ledger.open("b", 1, 1)
    ledger.open("c", 1, 0)
    assert refused(ledger, "d", 1, 0)


def test_what_is_over_is_forgotten(ledger: Ledger) -> None:
    for number in range(100):
        ledger.open(f":{number}", 50, 2)
        ledger.close(f":{number}", 50, 2)
    assert ledger.calls == 0
    assert not ledger._by_sender


def test_a_refusal_counts_nothing(ledger: Ledger) -> None:
    assert refused(ledger, "a", 1000, 0)
    assert ledger.calls == 0
    assert not ledger._by_sender
