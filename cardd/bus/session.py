"""org.cardd1.Session: what a verified PIN opened."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from cardd.access.actions import Action
from cardd.access.consent import Use
from cardd.access.gate import Target
from cardd.access.ownership import require_owner
from cardd.bus import names
from cardd.bus.access_question import access_question
from cardd.bus.activities import activities_reply, speciality_reply
from cardd.bus.descriptors import OwnedFd
from cardd.bus.doorkeeper import Admission, Doorkeeper, card_target, told
from cardd.bus.holder import holder_reply
from cardd.bus.interface import Call, Interface, Signal, Variant, dbus_property, method
from cardd.bus.options import may_ask, no_options, typed_options
from cardd.bus.sign_options import document_kind, sign_options
from cardd.bus.tokens import mint_order
from cardd.errors import (
    AgentFailed,
    AlgorithmNotSupported,
    Busy,
    LastTry,
    NotAuthorizedCanObtain,
    NotAuthorizedDismissed,
    PinBlocked,
    PinFormat,
    PinIncorrect,
    PinPadCancelled,
    PinPadFormat,
    PinPadTimedOut,
)
from cardd.journal import Detail, Kind
from cardd.sessions.account import What
from cardd.sessions.descriptors import write_plaintext
from cardd.sessions.key_words import signature_of
from cardd.sessions.presence import Presence
from cardd.sessions.registry import Sessions
from cardd.sessions.session import Session
from cardd.sessions.states import EndReason
from cardd.sessions.tokens import Tokens

NOTHING_SIGNED = (
    *(Busy, AlgorithmNotSupported),  # refused before the card was told anything
    # The card wanted its PIN anew, and did not get it.
    *(AgentFailed, NotAuthorizedCanObtain, NotAuthorizedDismissed, PinBlocked, PinFormat, PinIncorrect, LastTry),
    *(PinPadCancelled, PinPadFormat, PinPadTimedOut),
)
"""Refusals that use up no consent: no signature came of it."""
ACTIVITIES = "CPS_ACTIVITY_PS"
"""What the journal calls the work situations, all of them together."""


def session_path(session: Session) -> str:
    """Where a session stands."""
    return f"{names.SESSIONS}/{session.number}"


class SessionInterface(Interface):
    """Stands at /org/cardd1/sessions/N until the session ends.

    Args:
        session: what it speaks for.
        presence: the card that carries it.
        sessions: the registry that ends it.
        tokens: what mints and asserts.
        door: judges each call.
        write_timeout: seconds that a caller has for taking a plaintext out of its pipe.
    """

    name = names.SESSION
    ended = Signal("s", names=("reason",))

    def __init__(
        self,
        session: Session,
        presence: Presence,
        sessions: Sessions,
        tokens: Tokens,
        door: Doorkeeper,
        *,
        write_timeout: float,
    ) -> None:
        super().__init__()
        self._session = session
        self.presence = presence
        self._sessions = sessions
        self._tokens = tokens
        self._door = door
        self._write_timeout = write_timeout

    @method("ssaya{sv}", "ay", in_names=("key", "algorithm", "digest", "options"), out_names=("signature",))
    async def sign(self, call: Call, key: str, algorithm: str, digest: bytes, options: dict[str, Any]) -> bytes:
        """Sign a digest with a key of the card."""
        call.guard = self._session.guard
        given = sign_options(options)
        signature_of(key, algorithm, digest)
        target = self._target(key=key, algorithm=algorithm, document_kind=given.document_kind)
        admission = await self._admit(call, Action.SIGN, target, interactive=given.interactive)
        consent = self._door.consent(admission, self._session, target, digest, given)
        use = await self._session.while_open(consent)
        because = told(admission, use, given)
        signing = self._session.sign(call.caller, key, algorithm, digest, because, interactive=given.interactive)
        return await self._signed(signing, use)

    @method("ssayha{sv}", in_names=("key", "algorithm", "cryptogram", "output", "options"))
    async def decrypt(
        self, call: Call, key: str, algorithm: str, cryptogram: bytes, output: OwnedFd, options: dict[str, Any]
    ) -> None:
        """Decipher one block into the caller's descriptor."""
        call.guard = self._session.guard
        kind = document_kind(typed_options(options, {"document-kind": "s"}).get("document-kind", ""))
        target = self._target(key=key, algorithm=algorithm, document_kind=kind)
        interactive = may_ask(options)
        await self._admit(call, Action.DECRYPT, target, interactive=interactive)
        with await self._session.decrypt(call.caller, key, algorithm, cryptogram, interactive=interactive) as plaintext:
            await write_plaintext(
                output.fileno(), plaintext, timeout=self._write_timeout, still_valid=self._session.guard
            )

    @method("a{sv}", "ss", in_names=("options",), out_names=("id", "token"))
    async def mint_token(self, call: Call, options: dict[str, Any]) -> tuple[str, str]:
        """Mint a token for a device of the holder's."""
        call.guard = self._session.guard
        order = mint_order(options)
        await self._admit(call, Action.MINT_TOKEN, self._target(), interactive=may_ask(options))
        minted = await self._tokens.mint(self._session, call.caller, order)
        return minted.token_id, minted.token

    @method("saya{sv}", "s", in_names=("audience", "nonce", "options"), out_names=("assertion",), name="Assert")
    async def assert_to(self, call: Call, audience: str, nonce: bytes, options: dict[str, Any]) -> str:
        """Tell one audience who the holder is, by the card's key."""
        call.guard = self._session.guard
        typed_options(options, {})
        interactive = may_ask(options)
        await self._admit(call, Action.ASSERT, self._target(), interactive=interactive)
        session = self._session
        return await self._tokens.assert_by_card(session, call.caller, audience, nonce, interactive=interactive)

    @method("ssa{sv}", "a{sv}", in_names=("resource", "action", "options"), out_names=("access",))
    async def check_access(self, call: Call, resource: str, action: str, options: dict[str, Any]) -> dict[str, Variant]:
        """What the rules say of the caller."""
        call.guard = self._session.guard
        question = access_question(resource, action, options)
        target = self._target(key=question.key, algorithm=question.algorithm, document_kind=question.document_kind)
        return await self._door.answer(call, question, target)

    @method("a{sv}", "a{sv}", in_names=("options",), out_names=("holder",))
    async def get_holder(self, call: Call, options: dict[str, Any]) -> dict[str, Variant]:
        """Who the session stands for."""
        call.guard = self._session.guard
        typed_options(options, {})
        await self._admit(call, Action.READ_HOLDER, self._target(), interactive=may_ask(options))
        return holder_reply(self.presence) | speciality_reply(await self._session.speciality(call.caller))

    @method("a{sv}", "aa{sv}", in_names=("options",), out_names=("activities",))
    async def get_activities(self, call: Call, options: dict[str, Any]) -> list[dict[str, Variant]]:
        """The holder's work situations."""
        call.guard = self._session.guard
        typed_options(options, {})
        interactive = may_ask(options)
        await self._admit(call, Action.READ_HOLDER, self._target(), interactive=interactive)
        activities = await self._session.activities(call.caller, interactive=interactive)
        what: What = {Detail.OBJECT: ACTIVITIES, Detail.COUNT: len(activities)}
        await self._session.tell(Kind.OBJECT_READ, call.caller, what)
        return activities_reply(activities, self._session.situation)

    @method("sa{sv}", in_names=("id", "options"))
    async def select_activity(self, call: Call, activity_id: str, options: dict[str, Any]) -> None:
        """Choose one of them."""
        call.guard = self._session.guard
        typed_options(options, {})
        interactive = may_ask(options)
        await self._admit(call, Action.READ_HOLDER, self._target(), interactive=interactive)
        await self._session.select_activity(call.caller, activity_id, interactive=interactive)

    @method("a{sv}", in_names=("options",))
    async def end(self, call: Call, options: dict[str, Any]) -> None:
        """End it; the card is reset."""
        no_options(options)
        self._session.require_open()
        # Whatever rules and polkit say: to end it gives nothing away.
        require_owner(call.caller, self._session.owner_uid)
        self._sessions.end(self._session, EndReason.ENDED_BY_USER)

    @dbus_property("o", emits="const")
    def card(self) -> str:
        """The card that carries it."""
        return f"{names.CARDS}/{self.presence.number}"

    @dbus_property("s", emits="const")
    def level(self) -> str:
        """What it rests on."""
        return self._session.level.value

    @dbus_property("t", emits="const")
    def since(self) -> int:
        """Microseconds since 1970."""
        return int(self._session.since.timestamp() * 1_000_000)

    @dbus_property("t")
    def expires(self) -> int:
        """0: as long as the card stays."""
        return 0

    @dbus_property("t", emits="false")
    def uses(self) -> int:
        """Key uses served."""
        return self._session.uses

    async def _signed(self, signing: Awaitable[bytes], use: Use | None) -> bytes:
        """Sign, and say what became of the holder's consent."""
        signed = True
        try:
            return await signing
        except NOTHING_SIGNED:
            signed = False
            raise
        finally:
            self._door.finish(use, signed=signed)

    def _target(self, *, key: str = "", algorithm: str = "", document_kind: str = "") -> Target:
        return card_target(self.presence, self._session, key=key, algorithm=algorithm, document_kind=document_kind)

    async def _admit(self, call: Call, action: Action, target: Target, *, interactive: bool) -> Admission:
        self._session.require_open()
        return await self._session.while_open(self._door.admit(call, action, target, interactive=interactive))
