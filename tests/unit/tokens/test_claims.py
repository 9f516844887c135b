from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.holder.nomenclature import CardType
from cardd.holder.professional import professional_from
from cardd.tokens.claims import HOLDER_CLAIMS, TokenClaims, holder_claims, mismatch, read_token_claims
from cardd.tokens.errors import ConfirmationMissing, TokenError, TokenMalformed
from tests.unit.pki import factory
from tests.unit.tokens.support import HOUR, NOW, doctor_certificate, private_extension, subject

GOOD = TokenClaims(
    issuer="urn:example:daemon",
    subject="899900000011",
    token_id="A" * 22,
    issued_at=NOW,
    expires_at=NOW + HOUR,
    authenticated_at=NOW - HOUR,
    acr="urn:cardd:acr:card-pin",
    audience=("a", "b"),
    thumbprint="A" * 43,
    kind="device",
)
NAMES = sorted(GOOD.to_json())


def test_reads_what_it_wrote() -> None:
    assert read_token_claims(GOOD.to_json(), "token") == GOOD


def test_claims_of_other_names_are_left_alone() -> None:
    assert read_token_claims({**GOOD.to_json(), "act": {"sub": "intern"}}, "token") == GOOD


JSON = st.none() | st.booleans() | st.integers() | st.text(max_size=30) | st.lists(st.text(max_size=3), max_size=3)


@given(st.sampled_from(NAMES), JSON | st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2))
def test_any_value_is_read_or_refused_by_name(name: str, value: object) -> None:
    try:
        claims = read_token_claims({**GOOD.to_json(), name: value}, "token")
    except TokenError:
        return
    assert claims.authenticated_at <= claims.issued_at < claims.expires_at
    assert len(claims.thumbprint) == 43


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("amr", "cnf")])
def test_none_may_be_missing(name: str) -> None:
    with pytest.raises(TokenMalformed):
        read_token_claims({key: value for key, value in GOOD.to_json().items() if key != name}, "token")


def test_a_token_without_a_key_is_refused_by_name() -> None:
    with pytest.raises(ConfirmationMissing):
        read_token_claims({key: value for key, value in GOOD.to_json().items() if key != "cnf"}, "token")


@pytest.mark.parametrize(
    "cnf",
    [{}, {"jkt": ""}, {"jkt": 1}, {"jkt": "A" * 42}, {"jkt": "A" * 42 + "B"}, {"jkt": "A" * 43, "kid": "x"}, [], "x"],
)
def test_a_cnf_that_is_no_thumbprint_is_refused(cnf: object) -> None:
    with pytest.raises(TokenMalformed):
        read_token_claims({**GOOD.to_json(), "cnf": cnf}, "token")


def test_the_journals_head_is_said_where_it_is_known() -> None:
    assert "journal_head" not in GOOD.to_json()
    told = replace(GOOD, journal_head=f"{'ab' * 16}:7:{'cd' * 32}")
    assert read_token_claims(told.to_json(), "token") == told


@pytest.mark.parametrize("head", ["", 7, None, "ab:7:cd", f"{'ab' * 16}:7:{'cd' * 32}0", f"{'ab' * 16}:٧:{'cd' * 32}"])
def test_a_head_that_is_none_is_refused(head: object) -> None:
    with pytest.raises(TokenMalformed, match="journal_head"):
        read_token_claims({**GOOD.to_json(), "journal_head": head}, "token")


@pytest.mark.parametrize("acr", ["eidas1", "eidas3", "urn:cardd:acr:token-key"])
def test_another_acr_is_refused(acr: str) -> None:
    with pytest.raises(TokenMalformed, match="acr"):
        read_token_claims({**GOOD.to_json(), "acr": acr}, "token")


@pytest.mark.parametrize(("name", "by"), [("exp", -3600), ("exp", -7200), ("auth_time", 3601)])
def test_times_that_contradict_one_another_are_refused(name: str, by: int) -> None:
    members = dict(GOOD.to_json())
    before = members[name]
    assert isinstance(before, int)
    with pytest.raises(TokenMalformed, match="contradict"):
        read_token_claims({**members, name: before + by}, "token")


def test_every_claim_about_the_holder_is_compared() -> None:
    certificate = doctor_certificate()
    professional = professional_from(certificate)
    members = {"sub": professional.national_id, **holder_claims(professional, certificate)}
    assert mismatch(members, professional, certificate) is None
    assert mismatch({**members, "sub": "899900000029"}, professional, certificate) == "sub"
    for name in HOLDER_CLAIMS:
        assert mismatch({**members, name: "other"}, professional, certificate) == name
        if name in members:
            rest = {key: value for key, value in members.items() if key != name}
            assert mismatch(rest, professional, certificate) == name


def test_all_that_is_said_of_a_holder_is_compared() -> None:
    certificate = doctor_certificate()
    assert set(holder_claims(professional_from(certificate), certificate)) <= HOLDER_CLAIMS


def test_a_students_number_is_of_another_table() -> None:
    student = factory.holder(
        factory.intermediate(),
        subject=subject("899900000037"),
        extra=[private_extension("1.2.250.1.71.1.2.8", b"\x02\x01\x0a")],
    )
    # The factory writes the card type of a CPS.
    professional = replace(professional_from(student), card_type=CardType.CPF, profession_code=10)
    assert holder_claims(professional, student)["SubjectRole"] == ["10^1.2.250.1.71.1.2.8"]


def test_who_it_is_is_not_shown() -> None:
    assert "899900000011" not in repr(GOOD)
