"""What other programs get wrong with this card is not what cardd does: each mistake by its name, through a real pcscd.

cardd holds the card as it does by default (``hold = "session"``). Where OpenSC is the one that makes the mistake, the
test has it make it on the same card, which shows that the test would see it.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature

from cardd.errors import CardChanged, CardInUse, NotAuthorizedCanObtain, PinIncorrect, SessionEnded
from cardd.readers.stack import Disposition
from cardd.sessions.states import EndReason, State
from cardsim.behaviour import Behaviour, LogoutRule, OverLimit
from cardsim.card import SimulatedCard
from cardsim.transports.vpcd import VpcdAddress, VpcdReader
from tests.support.asker import Asker
from tests.support.cards import CardWithAtr
from tests.support.core import HOLDER, PIN, Typed
from tests.support.cryptolib import CryptolibUnavailable, Installation, find_cryptolib
from tests.support.desk import require_valid
from tests.support.machine import (
    DIGEST,
    INFORMATION,
    issued,
    machine,
    made,
    physician,
    settled,
    shared,
    tries_left,
    verifications,
)
from tests.support.pcscd import PcscdUnavailable, PrivatePcscd
from tests.support.pkcs11 import (
    AUTHENTICATION,
    OPENSC,
    SIGNATURE,
    Module,
    Program,
    Refused,
    Result,
)

NEW_PIN = "4321"
pytestmark = pytest.mark.skipif(
    OPENSC is None or shutil.which("pkcs11-tool") is None, reason="opensc and opensc-pkcs11 are not installed"
)


@pytest.fixture(scope="module")
def pcscd() -> Iterator[PrivatePcscd]:
    """One private pcscd for this module."""
    try:
        with PrivatePcscd() as running:
            yield running
    except PcscdUnavailable as reason:
        pytest.skip(f"pcscd unavailable: {reason}")


# Sharing


async def test_another_program_meets_a_sharing_violation_and_neither_hangs_nor_signs(pcscd: PrivatePcscd) -> None:
    """While our session is open: to PC/SC itself, and to both faces of OpenSC."""
    async with machine(pcscd) as here:
        session = await here.core.authenticated(made(physician()))
        assert await asyncio.to_thread(here.connect) == "E_SHARING_VIOLATION"
        told = await asyncio.to_thread(here.tool, "opensc-tool", "--serial")
        assert "Reader in use by another application" in told
        sign = ("pkcs11-tool", "--module", str(OPENSC), "-l", "--pin", PIN.decode(), "-s", "-m", "RSA-PKCS")
        told = await asyncio.to_thread(here.tool, *sign, "--id", "e828bd080f8025000001ff001002", "-i", __file__)
        assert "CKR_DEVICE_ERROR" in told
        assert session.end_reason is None
        assert len(await session.sign(HOLDER, "signature", "RS256", DIGEST)) == 256


async def test_a_program_that_was_there_before_is_no_reason_to_hang(pcscd: PrivatePcscd) -> None:
    """OpenSC's handle, kept open as browsers do: cardd is told at once that the card is in use, and serves it later."""
    async with machine(pcscd) as here:
        presence = await here.core.insert(made(physician()))
        with Program(here.opensc) as browser:
            await asyncio.to_thread(browser.connect)
            await asyncio.to_thread(browser.labels)
            with pytest.raises(CardInUse):
                await here.core.authenticate(presence)
        await settled(lambda: here.is_free(presence))
        assert (await here.core.authenticate(presence)).end_reason is None


@pytest.mark.parametrize("name", ["physician", "physician-easy"])
async def test_a_session_that_ended_leaves_no_verified_card(pcscd: PrivatePcscd, name: str) -> None:
    """As OpenSC does: after its logout and its end another program signs without the PIN, until power goes off."""
    async with machine(pcscd) as here:
        card = made(physician(Behaviour(logout=LogoutRule.NEVER), name=name))
        presence = await here.core.insert(card)
        with Program(here.opensc) as program:
            await asyncio.to_thread(program.connect)
            await asyncio.to_thread(program.login, PIN.decode())
            await asyncio.to_thread(program.logout)
            await asyncio.to_thread(program.close)
            assert await asyncio.to_thread(here.signature_without_pin), "OpenSC left the card verified"
        await asyncio.to_thread(here.reset)
        await settled(lambda: here.is_free(presence))
        session = await here.core.authenticate(presence)
        await session.sign(HOLDER, "signature", "RS256", DIGEST)
        here.core.sessions.end(session, EndReason.ENDED_BY_USER)
        await settled(lambda: not presence.card.is_held)
        assert not await asyncio.to_thread(here.signature_without_pin)


