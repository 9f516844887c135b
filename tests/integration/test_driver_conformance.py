"""The contract's tests, on the drivers of this project: each layout and generation of card, and kinds of conduct."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from cardd_drivers import contactless, ias_ecc
from cardd_drivers.conformance import DriverConformance, Subject
from cardd_drivers.contract import CardKind, Identity
from cardsim import personalise, profiles
from cardsim.behaviour import BlockingTry, LogoutRule, OverLimit, PinStatusAnswer, ShortIdentifiers
from cardsim.layouts.catalogue import LAYOUTS
from tests.support.core import pki_store
from tests.support.direct import DirectChannel

PROFILES = {"cps3": "physician", "cps3-easy": "physician", "otherwise": "otherwise"}
"""By layout; a CPS4's else."""
CONDUCTS: dict[str, dict[str, Any]] = {
    "PIN for each signature": {"pin_for_each_signature": True},
    "environment lost": {"environment_lost_after_use": True},
    "no status of the PIN": {"pin_status": PinStatusAnswer.REFUSED},
    "6983 blocks": {"blocking_try": BlockingTry.BLOCKED},
    "any DF drops the PIN": {"logout": LogoutRule.ANY_DF},
    "reads of 100, refused": {"read_limit": 100, "over_limit": OverLimit.REFUSED},
    "reads of 231, silently": {"read_limit": 231, "over_limit": OverLimit.SILENT},
    "no short identifiers": {"short_identifiers": ShortIdentifiers.NONE},
}
CPS3_CONDUCTS = tuple(CONDUCTS)[:-2]
CPS4_CONDUCTS = tuple(CONDUCTS)[-2:]
CASES = [
    *((layout, "") for layout in LAYOUTS),
    ("otherwise", ""),
    *(("cps3", conduct) for conduct in CPS3_CONDUCTS),
    *(("cps4", conduct) for conduct in CPS4_CONDUCTS),
]


class TestIasEcc(DriverConformance):
    """The driver of the CPS3 and the CPS4."""

    examples = 15

    @pytest.fixture(params=CASES, ids=lambda case: " ".join(filter(None, case)))
    def subject(self, request: pytest.FixtureRequest) -> Subject:
        layout, conduct = request.param
        profile = profiles.load(PROFILES.get(layout, "physician-cps4"))
        if layout in LAYOUTS:
            behaviour = replace(LAYOUTS[layout].behaviour, **CONDUCTS.get(conduct, {}))
            profile = replace(profile, card=replace(profile.card, layout=layout), behaviour=behaviour)
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
