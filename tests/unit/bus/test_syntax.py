"""Names, paths and signatures."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardd.bus import syntax
from cardd.bus.syntax import Malformed, parse_signature, split_signature


@pytest.mark.parametrize("path", ["/", "/a", "/org/cardd1/readers/A_20b"])
def test_object_paths(path: str) -> None:
    assert syntax.is_object_path(path)


@pytest.mark.parametrize("path", ["", "a", "/a/", "//", "/a//b", "/a-b", "/é", "/a\n", "/a\0", "/" + "a" * 255])
def test_what_is_no_object_path(path: str) -> None:
    assert not syntax.is_object_path(path)


@pytest.mark.parametrize("name", ["org.cardd1", "a.b_c", "_a._b"])
def test_interface_names(name: str) -> None:
    assert syntax.is_interface_name(name)


@pytest.mark.parametrize("name", ["", "org", "org.", ".org", "org.1a", "a.b-c", "a.b\n", "a." + "b" * 254])
def test_what_is_no_interface_name(name: str) -> None:
    assert not syntax.is_interface_name(name)


@pytest.mark.parametrize("name", [":1.42", "org.cardd1", "org.a-b"])
def test_bus_names(name: str) -> None:
    assert syntax.is_bus_name(name)


@pytest.mark.parametrize("name", ["", ":", ":1", "org", "org.1a", "org.cardd1\n"])
def test_what_is_no_bus_name(name: str) -> None:
    assert not syntax.is_bus_name(name)


@pytest.mark.parametrize("name", ["", "a.b", "1a", "a-b", "Sign\n"])
def test_what_is_no_member_name(name: str) -> None:
    assert not syntax.is_member_name(name)


def test_a_signature_is_split_into_complete_types() -> None:
    assert split_signature("sa{sv}(ii)aay") == ("s", "a{sv}", "(ii)", "aay")
    assert split_signature("") == ()


@pytest.mark.parametrize("signature", ["a", "(", "()", "{sv}", "({sv})", "a{vs}", "a{sv", "z", "s" * 256, "a{s}"])
def test_broken_signatures(signature: str) -> None:
    with pytest.raises(Malformed):
        parse_signature(signature)


@settings(deadline=None)
@given(st.text(alphabet="ybnqiuxtdsogavh(){}", max_size=40))
def test_a_signature_is_parsed_or_refused(signature: str) -> None:
    try:
        types = split_signature(signature)
    except Malformed:
        return
    assert "".join(types) == signature


def test_signatures_of_others_do_not_pile_up() -> None:
    """dbus-next keeps every signature that it ever saw."""
    for number in range(2000):
        parse_signature("s" * (number % 200) + "ay" * (number // 200))
    assert parse_signature.cache_info().currsize <= 256
