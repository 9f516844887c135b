"""Chaining, GET RESPONSE, Le in T=0 and T=1."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from cardsim.card import CardProtocol
from tests.unit.simulator.conftest import MakeHost
from tests.unit.simulator.host import Host

GET_KEY = "00CB3FFF0A4D087006BF900202A080"
KEY = "7013BF90020FA00D80020100A1078C05331111FF00"


def test_t0_announces_and_get_response_fetches(host: Host) -> None:
    """Case 4 without Le: 61xx, then the data, then nothing more."""
    host.ready()
    assert host.send(GET_KEY) == "6115"
    assert host.send("00C0000015") == KEY + "9000"
    assert host.send("00C0000015") == "6985"


def test_t0_leaves_an_le_behind_the_data_aside(host: Host) -> None:
    """A T=0 card never sees it."""
    assert host.ready().send(GET_KEY + "00") == "6115"


def test_get_response_in_pieces(host: Host) -> None:
    """A shorter Le is followed by 61xx with what is left, also after 6100."""
    host.ready().send("002241A406800102840182")
    assert host.send("0088000003010203") == "6100"
    first = host.send("00C00000E7")
    assert (len(first), first[-4:]) == (2 * (231 + 2), "6119")
    second = host.send("00C0000019")
    assert (len(second), second[-4:]) == (2 * (25 + 2), "9000")


def test_get_response_for_too_much_is_corrected(host: Host) -> None:
    """6Cxx, and the data still wait."""
    host.ready().send(GET_KEY)
    assert host.send("00C0000016") == "6C15"
    assert host.send("00C0000000") == "6C15"
    assert host.send("00C0000015") == KEY + "9000"


@pytest.mark.parametrize("between", ["0020000100", "00A4090C043F000001", "0000000000", "00C00100"])
def test_another_command_drops_what_waits(host: Host, between: str) -> None:
    """Only GET RESPONSE keeps it."""
    host.ready().send(GET_KEY)
    host.send(between)
    expected = KEY + "9000" if between.startswith("00C0") else "6985"
    assert host.send("00C0000015") == expected


def test_t1_answers_at_once(make_host: MakeHost) -> None:
    """With Le the data come; a shorter Le leaves the rest to GET RESPONSE; without Le they wait."""
    host = make_host(protocol=CardProtocol.T1).ready()
    assert host.send(GET_KEY + "00") == KEY + "9000"
    assert host.send(GET_KEY + "10") == KEY[:32] + "6105"
    assert host.send("00C0000005") == KEY[32:] + "9000"
    assert host.send(GET_KEY) == "6115"


def test_wrong_le_is_corrected_and_the_answer_kept(host: Host) -> None:
    """6Cxx on a case 2 command; repeated rightly it gives the same answer, once."""
    host.ready()
    host.send("002241AA03800140")
    host.send("002241B606800142840181")
    host.send("002A90A0059000800161")
    assert host.send("002A9E9A20") == "6C00"
    assert host.send("002A9E9A00")[-4:] == "9000"
    assert host.send("002A9E9A00") == "6985"
    assert host.send("0084000007") == "6C08"
    assert len(host.send("0084000008")) == 20


def test_wrong_le_forgets_when_another_command_comes(host: Host) -> None:
    """The kept answer is for the very next command."""
    host.ready()
    host.send("002241AA03800140")
    host.send("002241B606800142840181")
    host.send("002A90A0059000800161")
    host.send("002A9E9A20")
    host.send("0020000100")
    assert host.send("002A9E9A00") == "6985"


def test_chain(host: Host, authentication_key: rsa.RSAPrivateKey) -> None:
    """A command in two parts: the first is acknowledged, the last executed on the whole."""
    host.ready().send("002241B80680011A840182")
    cryptogram = "81" + authentication_key.public_key().encrypt(b"plain", padding.PKCS1v15()).hex()
    assert host.send("102A8086FF" + cryptogram[:510]) == "9000"
    assert host.ask("002A808602" + cryptogram[510:]) == b"plain".hex().upper() + "9000"


def test_chain_in_many_parts(host: Host, authentication_key: rsa.RSAPrivateKey) -> None:
    """The cuts are the host's to choose."""
    host.ready().send("002241B80680011A840182")
    cryptogram = "81" + authentication_key.public_key().encrypt(b"plain", padding.PKCS1v15()).hex()
    for offset in range(0, 500, 100):
        assert host.send("102A808632" + cryptogram[offset : offset + 100]) == "9000"
    assert host.ask("002A808607" + cryptogram[500:]) == b"plain".hex().upper() + "9000"


def test_another_command_within_a_chain(host: Host) -> None:
    """6883 and the chain is dropped."""
    host.ready().send("102A808601FF")
    assert host.send("0020000100") == "6883"
    assert host.send("0020000100") == "9000"


def test_endless_chain(host: Host) -> None:
    """A card's memory ends."""
    host.ready()
    answers = [host.send("102A8086FF" + "00" * 255) for _ in range(5)]
    assert answers == ["9000", "9000", "9000", "9000", "6700"]


def test_reset_ends_chain_and_waiting_data(host: Host) -> None:
    """Transmission state is volatile."""
    host.ready().send("102A808601FF")
    host.reset()
    assert host.send("0020000100") == "63C3"
    host.ready().send(GET_KEY)
    host.reset()
    assert host.send("00C0000015") == "6985"


def test_direct_answers(make_host: MakeHost) -> None:
    """In T=0 data are answered at once where the switch says so."""
    select = "00A40904043F002F01"
    assert make_host().send(select) == "6127"
    assert make_host(direct_answers=True).send(select) == make_host().ask(select)


def test_extended_lengths(make_host: MakeHost) -> None:
    """Refused, or a whole file in one answer."""
    read = "00B00000000000"
    strict, lenient = make_host(), make_host(extended_length=True, protocol=CardProtocol.T1)
    for host in (strict, lenient):
        host.ask("00A40904063F000001A001")
    assert strict.send(read) == "6700"
    assert len(lenient.send(read)) == 2 * (700 + 2)
