"""Sessions on a CPS4: by the in-process reader, and in T=1 and T=0 through the real pcscd and a virtual reader."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils

from cardd.cards.connection import HoldMode
from cardd.errors import CardRemoved, DecryptFailed, PinBlocked, PinIncorrect, SessionEnded
from cardd.sessions.pin_change import change_pin, unblock_pin
from cardd.sessions.presence import Presence
from cardd.sessions.states import EndReason
from cardd_drivers.contract import CardKind, Transport
from cardsim.faults import Fault
from cardsim.transports.inprocess import InProcessReader
from cardsim.transports.vpcd import VpcdAddress, VpcdReader
from tests.support.core import HOLDER, PIN, PUK, CoreOn, Typed, card_of, running_core, running_core_on_pcscd
from tests.support.pcscd import PcscdUnavailable, PrivatePcscd

DOCUMENT = b"document"
DIGEST = hashlib.sha256(DOCUMENT).digest()
PROFILES = ("physician-cps4", "nurse-cps4-t0")
PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
SIGNATURE_PADDINGS = {"RS256": padding.PKCS1v15(), "PS256": PSS}
ENCRYPTION_PADDINGS = {"RSA1_5": padding.PKCS1v15(), "RSA-OAEP-256": OAEP}
PSS_OPTIONS = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32", "-sigopt", "rsa_mgf1_md:sha256"]

AnyCore = CoreOn[InProcessReader] | CoreOn[VpcdReader]
StartCore = Callable[[HoldMode], AbstractAsyncContextManager[AnyCore]]


@pytest.fixture(scope="module")
def pcscd() -> Iterator[PrivatePcscd]:
    """One private pcscd for this module's tests."""
    try:
        with PrivatePcscd() as running:
            yield running
    except PcscdUnavailable as reason:
        pytest.skip(f"pcscd unavailable: {reason}")


@pytest.fixture(params=["in-process", "pcscd"])
def start(request: pytest.FixtureRequest) -> StartCore:
    """Starts a core, on either stack."""
    if request.param == "in-process":
        return lambda hold: running_core(hold=hold)
    slot = VpcdReader(VpcdAddress(port=request.getfixturevalue("pcscd").ports[0]))
    return lambda hold: running_core_on_pcscd(slot, hold=hold)


def only(core: AnyCore) -> Presence:
    (presence,) = core.sessions.presences
    return presence


async def certificates(presence: Presence) -> dict[str, x509.Certificate]:
    found = await presence.read_certificates(HOLDER)
    return {key: x509.load_der_x509_certificate(der) for key, der in found.items()}


def key_of(certificate: x509.Certificate) -> rsa.RSAPublicKey:
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    return key


@pytest.mark.parametrize("hold", [HoldMode.SESSION, HoldMode.INSERTION, HoldMode.SHARED])
@pytest.mark.parametrize("profile", PROFILES)
async def test_a_session_signs_and_decrypts_until_the_card_leaves(
    start: StartCore, hold: HoldMode, profile: str
) -> None:
    async with start(hold) as core:
        session = await core.authenticated(card_of(profile))
        presence = only(core)
        identity = presence.card.identity
        assert identity is not None
        assert identity.kind is CardKind.CPS4
        found = await certificates(presence)
        for key in ("authentication", "signature"):
            for algorithm, scheme in SIGNATURE_PADDINGS.items():
                signature = await session.sign(HOLDER, key, algorithm, DIGEST)
                key_of(found[key]).verify(signature, DIGEST, scheme, utils.Prehashed(hashes.SHA256()))
        for algorithm, encryption in ENCRYPTION_PADDINGS.items():
            cryptogram = key_of(found["encryption"]).encrypt(b"secret", encryption)
            with await session.decrypt(HOLDER, "encryption", algorithm, cryptogram) as plaintext:
                assert bytes(plaintext.buffer) == b"secret"
        core.reader.remove()
        await core.gone()
        assert core.heard.ends() == [EndReason.CARD_REMOVED]
        with pytest.raises(SessionEnded):
            await session.sign(HOLDER, "signature", "PS256", DIGEST)


@pytest.mark.parametrize(("profile", "transport"), [(PROFILES[0], Transport.T1), (PROFILES[1], Transport.T0)])
async def test_the_card_is_spoken_to_in_its_own_protocol(start: StartCore, profile: str, transport: Transport) -> None:
    async with start(HoldMode.INSERTION) as core:
        presence = await core.insert(card_of(profile))
        commands: list[bytes] = []
        end = core.reader.exchanges.watch(lambda entry: commands.append(entry.command))
        session = await core.authenticate(presence)
        assert await session.sign(HOLDER, "signature", "PS256", DIGEST)
        end()
        assert {command[0] & 0x0F for command in commands} == {1}, "logical channel 1"
        fetched = sum(command[1] == 0xC0 for command in commands)
        # The signed challenge and the signature are answers to commands with data.
        assert fetched == (0 if transport is Transport.T1 else 2)
        (sign,) = (command for command in commands if command[1:4] == bytes.fromhex("2A9E9A"))
        assert (len(sign) == 5 + 32 + 1) is (transport is Transport.T1), "Le goes to a card in T=1 alone"


