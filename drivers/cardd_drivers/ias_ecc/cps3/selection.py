"""How the CPS3 selects: by path with P1=09, by identifier under the current DF, without answer where it can."""

from __future__ import annotations

from dataclasses import replace

from cardd_drivers.apdu import SHORT_LE_MAX, SW, Command
from cardd_drivers.contract import UnexpectedResponse
from cardd_drivers.exchange import Exchange
from cardd_drivers.ias_ecc import commands
from cardd_drivers.ias_ecc.commands import MASTER_FILE, SelectResponse
from cardd_drivers.ias_ecc.generation import Location
from cardd_drivers.ias_ecc.refusal import refusal


class Cps3Selection:
    """A `Selection`.

    Args:
        exchange: the way to the card.
    """

    selected_after_reset = True

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._answer = SelectResponse.NONE

    def master_file(self) -> None:
        """By its path; by its AID, which wakes the applet, where another one is selected."""
        try:
            self._select(commands.select_by_path(MASTER_FILE))
        except UnexpectedResponse:
            self._select(commands.select_by_df_name(commands.ROOT_AID))

    def dedicated_file(self, df: bytes) -> None:
        """By path, or by AID."""
        by_path = df.startswith(MASTER_FILE)
        self._select(commands.select_by_path(df) if by_path else commands.select_by_df_name(df))

    def elementary_file(self, where: Location, in_current_df: bool) -> int | None:
        """By identifier in the current DF, else by path; its size is not asked."""
        if in_current_df:
            self._select(commands.select_child_ef(where.identifier))
        elif where.df.startswith(MASTER_FILE):
            self._select(commands.select_by_path(where.df + where.identifier))
        else:
            self.dedicated_file(where.df)
            self._select(commands.select_child_ef(where.identifier))
        return None

    def _select(self, command: Command) -> None:
        """A card that must give an FCP gives it, from then on."""
        asked = _asking(command, self._answer)
        response = self._exchange.send(asked)
        if response.sw == SW.INCORRECT_P1_P2 and self._answer is SelectResponse.NONE:
            asked = _asking(command, SelectResponse.FCP)
            response = self._exchange.send(asked)
            if response.sw == SW.SUCCESS:
                self._answer = SelectResponse.FCP
        if response.sw != SW.SUCCESS:
            raise refusal(response, asked)


def _asking(select: Command, answer: SelectResponse) -> Command:
    return replace(select, p2=answer, le=SHORT_LE_MAX if answer is SelectResponse.FCP else None)
