"""Hashes from an intermediate state, against hashlib."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardsim.hashing import BLOCK_SIZE, HashAlgorithm, finish

REFERENCES = {HashAlgorithm.SHA1: hashlib.sha1, HashAlgorithm.SHA256: hashlib.sha256}
ALGORITHMS = pytest.mark.parametrize("algorithm", list(HashAlgorithm))


def state_after(algorithm: HashAlgorithm, blocks: bytes) -> bytes:
    """The chaining value, found by the one property that defines it: compressing block by block."""
    words = algorithm.value.initial
    for offset in range(0, len(blocks), BLOCK_SIZE):
        words = algorithm.value.compress(words, blocks[offset : offset + BLOCK_SIZE])
    return b"".join(word.to_bytes(4, "big") for word in words)


@ALGORITHMS
@given(message=st.binary(max_size=300))
def test_whole_hash(algorithm: HashAlgorithm, message: bytes) -> None:
    """From the start."""
    assert finish(algorithm, b"", 0, message) == REFERENCES[algorithm](message).digest()


@ALGORITHMS
@given(blocks=st.integers(1, 4), last=st.binary(min_size=1, max_size=64), seed=st.binary(min_size=1, max_size=8))
def test_last_round(algorithm: HashAlgorithm, blocks: int, last: bytes, seed: bytes) -> None:
    """From the state after some blocks."""
    before = (seed * (blocks * BLOCK_SIZE))[: blocks * BLOCK_SIZE]
    digest = finish(algorithm, state_after(algorithm, before), 8 * len(before), last)
    assert digest == REFERENCES[algorithm](before + last).digest()


@ALGORITHMS
@pytest.mark.parametrize(("length", "bits"), [(5, 512), (0, 512), (None, 0), (None, 100)])
def test_states_that_cannot_be_are_refused(algorithm: HashAlgorithm, length: int | None, bits: int) -> None:
    """A state of a wrong size, a count of no whole blocks, one without the other."""
    size = algorithm.digest_size if length is None else length
    with pytest.raises(ValueError, match=r"state|bits"):
        finish(algorithm, bytes(size), bits, b"x")
