"""One bad answer while a card is read for the first time does not make it useless for ever."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from cardd.cards.present import CardState
from cardd.sessions.presence import Presence
from cardd.sessions.states import State
from cardsim.faults import Fault
from tests.support.core import card_of, running_core

NO_PIN = "no PIN"
SPOILT: Mapping[str, tuple[int, str, str]] = {
    "a directory is not there": (6, "sw@{}:6A82", NO_PIN),
    "the certificates' directory is not there": (10, "sw@{}:6A82", State.UNTRUSTED),
    "one directory is given for another": (10, "sw@{}:9000", CardState.FAILED),
}


@pytest.mark.parametrize("what", SPOILT)
async def test_it_is_read_anew_when_it_is_put_in_again_even_by_another_daemon(what: str, tmp_path: Path) -> None:
    at, fault, became = SPOILT[what]
    async with running_core(memory=tmp_path) as core:
        core.reader.faults.arm(Fault.parse(fault.format(at)))
        core.reader.insert(card_of())
        await core.until(lambda: any(became in _what_of(one) for one in core.sessions.presences))
        core.reader.remove()
        await core.gone()
    async with running_core(memory=tmp_path) as core:
        session = await core.authenticated(card_of())
        assert session.end_reason is None


def _what_of(presence: Presence) -> set[str]:
    capabilities = presence.card.capabilities
    return {presence.state, presence.card.state, *((NO_PIN,) if capabilities and capabilities.pin is None else ())}
