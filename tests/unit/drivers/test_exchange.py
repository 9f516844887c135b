"""The chain of processors: 61xx, 6Cxx, chaining, T=0 case 4."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cardd_drivers.apdu import SW, Command, Secrecy
from cardd_drivers.contract import CardReset, MalformedCardData, Transport, UnexpectedResponse
from cardd_drivers.exchange import RESPONSE_MAX, Exchange
from tests.support.replay import ScriptedChannel, answers

READ = Command(0x00, 0xB0, 0x00, 0x00, le=256)
SIGN = Command(0x00, 0x2A, 0x9E, 0x9A, b"\x11" * 32, le=256)


def exchange(
    answer: Callable[[Command], bytes], transport: Transport = Transport.T0
) -> tuple[Exchange, ScriptedChannel]:
    channel = ScriptedChannel(answer, transport)
    return Exchange(channel), channel


def test_6cxx_repeats_once_with_the_right_le() -> None:
    sender, channel = exchange(answers("6C03", "AABBCC9000"))
    assert sender.send(READ).data == b"\xaa\xbb\xcc"
    assert channel.lines == ["00B0000000", "00B0000003"]


def test_6c00_means_256() -> None:
    sender, channel = exchange(answers("6C00", "AA9000"))
    sender.send(Command(0x00, 0xB0, 0x00, 0x00, le=12))
    assert channel.sent[1].le == 256


def test_6cxx_again_and_again_ends_after_two_commands() -> None:
    sender, channel = exchange(lambda _: b"\x6c\x05")
    with pytest.raises(UnexpectedResponse):
        sender.send(READ)
    assert len(channel.sent) == 2


def test_6cxx_where_no_length_was_asked_is_not_repeated() -> None:
    sender, channel = exchange(lambda _: b"\x6c\x05")
    with pytest.raises(UnexpectedResponse):
        sender.send(Command(0x00, 0x20, 0x00, 0x01, b"1234"))
    assert len(channel.sent) == 1


def test_61xx_is_gathered_in_as_many_rounds_as_the_card_wants() -> None:
    sender, channel = exchange(answers("6100", "AA" * 231 + "6119", "BB" * 25 + "9000"))
    response = sender.send(SIGN)
    assert response.data == b"\xaa" * 231 + b"\xbb" * 25
    assert channel.lines[1:] == ["00C0000000", "00C0000019"]


def test_6cxx_to_a_get_response_is_obeyed() -> None:
    sender, channel = exchange(answers("6100", "6C02", "AABB9000"))
    assert sender.send(SIGN).data == b"\xaa\xbb"
    assert channel.lines[1:] == ["00C0000000", "00C0000002"]


def test_an_error_while_gathering_comes_back_with_its_status() -> None:
    sender, _ = exchange(answers("6110", "AA6105", "6F00"))
    assert sender.send(SIGN).sw.value == 0x6F00


def test_an_endless_response_is_refused_within_its_bounds() -> None:
    sender, channel = exchange(lambda _: b"\xaa" * 256 + b"\x61\x00")
    with pytest.raises(MalformedCardData):
        sender.send(SIGN)
    assert len(channel.sent) <= RESPONSE_MAX // 256 + 2


def test_an_endless_trickle_is_refused_within_its_bounds() -> None:
    sender, channel = exchange(lambda _: b"\xaa\x61\x01")
    with pytest.raises(MalformedCardData):
        sender.send(SIGN)
    assert len(channel.sent) <= 2 * RESPONSE_MAX // 256 + 1


def test_a_driver_that_expects_little_waits_for_little() -> None:
    channel = ScriptedChannel(lambda _: b"\xaa\x61\x01")
    with pytest.raises(MalformedCardData):
        Exchange(channel, response_max=256).send(SIGN)
    assert len(channel.sent) == 9


def test_a_last_round_that_brings_too_much_is_refused() -> None:
    channel = ScriptedChannel(answers("6100", "AA" * 200 + "6100", "BB" * 200 + "9000"))
    with pytest.raises(MalformedCardData):
        Exchange(channel, response_max=256).send(SIGN)


def test_61xx_without_any_data_is_refused_at_once() -> None:
    sender, channel = exchange(lambda _: b"\x61\x10")
    with pytest.raises(MalformedCardData):
        sender.send(SIGN)
    assert len(channel.sent) == 2


def test_less_than_was_announced_is_refused() -> None:
    sender, _ = exchange(answers("6119", "AA" * 24 + "9000"))
    with pytest.raises(MalformedCardData, match="an end before its time"):
        sender.send(SIGN)


def test_a_command_after_a_broken_chain_is_sent_once_more() -> None:
    sender, channel = exchange(answers("6883", "AA9000"))
    assert sender.send(READ).data == b"\xaa"
    assert channel.lines == ["00B0000000"] * 2


def test_6883_again_comes_back_after_two_commands() -> None:
    sender, channel = exchange(lambda _: b"\x68\x83")
    assert sender.send(READ).sw == SW.LAST_COMMAND_OF_CHAIN_EXPECTED
    assert len(channel.sent) == 2


def test_a_secret_is_never_sent_again_after_a_broken_chain() -> None:
    sender, channel = exchange(lambda _: b"\x68\x83")
    sender.send(Command(0x00, 0x20, 0x00, 0x01, b"1234", secrecy=Secrecy.SECRET_DATA))
    assert len(channel.sent) == 1


def test_more_than_was_asked_is_refused() -> None:
    sender, _ = exchange(answers("AA" * 13 + "9000"))
    with pytest.raises(MalformedCardData):
        sender.send(Command(0x00, 0xB0, 0x9C, 0x00, le=12))


def test_t0_sends_case_4_without_le_and_case_2_with_it() -> None:
    sender, channel = exchange(lambda _: b"\x90\x00")
    sender.send(SIGN)
    sender.send(READ)
    assert [command.le for command in channel.sent] == [None, 256]


def test_t1_sends_case_4_with_le() -> None:
    sender, channel = exchange(lambda _: b"\x90\x00", Transport.T1)
    sender.send(SIGN)
    assert channel.sent[0].le == 256


def test_an_answer_at_once_instead_of_61xx_is_taken() -> None:
    sender, channel = exchange(answers("AA" * 256 + "9000"))
    assert len(sender.send(SIGN).data) == 256
    assert len(channel.sent) == 1


def test_long_data_is_chained_and_the_last_command_bears_the_le() -> None:
    sender, channel = exchange(lambda _: b"\x90\x00", Transport.T1)
    data = bytes(range(256)) + b"\xff"
    sender.send_chained(Command(0x00, 0x2A, 0x80, 0x86, le=256), data)
    assert [(each.cla, each.le) for each in channel.sent] == [(0x10, None), (0x00, 256)]
    assert b"".join(bytes(each.data) for each in channel.sent) == data


def test_short_data_is_one_command() -> None:
    sender, channel = exchange(lambda _: b"\x90\x00")
    sender.send_chained(Command(0x00, 0x2A, 0x80, 0x86), b"\x81" * 255)
    assert [each.cla for each in channel.sent] == [0x00]


def test_a_refusal_within_a_chain_ends_it() -> None:
    sender, channel = exchange(answers("6700"))
    assert sender.send_chained(Command(0x00, 0x2A, 0x80, 0x86), bytes(600)).sw.value == 0x6700
    assert len(channel.sent) == 1


def test_get_response_keeps_the_secrecy_of_the_response_and_chaining_that_of_the_command() -> None:
    sender, channel = exchange(answers("9000", "6102", "AABB9000"))
    command = Command(0x00, 0x2A, 0x80, 0x86, le=256, secrecy=Secrecy.SECRET_RESPONSE)
    sender.send_chained(command, bytes(257))
    assert {each.secrecy for each in channel.sent} == {Secrecy.SECRET_RESPONSE}
    assert channel.sent[2].ins == 0xC0


def test_data_that_its_owner_wipes_is_sent_uncopied() -> None:
    secret = bytearray(b"1234")
    sender, channel = exchange(lambda _: b"\x90\x00")
    sender.send(Command(0x00, 0x20, 0x00, 0x01, secret, secrecy=Secrecy.SECRET_DATA))
    assert channel.given[0].data is secret


def on_channel_1(
    answer: Callable[[Command], bytes], transport: Transport = Transport.T1
) -> tuple[Exchange, ScriptedChannel]:
    channel = ScriptedChannel(answer, transport)
    return Exchange(channel, logical_channel=1), channel


def test_a_logical_channel_is_in_every_class_byte() -> None:
    sender, channel = on_channel_1(answers("9000", "6102", "AABB9000", "6C01", "AA9000"))
    assert sender.send_chained(SIGN, b"\x11" * 256).data == b"\xaa\xbb"
    sender.send(READ)
    assert [line[:8] for line in channel.lines] == ["112A9E9A", "012A9E9A", "01C00000", "01B00000", "01B00000"]


def test_on_a_logical_channel_secrets_are_the_caller_s_to_wipe() -> None:
    sender, channel = on_channel_1(answers("9000"))
    secret = bytearray(b"1234")
    sender.send(Command(0x00, 0x20, 0x00, 0x01, secret, secrecy=Secrecy.SECRET_DATA))
    assert channel.given[0].data is secret
    assert channel.given[0].secrecy is Secrecy.SECRET_DATA


@pytest.mark.parametrize("command", [READ, SIGN, Command(0x00, 0xA4, 0x08, 0x00, b"\x00\x01")])
def test_a_logical_channel_that_is_closed_was_reset(command: Command) -> None:
    sender, channel = on_channel_1(answers("6881"))
    with pytest.raises(CardReset):
        sender.send(command)
    assert len(channel.sent) == 1


def test_a_select_that_may_open_the_channel_is_told_its_status() -> None:
    sender, _ = on_channel_1(answers("6881"))
    assert sender.send(Command(0x00, 0xA4, 0x04, 0x0C, b"\xa0" * 8)).sw.value == 0x6881


def test_on_the_basic_channel_6881_is_a_status_like_others() -> None:
    sender, _ = exchange(answers("6881"))
    assert sender.send(READ).sw.value == 0x6881
