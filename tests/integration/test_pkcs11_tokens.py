"""A token of a PKCS#11 module as an equivalent device: SoftHSM 2, in processes of its own, under the daemon's core."""

from __future__ import annotations

import asyncio
import hashlib
import os
import select
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, utils
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from cardd.cards.tokens import TokenWatch
from cardd.errors import DecryptFailed, PinIncorrect, SessionEnded
from cardd.readers.events import ReaderEvent
from cardd.sessions.presence import Presence
from cardd.sessions.states import EndReason, State
from cardd_drivers.contract import Assurance, CardKind
from cardd_drivers.pkcs11 import make_source
from tests.support.core import HOLDER, PATIENCE, Core, running_core
from tests.support.softhsm import ESTABLISHMENT, PIN, STRUCTURE, SoftHsm

DIGEST = hashlib.sha256(b"document").digest()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[SoftHsm, bytes, bytes]:
    """A token with two keys; its certificates."""
    hsm = SoftHsm(tmp_path_factory.mktemp("softhsm") / "home")
    hsm.prepare()
    hsm.add_token()
    return hsm, hsm.add_key("20"), hsm.add_key("10", signs=True)


@asynccontextmanager
async def with_tokens(hsm: SoftHsm) -> AsyncIterator[Core]:
    """A core whose tokens are those of this SoftHSM."""
    async with running_core() as core:
        loop = asyncio.get_running_loop()

        def hand_over(event: ReaderEvent) -> None:
            loop.call_soon_threadsafe(core.roster.handle, event)

        watch = TokenWatch([make_source(hsm.table)], hand_over)
        core.roster.watched_by(watch.look_again)
        watch.start()
        try:
            yield core
        finally:
            await core.sessions.stop()
            await asyncio.to_thread(watch.stop)
            await asyncio.sleep(0)


async def trusted(core: Core, after: int = 0) -> Presence:
    """The token, once it is believed.

    Args:
        after: number of an earlier stay.
    """

    def found() -> Presence | None:
        return next((one for one in core.sessions.presences if one.state is State.TRUSTED and one.number > after), None)

    await core.until(lambda: found() is not None)
    presence = found()
    assert presence is not None
    return presence


def processes(slot: bool = True) -> list[int]:
    """Process ids of the module's processes: those of connections, or those that watch."""
    wanted = b'"slot": null' if not slot else b'"slot": '
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes()
            parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[1]
        except OSError:  # it has ended
            continue
        is_watching = b'"slot": null' in line
        if b"pkcs11.child" in line and int(parent) == os.getpid() and wanted in line and is_watching is not slot:
            found.append(int(folder.name))
    return found


@contextmanager
def watched(pid: int) -> Iterator[int]:
    """A descriptor of a process."""
    process = os.pidfd_open(pid)
    try:
        yield process
    finally:
        os.close(process)


async def ended(process: int) -> None:
    """Wait until a process has ended."""
    assert await asyncio.to_thread(select.select, [process], [], [], PATIENCE) != ([], [], [])


def public_key(der: bytes) -> RSAPublicKey:
    """Of a certificate."""
    key = x509.load_der_x509_certificate(der).public_key()
    assert isinstance(key, RSAPublicKey)
    return key


async def test_a_token_is_a_card_with_the_establishment_named(prepared: tuple[SoftHsm, bytes, bytes]) -> None:
    async with with_tokens(prepared[0]) as core:
        presence = await trusted(core)
        identity, professional = presence.card.identity, presence.professional
        assert identity is not None
        assert professional is not None
        assert professional.structure is not None
        assert (identity.kind, identity.assurance) == (CardKind.PKCS11, Assurance.SOFTWARE)
        assert (professional.structure.national_id, professional.structure.name) == (STRUCTURE, ESTABLISHMENT)
        assert presence.card.driver_name == "pkcs11"


async def test_signatures_of_both_keys_and_decryption_hold(prepared: tuple[SoftHsm, bytes, bytes]) -> None:
    hsm, authentication, signature = prepared
    async with with_tokens(hsm) as core:
        session = await core.authenticate(await trusted(core), PIN)
        algorithm = utils.Prehashed(hashes.SHA256())
        made = await session.sign(HOLDER, "signature", "RS256", DIGEST)
        public_key(signature).verify(made, DIGEST, padding.PKCS1v15(), algorithm)
        made = await session.sign(HOLDER, "authentication", "PS256", DIGEST)
        public_key(authentication).verify(made, DIGEST, padding.PSS(padding.MGF1(hashes.SHA256()), 32), algorithm)
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        for name, scheme in (("RSA1_5", padding.PKCS1v15()), ("RSA-OAEP-256", oaep)):
            cryptogram = public_key(authentication).encrypt(b"plain", scheme)
            with await session.decrypt(HOLDER, "encryption", name, cryptogram) as plaintext:
                assert bytes(plaintext.buffer) == b"plain"


