"""org.cardd1.Card: one insertion of one card."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from cardd.access.actions import Action
from cardd.access.facts import CallerFacts
from cardd.bus import names
from cardd.bus.agents import Agents
from cardd.bus.descriptors import OwnedFd
from cardd.bus.doorkeeper import Admission, Doorkeeper, card_target
from cardd.bus.holder import holder_reply
from cardd.bus.interface import Call, Interface, Variant, dbus_property, method, variant
from cardd.bus.options import interaction_allowed, may_ask, typed_options
from cardd.bus.reader import reader_path
from cardd.bus.session import session_path
from cardd.errors import InvalidArgument, NotAuthorizedCanObtain
from cardd.journal import Detail, Kind
from cardd.pki.revocation.finding import Revocation
from cardd.pki.trust import Trust
from cardd.sessions.account import What
from cardd.sessions.pin import DescriptorPin, PinQuestion, PinSource
from cardd.sessions.pin_change import change_pin, change_pin_on_pad, unblock_pin, unblock_pin_on_pad
from cardd.sessions.presence import Presence
from cardd.sessions.registry import Sessions
from cardd.sessions.secret import Secret
from cardd_drivers.contract import Capabilities, PinRules

LABEL_MAX = 128
"""Characters of a data object's label (PKCS #15 allows 255; cards use far fewer)."""


def card_path(presence: Presence) -> str:
    """Where a card stands."""
    return f"{names.CARDS}/{presence.number}"


