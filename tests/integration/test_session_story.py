"""A session from the PIN to its end, on the in-process reader."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils

from cardd.cards.connection import HoldMode
from cardd.errors import (
    AlgorithmNotSupported,
    CardInUse,
    CardRemoved,
    DecryptFailed,
    DigestLength,
    InvalidArgument,
    NotAuthorized,
    NotTrusted,
    PinBlocked,
    PinFormat,
    PinIncorrect,
    PukFormat,
    PukIncorrect,
    SessionEnded,
    UnknownKey,
)
from cardd.sessions.pin import PinQuestion
from cardd.sessions.pin_change import change_pin, unblock_pin
from cardd.sessions.presence import Presence
from cardd.sessions.secret import Secret
from cardd.sessions.states import EndReason, State
from tests.support.core import HOLDER, PATIENCE, PIN, PUK, STRANGER, Core, Typed, card_of, running_core

DIGEST = hashlib.sha256(b"document").digest()
HOLDS = [HoldMode.SESSION, HoldMode.INSERTION, HoldMode.SHARED]


async def public_key(presence: Presence, key: str) -> rsa.RSAPublicKey:
    certificates = await presence.read_certificates(HOLDER)
    found = x509.load_der_x509_certificate(certificates[key]).public_key()
    assert isinstance(found, rsa.RSAPublicKey)
    return found


def only(core: Core) -> Presence:
    (presence,) = core.sessions.presences
    return presence


@pytest.mark.parametrize("hold", HOLDS)
async def test_a_session_signs_and_decrypts_until_the_card_leaves(hold: HoldMode) -> None:
    async with running_core(hold=hold) as core:
        session = await core.authenticated(card_of())
        presence = only(core)
        signing = await public_key(presence, "signature")
        signature = await session.sign(HOLDER, "signature", "RS256", DIGEST)
        signing.verify(signature, DIGEST, padding.PKCS1v15(), utils.Prehashed(hashes.SHA256()))
        encryption = await public_key(presence, "encryption")
        cryptogram = encryption.encrypt(b"secret", padding.PKCS1v15())
        with await session.decrypt(HOLDER, "encryption", "RSA1_5", cryptogram) as plaintext:
            assert bytes(plaintext.buffer) == b"secret"
        core.reader.remove()
        await core.gone()
        assert core.heard.ends() == [EndReason.CARD_REMOVED]
        with pytest.raises(SessionEnded) as caught:
            await session.sign(HOLDER, "signature", "RS256", DIGEST)
        assert caught.value.fields == {"reason": "card-removed"}
        # The end was told before the card's departure.
        told = [what for what, _ in core.heard.news]
        assert told.index("session-ended") < told.index("card-removed")


async def test_a_second_authentication_gives_the_same_session_and_asks_nothing() -> None:
    async with running_core() as core:
        session = await core.authenticated(card_of())
        source = Typed(b"0000")
        again = await core.sessions.authentication(only(core)).authenticate(HOLDER, source)
        assert again is session
        assert source.questions == []


async def test_whoever_was_judged_while_the_card_left_is_told_so() -> None:
    async with running_core() as core:
        presence = await core.insert(card_of())
        core.reader.remove()
        await core.gone()
        with pytest.raises(CardRemoved):
            core.sessions.authentication(presence)


async def test_two_applications_of_one_user_share_one_question() -> None:
    async with running_core() as core:
        presence = await core.insert(card_of())
        source = Typed(PIN)
        authentication = core.sessions.authentication(presence)
        both = await asyncio.gather(*(authentication.authenticate(HOLDER, source) for _ in range(5)))
        assert len(set(map(id, both))) == 1
        assert len(source.questions) == 1


async def test_another_user_is_served_nothing() -> None:
    async with running_core() as core:
        session = await core.authenticated(card_of())
        presence = only(core)
        for attempt in (
            core.authenticate(presence, caller=STRANGER),
            presence.read_object(STRANGER, "CPS_DATA"),
            change_pin(presence, core.sessions.account, STRANGER, Typed(PIN, b"4321")),
            unblock_pin(presence, core.sessions.account, STRANGER, Typed(PUK, b"4321")),
        ):
            with pytest.raises(NotAuthorized):
                await attempt
        assert session.end_reason is None


async def test_a_wrong_pin_says_how_many_tries_are_left_until_it_is_blocked() -> None:
    async with running_core() as core:
        presence = await core.insert(card_of())
        assert presence.tries_left == 3
        for left in (2, 1):
            with pytest.raises(PinIncorrect) as caught:
                await core.authenticate(presence, b"9999")
            assert caught.value.fields == {"tries_left": left}
            assert presence.tries_left == left
            assert presence.state is State.TRUSTED
        with pytest.raises(PinBlocked):
            await core.authenticate(presence, b"9999")
        source = Typed(PIN)
        with pytest.raises(PinBlocked):
            await core.sessions.authentication(presence).authenticate(HOLDER, source)
        assert source.questions == [], "nobody is asked for a PIN that is blocked"


@pytest.mark.parametrize("pin", [b"", b"123", b"12345", b"12a4", b"12 4", b"\x00\x01\x02\x03", b"1" * 64])
async def test_what_cannot_be_a_pin_costs_no_try(pin: bytes) -> None:
    card = card_of()
    async with running_core() as core:
        presence = await core.insert(card)
        with pytest.raises(PinFormat) as caught:
            await core.authenticate(presence, pin)
        assert caught.value.fields == {"length": "4"}
        session = await core.authenticate(presence)
        assert session.end_reason is None


async def test_every_pin_that_was_given_is_wiped() -> None:
    async with running_core() as core:
        presence = await core.insert(card_of())
        wrong, right = Typed(b"9999"), Typed(PIN)
        with pytest.raises(PinIncorrect):
            await core.sessions.authentication(presence).authenticate(HOLDER, wrong)
        await core.sessions.authentication(presence).authenticate(HOLDER, right)
        assert [bytes(secret.buffer) for secret in wrong.given + right.given] == [bytes(4), bytes(4)]


async def test_ending_a_session_resets_the_card_and_another_pin_opens_another() -> None:
    async with running_core() as core:
        session = await core.authenticated(card_of())
        core.sessions.end(session, EndReason.ENDED_BY_USER)
        with pytest.raises(SessionEnded):
            await session.sign(HOLDER, "signature", "RS256", DIGEST)
        presence = only(core)
        assert presence.state is State.TRUSTED
        with pytest.raises(PinIncorrect):
            await core.authenticate(presence, b"9999")
        again = await core.authenticate(presence)
        assert again.number != session.number
        assert await again.sign(HOLDER, "signature", "RS256", DIGEST)
        assert core.heard.ends() == [EndReason.ENDED_BY_USER]


async def test_stopping_ends_the_session_and_leaves_no_verified_card() -> None:
    card = card_of()
    async with running_core() as core:
        await core.authenticated(card)
        heard = core.heard
    assert heard.ends() == [EndReason.DAEMON_STOPPED]
    # VERIFY without data tells: 63C3 wants the PIN, 9000 would be a verified card.
    assert card.transmit(bytes.fromhex("00200001"))[-2:] == bytes.fromhex("63C3")


@pytest.mark.parametrize(
    ("key", "algorithm", "digest", "expected"),
    [
        ("secret", "RS256", DIGEST, UnknownKey),
        ("", "RS256", DIGEST, UnknownKey),
        ("\x1b[2J" * 100, "RS256", DIGEST, UnknownKey),
        ("encryption", "RS256", DIGEST, InvalidArgument),
        ("signature", "none", DIGEST, AlgorithmNotSupported),
        ("signature", "PS256", DIGEST, AlgorithmNotSupported),
        ("signature", "RS256", b"", DigestLength),
        ("signature", "RS256", DIGEST[:31], DigestLength),
        ("signature", "RS256", DIGEST + b"\0", DigestLength),
    ],
)
async def test_what_cannot_be_signed_is_refused_by_name(
    key: str, algorithm: str, digest: bytes, expected: type[Exception]
) -> None:
    async with running_core() as core:
        session = await core.authenticated(card_of())
        with pytest.raises(expected) as caught:
            await session.sign(HOLDER, key, algorithm, digest)
        assert len(str(caught.value)) < 200
        assert str(caught.value).isprintable()
        assert await session.sign(HOLDER, "signature", "RS256", DIGEST)


@pytest.mark.parametrize(
    ("key", "algorithm", "cryptogram", "expected"),
    [
        ("signature", "RSA1_5", bytes(256), InvalidArgument),
        ("nothing", "RSA1_5", bytes(256), UnknownKey),
        ("encryption", "RSA-OAEP-256", bytes(256), AlgorithmNotSupported),
        ("encryption", "RS256", bytes(256), AlgorithmNotSupported),
        ("encryption", "RSA1_5", b"", InvalidArgument),
        ("encryption", "RSA1_5", bytes(100_000), InvalidArgument),
        ("encryption", "RSA1_5", b"\x01" * 256, DecryptFailed),
        ("encryption", "RSA1_5", b"\x01" * 255, DecryptFailed),
    ],
)
async def test_what_cannot_be_decrypted_is_refused_by_name(
    key: str, algorithm: str, cryptogram: bytes, expected: type[Exception]
) -> None:
    async with running_core() as core:
        session = await core.authenticated(card_of())
        with pytest.raises(expected):
            await session.decrypt(HOLDER, key, algorithm, cryptogram)
        assert await session.sign(HOLDER, "signature", "RS256", DIGEST)


async def test_a_pin_is_changed_and_the_old_one_is_no_longer_it() -> None:
    async with running_core() as core:
        presence = await core.insert(card_of())
        await change_pin(presence, core.sessions.account, HOLDER, Typed(PIN, b"4321"))
        with pytest.raises(PinIncorrect):
            await core.authenticate(presence)
        assert (await core.authenticate(presence, b"4321")).end_reason is None


async def test_a_pin_change_with_a_wrong_pin_or_a_bad_new_one_changes_nothing() -> None:
    async with running_core() as core:
        presence = await core.insert(card_of())
        with pytest.raises(PinFormat):
            await change_pin(presence, core.sessions.account, HOLDER, Typed(PIN, b"43210"))
        with pytest.raises(PinIncorrect) as caught:
            await change_pin(presence, core.sessions.account, HOLDER, Typed(b"9999", b"4321"))
        assert caught.value.fields == {"tries_left": 2}
        assert (await core.authenticate(presence)).end_reason is None


async def test_a_pin_is_changed_while_its_session_goes_on() -> None:
    async with running_core() as core:
        session = await core.authenticated(card_of())
        await change_pin(only(core), core.sessions.account, HOLDER, Typed(PIN, b"4321"))
        assert await session.sign(HOLDER, "signature", "RS256", DIGEST)


async def test_a_blocked_pin_is_unblocked_with_the_puk() -> None:
    async with running_core() as core:
        presence = await core.insert(card_of("pin-blocked"))
        assert presence.tries_left == 0
        with pytest.raises(PukFormat):
            await unblock_pin(presence, core.sessions.account, HOLDER, Typed(b"1234", b"4321"))
        with pytest.raises(PukIncorrect) as caught:
            await unblock_pin(presence, core.sessions.account, HOLDER, Typed(b"99999999", b"4321"))
        assert caught.value.fields == {"tries_left": 9}
        await unblock_pin(presence, core.sessions.account, HOLDER, Typed(PUK, b"4321"))
        assert presence.tries_left == 3
        assert (await core.authenticate(presence, b"4321")).end_reason is None


@pytest.mark.parametrize(
    ("profile", "reason"),
    [
        ("expired", "expired"),
        ("strange-ca", "unknown-issuer"),
        ("swapped-usage", "wrong-key-usage"),
        ("malformed-certificate", "malformed"),
    ],
)
async def test_a_certificate_that_is_not_believed_is_named_and_no_pin_is_asked(profile: str, reason: str) -> None:
    async with running_core() as core:
        presence = await core.insert(card_of(profile), until=State.UNTRUSTED)
        source = Typed(PIN)
        with pytest.raises(NotTrusted) as caught:
            await core.sessions.authentication(presence).authenticate(HOLDER, source)
        assert caught.value.fields == {"reason": reason}
        assert source.questions == []
        core.reader.remove()
        await core.gone()
        assert (await core.authenticated(card_of())).end_reason is None


async def test_a_card_held_by_another_program_is_said_to_be_and_served_once_it_is_free() -> None:
    async with running_core() as core:
        presence = await core.insert(card_of())
        _, context = core.pcsc.SCardEstablishContext(core.pcsc.SCARD_SCOPE_SYSTEM)
        _, handle, _ = core.pcsc.SCardConnect(
            context, core.reader.name, core.pcsc.SCARD_SHARE_SHARED, core.pcsc.SCARD_PROTOCOL_T0
        )
        with pytest.raises(CardInUse):
            await core.authenticate(presence)
        core.pcsc.SCardDisconnect(handle, core.pcsc.SCARD_LEAVE_CARD)
        await core.until(lambda: presence.card.held_by_another() is None)
        session = await core.authenticate(presence)
        assert session.end_reason is None
        code = core.pcsc.SCardConnect(
            context, core.reader.name, core.pcsc.SCARD_SHARE_SHARED, core.pcsc.SCARD_PROTOCOL_T0
        )[0]
        assert code & 0xFFFFFFFF == 0x8010000B, "another program gets a sharing violation, at once"


async def test_a_reset_by_another_program_ends_a_shared_session() -> None:
    async with running_core(hold=HoldMode.SHARED) as core:
        session = await core.authenticated(card_of())
        core.reader.reset_by_other()
        with pytest.raises(SessionEnded) as caught:
            await session.sign(HOLDER, "signature", "RS256", DIGEST)
        assert caught.value.fields == {"reason": "card-reset"}
        assert core.heard.ends() == [EndReason.CARD_RESET]
        assert (await core.authenticate(only(core))).end_reason is None


async def test_a_lost_pcscd_ends_the_session_and_the_card_comes_back_without_one() -> None:
    async with running_core() as core:
        await core.authenticated(card_of())
        core.pcsc.die()
        await core.gone()
        assert core.heard.ends() == [EndReason.PCSCD_LOST]
        core.pcsc.revive()
        await core.until(lambda: any(one.state is State.TRUSTED for one in core.sessions.presences))
        assert only(core).session is None


async def test_an_unplugged_reader_ends_the_session() -> None:
    async with running_core() as core:
        await core.authenticated(card_of())
        core.pcsc.remove_reader(core.reader.name)
        await core.gone()
        assert core.heard.ends() == [EndReason.READER_REMOVED]


async def test_a_pin_that_comes_slowly_by_descriptor_keeps_nobody_else_waiting() -> None:
    class Slow(Typed):
        def __init__(self) -> None:
            super().__init__(PIN)
            self.asks_user = False
            self.may_go = asyncio.Event()

        async def answer(self, question: PinQuestion) -> Secret:
            await self.may_go.wait()
            return await super().answer(question)

    async with running_core() as core:
        presence = await core.insert(card_of())
        slow = Slow()
        waiting = asyncio.ensure_future(core.sessions.authentication(presence).authenticate(HOLDER, slow))
        await asyncio.sleep(0)
        session = await asyncio.wait_for(core.authenticate(presence), PATIENCE)
        slow.may_go.set()
        assert await waiting is session
