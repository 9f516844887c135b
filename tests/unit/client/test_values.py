"""Decoding what the daemon tells."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.client.errors import UnexpectedReply
from cardd.client.objects import reader_from
from cardd.client.values import (
    Activity,
    Capabilities,
    Holder,
    Lengths,
    Properties,
    Trust,
    activity_from,
    capabilities_from,
    holder_from,
    moment,
    path_or_none,
    service_from,
    take,
    trust_from,
    words,
)

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_NAMES = st.sampled_from(
    ["state", "reason", "simulator", "checked-at", "expires", "pin-minimum", "pin-maximum", "sign.signature",
     "category", "profession", "warnings", "family-name", "Version", "Drivers", "Name", "Card"]
)  # fmt: skip


@pytest.mark.parametrize("decode", [trust_from, capabilities_from, holder_from, service_from, activity_from])
@given(properties=st.dictionaries(_NAMES | st.text(), _VALUES))
def test_any_map_is_decoded_or_refused_by_name(decode: Callable[[Properties], object], properties: Properties) -> None:
    _decoded_or_refused(lambda: decode(properties), properties)


@given(properties=st.dictionaries(_NAMES, _VALUES))
def test_any_reader_is_decoded_or_refused_by_name(properties: Properties) -> None:
    _decoded_or_refused(lambda: reader_from("/x", properties), properties)


def _decoded_or_refused(decode: Callable[[], object], properties: Properties) -> None:
    refused = None
    try:
        decode()
    except UnexpectedReply as error:
        refused = error
    assert refused is None or refused.fields["detail"] in properties


def test_absent_keys_are_unknown() -> None:
    assert trust_from({}) == Trust(state="unknown", reason="", revocation="", simulator=False)
    assert capabilities_from({}) == Capabilities()
    assert holder_from({}) == Holder(category="unknown")


def test_a_word_of_a_later_version_survives() -> None:
    assert trust_from({"state": "doubtful"}).state == "doubtful"


def test_trust_times_are_utc() -> None:
    trust = trust_from({"checked-at": 1_700_000_000, "expires": 0})
    assert trust.checked_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert trust.expires is None


def test_capabilities_by_key() -> None:
    found = capabilities_from(
        {"sign.signature": ["RS256", "PS256"], "decrypt.encryption": ["RSA1_5"], "pin-minimum": 4, "pin-maximum": 8}
    )
    assert found.sign == {"signature": ("RS256", "PS256")}
    assert found.decrypt == {"encryption": ("RSA1_5",)}
    assert found.pin == Lengths(4, 8)
    assert found.puk is None


def test_a_boolean_is_no_number() -> None:
    with pytest.raises(UnexpectedReply) as raised:
        take({"PinTriesLeft": True}, "PinTriesLeft", int, -1)
    assert raised.value.fields == {"detail": "PinTriesLeft"}


def test_a_string_is_no_list_of_words() -> None:
    with pytest.raises(UnexpectedReply):
        words({"Warnings": "abc"}, "Warnings")


def test_a_time_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(UnexpectedReply):
        moment({"Since": 2**63}, "Since", per_second=1_000_000)


def test_slash_stands_for_none() -> None:
    assert path_or_none({"Card": "/"}, "Card") is None
    assert path_or_none({"Card": "/org/cardd1/cards/1"}, "Card") == "/org/cardd1/cards/1"


@pytest.mark.parametrize(
    ("holder", "name"),
    [
        (Holder(given_name="Camille", family_name="ÉPREUVE"), "Camille ÉPREUVE"),
        (Holder(family_name="ÉPREUVE"), "ÉPREUVE"),
        (Holder(structure_name="Cabinet d'essai", card_number="99"), "Cabinet d'essai"),
        (Holder(card_number="99"), "99"),
        (Holder(), "?"),
    ],
)
def test_display_name_is_the_best_there_is(holder: Holder, name: str) -> None:
    assert holder.display_name == name


def test_a_work_situation_with_nothing_known() -> None:
    assert activity_from({"id": "03"}) == Activity("03")


def test_a_work_situation() -> None:
    row = {
        "id": "01",
        "selected": True,
        "structure-name": "Hôpital",
        "structure-id": "1990000010",
        "structure-kind": "finess",
        "sector": "SA01",
        "sector-label": "Etablissement public de santé",
        "warnings": ["unknown-sector"],
    }
    found = activity_from(row)
    assert (found.activity_id, found.selected, found.structure_kind, found.sector) == ("01", True, "finess", "SA01")
    assert found.warnings == ("unknown-sector",)
    assert "Hôpital" not in repr(found)
    with pytest.raises(UnexpectedReply):
        activity_from({**row, "sector": 7})
