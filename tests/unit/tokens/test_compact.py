from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.tokens.compact import Claims, Expected, read_compact
from cardd.tokens.errors import AlgorithmRefused, TokenError, TokenMalformed, TokenTooLarge, TypeRefused
from cardd.tokens.jose import MAX_LENGTH, Algorithm, Type
from tests.unit.tokens.support import b64, forge

EXPECTED = Expected("token", Type.TOKEN, {"x5c": Algorithm.RS256})
EITHER = Expected("assertion", Type.ASSERTION, {"x5c": Algorithm.RS256, "kid": Algorithm.ES256})
HEADER: dict[str, object] = {"alg": "RS256", "typ": "cardd-token+jwt", "x5c": ["AA=="]}


def signed(header: dict[str, object] | bytes, claims: dict[str, object] | bytes = b"{}") -> str:
    return forge(header, claims) + "AAAA"


def test_what_is_read() -> None:
    unverified = read_compact(signed(HEADER, {"a": 1}), EXPECTED)
    assert (unverified.key_member, unverified.key_value, unverified.claims) == ("x5c", ["AA=="], {"a": 1})


@given(st.text(max_size=200) | st.text(alphabet="eyJhbGciOiJSUzI1NiJ9.", max_size=100))
def test_any_text_is_refused_by_name(text: str) -> None:
    with pytest.raises(TokenError):
        read_compact(text, EXPECTED)


@given(
    st.dictionaries(
        st.sampled_from(["alg", "typ", "x5c", "jwk", "crit"]), st.none() | st.text(max_size=4) | st.just([])
    )
)
def test_any_header_is_refused_by_name(header: dict[str, object]) -> None:
    with pytest.raises(TokenError):
        read_compact(signed(header), EXPECTED)


def test_the_length_is_looked_at_before_anything_else() -> None:
    with pytest.raises(TokenTooLarge):
        read_compact("." * (MAX_LENGTH + 1), EXPECTED)
    with pytest.raises(TokenMalformed):
        read_compact("." * MAX_LENGTH, EXPECTED)


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "HS256", "PS256", "ES256", "RS512", "rs256", "", None, 1, ["RS256"]]
)
def test_another_algorithm_is_refused(algorithm: object) -> None:
    with pytest.raises(AlgorithmRefused):
        read_compact(signed({**HEADER, "alg": algorithm}), EXPECTED)


def test_the_algorithm_is_looked_at_first() -> None:
    with pytest.raises(AlgorithmRefused):
        read_compact(forge({"alg": "none", "typ": "JWT"}, {}), EXPECTED)


@pytest.mark.parametrize("typ", ["JWT", "cardd-assertion+jwt", "application/cardd-token+jwt", "", None])
def test_another_type_is_refused(typ: object) -> None:
    with pytest.raises(TypeRefused):
        read_compact(signed({**HEADER, "typ": typ}), EXPECTED)


@pytest.mark.parametrize("member", ["crit", "jku", "jwk", "x5u", "kid", "b64", "x5t", "cty"])
def test_another_header_member_is_refused(member: str) -> None:
    with pytest.raises(TokenMalformed, match="its header must have"):
        read_compact(signed({**HEADER, member: "x"}), EXPECTED)


def test_each_key_goes_with_its_algorithm() -> None:
    header: dict[str, object] = {"alg": "ES256", "typ": "cardd-assertion+jwt", "kid": "a"}
    assert read_compact(signed(header), EITHER).key_member == "kid"
    with pytest.raises(AlgorithmRefused):
        read_compact(signed({**header, "alg": "RS256"}), EITHER)
    with pytest.raises(AlgorithmRefused):
        read_compact(signed({"alg": "ES256", "typ": "cardd-assertion+jwt", "x5c": []}), EITHER)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a.b", "2 parts"),
        ("a.b.c.d", "4 parts"),
        (forge(HEADER, {}), "not signed"),
        (forge(HEADER, {}) + "A", "signature is not base64url"),
        (b64(b"{}") + "=.e30.AAAA", "header is not base64url"),
        (signed(b'{"alg":"none","alg":"RS256"}'), "header is a member is named twice"),
        (signed(HEADER, b'{"sub":"a","sub":"b"}'), "payload is a member is named twice"),
        (signed(HEADER, b"[]"), "payload is not a JSON object"),
    ],
)
def test_malformed(text: str, reason: str) -> None:
    with pytest.raises(TokenMalformed, match=reason):
        read_compact(text, EXPECTED)


def test_no_error_repeats_what_a_stranger_wrote_unless_it_prints() -> None:
    with pytest.raises(AlgorithmRefused) as caught:
        read_compact(signed({**HEADER, "alg": "\x1b[2J\u202e" + "x" * 1000}), EXPECTED)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("value", [None, "", 1, [], "a\x1bb", "x" * 513, "a\u202eb"])
def test_a_text_that_is_none(value: object) -> None:
    with pytest.raises(TokenMalformed, match="claim a"):
        Claims({"a": value}, "token").text("a")


@pytest.mark.parametrize("value", [None, True, -1, 1 << 40, "1", [1]])
def test_a_time_that_is_none(value: object) -> None:
    with pytest.raises(TokenMalformed):
        Claims({"a": value}, "token").time("a")


def test_an_audience_is_one_or_several() -> None:
    assert Claims({"a": "x"}, "token").texts("a") == ("x",)
    assert Claims({"a": ["x", "y"]}, "token").texts("a") == ("x", "y")
    for bad in ([], ["x"] * 17, [["x"]], {"x": 1}, None):
        with pytest.raises(TokenMalformed):
            Claims({"a": bad}, "token").texts("a")
