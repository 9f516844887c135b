"""GET DATA on security data objects."""

from __future__ import annotations

import pytest

from cardsim.behaviour import MissingObject, UsageData
from tests.unit.simulator.conftest import MakeHost
from tests.unit.simulator.host import SELECT_APPLICATION, Host

PIN = "00CB3FFF0A4D087006BF810102A080"
PIN_SIZES = "00CB3FFF0B4D097007BF8101037F4180"
PUK = "00CB3FFF0A4D087006BF810202A080"
SE_5 = "00CB3FFF0A4D087006BFFB05027B80"
SIGNATURE = "00CB3FFF0A4D087006BF900102A080"
AUTHENTICATION = "00CB3FFF0A4D087006BF900202A080"
KEY_USAGE = "00CB3FFF0B4D097007BF9002037F4880"


@pytest.mark.parametrize(
    ("command", "at_master_file", "in_application"),
    [
        (PIN, "7016BF810112A0109A01039B0103A1088C06F3000013FF009000", "6A88"),
        (PUK, "701ABF810216A0149A010A9B010A9D020064A1088C06F3FF00FFFF009000", "6A88"),
        (PIN_SIZES, "6A80", "6A88"),
        ("00CB3FFF0A4D087006BFFB01027B80", "700EBFFB010A7B08A4069501088301019000", "6A88"),
        ("00CB3FFF0A4D087006BFFB03027B80", "700EBFFB030A7B08A4069501088301029000", "6A88"),
        (SIGNATURE, "6A88", "7012BF90010EA00C80020100A1068C044311FF009000"),
        (AUTHENTICATION, "6A88", "7013BF90020FA00D80020100A1078C05331111FF009000"),
        (KEY_USAGE, "6A88", "6A80"),
        ("00CB3FFF0A4D087006BF900302A080", "6A88", "6A88"),
        ("00CB3FFF0A4D087006BFA00102A080", "6A88", "6A88"),
    ],
)
def test_objects_at_their_df(host: Host, command: str, at_master_file: str, in_application: str) -> None:
    """PINs and environments at the master file, keys in their DF; usage data are refused."""
    assert host.ask(command) == at_master_file
    host.send(SELECT_APPLICATION)
    assert host.ask(command) == in_application


def test_environment_five(host: Host) -> None:
    """Found at the master file only."""
    assert host.ask(SE_5).startswith("70")
    host.send(SELECT_APPLICATION)
    assert host.send(SE_5) == "6A88"


@pytest.mark.parametrize(
    "data",
    [
        "",
        "4D",
        "4D00",
        "4D087006BF810102A0",
        "4D087006BF810102A081",
        "4E087006BF810102A080",
        "4D087106BF810102A080",
        "4D0670048101A080",
        "4D087006BF010102A080",
        "4D107006BF810102A0807006BF810202A080",
        "4D087006BF8101017F80",
    ],
)
def test_lists_that_are_none(host: Host, data: str) -> None:
    """6A80."""
    lc = f"{len(data) // 2:02X}" if data else ""
    assert host.send("00CB3FFF" + lc + data) == "6A80"


def test_other_data_objects(host: Host) -> None:
    """Only those of the current DF."""
    assert host.send("00CB00650A4D087006BF810102A080") == "6A86"


@pytest.mark.parametrize(
    ("usage_data", "pin", "key"),
    [
        (UsageData.SHOWN, "700DBF8101097F41068001048101049000", "700BBF9002077F4804800201009000"),
        (UsageData.INCORRECT_DATA, "6A80", "6A80"),
        (UsageData.NOT_FOUND, "6A88", "6A88"),
    ],
)
def test_usage_parameters(make_host: MakeHost, usage_data: UsageData, pin: str, key: str) -> None:
    """Shown or refused, as the switch says."""
    host = make_host(usage_data=usage_data)
    assert host.ask(PIN_SIZES) == pin
    host.send(SELECT_APPLICATION)
    assert host.ask(KEY_USAGE) == key


def test_an_object_of_another_df_may_be_refused_otherwise(make_host: MakeHost) -> None:
    """6A80; an object that is here is shown as ever."""
    host = make_host(missing_object=MissingObject.INCORRECT_DATA)
    assert host.ask(SIGNATURE) == "6A80"
    assert host.ask(PIN).endswith("9000")
