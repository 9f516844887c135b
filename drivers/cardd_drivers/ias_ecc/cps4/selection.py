"""How the CPS4 selects: its application by AID, which opens logical channel 1; files by path from the MF, with FCI."""

from __future__ import annotations

from cardd_drivers.apdu import SHORT_LE_MAX, Command, Response
from cardd_drivers.contract import Channel, MalformedCardData, UnexpectedResponse
from cardd_drivers.exchange import Exchange
from cardd_drivers.ias_ecc import commands
from cardd_drivers.ias_ecc.commands import MASTER_FILE
from cardd_drivers.ias_ecc.cps4 import commands as cps4_commands
from cardd_drivers.ias_ecc.generation import Location
from cardd_drivers.ias_ecc.refusal import require_success
from cardd_drivers.tlv import find, parse

_FCI, _SIZE = 0x6F, 0x80


class Cps4Selection:
    """A `Selection`.

    Args:
        channel: the way to the card.
        exchange: the same, to logical channel 1.
    """

    selected_after_reset = False

    def __init__(self, channel: Channel, exchange: Exchange) -> None:
        self._channel = channel
        self._exchange = exchange
        self._opened = False

    def master_file(self) -> None:
        """The application by its AID, which is its MF; once that was done, 3F00, which leaves the PIN as it is.

        Where the application refuses, the security domain and the older side are selected, and it again: the detour
        by which the agency's library wakes it.
        """
        if self._opened:
            self._send(cps4_commands.select_master_file())
            return
        try:
            self._send(commands.select_by_df_name(commands.ROOT_AID))
        except UnexpectedResponse:
            self._wake()
            self._send(commands.select_by_df_name(commands.ROOT_AID))
        self._opened = True

    def dedicated_file(self, df: bytes) -> None:
        """By path, or by AID."""
        if not df.startswith(MASTER_FILE):
            self._send(commands.select_by_df_name(df))
        elif df == MASTER_FILE:
            self._send(cps4_commands.select_master_file())
        else:
            self._send(cps4_commands.select_df(df[len(MASTER_FILE) :]))

    def elementary_file(self, where: Location, in_current_df: bool) -> int | None:
        """By its whole path, the only form that is known to work; by identifier where the DF's path is not known."""
        if where.df.startswith(MASTER_FILE):
            return _size(self._send(cps4_commands.select_ef(where.df[len(MASTER_FILE) :] + where.identifier)))
        if not in_current_df:
            self.dedicated_file(where.df)
        return _size(self._send(cps4_commands.select_ef_by_identifier(where.identifier)))

    def _wake(self) -> None:
        """Whether either is there does not matter: the application's own answer, afterwards, tells."""
        self._exchange.send(commands.select_by_df_name(cps4_commands.SECURITY_DOMAIN_AID))
        basic = Exchange(self._channel, SHORT_LE_MAX)
        basic.send(commands.select_by_df_name(cps4_commands.OLDER_SIDE_AID))

    def _send(self, command: Command) -> Response:
        response = self._exchange.send(command)
        require_success(response, command)
        return response


def _size(response: Response) -> int | None:
    """Tag 80 of the FCI 6F (ISO 7816-4 7.4.3), in bytes; None where it cannot be read: reading finds the end."""
    try:
        template = find(parse(response.data), _FCI)
        size = None if template is None else find(parse(template.value), _SIZE)
    except MalformedCardData:
        return None
    return None if size is None else int.from_bytes(size.value, "big")
