"""An establishment's certificate with its key in a file: password, use, level, and how its session ends."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    pkcs12,
)

from cardd.cards.tokens import TokenWatch
from cardd.errors import LevelTooLow, PinIncorrect
from cardd.readers.events import ReaderEvent
from cardd.sessions.presence import Presence
from cardd.sessions.states import EndReason, State
from cardd_drivers.contract import CardKind
from cardd_drivers.software import make_source
from tests.support.core import HOLDER, Core, running_core
from tests.support.softhsm import ESTABLISHMENT, STRUCTURE, establishment_certificate

PASSWORD = b"mot de passe"
DIGEST = hashlib.sha256(b"document").digest()


@pytest.fixture(params=["p12", "pem"])
def files(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """Certificate and key."""
    key = rsa.generate_private_key(65537, 2048)
    der = establishment_certificate(key)
    certificate, sealed = tmp_path / "establishment.cer", tmp_path / f"establishment.{request.param}"
    certificate.write_bytes(der)
    lock = BestAvailableEncryption(PASSWORD)
    if request.param == "p12":
        content = pkcs12.serialize_key_and_certificates(b"key", key, x509.load_der_x509_certificate(der), None, lock)
    else:
        content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
    sealed.write_bytes(content)
    sealed.chmod(0o600)
    return certificate, sealed


@asynccontextmanager
async def with_files(files: tuple[Path, Path]) -> AsyncIterator[Core]:
    """A core with this certificate."""
    async with running_core() as core:
        loop = asyncio.get_running_loop()

        def hand_over(event: ReaderEvent) -> None:
            loop.call_soon_threadsafe(core.roster.handle, event)

        source = make_source({"certificate": str(files[0]), "key": str(files[1]), "poll": 0.1})
        watch = TokenWatch([source], hand_over)
        core.roster.watched_by(watch.look_again)
        watch.start()
        try:
            yield core
        finally:
            await core.sessions.stop()
            await asyncio.to_thread(watch.stop)
            await asyncio.sleep(0)


async def trusted(core: Core) -> Presence:
    """The certificate, once it is believed."""
    await core.until(lambda: any(one.state is State.TRUSTED for one in core.sessions.presences))
    return next(iter(core.sessions.presences))


async def test_the_establishment_is_named_and_its_key_signs_and_deciphers(files: tuple[Path, Path]) -> None:
    async with with_files(files) as core:
        presence = await trusted(core)
        identity, professional = presence.card.identity, presence.professional
        assert identity is not None
        assert identity.kind is CardKind.SOFTWARE
        assert professional is not None
        assert professional.structure is not None
        assert (professional.structure.national_id, professional.structure.name) == (STRUCTURE, ESTABLISHMENT)
        session = await core.authenticate(presence, PASSWORD)
        assert session.level == "software"
        public = x509.load_der_x509_certificate(files[0].read_bytes()).public_key()
        assert isinstance(public, rsa.RSAPublicKey)
        made = await session.sign(HOLDER, "authentication", "RS256", DIGEST)
        public.verify(made, DIGEST, padding.PKCS1v15(), utils.Prehashed(hashes.SHA256()))
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        with await session.decrypt(HOLDER, "encryption", "RSA-OAEP-256", public.encrypt(b"plain", oaep)) as plaintext:
            assert bytes(plaintext.buffer) == b"plain"


async def test_its_session_says_nothing_that_only_a_card_may_say(files: tuple[Path, Path]) -> None:
    async with with_files(files) as core:
        session = await core.authenticate(await trusted(core), PASSWORD)
        with pytest.raises(LevelTooLow):
            session.require_card()


async def test_a_wrong_password_opens_nothing(files: tuple[Path, Path]) -> None:
    async with with_files(files) as core:
        presence = await trusted(core)
        with pytest.raises(PinIncorrect):
            await core.authenticate(presence, b"wrong")
        assert not presence.card.is_held


async def test_a_key_that_is_opened_to_others_ends_its_session(
    files: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    async with with_files(files) as core:
        session = await core.authenticate(await trusted(core), PASSWORD)
        files[1].chmod(0o644)
        await core.gone()
        assert session.end_reason is EndReason.CARD_REMOVED
        assert "mode 0644" in caplog.text
