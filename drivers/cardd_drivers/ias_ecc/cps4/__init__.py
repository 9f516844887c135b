"""The CPS4's own ways: its application on logical channel 1, files by FCI, a key that is a raw RSA operation."""

from __future__ import annotations

from cardd_drivers.contract import CardKind
from cardd_drivers.ias_ecc.cps4.keys import Cps4Keys
from cardd_drivers.ias_ecc.cps4.pins import Cps4Pins
from cardd_drivers.ias_ecc.cps4.selection import Cps4Selection
from cardd_drivers.ias_ecc.generation import Generation

CPS4 = Generation(
    kind=CardKind.CPS4,
    logical_channel=1,
    selection=Cps4Selection,
    keys=Cps4Keys,
    pins=Cps4Pins,
)
