"""Descriptors with an owner."""

import os
from collections.abc import Iterator

import pytest

from cardd.bus.descriptors import OwnedFd, close_all, descriptors_in


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@pytest.fixture
def fd() -> Iterator[int]:
    """A descriptor that the test owns: closed at its end if it is still open."""
    take, put = os.pipe2(os.O_CLOEXEC)
    os.close(put)
    yield take
    if is_open(take):
        os.close(take)


def test_closing_closes_once(fd: int) -> None:
    owned = OwnedFd(fd)
    owned.close()
    assert not is_open(fd)
    owned.close()
    assert owned.closed


def test_leaving_the_context_closes(fd: int) -> None:
    with OwnedFd(fd) as owned:
        assert owned.fileno() == fd
    assert not is_open(fd)


def test_taking_leaves_it_open_and_the_owner_empty(fd: int) -> None:
    owned = OwnedFd(fd)
    assert owned.take() == fd
    owned.close()
    assert is_open(fd)
    with pytest.raises(ValueError, match="closed or taken"):
        owned.fileno()
    with pytest.raises(ValueError, match="closed or taken"):
        owned.take()


def test_forgetting_closes(fd: int) -> None:
    owned = OwnedFd(fd)
    del owned
    assert not is_open(fd)


def test_a_copy_lives_by_itself_and_is_not_inherited(fd: int) -> None:
    owned = OwnedFd(fd)
    with owned.duplicate() as copy:
        owned.close()
        assert is_open(copy.fileno())
        assert not os.get_inheritable(copy.fileno())


def test_negative_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        OwnedFd(-1)


def test_every_descriptor_in_a_value_is_found() -> None:
    first, second, third = (OwnedFd(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)) for _ in range(3))
    found = list(descriptors_in((first, [b"x", {"k": second}], ({"l": [third]},), "text")))
    assert found == [first, second, third]
    close_all(found)
    assert first.closed
    assert second.closed
    assert third.closed
