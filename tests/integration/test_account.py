"""What is written down of cards and sessions, and that nothing is served while it cannot be."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from cardd.cards.connection import HoldMode
from cardd.errors import JournalUnavailable, NotAuthorized, SessionEnded
from cardd.journal import OK, Detail, Kind, Trouble
from cardd.readers.insertion import Departure
from cardd.sessions.pin_change import change_pin
from cardd.sessions.states import EndReason
from tests.support.core import HOLDER, PIN, Typed, card_of, running_core
from tests.support.running import identified, running_cardd

DIGEST = hashlib.sha256(b"document").digest()
ROOT = Path(__file__).parents[2]


async def test_a_session_is_written_down_from_the_card_to_its_end() -> None:
    async with running_core() as core:
        session = await core.authenticated(card_of())
        await session.sign(HOLDER, "signature", "RS256", DIGEST)
        key = session.presence.certificate.public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        with await session.decrypt(HOLDER, "encryption", "RSA1_5", key.encrypt(b"secret", padding.PKCS1v15())):
            pass
        core.reader.remove()
        await core.gone()
        assert core.journal.kinds() == [
            Kind.CARD_INSERTED,
            Kind.IDENTIFIED,
            Kind.AUTHENTICATED,
            Kind.SIGNED,
            Kind.DECRYPTED,
            Kind.SESSION_ENDED,
            Kind.CARD_DEPARTED,
        ]
        signed = core.journal.events[3]
        assert signed.result == OK
        assert signed.what[Detail.DIGEST] == DIGEST.hex()
        assert signed.holder is not None
        assert (signed.holder.national_id, signed.holder.card) == ("899900000011", "26000001")
        assert signed.caller is not None
        assert signed.caller.uid == HOLDER.uid
        ended = core.journal.events[5]
        assert (ended.what[Detail.REASON], ended.what[Detail.COUNT]) == ("card-removed", 2)
        written = repr(core.journal.events)
        assert "secret" not in written
        assert "1234" not in written


async def test_no_session_is_opened_that_cannot_be_written_down_and_no_card_stays_verified() -> None:
    card = card_of()
    async with running_core() as core:
        presence = await core.insert(card)
        core.journal.broken = Trouble.FULL
        with pytest.raises(JournalUnavailable):
            await core.authenticate(presence)
        assert presence.session is None
        assert card.transmit(bytes.fromhex("00200001"))[-2:] == bytes.fromhex("63C3")
        core.journal.broken = None
        assert (await core.authenticate(presence)).end_reason is None


async def test_no_result_is_given_that_cannot_be_written_down() -> None:
    async with running_core() as core:
        session = await core.authenticated(card_of())
        core.journal.broken = Trouble.FULL
        with pytest.raises(JournalUnavailable) as caught:
            await session.sign(HOLDER, "signature", "RS256", DIGEST)
        assert "tell the administrator" in str(caught.value)
        with pytest.raises(JournalUnavailable):
            await change_pin(session.presence, core.sessions.account, HOLDER, Typed(PIN, b"4321"))
        core.journal.broken = None
        assert await session.sign(HOLDER, "signature", "RS256", DIGEST)


async def test_a_session_ends_whether_or_not_it_can_be_written_down() -> None:
    async with running_core() as core:
        await core.authenticated(card_of())
        core.journal.broken = Trouble.FULL
        core.reader.remove()
        await core.gone()
        assert core.heard.ends() == [EndReason.CARD_REMOVED]


async def test_a_result_that_came_too_late_is_said_to_be_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_core(hold=HoldMode.SESSION) as core:
        session = await core.authenticated(card_of())
        run = session.card.run

        async def removed_in_between(*arguments: object, **named: object) -> object:
            result: object = await run(*arguments, **named)  # type: ignore[arg-type]  # handed through as it came
            session.card.insertion.mark.set(Departure.CARD_REMOVED)
            return result

        monkeypatch.setattr(session.card, "run", removed_in_between)
        with pytest.raises(SessionEnded):
            await session.sign(HOLDER, "signature", "RS256", DIGEST)
        assert Kind.DROPPED_RESULT in core.journal.kinds()
        assert Kind.SIGNED not in core.journal.kinds()


async def test_a_refusal_is_written_down_with_its_error() -> None:
    async with running_core() as core:
        presence = await core.insert(card_of())
        await core.sessions.account.refused(HOLDER, "Sign", NotAuthorized(reason="no"), presence)
        refused = core.journal.events[-1]
        assert (refused.kind, refused.result, refused.what[Detail.ACTION]) == (Kind.REFUSED, "NotAuthorized", "Sign")


def test_the_daemon_s_journal_verifies_by_a_program_that_knows_nothing_of_it() -> None:

    with running_cardd() as running:
        running.insert()

        async def story() -> None:
            async with running.client() as client:
                card = await identified(client)
                with pytest.raises(Exception, match="PIN is wrong"):
                    await card.authenticate(pin=bytearray(b"9999"))
                session = await card.authenticate(pin=bytearray(b"1234"))
                await session.sign("signature", "RS256", DIGEST)

        asyncio.run(story())
        running.cardd.stop()
        journal = running.folder / "journal"
        text = "".join(path.read_text() for path in sorted(journal.glob("*.jsonl")))
        for word in ("authenticated", "refused", "PinIncorrect", "signed", "daemon-stopped"):
            assert word in text
        assert "9999" not in text.replace("899900000011", "")
        command = [sys.executable, str(ROOT / "scripts" / "journal-verify"), str(journal)]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stdout + told.stderr