async def test_a_cryptogram_that_is_wrong_is_refused_and_the_session_goes_on(
    prepared: tuple[SoftHsm, bytes, bytes],
) -> None:
    async with with_tokens(prepared[0]) as core:
        session = await core.authenticate(await trusted(core), PIN)
        for algorithm in ("RSA1_5", "RSA-OAEP-256"):
            with pytest.raises(DecryptFailed):
                await session.decrypt(HOLDER, "encryption", algorithm, bytes(255) + b"\x02")
        assert await session.sign(HOLDER, "signature", "RS256", DIGEST)


async def test_a_wrong_pin_is_said_and_the_right_one_serves_after_it(prepared: tuple[SoftHsm, bytes, bytes]) -> None:
    async with with_tokens(prepared[0]) as core:
        presence = await trusted(core)
        with pytest.raises(PinIncorrect):
            await core.authenticate(presence, b"wrong")
        assert not presence.card.is_held  # nothing stays that is logged in, or could be
        assert (await core.authenticate(presence, PIN)).end_reason is None


async def test_the_end_of_a_session_is_the_end_of_the_process_that_is_logged_in(
    prepared: tuple[SoftHsm, bytes, bytes],
) -> None:
    async with with_tokens(prepared[0]) as core:
        presence = await trusted(core)
        session = await core.authenticate(presence, PIN)
        (logged_in,) = processes()
        with watched(logged_in) as process:
            core.sessions.end(session, EndReason.ENDED_BY_USER)
            await ended(process)
        await core.until(lambda: not presence.card.is_held)
        with pytest.raises(SessionEnded):
            await session.sign(HOLDER, "signature", "RS256", DIGEST)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
async def test_a_crash_ends_the_session_at_once_and_the_token_comes_back(
    prepared: tuple[SoftHsm, bytes, bytes], number: signal.Signals, caplog: pytest.LogCaptureFixture
) -> None:
    async with with_tokens(prepared[0]) as core:
        presence = await trusted(core)
        session = await core.authenticate(presence, PIN)
        (logged_in,) = processes()
        os.kill(logged_in, number)
        await core.until(lambda: session.end_reason is not None)
        assert session.end_reason is EndReason.CARD_RESET
        assert f"was ended by {number.name}" in caplog.text
        again = await trusted(core, after=presence.number)
        assert (await core.authenticate(again, PIN)).end_reason is None


async def test_a_module_that_hangs_ends_the_session(
    prepared: tuple[SoftHsm, bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with with_tokens(prepared[0]) as core:
        session = await core.authenticate(await trusted(core), PIN)
        (logged_in,) = processes()
        monkeypatch.setattr("cardd_drivers.isolated.process.PATIENCE", 0.5)
        with watched(logged_in) as process:
            os.kill(logged_in, signal.SIGSTOP)
            with pytest.raises(SessionEnded):
                await session.sign(HOLDER, "signature", "RS256", DIGEST)
            assert core.heard.ends() == [EndReason.CARD_RESET]
            await ended(process)


async def test_a_watching_process_that_dies_takes_its_tokens_along_and_brings_them_back(
    prepared: tuple[SoftHsm, bytes, bytes],
) -> None:
    async with with_tokens(prepared[0]) as core:
        presence = await trusted(core)
        session = await core.authenticate(presence, PIN)
        (watching,) = processes(slot=False)
        os.kill(watching, signal.SIGSEGV)
        await core.until(lambda: bool(core.heard.ends()))
        assert session.end_reason is EndReason.CARD_REMOVED
        assert (await trusted(core, after=presence.number)).session is None


async def test_a_token_that_goes_ends_its_session_and_one_that_comes_is_seen(tmp_path: Path) -> None:
    hsm = SoftHsm(tmp_path / "home")
    hsm.prepare()
    async with with_tokens(hsm) as core:
        await asyncio.to_thread(hsm.add_token)
        await core.until(lambda: any(True for _ in core.sessions.presences))
        await asyncio.to_thread(hsm.add_key, "20")
        await asyncio.to_thread(hsm.remove_token)
        await core.gone()
        await asyncio.to_thread(hsm.add_token, "other")
        await asyncio.to_thread(hsm.add_key, "20", label="other")
        await core.until(lambda: any(True for _ in core.sessions.presences))
