"""Selection and reading."""

from __future__ import annotations

import pytest

from cardd_drivers.contract import MalformedCardData, SecurityStatusNotSatisfied, UnexpectedResponse
from cardd_drivers.ias_ecc.commands import ShortFileId
from cardd_drivers.ias_ecc.cps3 import CPS3
from cardd_drivers.ias_ecc.files import CERTIFICATE_MAX, DIRECTORY_MAX, FILE_MAX, Files, df_of, locate
from cardd_drivers.ias_ecc.generation import Location
from cardd_drivers.ias_ecc.objects import Application, Path
from tests.support.replay import Conduct, LongRead, RecordedCard, ScriptedChannel, answers, recorded

APPLICATION = Application(b"\xe8" * 13, "", bytes.fromhex("3F000001"))
PATHLESS = Application(bytes.fromhex("E828BD080F8025000001FF0010"), "", None)
A002 = Path(bytes.fromhex("A002"))


def path(text: str) -> Path:
    return Path(bytes.fromhex(text))


def opened(card: RecordedCard) -> tuple[Files, ScriptedChannel]:
    channel = ScriptedChannel(card.answer)
    return Files(*CPS3.way(channel)), channel


def scripted(*raw: str) -> tuple[Files, ScriptedChannel]:
    channel = ScriptedChannel(answers(*raw))
    return Files(*CPS3.way(channel)), channel


def holding(card: RecordedCard, data: bytes, where: str = "3F000001D1F0") -> RecordedCard:
    card.files[bytes.fromhex(where)] = bytearray(data)
    return card


@pytest.mark.parametrize(
    ("application", "where", "df", "identifier"),
    [
        (APPLICATION, "7001", "3F000001", "7001"),
        (APPLICATION, "3F0000017001", "3F000001", "7001"),
        (APPLICATION, "3F002F00", "3F00", "2F00"),
        (APPLICATION, "00057001", "3F0000010005", "7001"),
        (PATHLESS, "7001", "E828BD080F8025000001FF0010", "7001"),
    ],
)
def test_paths_lead_to_a_df_and_an_identifier(application: Application, where: str, df: str, identifier: str) -> None:
    assert locate(application, path(where)) == Location(bytes.fromhex(df), bytes.fromhex(identifier))


@pytest.mark.parametrize(("application", "where"), [(APPLICATION, ""), (APPLICATION, "3F00"), (PATHLESS, "00057001")])
def test_paths_that_lead_to_no_file_are_refused(application: Application, where: str) -> None:
    with pytest.raises(MalformedCardData):
        locate(application, path(where))


def test_a_df_is_selected_once() -> None:
    files, channel = opened(recorded("cps3-real"))
    files.select_df(df_of(APPLICATION))
    files.select_df(df_of(APPLICATION))
    assert channel.lines == ["00A4090C043F000001"]


def test_a_file_under_the_current_df_is_selected_by_its_identifier_and_once() -> None:
    files, channel = opened(recorded("cps3-real"))
    files.select_df(df_of(APPLICATION))
    for _ in range(2):
        files.read_file(APPLICATION, path("7001"), DIRECTORY_MAX, structured=True)
    assert channel.lines[1:] == ["00A4020C027001", "00B0000000", "00B0000000"]


def test_a_file_elsewhere_is_selected_by_its_path_and_makes_its_parent_current() -> None:
    files, channel = opened(recorded("cps3-real"))
    files.read_file(APPLICATION, path("3F0000017001"), DIRECTORY_MAX, structured=True)
    files.select_df(df_of(APPLICATION))
    assert channel.lines == ["00A4090C063F0000017001", "00B0000000"]


def test_an_application_without_a_path_is_selected_by_its_name() -> None:
    files, channel = opened(recorded("cps3-real"))
    files.read_file(PATHLESS, path("7001"), DIRECTORY_MAX, structured=True)
    assert channel.lines[:2] == ["00A4040C0DE828BD080F8025000001FF0010", "00A4020C027001"]