async def test_openssl_verifies_what_the_card_signed(start: StartCore, tmp_path: Path) -> None:
    async with start(HoldMode.SESSION) as core:
        session = await core.authenticated(card_of("physician-cps4"))
        (tmp_path / "document").write_bytes(DOCUMENT)
        for key, certificate in (await certificates(only(core))).items():
            if key == "encryption":
                continue
            pem = tmp_path / f"{key}.pem"
            pem.write_bytes(
                certificate.public_key().public_bytes(
                    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
                )
            )
            for algorithm, options in (("RS256", []), ("PS256", PSS_OPTIONS)):
                signature = tmp_path / f"{key}.{algorithm}"
                signature.write_bytes(await session.sign(HOLDER, key, algorithm, DIGEST))
                command = ["openssl", "dgst", "-sha256", "-verify", str(pem), *options, "-signature", str(signature)]
                verified = subprocess.run(
                    [*command, str(tmp_path / "document")], capture_output=True, text=True, check=False
                )
                assert verified.stdout == "Verified OK\n", verified.stderr


async def test_what_openssl_encrypts_is_decrypted(start: StartCore, tmp_path: Path) -> None:
    async with start(HoldMode.SESSION) as core:
        session = await core.authenticated(card_of("physician-cps4"))
        certificate = (await certificates(only(core)))["encryption"]
        (tmp_path / "certificate").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (tmp_path / "plaintext").write_bytes(b"secret")
        oaep = ["rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256"]
        for algorithm, options in (("RSA1_5", ["rsa_padding_mode:pkcs1"]), ("RSA-OAEP-256", oaep)):
            command = ["openssl", "pkeyutl", "-encrypt", "-certin", "-inkey", str(tmp_path / "certificate")]
            for option in options:
                command += ["-pkeyopt", option]
            files = ["-in", str(tmp_path / "plaintext"), "-out", str(tmp_path / "cryptogram")]
            subprocess.run([*command, *files], check=True, capture_output=True)
            cryptogram = (tmp_path / "cryptogram").read_bytes()
            with await session.decrypt(HOLDER, "encryption", algorithm, cryptogram) as plaintext:
                assert bytes(plaintext.buffer) == b"secret"


async def test_a_cryptogram_in_another_padding_is_refused_without_a_reason(start: StartCore) -> None:
    async with start(HoldMode.SESSION) as core:
        session = await core.authenticated(card_of("physician-cps4"))
        key = key_of((await certificates(only(core)))["encryption"])
        refusals = set()
        for algorithm, other in (("RSA1_5", OAEP), ("RSA-OAEP-256", padding.PKCS1v15())):
            with pytest.raises(DecryptFailed) as refused:
                await session.decrypt(HOLDER, "encryption", algorithm, key.encrypt(b"secret", other))
            refusals.add((str(refused.value), tuple(refused.value.fields.items())))
        assert len(refusals) == 1
        assert await session.sign(HOLDER, "signature", "RS256", DIGEST)


async def test_the_pin_is_changed_blocked_and_unblocked(start: StartCore) -> None:
    new = b"4321"
    async with start(HoldMode.SESSION) as core:
        presence = await core.insert(card_of("physician-cps4"))
        await change_pin(presence, core.sessions.account, HOLDER, Typed(PIN, new))
        for left in (2, 1):
            with pytest.raises(PinIncorrect) as refused:
                await core.authenticate(presence, PIN)
            assert refused.value.fields == {"tries_left": left}
        with pytest.raises(PinBlocked):
            await core.authenticate(presence, PIN)
        await unblock_pin(presence, core.sessions.account, HOLDER, Typed(PUK, PIN))
        assert (await core.authenticate(presence, PIN)).end_reason is None


@pytest.mark.parametrize("operation", ["sign", "decrypt"])
@pytest.mark.parametrize("when", ["remove", "remove-after"])
@pytest.mark.parametrize("at", [1, 2, 3])
async def test_a_card_pulled_in_the_middle_of_an_operation_gives_no_result(
    start: StartCore, operation: str, when: str, at: int
) -> None:
    async with start(HoldMode.INSERTION) as core:
        session = await core.authenticated(card_of("physician-cps4"))
        cryptogram = key_of((await certificates(only(core)))["encryption"]).encrypt(b"secret", OAEP)
        core.reader.faults.arm(Fault.parse(f"{when}@{at}"))
        work: Awaitable[object] = (
            session.sign(HOLDER, "authentication", "PS256", DIGEST)
            if operation == "sign"
            else session.decrypt(HOLDER, "encryption", "RSA-OAEP-256", cryptogram)
        )
        with pytest.raises((CardRemoved, SessionEnded)):
            await work
        await core.gone()
        assert core.heard.ends() == [EndReason.CARD_REMOVED]
