"""Host-side RSA paddings: against the library for what is right, by executed instructions for what must not differ."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from hypothesis import given
from hypothesis import strategies as st

from cardd_drivers import rsa_padding
from cardd_drivers.contract import DecipherFailed
from cardd_drivers.rsa_padding import encode_pkcs1, encode_pss, mgf1, remove_oaep, remove_pkcs1

SIZE = 256
DIGEST = hashlib.sha256(b"document").digest()
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
SHA256 = utils.Prehashed(hashes.SHA256())


@pytest.fixture(scope="module", params=[2048, 1031])
def key(request: pytest.FixtureRequest) -> rsa.RSAPrivateKey:
    """Also a modulus whose length is no multiple of 8 bits."""
    return rsa.generate_private_key(65537, request.param)


def private_operation(key: rsa.RSAPrivateKey, block: bytes) -> bytes:
    """The raw operation of a card."""
    numbers = key.private_numbers()
    result = pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n)
    return result.to_bytes((key.key_size + 7) // 8, "big")


def test_signatures_over_encoded_digests_verify(key: rsa.RSAPrivateKey) -> None:
    size = (key.key_size + 7) // 8
    pkcs1, pss = encode_pkcs1(DIGEST, size), encode_pss(DIGEST, key.key_size)
    assert (len(pkcs1), len(pss)) == (size, size)
    key.public_key().verify(private_operation(key, pkcs1), DIGEST, padding.PKCS1v15(), SHA256)
    key.public_key().verify(private_operation(key, pss), DIGEST, PSS, SHA256)


def test_each_pss_block_has_a_salt_of_its_own() -> None:
    assert encode_pss(DIGEST, 2048) != encode_pss(DIGEST, 2048)
    assert encode_pss(DIGEST, 2048, lambda count: b"s" * count) == encode_pss(DIGEST, 2048, lambda count: b"s" * count)


@pytest.mark.parametrize("bits", [2041, 2042, 2047, 2048, 2049])
def test_a_pss_block_is_below_any_modulus_of_its_bits(bits: int) -> None:
    block = encode_pss(DIGEST, bits)
    assert len(block) == (bits + 7) // 8
    assert int.from_bytes(block, "big").bit_length() < bits


def test_moduli_too_short_are_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        encode_pkcs1(DIGEST, 61)
    with pytest.raises(ValueError, match="too short"):
        encode_pss(DIGEST, 520)
    assert len(encode_pkcs1(DIGEST, 62)) == 62
    assert len(encode_pss(DIGEST, 528)) == 66


@pytest.mark.parametrize("length", [0, 1, 16, 53, 62])
def test_what_the_library_encrypts_is_recovered(key: rsa.RSAPrivateKey, length: int) -> None:
    message = os.urandom(length)
    cryptogram = key.public_key().encrypt(message, padding.PKCS1v15())
    assert remove_pkcs1(private_operation(key, cryptogram)) == message
    cryptogram = key.public_key().encrypt(message, OAEP)
    assert remove_oaep(private_operation(key, cryptogram)) == message


def pkcs1_block(message: bytes, *, first: int = 0, block_type: int = 2, filler: int = 0xA5) -> bytearray:
    """A block in the form of EME-PKCS1-v1_5."""
    filling = bytes((filler,)) * (SIZE - len(message) - 3)
    return bytearray((first, block_type)) + filling + b"\x00" + message


def oaep_block(message: bytes, *, first: int = 0, label: bytes = b"", fill: bytes = b"", mark: int = 1) -> bytearray:
    """A block in the form of EME-OAEP."""
    zeros = SIZE - 66 - len(message) - len(fill)
    data = hashlib.sha256(label).digest() + bytes(zeros) + fill + bytes((mark,)) + message
    seed = b"\x5a" * 32
    masked = bytes(left ^ right for left, right in zip(data, mgf1(seed, len(data)), strict=True))
    masked_seed = bytes(left ^ right for left, right in zip(seed, mgf1(masked, 32), strict=True))
    return bytearray((first,)) + masked_seed + masked


PKCS1_WRONG = {
    "first byte": pkcs1_block(b"m", first=1),
    "first byte, high bit": pkcs1_block(b"m", first=0x80),
    "block type": pkcs1_block(b"m", block_type=1),
    "padding of 7 bytes": pkcs1_block(b"x" * (SIZE - 10)),
    "no padding": pkcs1_block(b"x" * (SIZE - 3)),
    "no separator": pkcs1_block(b"")[:-1] + b"\xa5",
    "all zero": bytearray(SIZE),
    "all ones": bytearray(b"\xff" * SIZE),
}
OAEP_WRONG = {
    "first byte": oaep_block(b"m", first=1),
    "label": oaep_block(b"m", label=b"another"),
    "filling": oaep_block(b"m", fill=b"\x02"),
    "filling, earlier": oaep_block(b"m", fill=b"\x80" + bytes(40)),
    "no separator": oaep_block(b"", mark=0),
    "separator of another value": oaep_block(bytes(20), mark=3),
    "all zero": bytearray(SIZE),
}


@pytest.mark.parametrize("name", PKCS1_WRONG)
def test_a_wrong_pkcs1_padding_is_one_error_without_a_reason(name: str) -> None:
    with pytest.raises(DecipherFailed) as refused:
        remove_pkcs1(bytes(PKCS1_WRONG[name]))
    assert str(refused.value) == ""


@pytest.mark.parametrize("name", OAEP_WRONG)
def test_a_wrong_oaep_padding_is_one_error_without_a_reason(name: str) -> None:
    with pytest.raises(DecipherFailed) as refused:
        remove_oaep(bytes(OAEP_WRONG[name]))
    assert str(refused.value) == ""


def test_the_blocks_that_are_wrong_in_one_thing_are_right_without_it() -> None:
    assert remove_pkcs1(bytes(pkcs1_block(b"m"))) == b"m"
    assert remove_pkcs1(bytes(pkcs1_block(b"x" * (SIZE - 11)))) == b"x" * (SIZE - 11)
    assert remove_oaep(bytes(oaep_block(b"m"))) == b"m"
    assert remove_oaep(bytes(oaep_block(b"x" * 190))) == b"x" * 190


Executed = list[tuple[str, int]]
"""Function and offset of each bytecode instruction, in order."""


def executed(function: Callable[[bytes], bytearray], block: bytes) -> tuple[Executed, Executed]:
    """Every bytecode instruction of the module that a call runs, in order: up to the verdict, and behind it.

    The verdict is the branch on what was collected; what follows it differs, as its outcome does.
    """
    ran: Executed = []
    verdicts: list[int] = []

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        if frame.f_code.co_filename != rsa_padding.__file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            ran.append((frame.f_code.co_name, frame.f_lasti))
        elif event == "line" and frame.f_lineno == verdict_line(function):
            verdicts.append(len(ran))
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        function(block)
    except DecipherFailed:
        pass
    finally:
        sys.settrace(previous)
    (verdict,) = verdicts
    return ran[:verdict], ran[verdict:]


def verdict_line(function: Callable[[bytes], bytearray]) -> int:
    """The one line of a function that reads ``if bad:``."""
    with open(rsa_padding.__file__, encoding="utf-8") as source:
        lines = source.read().splitlines()
    start = function.__code__.co_firstlineno
    return next(number for number, line in enumerate(lines[start:], start + 1) if line.strip() == "if bad:")


@pytest.mark.parametrize(
    ("function", "right", "wrong"),
    [(remove_pkcs1, pkcs1_block, PKCS1_WRONG), (remove_oaep, oaep_block, OAEP_WRONG)],
)
def test_what_runs_up_to_the_verdict_is_the_same_whatever_is_in_the_block(
    function: Callable[[bytes], bytearray], right: Callable[[bytes], bytearray], wrong: dict[str, bytearray]
) -> None:
    before, _ = executed(function, bytes(right(b"message")))
    assert len(before) > 10 * SIZE
    for block in (*wrong.values(), right(b""), right(b"another length"), os.urandom(SIZE)):
        assert executed(function, bytes(block))[0] == before


@pytest.mark.parametrize(("function", "wrong"), [(remove_pkcs1, PKCS1_WRONG), (remove_oaep, OAEP_WRONG)])
def test_what_runs_behind_the_verdict_is_the_same_for_every_failure(
    function: Callable[[bytes], bytearray], wrong: dict[str, bytearray]
) -> None:
    behind = [executed(function, bytes(block))[1] for block in wrong.values()]
    assert all(each == behind[0] for each in behind)


@given(st.binary(min_size=SIZE, max_size=SIZE))
def test_any_block_is_refused_or_has_the_form(block: bytes) -> None:
    try:
        message = remove_pkcs1(block)
    except DecipherFailed:
        return
    assert block[:2] == b"\x00\x02"
    assert block.endswith(b"\x00" + message)


@given(st.binary(max_size=190), st.integers(0, 0xFF))
def test_any_message_comes_through_both(message: bytes, filler: int) -> None:
    assert remove_oaep(bytes(oaep_block(message))) == message
    assert remove_pkcs1(bytes(pkcs1_block(message, filler=filler or 1))) == message


@given(st.binary(max_size=66))
def test_blocks_too_short_for_any_message_are_refused(block: bytes) -> None:
    with pytest.raises(DecipherFailed):
        remove_oaep(block)
    with pytest.raises(DecipherFailed):
        remove_pkcs1(block[:10])
