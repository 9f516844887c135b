"""The contract's tests, on the drivers of this project: each layout and generation of card, and kinds of conduct."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from cardd_drivers import contactless, ias_ecc
from cardd_drivers.conformance import DriverConformance, Subject
from cardd_drivers.contract import CardKind, Identity
from cardsim import personalise, profiles
from cardsim.layouts.catalogue import LAYOUTS
from tests.support.core import pki_store
from tests.support.direct import DirectChannel

PROFILES = {"cps3": "physician", "cps3-easy": "physician", "otherwise": "otherwise"}
"""By layout; a CPS4's else."""
CASES = ("cps3", "cps3-easy", "cps4", "otherwise")
"""What else a card may do is in test_driver_on_every_switch.py."""


class TestIasEcc(DriverConformance):
    """The driver of the CPS3 and the CPS4."""

    examples = 15

    @pytest.fixture(params=CASES)
    def subject(self, request: pytest.FixtureRequest) -> Subject:
        layout = request.param
        profile = profiles.load(PROFILES.get(layout, "physician-cps4"))
        if layout in LAYOUTS:
            profile = replace(profile, card=replace(profile.card, layout=layout), behaviour=LAYOUTS[layout].behaviour)
        kind = CardKind.CPS4 if layout.startswith("cps4") else CardKind.CPS3
        return Subject(
            driver=ias_ecc.driver,
            insert=partial(DirectChannel, personalise(profile, pki_store())),
            identity=Identity(profile.card.serial, kind, ""),
            pin=b"1234",
            puk=b"12345678",
        )


class TestContactless(DriverConformance):
    """The driver of the contactless side of a CPS3."""

    examples = 15

    @pytest.fixture
    def subject(self) -> Subject:
        profile = profiles.load("physician:contactless")
        return Subject(
            driver=contactless.driver,
            insert=partial(DirectChannel, personalise(profile, pki_store())),
            identity=Identity(profile.card.serial, CardKind.CPS3_CONTACTLESS),
        )
