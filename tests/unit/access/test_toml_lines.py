"""Lines of a TOML text."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.access.toml_lines import Lines

TEXT = '''top = 1
[[rule]]   # the first
a = "x # no comment"
"b-c" = 2
x = 1
d = """
[[rule]]
a = 3
"""
e = \'\'\'
[[rule]] \\\'\'\'
[[rule]]
  a = "\\"" # "
f.g = 1
[rule.consent]
h = 1
[["rule"]]
'''


@pytest.mark.parametrize(
    ("name", "position", "line"),
    [("rule", 0, 2), ("rule", 1, 12), ("rule", 2, 17), ("rule", 3, None), ("rule.consent", 0, 15), ("other", 0, None)],
)
def test_header(name: str, position: int, line: int | None) -> None:
    assert Lines(TEXT).header(name, position) == line


@pytest.mark.parametrize(
    ("key", "header", "line"),
    [
        ("top", None, 1),
        ("a", None, None),
        ("a", 2, 3),
        ("b-c", 2, 4),
        ("a", 12, 13),
        ("f", 12, 14),
        ("h", 12, None),
        ("h", 15, 16),
    ],
)
def test_key(key: str, header: int | None, line: int | None) -> None:
    assert Lines(TEXT).key(key, header) == line


STRING = st.sampled_from(
    ['"x"', "'x'", '"""\n[[rule]]\n"""', "'''\n[[rule]]\n'''", '"\\""', '"""a\\"""b"""', "'a#b'", "'''\n'\n'''"]
)


@given(st.lists(STRING, min_size=1, max_size=5))
def test_as_many_headers_as_tables(values: list[str]) -> None:
    text = "".join(f"[[rule]] # '''\nkey = {value} # \"\"\"\n" for value in values)
    lines = Lines(text)
    assert len(tomllib.loads(text)["rule"]) == len(values)
    found = [lines.header("rule", position) for position in range(len(values) + 1)]
    assert found[-1] is None
    assert all(text.split("\n")[number - 1].startswith("[[rule]] #") for number in found[:-1] if number)


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    assert Lines(text).key("a", Lines(text).header("rule")) != 0