def test_after_a_refused_select_nothing_is_taken_for_selected() -> None:
    files, channel = scripted("9000", "6A82", "9000")
    files.select_df(df_of(APPLICATION))
    with pytest.raises(UnexpectedResponse):
        files.select_df(bytes.fromhex("3F000005"))
    files.select_df(df_of(APPLICATION))
    assert len(channel.sent) == 3


def test_a_card_that_must_give_an_fcp_gives_it_from_then_on() -> None:
    files, channel = opened(recorded("cps3-real", Conduct(select_without_answer=False)))
    files.select_df(df_of(APPLICATION))
    files.read_file(APPLICATION, path("7001"), DIRECTORY_MAX, structured=True)
    selects = [line for line in channel.lines if line.startswith("00A4")]
    assert selects == ["00A4090C043F000001", "00A40904043F000001", "00A40204027001"]


def test_the_serial_number_needs_no_select_at_the_master_file() -> None:
    files, channel = opened(recorded("cps3-real"))
    assert len(files.read_short(ShortFileId.EF_SN, 12)) == 12
    assert channel.lines == ["00B09C000C"]


def test_elsewhere_the_master_file_is_selected_first() -> None:
    card = recorded("cps3-real")
    files, channel = opened(card)
    files.select_df(df_of(APPLICATION))
    files.read_short(ShortFileId.EF_SN, 12)
    assert channel.lines[1:] == ["00A4090C023F00", "00B09C000C"]


def test_a_card_that_another_program_left_elsewhere_is_brought_back() -> None:
    card = recorded("cps3-real")
    opened(card)[0].select_df(df_of(APPLICATION))
    files, channel = opened(card)
    assert len(files.read_short(ShortFileId.EF_SN, 12)) == 12
    assert channel.lines == ["00B09C000C", "00A4090C023F00", "00B09C000C"]


def test_an_applet_that_another_program_left_is_selected_by_its_name() -> None:
    files, channel = scripted("6E00", "6E00", "9000", "AABB9000")
    assert files.read_short(ShortFileId.EF_SN, 12) == b"\xaa\xbb"
    assert channel.lines[2] == "00A4040C088025000001FF0100"


@pytest.mark.parametrize("long_read", LongRead)
@pytest.mark.parametrize("size", [1, 255, 256, 257, 512, 800])
@pytest.mark.parametrize("structured", [True, False])
def test_a_file_is_read_to_its_end(long_read: LongRead, size: int, structured: bool) -> None:
    content = bytes(size) if structured else b"\x49" * size
    files, _ = opened(holding(recorded("cps3-real", Conduct(long_read)), content))
    assert files.read_file(APPLICATION, path("D1F0"), FILE_MAX, structured) == content


@pytest.mark.parametrize(
    "conduct",
    [
        Conduct(LongRead.SHORT, read_max=231),
        Conduct(LongRead.WRONG_LE, read_max=231),
        Conduct(LongRead.SHORT, read_max=231, refuse_over_max=True),
        Conduct(LongRead.END_OF_FILE, read_max=231, refuse_over_max=True),
        Conduct(LongRead.SHORT, read_max=128),
    ],
)
def test_a_card_that_gives_less_at_a_time_loses_nothing(conduct: Conduct) -> None:
    content = b"\x04\x82\x02\x58" + b"\x49" * 600
    for structured in (True, False):
        files, _ = opened(holding(recorded("cps3-real", conduct), content))
        assert files.read_file(APPLICATION, path("D1F0"), FILE_MAX, structured) == content
        certificate = bytes(recorded("cps3-real").files[bytes.fromhex("3F000001A002")])
        assert files.read_certificate(APPLICATION, A002) == certificate


def test_a_part_of_a_file_is_read_alone() -> None:
    files, channel = opened(holding(recorded("cps3-real"), bytes(range(100))))
    part = Path(bytes.fromhex("D1F0"), index=10, length=20)
    assert files.read_file(APPLICATION, part, FILE_MAX, structured=False) == bytes(range(10, 30))
    assert channel.lines[-1] == "00B0000A14"


