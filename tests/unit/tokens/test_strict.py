from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.tokens.strict import (
    MAX_DEPTH,
    NotStrict,
    base64_bytes,
    base64url,
    base64url_bytes,
    json_bytes,
    json_object,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def depth_of(value: object) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


@given(st.binary(max_size=64))
def test_base64url_reads_what_it_wrote(data: bytes) -> None:
    assert base64url_bytes(base64url(data)) == data


@given(st.text(alphabet="AQgw-_=+/ \n8é", max_size=12))
def test_a_base64url_text_is_the_only_one_of_its_value(text: str) -> None:
    try:
        data = base64url_bytes(text)
    except NotStrict:
        return
    assert base64url(data) == text


@pytest.mark.parametrize("text", ["A", "AA==", "AB", "A+", "A/", "AA\n", "é", "AAA "])
def test_other_base64url_is_refused(text: str) -> None:
    with pytest.raises(NotStrict):
        base64url_bytes(text)


@given(st.binary(max_size=64))
def test_base64_reads_what_others_write(data: bytes) -> None:
    assert base64_bytes(base64.b64encode(data).decode()) == data


@pytest.mark.parametrize("text", ["AA", "AB==", "A-==", "AA==\n", "é"])
def test_other_base64_is_refused(text: str) -> None:
    with pytest.raises(NotStrict):
        base64_bytes(text)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), VALUES, max_size=4))
def test_json_reads_what_it_wrote(value: dict[str, object]) -> None:
    if depth_of(value) > MAX_DEPTH:
        with pytest.raises(NotStrict, match="levels deep"):
            json_object(json_bytes(value))
    else:
        assert json_object(json_bytes(value)) == value


@given(st.binary(max_size=200))
def test_json_is_read_or_refused_by_name(data: bytes) -> None:
    try:
        json_object(data)
    except NotStrict:
        return
    assert isinstance(json.loads(data), dict)


@given(st.text(alphabet='{}[]",:a1\\ue.-', max_size=40))
def test_near_json_is_read_or_refused_by_name(text: str) -> None:
    try:
        value = json_object(text.encode())
    except NotStrict:
        return
    assert value == json.loads(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a":1,"a":2}', "named twice"),
        ('{"b":{"a":1,"a":1}}', "named twice"),
        ('{"a":1,"\\u0061":2}', "named twice"),
        ('{"a":1.5}', "no integer"),
        ('{"a":1e3}', "no integer"),
        ('{"a":NaN}', "no integer"),
        ('{"a":Infinity}', "no integer"),
        ('{"a":12345678901234567890}', "out of range"),
        ('{"a":"\\ud800"}', "no Unicode"),
        ("[]", "not a JSON object"),
        ('{"a":1}x', "not JSON"),
        ("", "not JSON"),
    ],
)
def test_json_that_is_refused(text: str, reason: str) -> None:
    with pytest.raises(NotStrict, match=reason):
        json_object(text.encode())


def test_bytes_that_are_no_utf8_are_refused() -> None:
    with pytest.raises(NotStrict, match="UTF-8"):
        json_object(b'{"a":"\xff"}')


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_depth_is_bounded_before_the_parser_descends(opening: str) -> None:
    with pytest.raises(NotStrict, match="levels deep"):
        json_object(('{"a":' + opening * 100_000).encode())


def test_the_deepest_that_is_read() -> None:
    within = '{"a":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH
    assert json_object(within.encode())
    with pytest.raises(NotStrict):
        json_object(('{"a":' + within + "}").encode())


def test_brackets_in_strings_are_no_depth() -> None:
    text = json.dumps({"a": '[{"\\' * 20})
    assert json_object(text.encode()) == json.loads(text)
