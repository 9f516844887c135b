"""Logical channels and the applications beside IAS ECC (ISO 7816-4, 5.4.1; 11.1.1 for SELECT by DF name).

The IAS ECC application is spoken to on logical channel 1, which SELECT of its AID opens: no middleware sends MANAGE
CHANNEL. The library of the agency selects, where that is refused, GlobalPlatform's domain, the CPS2ter side on the
basic channel, and the application again.

GUESS: everything about the basic channel and about the answers of the other two applications. A real card settles it
by SELECT of each of the three AIDs with class 00 and 01 after a reset.
"""

from __future__ import annotations

from cardsim.apdu import CLA_CHAINING, CommandApdu, Response
from cardsim.ias_ecc.context import CardContext
from cardsim.status_words import StatusError, StatusWord

SECURITY_DOMAIN_AID = bytes.fromhex("A0000001510000")
OLDER_SIDE_AID = bytes.fromhex("8025000001FF0002")
"""CPS2ter."""

BASIC_CHANNEL, IAS_CHANNEL = 0, 1
_CHANNEL_BITS = 0x03
_INS_SELECT, _BY_DF_NAME = 0xA4, 0x04


class LogicalChannels:
    """Which application each channel speaks to.

    Args:
        card: its master file bears the AID of the IAS ECC application.
    """

    def __init__(self, card: CardContext) -> None:
        self._card = card
        self._selected: bytes | None = None
        self._asleep = False
        self.reset()

    def reset(self) -> None:
        """Channel 1 is closed."""
        self._selected = None
        self._asleep = self._card.behaviour.applet_asleep

    def answer(self, command: CommandApdu) -> Response | None:
        """None for channel 1 with the IAS ECC application selected there, and for SELECT of its AID.

        Raises:
            StatusError: 6E00 no such class, or another application is selected; 6881 the channel is not open; 6A82
                SELECT of an AID that the channel does not have.
        """
        if command.cla & ~(CLA_CHAINING | _CHANNEL_BITS):
            raise StatusError(StatusWord.CLA_NOT_SUPPORTED)
        channel = command.cla & _CHANNEL_BITS
        by_name = command.ins == _INS_SELECT and command.p1 == _BY_DF_NAME and not command.cla & CLA_CHAINING
        if channel == BASIC_CHANNEL:
            return self._on_basic_channel(command.data, by_name)
        if channel != IAS_CHANNEL:
            raise StatusError(StatusWord.LOGICAL_CHANNEL_NOT_SUPPORTED)
        return self._on_ias_channel(command.data, by_name)

    def _on_basic_channel(self, aid: bytes, by_name: bool) -> Response:
        if not by_name:
            raise StatusError(StatusWord.CLA_NOT_SUPPORTED)
        if aid != OLDER_SIDE_AID:
            raise StatusError(StatusWord.FILE_NOT_FOUND)
        return Response()

    def _on_ias_channel(self, aid: bytes, by_name: bool) -> Response | None:
        ias = self._card.master_file.aid
        if by_name and aid == SECURITY_DOMAIN_AID:
            self._card.reset()
            self._selected, self._asleep = aid, False
            return Response()
        if by_name and aid == ias and not self._asleep:
            self._selected = ias
        if self._selected == ias:
            return None
        if by_name:
            raise StatusError(StatusWord.FILE_NOT_FOUND)
        closed = self._selected is None
        raise StatusError(StatusWord.LOGICAL_CHANNEL_NOT_SUPPORTED if closed else StatusWord.CLA_NOT_SUPPORTED)
