"""A CPS4 without PKI."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from cardsim.ias_ecc.system import IasEccCard
from cardsim.layouts import cps4
from cardsim.layouts.build import master_file
from cardsim.layouts.content import CardContent
from cardsim.layouts.layout import Layout
from tests.unit.simulator.host import Host

SELECT_APPLET = "01A4040C088025000001FF0100"
SELECT_APPLICATION = "01A40800020001"
VERIFY_PIN = "012000010431323334"
VERIFY_PUK = "01200002083132333435363738"

MakeCps4 = Callable[..., Host]


@pytest.fixture
def make_cps4(content: CardContent) -> MakeCps4:
    """Makes a host with a CPS4 just reset; keyword arguments change its behaviour, ``layout`` its layout."""

    def make(layout: Layout = cps4.LAYOUT, **behaviour: object) -> Host:
        switches = dataclasses.replace(layout.behaviour, **behaviour)  # type: ignore[arg-type]  # tests name fields
        return Host(
            IasEccCard(
                master_file(layout, content),
                atr=layout.atr,
                protocol=layout.protocol,
                generation=layout.generation,
                behaviour=switches,
            )
        )

    return make


@pytest.fixture
def host(make_cps4: MakeCps4) -> Host:
    """The standard CPS4, T=1, with its application selected."""
    host = make_cps4()
    assert host.send(SELECT_APPLET) == "9000"
    return host


@pytest.fixture
def ready(host: Host) -> Host:
    """The same with the PIN verified and the DF of the keys current."""
    assert host.send(VERIFY_PIN) == "9000"
    assert host.send(SELECT_APPLICATION) == "9000"
    return host
