"""org.cardd1.Manager: the daemon itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cardd
from cardd.access.actions import Action
from cardd.access.gate import Target
from cardd.bus import names
from cardd.bus.agents import Agents, abilities_of
from cardd.bus.descriptors import OwnedFd
from cardd.bus.doorkeeper import Doorkeeper
from cardd.bus.explaining import caller_reply
from cardd.bus.interface import Call, Interface, Variant, dbus_property, method
from cardd.bus.options import may_ask, typed_options
from cardd.bus.token_session import token_session_path
from cardd.bus.tokens import list_order, proof_of, token_row, token_text
from cardd.sessions.tokens import RequireManager, Tokens


class ManagerInterface(Interface):
    """Stands at /org/cardd1.

    Args:
        agents: where agents register.
        tokens: what is done with tokens.
        door: judges each call.
        drivers: names of the card drivers that were found.
        warnings: what an administrator should know, as it stands now.
        reload: reads the configuration and the trust directory again (ConfigurationInvalid: it cannot be used).
        read_timeout: seconds that a caller has for writing a token into its pipe.
    """

    name = names.MANAGER

    def __init__(
        self,
        agents: Agents,
        tokens: Tokens,
        door: Doorkeeper,
        drivers: Sequence[str],
        warnings: Callable[[], Sequence[str]],
        reload: Callable[[], None],
        *,
        read_timeout: float,
    ) -> None:
        super().__init__()
        self._agents = agents
        self._tokens = tokens
        self._door = door
        self._read_timeout = read_timeout
        self._drivers = list(drivers)
        self._warnings = warnings
        self._reload = reload

    @method("oa{sv}", in_names=("agent", "options"))
    async def register_agent(self, call: Call, agent: str, options: dict[str, Any]) -> None:
        """Take in who asks the user."""
        abilities = abilities_of(options)
        self._agents.register(await self._door.facts(call), agent, abilities)

    @method("o", in_names=("agent",))
    async def unregister_agent(self, call: Call, agent: str) -> None:
        """Let it go."""
        self._agents.unregister(call.sender, agent)

    @method("a{sv}", "ay", in_names=("options",), out_names=("challenge",))
    async def get_challenge(self, call: Call, options: dict[str, Any]) -> bytes:
        """Give what a token's device answers."""
        typed_options(options, {})
        return await self._tokens.challenge(call.caller)

    @method("a{sv}", "ay", in_names=("options",), out_names=("key",))
    async def get_key(self, call: Call, options: dict[str, Any]) -> bytes:
        """Give the daemon's own public key."""
        del call  # it is for everybody
        typed_options(options, {})
        return await self._tokens.public_key()

    @method("ha{sv}", "o", in_names=("token", "options"), out_names=("session",))
    async def redeem_token(self, call: Call, token: OwnedFd, options: dict[str, Any]) -> str:
        """Open a session with a token."""
        proof = proof_of(options)
        admission = await self._door.admit(call, Action.AUTHENTICATE, Target(), interactive=may_ask(options))
        text = await token_text(token, timeout=self._read_timeout)
        session = await self._tokens.redeem(call.caller, text, proof, admission.facts.session_id)
        call.guard = session.guard
        return token_session_path(session)

    @method("a{sv}", "aa{sv}", in_names=("options",), out_names=("tokens",))
    async def list_tokens(self, call: Call, options: dict[str, Any]) -> list[dict[str, Variant]]:
        """List registered tokens."""
        order = list_order(options)
        records = await self._tokens.list_tokens(
            call.caller,
            self._manager_of_tokens(call, options),
            limit=order.limit,
            after=order.after,
            token_id=order.token_id,
            everyone=order.everyone,
        )
        return [token_row(record) for record in records]

    @method("ssa{sv}", in_names=("id", "reason", "options"))
    async def revoke_token(self, call: Call, token_id: str, reason: str, options: dict[str, Any]) -> None:
        """Revoke a token."""
        typed_options(options, {})
        await self._tokens.revoke(call.caller, self._manager_of_tokens(call, options), token_id, reason)

    @method("a{sv}", "a{sv}", in_names=("options",), out_names=("caller",), name="WhoAmI")
    async def who_am_i(self, call: Call, options: dict[str, Any]) -> dict[str, Variant]:
        """Tell a caller what is seen of it."""
        typed_options(options, {})
        return caller_reply(await self._door.facts(call))

    @method("sa{sv}", "a{sv}", in_names=("action", "options"), out_names=("explanation",))
    async def explain_access(self, call: Call, action: str, options: dict[str, Any]) -> dict[str, Variant]:
        """Tell which rule decides."""
        return await self._door.explain(call, action, options)

    @method()
    async def reload(self, call: Call) -> None:
        """Read configuration and trust directory again."""
        await self._door.admit(call, Action.CONFIGURE, Target())
        self._reload()

    @dbus_property("s", emits="const")
    def version(self) -> str:
        """The daemon's version."""
        return cardd.__version__

    @dbus_property("as", emits="const")
    def drivers(self) -> list[str]:
        """Card drivers by name."""
        return self._drivers

    @dbus_property("as")
    def warnings(self) -> list[str]:
        """What an administrator should know."""
        return list(self._warnings())

    def _manager_of_tokens(self, call: Call, options: dict[str, Any]) -> RequireManager:
        interactive = may_ask(options)
        return lambda: self._door.admit(call, Action.MANAGE_TOKENS, Target(), interactive=interactive)