class CardInterface(Interface):
    """Stands at /org/cardd1/cards/N while the card is in its reader.

    Args:
        presence: what it speaks for.
        sessions: what opens sessions.
        agents: who asks the user.
        door: judges each call.
        descriptor_timeout: seconds that a caller has for writing a PIN.
    """

    name = names.CARD

    def __init__(
        self, presence: Presence, sessions: Sessions, agents: Agents, door: Doorkeeper, *, descriptor_timeout: float
    ) -> None:
        super().__init__()
        self.presence = presence
        self._sessions = sessions
        self._agents = agents
        self._door = door
        self._descriptor_timeout = descriptor_timeout

    @method("a{sv}", "o", in_names=("options",), out_names=("session",))
    async def authenticate(self, call: Call, options: dict[str, Any]) -> str:
        """Ask the caller's agent for the PIN."""
        call.guard = self.presence.guard
        wish = _wish(options)
        admission = await self._admit(call, Action.AUTHENTICATE, interactive=wish.may_ask)
        if self.presence.card.pin_pad:
            prompt = _OnReader(self._agents, admission.facts, wish)
            authentication = self._sessions.authentication(self.presence)
            session = await authentication.authenticate_on_pad(call.caller, prompt, admission.facts.session_id)
            call.guard = session.guard
            return session_path(session)
        return await self._authenticate(call, admission, _Asking(self._agents, admission.facts, wish))

    @method("ha{sv}", "o", in_names=("pin", "options"), out_names=("session",))
    async def authenticate_with_pin(self, call: Call, pin: OwnedFd, options: dict[str, Any]) -> str:
        """Take the PIN from the caller's descriptor."""
        call.guard = self.presence.guard
        wish = _wish(options)
        admission = await self._admit(call, Action.AUTHENTICATE, interactive=wish.may_ask)
        source = DescriptorPin(pin.fileno(), timeout=self._descriptor_timeout, last_try=wish.last_try)
        return await self._authenticate(call, admission, source)

    @method("a{sv}", in_names=("options",))
    async def change_pin(self, call: Call, options: dict[str, Any]) -> None:
        """Ask for the PIN and a new one; on the reader where it has a PIN pad."""
        wish = _wish_for_change(options)
        admission = await self._admit(call, Action.AUTHENTICATE, interactive=wish.may_ask)
        of = (self.presence, self._sessions.account, call.caller)
        if self._by_pad(wish):
            await self._changing(change_pin_on_pad(*of, _OnReader(self._agents, admission.facts, wish)))
        else:
            await self._changing(change_pin(*of, _Asking(self._agents, admission.facts, wish)))

    @method("a{sv}", in_names=("options",))
    async def unblock_pin(self, call: Call, options: dict[str, Any]) -> None:
        """Ask for the unblocking code and a new PIN; on the reader where it has a PIN pad."""
        wish = _wish_for_change(options)
        admission = await self._admit(call, Action.AUTHENTICATE, interactive=wish.may_ask)
        of = (self.presence, self._sessions.account, call.caller)
        if self._by_pad(wish):
            await self._changing(unblock_pin_on_pad(*of, _OnReader(self._agents, admission.facts, wish)))
        else:
            await self._changing(unblock_pin(*of, _Asking(self._agents, admission.facts, wish)))

    @method("sa{sv}", "ay", in_names=("label", "options"), out_names=("value",))
    async def read_object(self, call: Call, label: str, options: dict[str, Any]) -> bytes:
        """Read a data object by its label."""
        call.guard = self.presence.guard
        await self._admit(call, Action.READ_HOLDER, interactive=interaction_allowed(options))
        if len(label) > LABEL_MAX:
            raise InvalidArgument(argument="label", reason=f"it is longer than {LABEL_MAX} characters")
        value = await self.presence.read_object(call.caller, label)
        what: What = {Detail.OBJECT: label, Detail.BYTES: len(value)}
        await self._sessions.account.served(Kind.OBJECT_READ, self.presence, call.caller, what)
        return value

    @method("a{sv}", "a{sv}", in_names=("options",), out_names=("holder",))
    async def get_holder(self, call: Call, options: dict[str, Any]) -> dict[str, Variant]:
        """Whose card it is."""
        call.guard = self.presence.guard
        await self._admit(call, Action.READ_HOLDER, interactive=interaction_allowed(options))
        self.presence.require_ready()
        return holder_reply(self.presence)

    @method("a{sv}", "a{say}", in_names=("options",), out_names=("certificates",))
    async def get_certificates(self, call: Call, options: dict[str, Any]) -> dict[str, bytes]:
        """DER certificates by key name."""
        call.guard = self.presence.guard
        await self._admit(call, Action.READ_HOLDER, interactive=interaction_allowed(options))
        return await self.presence.read_certificates(call.caller)

    @dbus_property("o", emits="const")
    def reader(self) -> str:
        """Where it is."""
        return reader_path(self.presence.card.insertion.reader)

    @dbus_property("s")
    def driver(self) -> str:
        """Which driver speaks to it."""
        return self.presence.card.driver_name or ""

    @dbus_property("s")
    def state(self) -> str:
        """How far it is known."""
        return self.presence.card.state.value

    @dbus_property("s")
    def problem(self) -> str:
        """An error name, or empty."""
        problem = self.presence.problem
        return "" if problem is None else problem.name

    @dbus_property("s")
    def kind(self) -> str:
        """What sort of card."""
        return self.presence.card.kind

    @dbus_property("i")
    def pin_tries_left(self) -> int:
        """-1 when not known."""
        tries_left = self.presence.tries_left
        return -1 if tries_left is None else tries_left

    @dbus_property("a{sv}")
    def trust(self) -> dict[str, Variant]:
        """The verdict on its certificate."""
        return _trust_reply(self.presence.trust)

    @dbus_property("o")
    def session(self) -> str:
        """The open session, or / ."""
        session = self.presence.session
        return names.NO_OBJECT if session is None else session_path(session)

    @dbus_property("a{sv}")
    def capabilities(self) -> dict[str, Variant]:
        """What it can do."""
        return _capabilities_reply(self.presence.card.capabilities)

    async def _admit(self, call: Call, action: Action, *, interactive: bool) -> Admission:
        admitting = self._door.admit(
            call, action, card_target(self.presence, self.presence.session), interactive=interactive
        )
        return await self.presence.while_here(admitting)

    async def _authenticate(self, call: Call, admission: Admission, source: PinSource) -> str:
        authentication = self._sessions.authentication(self.presence)
        session = await authentication.authenticate(call.caller, source, admission.facts.session_id)
        # From here on the session's own end counts: a path to an ended session would be a lie.
        call.guard = session.guard
        return session_path(session)

    def _by_pad(self, wish: _Wish) -> bool:
        """Whether new codes are typed on the reader: where it has a PIN pad, unless the caller wants it otherwise."""
        return self.presence.card.pin_pad and not wish.without_pin_pad

    async def _changing(self, work: Awaitable[None]) -> None:
        await work
        self._sessions.changed(self.presence)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the caller of a method that presents a code lets happen."""

    may_ask: bool
    last_try: bool
    without_pin_pad: bool = False


def _wish(options: dict[str, Any]) -> _Wish:
    given = typed_options(options, {names.OPTION_LAST_TRY: "b"})
    return _Wish(may_ask(options), given.get(names.OPTION_LAST_TRY, False))


def _wish_for_change(options: dict[str, Any]) -> _Wish:
    given = typed_options(options, {names.OPTION_LAST_TRY: "b", names.OPTION_WITHOUT_PIN_PAD: "b"})
    last_try, without_pin_pad = (
        given.get(name, False) for name in (names.OPTION_LAST_TRY, names.OPTION_WITHOUT_PIN_PAD)
    )
    return _Wish(may_ask(options), last_try, without_pin_pad)


class _Asking:
    """The caller's agent, looked for when there is something to ask."""

    def __init__(self, agents: Agents, caller: CallerFacts, wish: _Wish) -> None:
        self._agents = agents
        self._caller = caller
        self._may_ask = wish.may_ask
        self.asks_user = True
        self.may_be_last_try = wish.last_try

    async def answer(self, question: PinQuestion) -> Secret:
        """See `cardd.sessions.pin.PinSource`."""
        if not self._may_ask:
            raise NotAuthorizedCanObtain(reason="the PIN must be asked for, and the call forbids asking")
        return await self._agents.ask_user_of(self._caller, question, may_be_last_try=self.may_be_last_try)


