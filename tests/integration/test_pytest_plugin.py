"""The simulator's pytest plugin, as an author of medical software has it."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from cardsim.pki import PkiStore, export
from tests.support.core import pki_store

pytest_plugins = ["pytester"]


@pytest.fixture
def author(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project of its own, whose cards' keys are those of these tests."""
    export(pki_store(), pytester.path / "made")  # its small authorities, before the plugin would make large ones
    pytester.makeini(f"[pytest]\ncardsim_home = {pki_store().directory}\naddopts = -p no:asyncio\n")
    monkeypatch.delenv("CARDD_BUS", raising=False)
    return pytester


def _stages() -> set[Path]:
    return set(Path(os.environ.get("TMPDIR", "/tmp")).glob("cardd-stage-*"))


def _running(folder: str) -> list[str]:
    """Processes whose command line names a folder."""
    lines = (path for path in Path("/proc").glob("[0-9]*/cmdline"))
    found = []
    for path in lines:
        try:
            words = path.read_bytes()
        except OSError:  # ended meanwhile
            continue
        if folder.encode() in words:
            found.append(words.replace(b"\0", b" ").decode())
    return found


def test_a_card_in_the_in_process_reader_has_the_marker_s_holder(author: pytest.Pytester) -> None:
    author.makepyfile(
        """
        import pytest

        @pytest.mark.cps(profile="nurse")
        def test_card(cps_pcsc, cps_reader, cps_card):
            _, context = cps_pcsc.SCardEstablishContext(cps_pcsc.SCARD_SCOPE_SYSTEM)
            _, handle, protocol = cps_pcsc.SCardConnect(
                context, cps_reader.name, cps_pcsc.SCARD_SHARE_EXCLUSIVE, cps_pcsc.SCARD_PROTOCOL_ANY)
            pin = [0x00, 0x20, 0x00, 0x01, 0x08, *cps_card.profile.card.pin.encode().ljust(8, b"\\xff")]
            assert cps_pcsc.SCardTransmit(handle, protocol, pin) == [0, [0x90, 0x00]]
            assert cps_card.profile.name == "nurse"

        def test_another_starts_with_a_card_of_its_own(cps_card):
            assert cps_card.profile.name == "physician"
            cps_card.card.power_on()
            assert cps_card.card.transmit(bytes.fromhex("00200001")).hex() == "63c3"
        """
    )
    author.runpytest_subprocess().assert_outcomes(passed=2)


def test_the_card_of_a_file_beside_the_test(author: pytest.Pytester) -> None:
    source = (Path(__file__).parents[2] / "simulator/cardsim/profiles/physician.toml").read_text()
    (author.path / "mine.toml").write_text(source.replace('pin = "1234"', 'pin = "2468"'))
    author.makepyfile(
        """
        import pytest

        @pytest.mark.cps(profile="mine.toml")
        def test_card(cps_card):
            assert cps_card.profile.card.pin == "2468"
        """
    )
    author.runpytest_subprocess().assert_outcomes(passed=1)


def test_the_card_takes_its_time_where_the_marker_says_so(author: pytest.Pytester) -> None:
    author.makepyfile(
        """
        import pytest
        from cardsim.timing import TimedCard

        @pytest.mark.cps(timing=True)
        def test_slow(cps_card):
            assert isinstance(cps_card.card, TimedCard)

        def test_quick(cps_card):
            assert not isinstance(cps_card.card, TimedCard)
        """
    )
    author.runpytest_subprocess().assert_outcomes(passed=2)


def test_cardd_serves_an_application_and_leaves_nothing(author: pytest.Pytester) -> None:
    before = _stages()
    author.makepyfile(
        """
        import os
        from pathlib import Path

        import pytest
        from cardd.client import blocking

        @pytest.mark.cps(profile="nurse")
        def test_session_ends_with_the_card(cardd):
            Path("folder").write_text(str(cardd.folder))
            cardd.insert()
            with blocking.connect() as client:
                card = client.wait_for_card(timeout=60)
                assert card.get_holder().given_name
                session = card.authenticate(pin=bytearray(cardd.pin.encode()))
                cardd.remove()
                assert session.wait_ended(timeout=60) == "card-removed"

        def test_environment_is_as_before():
            assert "CARDD_BUS" not in os.environ
        """
    )
    author.runpytest_subprocess().assert_outcomes(passed=2)
    folder = (author.path / "folder").read_text()
    assert _running(folder) == []
    assert _stages() - before == set()


def test_the_plugin_imports_nothing_of_cardd(author: pytest.Pytester) -> None:
    author.makepyfile(
        """
        import sys

        def test_names(cardd):
            cardd.insert()
            assert [name for name in sys.modules if name.split(".")[0] in ("cardd", "cardd_drivers")] == []
        """
    )
    author.runpytest_subprocess().assert_outcomes(passed=1)


def test_without_dbus_daemon_it_says_what_to_install(author: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _stages()
    author.makepyfile("def test_it(cardd): pass")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert shutil.which("dbus-daemon") is None
    result = author.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*install the Debian package dbus*"])
    result.stdout.no_fnmatch_line("*Traceback*")
    assert _stages() - before == set()


@pytest.mark.parametrize(
    ("marker", "words"),
    [
        ('cps("nurse")', 'takes profile="NAME" and timing=True'),
        ("cps(profil='nurse')", 'takes profile="NAME" and timing=True'),
        ("cps(profile=3)", 'takes profile="NAME" and timing=True'),
        ("cps(timing='yes')", 'takes profile="NAME" and timing=True'),
        ("cps(profile='nobody')", "no such profile; there are"),
    ],
)
def test_a_marker_that_is_not_understood_is_told(author: pytest.Pytester, marker: str, words: str) -> None:
    author.makepyfile(f"import pytest\n\n@pytest.mark.{marker}\ndef test_it(cps_card): pass")
    result = author.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.re_match_lines([f".*{re.escape(words)}.*"])


def test_keys_are_kept_in_pytest_s_cache(author: pytest.Pytester) -> None:
    author.makeini("[pytest]\naddopts = -p no:asyncio\n")
    home = author.path / ".pytest_cache" / "d" / "cardsim"
    PkiStore(home, authority_key_bits=2048).root_certificate()
    author.makepyfile("def test_it(cps_card): pass")
    author.runpytest_subprocess().assert_outcomes(passed=1)
    made = {path.name for path in (home / "cards").iterdir()}
    author.runpytest_subprocess().assert_outcomes(passed=1)
    assert {path.name for path in (home / "cards").iterdir()} == made != set()
