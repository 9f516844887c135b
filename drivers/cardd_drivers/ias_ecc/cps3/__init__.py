"""The CPS3's own ways: its application alone, selected after a reset; keys that pad by themselves."""

from __future__ import annotations

from cardd_drivers.contract import CardKind
from cardd_drivers.ias_ecc.cps3.keys import Cps3Keys
from cardd_drivers.ias_ecc.cps3.pins import Cps3Pins
from cardd_drivers.ias_ecc.cps3.selection import Cps3Selection
from cardd_drivers.ias_ecc.generation import Generation

CPS3 = Generation(
    kind=CardKind.CPS3,
    logical_channel=0,
    selection=lambda _channel, exchange: Cps3Selection(exchange),
    keys=Cps3Keys,
    pins=Cps3Pins,
)