class _OnReader:
    """The caller's agent is told that the PIN is typed on the reader; without one, the reader's own display says so."""

    def __init__(self, agents: Agents, caller: CallerFacts, wish: _Wish) -> None:
        self._agents = agents
        self._caller = caller
        self._may_ask = wish.may_ask
        self.may_be_last_try = wish.last_try

    @asynccontextmanager
    async def shown(self, question: PinQuestion) -> AsyncIterator[None]:
        """See `cardd.sessions.pin.PadPrompt`."""
        if not self._may_ask:
            raise NotAuthorizedCanObtain(reason="the PIN must be typed on the reader, and the call forbids asking")
        async with self._agents.told_on_reader(self._caller.caller.uid, self._caller.session_id, question):
            yield


def _trust_reply(trust: Trust | None) -> dict[str, Variant]:
    if trust is None:
        return {"state": variant("s", "unknown")}
    reply = {
        "state": variant("s", trust.state.value),
        "reason": variant("s", trust.reason.value),
        "revocation": variant("s", trust.revocation.state.value),
        "simulator": variant("b", trust.simulator),
        "checked-at": variant("t", int(trust.checked_at.timestamp())),
    }
    revocation = trust.revocation
    if revocation.policy is not None:
        reply["revocation-policy"] = variant("s", revocation.policy.mode.value)
    if revocation.source is not None:
        reply["revocation-source"] = variant("s", revocation.source.value)
    if revocation.state is Revocation.REVOKED:
        reply["revocation-reason"] = variant("s", revocation.reason)
    moments = {
        "expires": trust.expires,
        "revocation-as-of": revocation.as_of,
        "revocation-next-update": revocation.next_update,
        "revoked-at": revocation.revoked_at,
    }
    # A date before 1970 is no type t.
    known = {name: max(0, int(moment.timestamp())) for name, moment in moments.items() if moment is not None}
    return reply | {name: variant("t", seconds) for name, seconds in known.items()}


def _capabilities_reply(capabilities: Capabilities | None) -> dict[str, Variant]:
    if capabilities is None:
        return {}
    reply: dict[str, Variant] = {
        f"sign.{key.value}": variant("as", sorted(one.value for one in algorithms))
        for key, algorithms in capabilities.signature.items()
    }
    reply["decrypt.encryption"] = variant("as", sorted(one.value for one in capabilities.decipher))
    if capabilities.possession is not None:
        reply["possession"] = variant("s", capabilities.possession.value)
    for code, rules in (("pin", capabilities.pin), ("puk", capabilities.puk)):
        reply.update(_rules_reply(code, rules))
    return reply


def _rules_reply(code: str, rules: PinRules | None) -> dict[str, Variant]:
    if rules is None:
        return {}
    return {f"{code}-minimum": variant("u", rules.minimum), f"{code}-maximum": variant("u", rules.maximum)}
