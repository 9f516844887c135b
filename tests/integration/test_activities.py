"""Work situations: read from the card after the PIN, one chosen, told by the journal."""

from __future__ import annotations

import dataclasses

import pytest

from cardd.errors import NoSuchActivity, SessionEnded
from cardd.holder.activities import Activity, ActivityWarning
from cardd.holder.identifiers import StructureIdKind
from cardd.journal import Detail, Kind
from cardd.sessions.states import EndReason
from cardsim import profiles
from cardsim.card import SimulatedCard
from cardsim.ias_ecc.files import ElementaryFile
from cardsim.personalise import personalise
from tests.support.core import HOLDER, Core, card_of, pki_store, running_core

DIGEST = bytes(32)


def without_activities() -> SimulatedCard:
    return personalise(dataclasses.replace(profiles.load("physician"), activities=()), pki_store())


def told(core: Core, kind: Kind) -> list[dict[Detail, object]]:
    return [dict(event.what) for event in core.journal.events if event.kind is kind]


@pytest.mark.parametrize("profile", ["physician", "physician-cps4"])
async def test_they_are_read_once_and_in_order(profile: str) -> None:
    async with running_core() as core:
        session = await core.authenticated(card_of(profile))
        first, second = await session.activities(HOLDER)
        labels = {"SA07": "Cabinet individuel", "SA01": "Etablissement public de santé"}
        kinds = {"4": StructureIdKind.RPPS_PRACTICE, "1": StructureIdKind.FINESS}
        expected = [
            Activity(
                f"{one.number:02}", one.name, one.structure, kinds[one.structure[0]], one.sector, labels[one.sector]
            )
            for one in profiles.load(profile).activities
        ]
        assert [first, second] == expected
        commands = session.card.traffic.commands
        assert await session.activities(HOLDER) == (first, second)
        assert session.card.traffic.commands == commands
        assert session.uses == 0


async def test_their_numbers_may_have_gaps_and_go_up_to_sixteen() -> None:
    async with running_core() as core:
        session = await core.authenticated(card_of("many-activities"))
        found = [activity.activity_id for activity in await session.activities(HOLDER)]
        expected = [f"{activity.number:02}" for activity in profiles.load("many-activities").activities]
        assert found == expected


async def test_a_card_that_tells_none() -> None:
    async with running_core() as core:
        session = await core.authenticated(without_activities())
        assert await session.activities(HOLDER) == ()
        with pytest.raises(NoSuchActivity) as caught:
            await session.select_activity(HOLDER, "01")
        assert caught.value.fields == {"activity": "01"}


async def test_a_file_that_makes_no_sense_hides_no_other() -> None:
    card = personalise(profiles.load("physician"), pki_store())
    file = card.master_file.by_path([0x0001, 0xD120])
    assert isinstance(file, ElementaryFile)
    file.content[:] = b"\xff" * len(file.content)
    async with running_core() as core:
        session = await core.authenticated(card)
        first, second = await session.activities(HOLDER)
        assert first == Activity("01", warnings=(ActivityWarning.UNREADABLE,))
        assert second.sector is not None


async def test_what_is_done_tells_the_chosen_one() -> None:
    async with running_core() as core:
        session = await core.authenticated(card_of())
        await session.sign(HOLDER, "signature", "RS256", DIGEST)
        await session.select_activity(HOLDER, "02")
        chosen = session.situation
        assert chosen is not None
        await session.sign(HOLDER, "signature", "RS256", DIGEST)
        await session.select_activity(HOLDER, "")
        await session.sign(HOLDER, "signature", "RS256", DIGEST)
        told_of = {Detail.ACTIVITY: "02", Detail.STRUCTURE: chosen.structure_id, Detail.SECTOR: chosen.sector}
        selections = told(core, Kind.ACTIVITY_SELECTED)
        assert selections == [{Detail.SESSION: "1", **told_of}, {Detail.SESSION: "1"}]
        before, during, after = told(core, Kind.SIGNED)
        assert during == {**before, **told_of}
        assert after == before


async def test_one_that_is_not_there_changes_nothing() -> None:
    async with running_core() as core:
        session = await core.authenticated(card_of())
        await session.select_activity(HOLDER, "01")
        for other in ("03", "1", "CPS_ACTIVITY_01_PS", "\x1b[2J"):
            with pytest.raises(NoSuchActivity):
                await session.select_activity(HOLDER, other)
        assert session.situation is not None
        assert session.situation.activity_id == "01"


async def test_nothing_is_told_after_the_end() -> None:
    async with running_core() as core:
        session = await core.authenticated(card_of())
        await session.select_activity(HOLDER, "01")
        core.sessions.end(session, EndReason.ENDED_BY_USER)
        assert session.situation is None
        with pytest.raises(SessionEnded):
            await session.activities(HOLDER)


@pytest.mark.parametrize(("profile", "code"), [("physician", "SM26"), ("pharmacist", None), ("staff", None)])
async def test_the_speciality_comes_from_the_cards_file(profile: str, code: str | None) -> None:
    async with running_core() as core:
        session = await core.authenticated(card_of(profile))
        assert await session.speciality(HOLDER) == code
