"""A card held to a reader: shown, identified, its possession proven, and no PIN asked for."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from dataclasses import replace

import pytest

from cardd.cards.connection import HoldMode
from cardd.cli.choice import choose_card
from cardd.cli.failures import SeveralCards
from cardd.client import CarddClient
from cardd.errors import ContactNeeded, SessionEnded
from cardd.journal import Kind
from cardd.pki.trust import TrustReason
from cardd.sessions.pin_change import change_pin, unblock_pin
from cardd.sessions.presence import Presence
from cardd.sessions.states import EndReason, State
from cardd_drivers.contract import CardKind, KeyName
from cardsim import personalise, profiles
from cardsim.control_client import ask
from cardsim.ias_ecc.system import IasEccCard
from cardsim.transports.vpcd import VpcdAddress, VpcdReader
from tests.integration.test_several_cards import present
from tests.support.core import HOLDER, PATIENCE, Core, Typed, card_of, pki_store, running_core
from tests.support.pcscd import PcscdUnavailable, PrivatePcscd
from tests.support.running import BIN, emptied, identified, running_cardd

ATR = bytes.fromhex("3B8F80010031B86404B0ECC1739401808290000E")
CONTACTLESS_SLOT = "Fictional Two-Slot Reader 00 01"


def tapped(profile: str = "physician") -> IasEccCard:
    return personalise(profiles.load(f"{profile}:contactless"), pki_store())


def renewed(profile: str = "physician") -> IasEccCard:
    """The card with other keys under its old serial."""
    of = profiles.load(f"{profile}:contactless")
    return personalise(replace(of, card=replace(of.card, renewal=1)), pki_store())


async def until_gone(core: Core, presence: Presence) -> None:
    await core.until(lambda: presence not in core.sessions.presences)


@pytest.mark.parametrize("hold", list(HoldMode))
async def test_a_tap_is_proven_by_the_technical_key(hold: HoldMode) -> None:
    """Identified, its certificate's chain believed, its challenge answered; nobody is named by it."""
    async with running_core(hold=hold) as core:
        presence = await core.insert(tapped())
        assert presence.card.kind == CardKind.CPS3_CONTACTLESS
        assert presence.card.driver_name == "contactless"
        assert presence.trust is not None
        assert presence.trust.reason is TrustReason.OK
        assert presence.professional is None
        assert presence.tries_left is None
        assert list(presence.card.certificates) == [KeyName.TECHNICAL]
        assert list(await presence.read_certificates(HOLDER)) == ["technical"]
        core.reader.remove()
        await core.gone()
        assert core.journal.kinds() == [Kind.CARD_INSERTED, Kind.IDENTIFIED, Kind.CARD_DEPARTED]


async def test_a_known_card_costs_four_commands() -> None:
    """Serial, application, environment, proof; hold or none, nothing else goes over the air."""
    async with running_core() as core:
        first = await core.insert(tapped())
        never_seen = first.card.traffic.commands
        core.reader.remove()
        await core.gone()
        again = await core.insert(tapped())
        assert (never_seen, again.card.traffic.commands) == (18, 4)


async def test_authentication_says_where_the_pin_goes() -> None:
    """Refused before anybody is asked and before anything is sent; so are a change and an unblocking."""
    async with running_core() as core:
        presence = await core.insert(tapped())
        sent = presence.card.traffic.commands
        typed = Typed(b"1234")
        authentication = core.sessions.authentication(presence)
        with pytest.raises(ContactNeeded):
            await authentication.authenticate(HOLDER, typed)
        for work in (change_pin, unblock_pin):
            with pytest.raises(ContactNeeded):
                await work(presence, core.sessions.account, HOLDER, typed)
        assert typed.questions == []
        assert presence.card.traffic.commands == sent
        assert presence.state is State.TRUSTED


async def test_a_card_renewed_in_silence_is_not_believed_on_its_old_certificate() -> None:
    """The first tap is unproven, and what was remembered is dropped: the next one reads the card anew."""
    async with running_core() as core:
        await core.insert(tapped())
        core.reader.remove()
        await core.gone()
        presence = await core.insert(renewed(), until=State.UNTRUSTED)
        assert presence.trust is not None
        assert presence.trust.reason is TrustReason.UNPROVEN
        core.reader.remove()
        await core.gone()
        presence = await core.insert(renewed())
        assert presence.state is State.TRUSTED


@pytest.mark.parametrize(
    ("profile", "reason"),
    [
        ("expired", TrustReason.EXPIRED),
        ("strange-ca", TrustReason.UNKNOWN_ISSUER),
        ("malformed-certificate", TrustReason.MALFORMED),
    ],
)
async def test_its_certificate_is_judged_as_any_other(profile: str, reason: TrustReason) -> None:
    """A proof by a key that nobody vouches for is none. (A malformed certificate proves nothing either.)"""
    async with running_core() as core:
        presence = await core.insert(tapped(profile), until=State.UNTRUSTED)
        assert presence.trust is not None
        assert presence.trust.reason in (reason, TrustReason.UNPROVEN)
        assert (presence.trust.reason is reason) == (profile != "malformed-certificate")