# PIN


async def test_a_pin_changed_elsewhere_never_costs_a_second_try(pcscd: PrivatePcscd) -> None:
    """OpenSC presents the PIN that it remembers, and a try is gone with nobody asked. cardd remembers none: a PIN goes
    to the card when its holder has typed it, once."""
    async with machine(pcscd) as here:
        card = made(physician())
        presence = await here.core.insert(card)
        with Program(here.opensc) as program:
            await asyncio.to_thread(program.connect)
            await asyncio.to_thread(program.login, PIN.decode())
            await asyncio.to_thread(changed_elsewhere, pcscd)
            with pytest.raises(Refused):
                await asyncio.to_thread(program.sign, AUTHENTICATION, "RSA-PKCS", INFORMATION)
        assert tries_left(card) == 2, "OpenSC lost a try by itself"

        await settled(lambda: here.is_free(presence))
        verified = verifications(here.core.reader)
        session = await here.core.authenticate(presence, NEW_PIN.encode())
        here.core.sessions.end(session, EndReason.ENDED_BY_USER)
        await settled(lambda: not presence.card.is_held)
        await asyncio.to_thread(changed_elsewhere, pcscd, NEW_PIN, PIN.decode())
        verified.clear()
        for _ in range(3):
            with pytest.raises(SessionEnded):
                await session.sign(HOLDER, "signature", "RS256", DIGEST)
        assert tries_left(card) == 3
        assert verified == [], "no PIN that nobody typed"
        with pytest.raises(PinIncorrect) as refused:
            await here.core.authenticate(presence, NEW_PIN.encode())
        assert refused.value.fields == {"tries_left": 2}
        assert (len(verified), tries_left(card)) == (1, 2), "typed once, sent once"
        assert (await here.core.authenticate(presence)).end_reason is None


def changed_elsewhere(pcscd: PrivatePcscd, old: str = PIN.decode(), new: str = NEW_PIN) -> None:
    """Another program changes the PIN, and resets the card."""
    block = b"".join(pin.encode().ljust(8, b"\xff") for pin in (old, new))
    with shared(pcscd, Disposition.RESET) as handle:
        assert handle.transmit(b"\x00\x24\x00\x01\x10" + block) == b"\x90\x00"


# Keys


async def test_the_signature_key_signs(pcscd: PrivatePcscd) -> None:
    """OpenSC 0.23 of Debian 12 cannot use it: its hash on the card is not built with OpenSSL 3."""
    async with machine(pcscd) as here:
        profile = physician()
        presence = await here.core.insert(made(profile))
        with Program(here.opensc) as program:
            await asyncio.to_thread(program.connect)
            await asyncio.to_thread(program.login, PIN.decode())
            with pytest.raises(Refused) as refused:
                await asyncio.to_thread(program.sign, SIGNATURE, "SHA256-RSA-PKCS", b"document")
            assert refused.value.result is Result.FUNCTION_NOT_SUPPORTED
        await settled(lambda: here.is_free(presence))
        session = await here.core.authenticate(presence)
        signature = await session.sign(HOLDER, "signature", "RS256", DIGEST)
        require_valid(issued(profile).signature.certificate, signature, DIGEST)


