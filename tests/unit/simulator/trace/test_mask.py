"""What is hidden of an exchange: no byte of a PIN, a key or a plaintext goes by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardsim.trace import Mask

PIN = "31323334FFFFFFFF"
OK = bytes.fromhex("9000")


def run(mask: Mask, *exchanges: tuple[str, str]) -> list[tuple[str, str, bool]]:
    """Let exchanges go by; what is left of them."""
    shown = [mask.hide(bytes.fromhex(command), bytes.fromhex(answer)) for command, answer in exchanges]
    return [(command.hex().upper(), answer.hex().upper(), masked) for command, answer, masked in shown]


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("0020000108" + PIN, "0020000108" + "00" * 8),
        ("1020000108" + PIN, "1020000108" + "00" * 8),  # chained
        ("A020000108" + PIN, "A020000108" + "00" * 8),  # the older side's class
        ("0024000110" + PIN * 2, "0024000110" + "00" * 16),
        ("002C000110" + PIN * 2 + "00", "002C000110" + "00" * 17),
        ("00200001000008" + PIN, "00200001000008" + "00" * 8),  # extended length
        ("00DB3FFF03313233", "00DB3FFF03000000"),
        ("00C20000053132333435", "00C20000050000000000"),
        ("002000", "002000"),  # no command
    ],
)
def test_pins_and_keys_become_zeros(command: str, shown: str) -> None:
    assert run(Mask(), (command, "63C2")) == [(shown, "63C2", shown != command)]


def test_what_is_no_secret_goes_by() -> None:
    exchanges = [
        ("00200001", "63C3"),
        ("00A4020C022F00", "9000"),
        ("00B0000004", "010203049000"),
        ("00C0000002", "AAAA9000"),
    ]
    assert run(Mask(), *exchanges) == [(*each, False) for each in exchanges]


def test_plaintexts_become_zeros_and_so_does_what_get_response_fetches_of_them() -> None:
    shown = run(
        Mask(),
        ("002A808602AAAA", "6102"),
        ("00C0000001", "6C02"),
        ("00C0000002", "AABB6101"),
        ("00C0000001", "CC9000"),
        ("00B0000001", "DD9000"),
        ("00C0000001", "EE9000"),
    )
    assert [answer for _, answer, _ in shown] == ["6102", "6C02", "00006101", "009000", "DD9000", "EE9000"]


def test_reads_after_the_pin_are_hidden_at_wish_until_a_reset() -> None:
    reads = [("00B0000001", "DD9000"), ("00CB3FFF054D030A0B0C", "6101"), ("00C0000001", "EE9000")]
    mask = Mask(protected_reads=True)
    assert [each[1] for each in run(mask, *reads)] == ["DD9000", "6101", "EE9000"]
    run(mask, ("0020000108" + PIN, "63C2"))
    assert [each[1] for each in run(mask, *reads)] == ["DD9000", "6101", "EE9000"]
    run(mask, ("0020000108" + PIN, "9000"))
    assert [each[1] for each in run(mask, *reads)] == ["009000", "6101", "009000"]
    mask.reset()
    assert [each[1] for each in run(mask, *reads)] == ["DD9000", "6101", "EE9000"]


@given(st.sampled_from([0x20, 0x24, 0x2C, 0xDA]), st.integers(0, 255), st.binary(min_size=4, max_size=260))
def test_no_byte_of_a_secret_command_s_data_goes_by(ins: int, cla: int, data: bytes) -> None:
    command = bytes([cla, ins, 0, 1, len(data) & 0xFF or 1]) + data
    hidden, _, _ = Mask().hide(command, OK)
    assert len(hidden) == len(command)
    assert not any(hidden[7:])  # an extended length field ends here at the latest
    if command[4]:
        assert not any(hidden[5:])


@given(st.binary(max_size=40), st.binary(max_size=40), st.booleans())
def test_any_bytes_keep_their_length(command: bytes, answer: bytes, protected: bool) -> None:
    hidden, shown, _ = Mask(protected_reads=protected).hide(command, answer)
    assert (len(hidden), len(shown)) == (len(command), len(answer))