async def test_a_session_by_the_contacts_outlives_a_tap_beside_it() -> None:
    """Two slots: a colleague's card comes and goes at one, the session at the other is its own."""
    async with running_core() as core:
        session = await core.authenticated(card_of())
        slot = core.pcsc.add_reader(CONTACTLESS_SLOT)
        colleague = await present(core, slot, tapped("nurse"))
        assert colleague.card.kind == CardKind.CPS3_CONTACTLESS
        slot.remove()
        await until_gone(core, colleague)
        assert session.end_reason is None
        core.reader.remove()
        await core.until(lambda: core.heard.ends() == [EndReason.CARD_REMOVED])
        with pytest.raises(SessionEnded):
            session.require_open()


async def test_the_same_card_inserted_and_tapped_is_known_by_both() -> None:
    """One serial, one memory: neither interface makes the other one read anew, nor answers for it."""
    async with running_core() as core:
        for make, kind in ((card_of, CardKind.CPS3), (tapped, CardKind.CPS3_CONTACTLESS)) * 2:
            presence = await core.insert(make())
            assert presence.card.kind == kind
            last = presence.card.traffic.commands
            core.reader.remove()
            await core.gone()
        assert last == 4


# On the bus and beside other programs


async def test_what_the_bus_and_the_command_line_say() -> None:
    """Reader.Contactless, Card.Kind, its capabilities and trust; the refusal; the serial for whoever may know it."""
    with running_cardd() as running:
        async with running.client() as client:
            (reader,) = await client.readers()
            assert not reader.contactless
            running.insert("physician:contactless")
            card = await identified(client)
            assert (card.kind, card.driver, card.state) == ("cps3-contactless", "contactless", "identified")
            assert (card.trust.state, card.trust.reason) == ("trusted", "ok")
            assert card.pin_tries_left is None
            (reader,) = await client.readers()
            assert reader.contactless
            with pytest.raises(ContactNeeded):
                await card.authenticate(pin=bytearray(b"1234"))
            assert (await card.get_holder()).serial == "26000001"
            assert list(await card.get_certificates()) == ["technical"]
            shown = subprocess.run(
                [str(BIN / "cardctl"), "--bus", running.bus.address, "status"],
                check=True,
                capture_output=True,
                text=True,
                timeout=60,
            ).stdout
            assert "CPS3, contactless" in shown
            assert "none without contact" in shown
            running.remove()
            await emptied(client)
            running.insert()
            await identified(client)
            (reader,) = await client.readers()
            assert not reader.contactless


async def until_kinds(client: CarddClient, kinds: set[str]) -> None:
    async with asyncio.timeout(PATIENCE):
        while {card.kind for card in await client.cards()} != kinds:
            await asyncio.sleep(0.02)


async def test_a_command_that_takes_a_pin_means_the_inserted_card() -> None:
    """Beside a patient's card and one that is held to a reader, both of which can be meant by name alone."""
    with running_cardd() as running:
        others = {"Vitale slot": "vitale", CONTACTLESS_SLOT: "nurse:contactless"}
        async with running.client() as client:
            for name, profile in others.items():
                ask(running.control, "add-reader", name=name)
                running.cardsim("insert", "--reader", name, "--profile", profile)
            await until_kinds(client, {"vitale", "cps3-contactless"})
            with pytest.raises(SeveralCards):
                await choose_card(client, None)
            running.insert()
            await until_kinds(client, {"vitale", "cps3-contactless", "cps3"})
            assert (await choose_card(client, None)).kind == "cps3"
            (tapped_card,) = [card for card in await client.cards() if card.capabilities.possession]
            assert tapped_card.capabilities.possession == "technical"
            assert (await choose_card(client, tapped_card.path)).path == tapped_card.path


def test_opensc_does_not_know_the_card() -> None:
    """Its table begins the line with 2B; so it tries its other drivers, 51 commands each time, and gives up."""
    if shutil.which("opensc-tool") is None:
        pytest.skip("opensc is not installed")
    try:
        with PrivatePcscd() as pcscd:
            reader = VpcdReader(VpcdAddress(port=pcscd.ports[0]))
            reader.insert(tapped())
            try:
                pcscd.await_card()
                listed, named = (
                    subprocess.run(
                        ["opensc-tool", argument],
                        env=dict(pcscd.environment),
                        capture_output=True,
                        text=True,
                        check=False,
                        timeout=60,
                    )
                    for argument in ("--list-readers", "--name")
                )
            finally:
                reader.remove()
    except PcscdUnavailable as reason:
        pytest.skip(f"pcscd unavailable: {reason}")
    assert " Yes " in listed.stdout  # the card is there
    assert named.stdout == "Unsupported card\n"