async def test_a_signature_key_that_wants_its_pin_each_time_signs_each_time(pcscd: PrivatePcscd) -> None:
    """In one session, its holder asked each time: nobody presents the PIN in the holder's place. Without somebody who
    asks there is a clear refusal, and no try is lost."""
    async with machine(pcscd) as here:
        profile = physician(Behaviour(pin_for_each_signature=True))
        certificate = issued(profile).signature.certificate
        typed = Typed(PIN)
        asker = Asker(typed)
        here.core.sessions.listen(here.core.heard, asker)
        card = made(profile)
        verified = verifications(here.core.reader)
        session = await here.core.authenticated(card)
        for signatures in range(1, 4):
            require_valid(certificate, await session.sign(HOLDER, "signature", "RS256", DIGEST), DIGEST)
            assert (len(typed.questions), len(verified)) == (signatures - 1, signatures), "one PIN typed, one presented"
        asker.source = None
        with pytest.raises(NotAuthorizedCanObtain):
            await session.sign(HOLDER, "signature", "RS256", DIGEST)
        assert len(verified) == 3
        assert tries_left(card) == 3


async def test_a_card_renewed_in_silence_never_signs_under_the_old_certificate(pcscd: PrivatePcscd) -> None:
    """Its serial number is one that cardd knows, with other certificates. The challenge tells before any result."""
    async with machine(pcscd) as here:
        old, new = physician(), physician(renewal=1)
        assert issued(old).signature.certificate != issued(new).signature.certificate
        known = await here.core.authenticated(made(old))
        require_valid(issued(old).signature.certificate, await known.sign(HOLDER, "signature", "RS256", DIGEST), DIGEST)
        here.core.reader.remove()
        await here.core.gone()
        await asyncio.to_thread(pcscd.await_empty)
        presence = await here.core.insert(made(new))
        with pytest.raises(CardChanged):
            await here.core.authenticate(presence)
        assert presence.session is None
        await settled(lambda: presence.state is State.TRUSTED and not presence.card.is_held)
        session = await here.core.authenticate(presence)
        signature = await session.sign(HOLDER, "signature", "RS256", DIGEST)
        told = (await presence.read_certificates(HOLDER))["signature"]
        assert told == issued(new).signature.certificate
        require_valid(told, signature, DIGEST)


# Reading


@pytest.mark.parametrize("over_limit", OverLimit)
async def test_limits_on_the_size_of_reads_lose_no_object(pcscd: PrivatePcscd, over_limit: OverLimit) -> None:
    """A card of which only 231 bytes can be read at a time: OpenSC finds no certificate there and says nothing."""
    async with machine(pcscd) as here:
        profile = physician(Behaviour(read_limit=231, over_limit=over_limit))
        presence = await here.core.insert(made(profile))
        certificates = await presence.read_certificates(HOLDER)
        credentials = issued(profile)
        assert certificates["authentication"] == credentials.authentication.certificate
        assert certificates["signature"] == credentials.signature.certificate
        labels = ("CPS_ID_CARD", "CPS_NAME_PS", "CPS_LANG_PS", "CPS_INFO_PS", "CPS_DATA")
        assert all([await presence.read_object(HOLDER, label) for label in labels])
        if over_limit is OverLimit.REFUSED:
            with Program(here.opensc) as program:
                await asyncio.to_thread(program.connect)
                assert len(await asyncio.to_thread(program.labels)) < len(labels), "OpenSC lost them"


@pytest.mark.parametrize(
    ("atr", "opensc_takes_it"),
    [
        pytest.param("3BAC01402A001225006480000310009000", True, id="value of TB1"),
        pytest.param("3BAC00402A001225006480000320009000", True, id="release of the application"),
        pytest.param("3BBC1100402A001225006480000310009000", False, id="TA1 present"),
        pytest.param("3B9C9500001225006480000310009000", False, id="TB1 absent"),
        pytest.param("3FAC00402A001225006480000310009000", False, id="TS, inverse convention"),
    ],
)
async def test_an_atr_that_differs_in_what_may_differ_is_recognised(
    pcscd: PrivatePcscd, atr: str, opensc_takes_it: bool
) -> None:
    """OpenSC's mask counts bytes from the beginning; the agency's library has no mask, and takes none of these."""
    async with machine(pcscd) as here:
        presence = await here.core.insert(CardWithAtr(made(physician()), bytes.fromhex(atr)))
        with Program(here.opensc) as program:
            await asyncio.to_thread(program.initialize)
            await asyncio.to_thread(program.slots)
            if opensc_takes_it:
                await asyncio.to_thread(program.open)
            else:
                with pytest.raises(Refused) as refused:
                    await asyncio.to_thread(program.open)
                assert refused.value.result is Result.TOKEN_NOT_RECOGNIZED
        await settled(lambda: here.is_free(presence))
        assert (await here.core.authenticate(presence)).end_reason is None
        assert presence.card.driver_name == "ias-ecc"


