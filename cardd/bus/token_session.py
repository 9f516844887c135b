"""org.cardd1.Session on a token: the same members as on a card, of which those that need a key of a card refuse."""

from __future__ import annotations

from typing import Any

from cardd.access.actions import Action
from cardd.access.ownership import require_owner
from cardd.bus import names
from cardd.bus.access_question import access_question
from cardd.bus.activities import activities_reply
from cardd.bus.descriptors import OwnedFd
from cardd.bus.doorkeeper import Doorkeeper, token_target
from cardd.bus.holder import professional_reply
from cardd.bus.interface import Call, Interface, Signal, Variant, dbus_property, method
from cardd.bus.options import may_ask, no_options, typed_options
from cardd.errors import NoCardKey
from cardd.sessions.states import EndReason
from cardd.sessions.token_session import TokenSession
from cardd.sessions.tokens import Tokens


def token_session_path(session: TokenSession) -> str:
    """Where a session stands."""
    return f"{names.SESSIONS}/{session.number}"


class TokenSessionInterface(Interface):
    """Stands at /org/cardd1/sessions/N until the session ends.

    Args:
        session: what it speaks for.
        tokens: what ends it.
        door: judges each call.
    """

    name = names.SESSION
    ended = Signal("s", names=("reason",))

    def __init__(self, session: TokenSession, tokens: Tokens, door: Doorkeeper) -> None:
        super().__init__()
        self.session = session
        self._tokens = tokens
        self._door = door

    @method("ssaya{sv}", "ay", in_names=("key", "algorithm", "digest", "options"), out_names=("signature",))
    async def sign(self, call: Call, key: str, algorithm: str, digest: bytes, options: dict[str, Any]) -> bytes:
        """Refused: no key of a card."""
        raise await self._no_key(call)

    @method("ssayha{sv}", in_names=("key", "algorithm", "cryptogram", "output", "options"))
    async def decrypt(
        self, call: Call, key: str, algorithm: str, cryptogram: bytes, output: OwnedFd, options: dict[str, Any]
    ) -> None:
        """Refused: no key of a card."""
        raise await self._no_key(call)

    @method("a{sv}", "ss", in_names=("options",), out_names=("id", "token"))
    async def mint_token(self, call: Call, options: dict[str, Any]) -> tuple[str, str]:
        """Refused: a token is signed by a card."""
        raise await self._no_key(call)

    @method("saya{sv}", "s", in_names=("audience", "nonce", "options"), out_names=("assertion",), name="Assert")
    async def assert_to(self, call: Call, audience: str, nonce: bytes, options: dict[str, Any]) -> str:
        """Tell one audience who the holder is, by the daemon's key."""
        call.guard = self.session.guard
        typed_options(options, {})
        await self._admit(call, Action.ASSERT, options)
        return await self.session.assert_to(call.caller, audience, nonce)

    @method("ssa{sv}", "a{sv}", in_names=("resource", "action", "options"), out_names=("access",))
    async def check_access(self, call: Call, resource: str, action: str, options: dict[str, Any]) -> dict[str, Variant]:
        """What the rules say of the caller."""
        call.guard = self.session.guard
        question = access_question(resource, action, options)
        target = token_target(self.session)
        return await self._door.answer(call, question, target)

    @method("a{sv}", "a{sv}", in_names=("options",), out_names=("holder",))
    async def get_holder(self, call: Call, options: dict[str, Any]) -> dict[str, Variant]:
        """Who the session stands for."""
        call.guard = self.session.guard
        typed_options(options, {})
        await self._admit(call, Action.READ_HOLDER, options)
        return professional_reply(self.session.holder.professional)

    @method("a{sv}", "aa{sv}", in_names=("options",), out_names=("activities",))
    async def get_activities(self, call: Call, options: dict[str, Any]) -> list[dict[str, Variant]]:
        """The work situation in which the token was minted, if any."""
        call.guard = self.session.guard
        typed_options(options, {})
        await self._admit(call, Action.READ_HOLDER, options)
        return activities_reply(self.session.activities(), self.session.situation)

    @method("sa{sv}", in_names=("id", "options"))
    async def select_activity(self, call: Call, activity_id: str, options: dict[str, Any]) -> None:
        """That one alone: the card has the others."""
        call.guard = self.session.guard
        typed_options(options, {})
        await self._admit(call, Action.READ_HOLDER, options)
        self.session.select_activity(activity_id)

    @method("a{sv}", in_names=("options",))
    async def end(self, call: Call, options: dict[str, Any]) -> None:
        """End it; the token stays good."""
        no_options(options)
        self.session.require_open()
        # Whatever rules and polkit say: to end it gives nothing away.
        require_owner(call.caller, self.session.owner_uid)
        self._tokens.end(self.session, EndReason.ENDED_BY_USER)

    @dbus_property("o", emits="const")
    def card(self) -> str:
        """None."""
        return names.NO_OBJECT

    @dbus_property("s", emits="const")
    def level(self) -> str:
        """What it rests on."""
        return "token"

    @dbus_property("t", emits="const")
    def since(self) -> int:
        """Microseconds since 1970."""
        return int(self.session.since.timestamp() * 1_000_000)

    @dbus_property("t")
    def expires(self) -> int:
        """Microseconds since 1970."""
        return int(self.session.expires_at.timestamp() * 1_000_000)

    @dbus_property("t", emits="false")
    def uses(self) -> int:
        """Assertions made."""
        return self.session.uses

    async def _no_key(self, call: Call) -> NoCardKey:
        """The refusal; to strangers, and after the end, as everything else."""
        await self._admit(call, Action.READ_HOLDER, {})
        return NoCardKey()

    async def _admit(self, call: Call, action: Action, options: dict[str, Any]) -> None:
        self.session.require_open()
        await self._door.admit(call, action, token_target(self.session), interactive=may_ask(options))
        self.session.require_open()
