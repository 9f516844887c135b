"""Three ways to hold the card on the real pcscd, and what OpenSC's programs can do to it meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from cardd.cards.connection import HoldMode
from cardd.errors import CardInUse, SessionEnded
from cardd.readers.stack import Disposition, PcscError, Share, load_stack
from cardd.sessions.session import Session
from cardd.sessions.states import EndReason, State
from cardsim.transports.vpcd import VpcdAddress, VpcdReader
from tests.support.core import HOLDER, PATIENCE, PIN, CoreOn, card_of, running_core_on_pcscd
from tests.support.pcscd import PcscdUnavailable, PrivatePcscd

DIGEST = hashlib.sha256(b"prescription").digest()
SIGN_AS_IT_IS = ("00A4090C043F000001", "002241B606840181800142", "002A9E9A20" + DIGEST.hex(), "00C0000000")
"""A signature without a PIN: SELECT the application, MSE, COMPUTE DIGITAL SIGNATURE, GET RESPONSE."""
SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")
"""DigestInfo of SHA-256 (RFC 8017, 9.2)."""
AUTHENTICATION_KEY = "e828bd080f8025000001ff001002"
OK, WANTS_ITS_PIN = b"\x90\x00", b"\x69\x82"
PROGRAM_SECONDS = 60
"""What takes longer than this waits for the card, instead of being told that it cannot have it."""

MakeCore = Callable[[HoldMode], AbstractAsyncContextManager[CoreOn[VpcdReader]]]
pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("opensc-tool", "pkcs11-tool")),
    reason="opensc is not installed",
)


@pytest.fixture(scope="module")
def pcscd() -> Iterator[PrivatePcscd]:
    """One private pcscd for this module."""
    try:
        with PrivatePcscd() as running:
            yield running
    except PcscdUnavailable as reason:
        pytest.skip(f"pcscd unavailable: {reason}")


class Stranger:
    """OpenSC's programs, run by somebody else on the same reader.

    Args:
        pcscd: where the reader is.
        folder: for what is signed.
    """

    def __init__(self, pcscd: PrivatePcscd, folder: Path) -> None:
        self._pcscd = pcscd
        self._signature = folder / "signature"
        self._digest = folder / "digest"
        self._digest.write_bytes(SHA256_PREFIX + DIGEST)

    async def commands(self) -> str:
        """Have opensc-tool sign with whatever PIN was given before; what it says."""
        sent = [part for command in SIGN_AS_IT_IS for part in ("-s", command)]
        return (await self._run("opensc-tool", *sent))[1]

    async def sign(self, *pin: str) -> bytes:
        """Have pkcs11-tool sign; what it got, nothing if it failed."""
        self._signature.unlink(missing_ok=True)
        files = ["--input-file", str(self._digest), "--output-file", str(self._signature)]
        login = ["--login", "--pin", *pin] if pin else []
        await self._run("pkcs11-tool", *login, "--sign", "--id", AUTHENTICATION_KEY, "--mechanism", "RSA-PKCS", *files)
        return self._signature.read_bytes() if self._signature.exists() else b""

    async def reset(self) -> None:
        """Have opensc-tool reset the card; it must succeed."""
        status, said = await self._run("opensc-tool", "--reset")
        assert status == 0, said

    @asynccontextmanager
    async def holding(self) -> AsyncIterator[None]:
        """OpenSC's PKCS#11 module loaded and idle, as in a browser: it keeps the card connected."""
        browser = await asyncio.create_subprocess_exec(
            "pkcs11-tool",
            "--test-hotplug",
            env=self._pcscd.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert browser.stdout is not None
        assert browser.stdin is not None
        try:
            async with asyncio.timeout(PROGRAM_SECONDS):
                await browser.stdout.readuntil(b"press return")  # it waits there
            yield
        finally:
            browser.stdin.close()
            await browser.wait()

    async def _run(self, *command: str) -> tuple[int, str]:
        done = await asyncio.to_thread(
            subprocess.run,
            command,
            env=self._pcscd.environment,
            capture_output=True,
            check=False,
            timeout=PROGRAM_SECONDS,
        )
        return done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")


@pytest.fixture
def stranger(pcscd: PrivatePcscd, tmp_path: Path) -> Stranger:
    return Stranger(pcscd, tmp_path)


@pytest.fixture
def running(pcscd: PrivatePcscd) -> MakeCore:
    slot = VpcdReader(VpcdAddress(port=pcscd.ports[0]))
    return lambda hold: running_core_on_pcscd(slot, hold=hold)


async def own_signature(session: Session) -> bytes:
    return await session.sign(HOLDER, "signature", "RS256", DIGEST)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what nobody tells."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


def borrow(reader: str) -> list[bytes]:
    """What a program that knows the card gets from it without a PIN."""
    context = load_stack("pcsc", {}).establish()
    try:
        handle = context.connect(reader, Share.SHARED)
        answers = [handle.transmit(bytes.fromhex(command)) for command in SIGN_AS_IT_IS]
        handle.disconnect(Disposition.LEAVE)
    finally:
        context.release()
    return answers


@pytest.mark.parametrize("hold", [HoldMode.SESSION, HoldMode.INSERTION])
async def test_no_program_gets_at_the_verified_card_and_each_is_told_at_once(
    running: MakeCore, pcscd: PrivatePcscd, stranger: Stranger, hold: HoldMode
) -> None:
    async with running(hold) as core:
        session = await core.authenticated(card_of())
        expected = await own_signature(session)
        said = await stranger.commands()
        assert "Reader in use by another application" in said, said
        with pytest.raises(PcscError, match="SHARING_VIOLATION"):
            borrow(pcscd.reader_names[0])
        assert await stranger.sign() == b""
        assert await stranger.sign(PIN.decode()) == b""
        assert await own_signature(session) == expected, "the session did not notice"


async def test_after_its_end_the_card_signs_for_nobody_without_the_pin(
    running: MakeCore, pcscd: PrivatePcscd, stranger: Stranger
) -> None:
    async with running(HoldMode.SESSION) as core:
        session = await core.authenticated(card_of())
        await own_signature(session)
        core.sessions.end(session, EndReason.ENDED_BY_USER)
        await until(lambda: not session.card.is_held)
        assert await stranger.sign() == b""
        assert len(await stranger.sign(PIN.decode())) == 256, "with the PIN it does"
        await stranger.reset()
        assert "SW1=0x69, SW2=0x82" in await stranger.commands()
        assert borrow(pcscd.reader_names[0])[2] == WANTS_ITS_PIN


async def test_a_shared_card_is_lent_with_its_pin(running: MakeCore, pcscd: PrivatePcscd) -> None:
    """The price of `hold = "shared"`, which docs/sharing.md tells."""
    async with running(HoldMode.SHARED) as core:
        session = await core.authenticated(card_of())
        signature = borrow(pcscd.reader_names[0])[-1]
        assert signature[-2:] == OK
        assert signature[:-2] == await own_signature(session)


async def test_opensc_on_a_shared_card_costs_the_session_its_pin(running: MakeCore, stranger: Stranger) -> None:
    """It selects other applications while it looks what the card is, and such a card forgets its PIN then."""
    async with running(HoldMode.SHARED) as core:
        session = await core.authenticated(card_of())
        assert "SW1=0x69, SW2=0x82" in await stranger.commands()
        with pytest.raises(SessionEnded):
            await own_signature(session)
        assert session.end_reason is EndReason.CARD_RESET


async def test_a_reset_by_another_program_ends_a_shared_session(running: MakeCore, stranger: Stranger) -> None:
    async with running(HoldMode.SHARED) as core:
        session = await core.authenticated(card_of())
        await stranger.reset()
        with pytest.raises(SessionEnded):
            await own_signature(session)
        assert session.end_reason is EndReason.CARD_RESET


async def test_a_card_that_opensc_has_open_is_refused_at_once_by_name_and_taken_when_it_is_free(
    running: MakeCore, stranger: Stranger
) -> None:
    async with running(HoldMode.SESSION) as core:
        presence = await core.insert(card_of())
        async with stranger.holding():
            with pytest.raises(CardInUse) as refused:
                await asyncio.wait_for(core.authenticate(presence), PATIENCE)
            # Whoever else of this machine speaks PC/SC is as likely.
            assert "pkcs11-tool" in str(refused.value) or "…" in str(refused.value)
            assert presence.state is State.TRUSTED
        await until(lambda: presence.card.held_by_another() is None)
        assert await own_signature(await core.authenticate(presence))