# The agency's library, where it is


@pytest.fixture
def cryptolib(pcscd: PrivatePcscd, tmp_path: Path) -> Module:
    """Installed with an empty cache."""
    try:
        installation = Installation(find_cryptolib(), tmp_path)
    except CryptolibUnavailable as reason:
        pytest.skip(str(reason))
    return Module(installation.module, pcscd.environment, installation.command)


def test_cryptolib_signs_under_the_old_certificate_of_a_renewed_card(pcscd: PrivatePcscd, cryptolib: Module) -> None:
    """The mistake that the test above would see: its cache goes by the serial number."""
    reader = VpcdReader(VpcdAddress(port=pcscd.ports[0]))
    results: list[tuple[bytes, bytes]] = []
    for profile in (physician(), physician(renewal=1)):
        reader.insert(made(profile))
        pcscd.await_card()
        try:
            with Program(cryptolib) as program:
                program.connect()
                program.login(PIN.decode())
                certificate = program.certificate("Certificat d'Authentification CPS")
                results.append((certificate, program.sign(AUTHENTICATION, "RSA-PKCS", INFORMATION)))
                program.close()
        finally:
            reader.remove()
            pcscd.await_empty()
    require_valid(*results[0], DIGEST)
    with pytest.raises(InvalidSignature):
        require_valid(*results[1], DIGEST)


def test_cryptolib_blocks_a_card_whose_pin_was_changed_elsewhere(pcscd: PrivatePcscd, cryptolib: Module) -> None:
    """A try at each signature that it is asked for, with the PIN that it remembers."""
    reader, card = VpcdReader(VpcdAddress(port=pcscd.ports[0])), made(physician())
    reader.insert(card)
    pcscd.await_card()
    try:
        with Program(cryptolib) as program:
            program.connect()
            program.login(PIN.decode())
            changed_behind_its_back(card)
            for left in (2, 1, 0):
                with pytest.raises(Refused):
                    program.sign(AUTHENTICATION, "RSA-PKCS", INFORMATION)
                assert tries_left(card) == left
    finally:
        reader.remove()
        pcscd.await_empty()


def changed_behind_its_back(card: SimulatedCard) -> None:
    """Another PIN, and the card has lost the verification, which PC/SC tells nobody of."""
    block = b"".join(pin.ljust(8, b"\xff") for pin in (PIN, NEW_PIN.encode()))
    assert card.transmit(b"\x00\x24\x00\x01\x10" + block) == b"\x90\x00"
    card.power_on()


def test_cryptolib_presents_a_pin_that_nobody_typed(pcscd: PrivatePcscd, cryptolib: Module) -> None:
    """Where the card wants it for each signature, it gives the one that it remembers: the card's rule is void."""
    reader = VpcdReader(VpcdAddress(port=pcscd.ports[0]))
    verified = verifications(reader)
    reader.insert(made(physician(Behaviour(pin_for_each_signature=True))))
    pcscd.await_card()
    try:
        with Program(cryptolib) as program:
            program.connect()
            program.login(PIN.decode())
            assert len(verified) == 1
            for _ in range(2):
                program.sign(SIGNATURE, "SHA256-RSA-PKCS", b"document")
            assert len(verified) == 2
    finally:
        reader.remove()
        pcscd.await_empty()


async def test_cryptolib_neither_hangs_nor_signs_while_a_session_is_open(
    pcscd: PrivatePcscd, cryptolib: Module
) -> None:
    """It finds no token, and gives no reason."""
    async with machine(pcscd) as here:
        session = await here.core.authenticated(made(physician()))
        with Program(cryptolib) as program:
            await asyncio.to_thread(program.initialize)
            assert await asyncio.to_thread(program.slots) == 0
        assert session.end_reason is None