def test_a_certificate_is_read_to_its_length_and_never_past_it() -> None:
    card = recorded("cps3-real")
    where = bytes.fromhex("3F000001A002")
    certificate = bytes(card.files[where])
    card.files[where] += bytes(1000)
    files, channel = opened(card)
    assert files.read_certificate(APPLICATION, A002) == certificate
    assert len(channel.sent) == 9
    assert channel.sent[-1].le == len(certificate) % 256


@pytest.mark.parametrize("size", [5, 200, 256, 257, 512])
def test_certificates_of_any_length_are_read(size: int) -> None:
    content = b"\x30\x82" + (size - 4).to_bytes(2, "big") + b"\x01" * (size - 4)
    files, channel = opened(holding(recorded("cps3-real"), content + bytes(50)))
    assert files.read_certificate(APPLICATION, path("D1F0")) == content
    assert len(channel.sent) == 1 + -(-size // 256)


@pytest.mark.parametrize(
    "content",
    [
        b"\x30\x83\x00\xff\xff" + bytes(9000),
        b"\x30\x84\xff\xff\xff\xff" + bytes(9000),
        b"\x30\x82" + (CERTIFICATE_MAX - 3).to_bytes(2, "big") + bytes(9000),
        b"\x30\x80" + bytes(9000),
        b"\x04\x82\x01\x00" + bytes(9000),
        b"\x30",
    ],
    ids=["64 KiB", "4 GiB", "one byte over the limit", "indefinite", "no SEQUENCE", "one byte"],
)
def test_an_endless_or_strange_certificate_is_refused_at_once(content: bytes) -> None:
    files, channel = opened(holding(recorded("cps3-real"), content))
    with pytest.raises(MalformedCardData):
        files.read_certificate(APPLICATION, path("D1F0"))
    assert len(channel.sent) == 2


def test_a_certificate_that_was_cut_is_refused() -> None:
    files, _ = opened(holding(recorded("cps3-real"), b"\x30\x82\x03\x00" + bytes(300)))
    with pytest.raises(MalformedCardData, match="cut"):
        files.read_certificate(APPLICATION, path("D1F0"))


def test_a_file_longer_than_it_may_be_is_refused() -> None:
    files, channel = opened(holding(recorded("cps3-real"), bytes(20_000)))
    with pytest.raises(MalformedCardData):
        files.read_file(APPLICATION, path("D1F0"), DIRECTORY_MAX, structured=True)
    assert len(channel.sent) <= 2 + DIRECTORY_MAX // 256 + 1


def test_an_endless_file_ends_where_read_binary_does() -> None:
    channel = ScriptedChannel(lambda command: b"\x49" * (command.le or 0) + b"\x90\x00")
    with pytest.raises(MalformedCardData):
        Files(*CPS3.way(channel)).read_file(APPLICATION, path("D1F0"), 1 << 20, structured=False)
    assert len(channel.sent) <= 130


def test_a_card_that_trickles_is_refused() -> None:
    channel = ScriptedChannel(lambda command: b"\x90\x00" if command.ins == 0xA4 else b"\x30\x82\x07\x00\x49\x90\x00")
    with pytest.raises(MalformedCardData):
        Files(*CPS3.way(channel)).read_certificate(APPLICATION, A002)
    assert len(channel.sent) <= 3


def test_a_protected_file_wants_the_pin() -> None:
    for raw in (("6982",), ("9000", "6982")):
        files, _ = scripted(*raw)
        with pytest.raises(SecurityStatusNotSatisfied):
            files.read_file(APPLICATION, A002, FILE_MAX, structured=False)


def test_any_other_refusal_is_told_with_its_command() -> None:
    files, _ = scripted("9000", "6F00")
    with pytest.raises(UnexpectedResponse, match="00b00000 answered 6F00"):
        files.read_file(APPLICATION, A002, FILE_MAX, structured=False)
