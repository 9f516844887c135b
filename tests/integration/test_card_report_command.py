"""`cardctl doctor --card-report` on the real pcscd, and the room behind it on the stack in the process."""

from __future__ import annotations

import asyncio
import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cardd.cards.connection import HoldMode
from cardd.errors import CardInUse, ReaderFault, UnknownCard
from cardd.readers.stack import PcscStack, Share
from cardd.report.reading import open_readers
from cardsim import profiles
from cardsim.transports.inprocess import InProcessPcsc
from cardsim.transports.vpcd import VpcdAddress, VpcdReader
from tests.support.core import HOLDER, READER, Core, card_of, running_core
from tests.support.pcscd import PcscdUnavailable, PrivatePcscd

CARDCTL = str(Path(sys.executable).with_name("cardctl"))


@pytest.fixture(scope="module")
def pcscd() -> Iterator[PrivatePcscd]:
    try:
        with PrivatePcscd(readers=2) as running:
            yield running
    except PcscdUnavailable as reason:
        pytest.skip(str(reason))


def doctor(pcscd: PrivatePcscd, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [CARDCTL, "--lang", "en", "doctor", *arguments]
    return subprocess.run(command, env=pcscd.environment, capture_output=True, text=True, timeout=60, check=False)


def report_in(file: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return report


@pytest.mark.parametrize("profile", ["physician", "physician-easy", "physician-cps4"])
def test_a_report_of_the_card_in_a_reader(pcscd: PrivatePcscd, tmp_path: Path, profile: str) -> None:
    reader, file = VpcdReader(VpcdAddress(port=pcscd.ports[0])), tmp_path / "card.json"
    reader.insert(card_of(profile))
    try:
        pcscd.await_card()
        done = doctor(pcscd, "--card-report", str(file))
        assert done.returncode == 0, done.stderr
        assert "no PIN was asked for, and no try spent" in done.stdout
        report = report_in(file)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert report["with-identity"] is False
        assert report["answers"]["sizes of certificates"].count("bytes") == 2
        assert "63C3" in report["answers"]["remaining tries, as VERIFY without data tells them"]
        assert profiles.load(profile).card.serial not in file.read_text("utf-8")
        headers = {command["command"][2:4] for command in report["commands"]}
        assert headers <= {"a4", "b0", "c0", "cb", "20"}
        again = doctor(pcscd, "--card-report", str(file), "--with-identity", "--reader", pcscd.reader_names[0])
        assert again.returncode == 0, again.stderr
        assert "whose card it is" in again.stdout
        assert profiles.load(profile).card.serial in file.read_text("utf-8")
    finally:
        reader.remove()
        pcscd.await_empty()


def test_without_a_card_or_such_a_reader_it_says_so(pcscd: PrivatePcscd, tmp_path: Path) -> None:
    file = tmp_path / "card.json"
    assert "No card is in the reader" in doctor(pcscd, "--card-report", str(file)).stderr
    wrong = doctor(pcscd, "--card-report", str(file), "--reader", "Nothing")
    assert "There is no reader Nothing" in wrong.stderr
    assert "--card-report" in doctor(pcscd, "--with-identity").stderr
    assert not file.exists()


def stack_with(profile: str) -> tuple[PcscStack, str]:
    pcsc = InProcessPcsc()
    reader = pcsc.add_reader("Test Reader 00 00")
    reader.insert(card_of(profile))
    return PcscStack(pcsc), "Test Reader 00 00"


def test_a_card_that_another_program_holds_is_left_alone() -> None:
    stack, reader = stack_with("physician")
    other = stack.establish()
    held = other.connect(reader, Share.EXCLUSIVE)
    with open_readers(stack) as readers, pytest.raises(CardInUse):
        readers.report(reader, with_identity=False)
    assert held.transmit(bytes.fromhex("00B09C000C"))[-2:] == b"\x90\x00"


def test_a_card_that_no_driver_reports_on() -> None:
    class Other:
        atr = bytes.fromhex("3B6500002063CB6800")

    stack, reader = stack_with("physician")
    with open_readers(stack) as readers:
        readers._states = tuple(
            type(state)(state.reader, state.flags, state.counter, Other.atr) for state in readers._states
        )
        with pytest.raises(UnknownCard):
            readers.report(reader, with_identity=False)


def test_no_pcsc_at_all() -> None:
    pcsc = InProcessPcsc()
    pcsc.die()
    with pytest.raises(ReaderFault), open_readers(PcscStack(pcsc)):
        raise AssertionError


@pytest.mark.parametrize("hold", [HoldMode.SESSION, HoldMode.INSERTION])
async def test_beside_a_daemon_it_waits_for_nobody_and_takes_nothing_away(hold: HoldMode) -> None:
    def reported(core: Core) -> int:
        with open_readers(PcscStack(core.pcsc)) as readers:
            return len(readers.report(READER, with_identity=False).commands)

    async with running_core(hold=hold) as core:
        presence = await core.insert(card_of())
        if hold is HoldMode.SESSION:
            assert await asyncio.to_thread(reported, core) > 40
        else:  # the daemon keeps the card from its insertion on
            with pytest.raises(CardInUse):
                await asyncio.to_thread(reported, core)
        session = await core.authenticate(presence)
        with pytest.raises(CardInUse):
            await asyncio.to_thread(reported, core)
        assert await session.sign(HOLDER, "signature", "RS256", bytes(32))
        assert core.heard.ends() == []
