"""Changing and unblocking the PIN."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext

from cardd.access.caller import Caller
from cardd.cards.worker import Priority
from cardd.errors import CarddError, CardInUse, PinPadCannotChange
from cardd.journal import Kind
from cardd.sessions.account import Account
from cardd.sessions.failures import client_errors
from cardd.sessions.pin import (
    PadPrompt,
    PinQuestion,
    PinSource,
    Purpose,
    question_for,
    require_contact,
    require_form,
    require_pin_tries,
    require_tries,
    rules_or_refuse,
)
from cardd.sessions.presence import Presence
from cardd.sessions.secret import Secret
from cardd_drivers.contract import Card, PinRules


async def change_pin(presence: Presence, account: Account, caller: Caller, source: PinSource) -> None:
    """Ask for the PIN and a new one, and replace it.

    Raises:
        CarddError: the card cannot be used, another user's session is open, a PIN was not given, wrong or blocked.
    """
    of_pin, _ = _rules(presence, caller)
    rules, left = rules_or_refuse(of_pin), presence.tries_left
    require_tries(Purpose.CHANGE_CURRENT, left, may_be_last=True)
    known = source.may_be_last_try or left == 1
    with (
        await _ask(presence, source, Purpose.CHANGE_CURRENT, rules, left) as old,
        await _ask(presence, source, Purpose.CHANGE_NEW, rules, None) as new,
    ):

        def change(card: Card) -> None:
            if not known:
                require_pin_tries(presence.card, card, Purpose.CHANGE_CURRENT)
            card.change_pin(old.buffer, new.buffer)

        await _on_card(presence, caller, change)
        await account.served(Kind.PIN_CHANGED, presence, caller, {})


async def unblock_pin(presence: Presence, account: Account, caller: Caller, source: PinSource) -> None:
    """Ask for the unblocking code and a new PIN, and set it.

    Raises:
        CarddError: as `change_pin`, for the unblocking code.
    """
    of_pin, of_puk = _rules(presence, caller)
    pin_rules, puk_rules = rules_or_refuse(of_pin), rules_or_refuse(of_puk)
    left = await _puk_tries(presence, caller)
    require_tries(Purpose.UNBLOCK_PUK, left, may_be_last=True)
    known = source.may_be_last_try or left == 1
    with (
        await _ask(presence, source, Purpose.UNBLOCK_PUK, puk_rules, left) as puk,
        await _ask(presence, source, Purpose.UNBLOCK_NEW, pin_rules, None) as new,
    ):

        def unblock(card: Card) -> None:
            if not known:
                require_tries(Purpose.UNBLOCK_PUK, card.puk_status().tries_left, may_be_last=False)
            card.unblock_pin(puk.buffer, new.buffer)

        await _on_card(presence, caller, unblock)
        await account.served(Kind.PIN_UNBLOCKED, presence, caller, {})


async def change_pin_on_pad(presence: Presence, account: Account, caller: Caller, pad: PadPrompt) -> None:
    """As `change_pin`, with both PINs typed on the reader: no character of them comes here.

    Raises:
        PinPadCannotChange: that pad takes no new PIN.
        PinPadTimedOut, PinPadCancelled, PinPadMismatch, PinPadFormat, LastTry; CarddError as `change_pin`.
    """
    of_pin, _ = _rules(presence, caller)
    rules, left = rules_or_refuse(of_pin), presence.tries_left
    _require_pad_for_change(presence)
    require_tries(Purpose.CHANGE_CURRENT, left, may_be_last=pad.may_be_last_try)

    def change(card: Card) -> None:
        if not pad.may_be_last_try:
            require_pin_tries(presence.card, card, Purpose.CHANGE_CURRENT)
        card.change_pin_on_pad()

    question = question_for(presence, Purpose.CHANGE_CURRENT, rules, left)
    await _on_card(presence, caller, change, pad.shown(question))
    await account.served(Kind.PIN_CHANGED, presence, caller, {})


async def unblock_pin_on_pad(presence: Presence, account: Account, caller: Caller, pad: PadPrompt) -> None:
    """As `unblock_pin`, with both codes typed on the reader.

    Raises:
        CarddError: as `change_pin_on_pad`, for the unblocking code.
    """
    of_pin, of_puk = _rules(presence, caller)
    rules_or_refuse(of_pin)
    puk_rules = rules_or_refuse(of_puk)
    _require_pad_for_change(presence)
    left = await _puk_tries(presence, caller)
    require_tries(Purpose.UNBLOCK_PUK, left, may_be_last=pad.may_be_last_try)

    def unblock(card: Card) -> None:
        if not pad.may_be_last_try:
            require_tries(Purpose.UNBLOCK_PUK, card.puk_status().tries_left, may_be_last=False)
        card.unblock_pin_on_pad()

    question = question_for(presence, Purpose.UNBLOCK_PUK, puk_rules, left)
    await _on_card(presence, caller, unblock, pad.shown(question))
    await account.served(Kind.PIN_UNBLOCKED, presence, caller, {})


async def _puk_tries(presence: Presence, caller: Caller) -> int | None:
    with client_errors():
        status = await presence.card.run(lambda card: card.puk_status(), caller=caller.name, user=caller.uid)
    return status.tries_left


def _require_pad_for_change(presence: Presence) -> None:
    if not presence.card.pin_pad_changes:
        raise PinPadCannotChange


def _rules(presence: Presence, caller: Caller) -> tuple[PinRules | None, PinRules | None]:
    """Rules of the PIN and of the unblocking code, for a caller who may change them."""
    presence.require_ready()
    presence.require_session_owner(caller)
    capabilities = presence.card.capabilities
    require_contact(capabilities)
    return (None, None) if capabilities is None else (capabilities.pin, capabilities.puk)


async def _ask(
    presence: Presence, source: PinSource, purpose: Purpose, rules: PinRules, tries_left: int | None
) -> Secret:
    question: PinQuestion = question_for(presence, purpose, rules, tries_left)
    answer = await presence.while_here(source.answer(question))
    try:
        require_form(answer, question)
    except BaseException:
        answer.wipe()
        raise
    return answer


async def _on_card(
    presence: Presence,
    caller: Caller,
    operation: Callable[[Card], None],
    meanwhile: AbstractAsyncContextManager[None] | None = None,
) -> None:
    """Run under the open session's handle, or under one of our own that is given back reset.

    Args:
        presence, caller, operation: what is done.
        meanwhile: entered while the card is at it.
    """
    async with presence.proving:
        await presence.pause_after_wrong()
        presence.require_ready()
        presence.require_session_owner(caller)
        own_handle = presence.session is None
        try:
            async with meanwhile or nullcontext():
                with client_errors():
                    await _changed(presence, caller, operation, own_handle=own_handle)
        except CarddError as error:
            presence.note_failure(error)
            raise
        finally:
            if own_handle:
                await asyncio.shield(presence.card.release())
    presence.require_present()


async def _changed(presence: Presence, caller: Caller, operation: Callable[[Card], None], *, own_handle: bool) -> None:
    if own_handle:
        if (holder := presence.card.held_by_another()) is not None:
            raise CardInUse(holder=holder)
        await presence.card.hold()
    await presence.card.run(operation, caller=caller.name, user=caller.uid, priority=Priority.AUTHENTICATION)
    presence.card.note_pin_status(
        await presence.card.run(lambda card: card.pin_status(), caller=caller.name, user=caller.uid)
    )
