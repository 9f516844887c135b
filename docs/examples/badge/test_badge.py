import pytest
from badge_card import PIN, TRIES, Badge
from badge_driver import driver

from cardd_drivers.conformance import DriverConformance, Subject
from cardd_drivers.contract import Assurance, CardKind, Identity


class TestBadge(DriverConformance):
    @pytest.fixture
    def subject(self) -> Subject:
        badge = Badge()  # a new one for each test
        identity = Identity("00000042", CardKind.OTHER, "Badge", Assurance.DEVICE)
        return Subject(driver=driver, insert=badge.reset, identity=identity, pin=PIN, tries=TRIES)
