"""A card that answers to reset and is mute afterwards."""

from __future__ import annotations

from cardsim.control_cards import CardCupboard, PreparedLookAlike
from cardsim.control_desk import ControlDesk
from cardsim.look_alike import VITALE_ATR, LookAlikeCard
from cardsim.transports.inprocess import InProcessPcsc


def test_it_answers_its_reset_and_nothing_else() -> None:
    card = LookAlikeCard(VITALE_ATR)
    assert card.power_on() == VITALE_ATR
    assert card.transmit(bytes.fromhex("00A4040000")) == b""
    assert card.commands == [bytes.fromhex("00A4040000")]
    card.power_off()


def test_the_cupboard_keeps_it_beside_the_profiles() -> None:
    cupboard = CardCupboard()
    kept = cupboard.any_card("vitale")
    assert isinstance(kept, PreparedLookAlike)
    assert cupboard.any_card("vitale") is kept
    assert cupboard.owner(kept.card) is kept


def test_it_goes_into_a_reader_and_has_no_holder() -> None:
    pcsc = InProcessPcsc()
    reader = pcsc.add_reader("Fictional Reader 00 00")
    desk = ControlDesk(pcsc, CardCupboard())
    assert desk.do({"command": "insert", "profile": "vitale"}) == {
        "reader": reader.name,
        "profile": "vitale",
        "holder": None,
        "card_number": None,
    }
    assert VITALE_ATR.hex().upper() in str(desk.do({"command": "status"}))
    pcsc.close()
