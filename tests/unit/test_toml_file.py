"""TOML files: what cannot be used, and lines of their text."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.toml_file import SIZE_MAX, Lines, TomlUnusable, read_toml

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


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read"),
        (b"a = '\xff'", "not UTF-8 at byte 5"),
        (b"#" * (SIZE_MAX + 1), "larger than"),
        (b"a = ", "no valid TOML"),
        (b"a = " + b"[" * 100_000, "nested too deeply"),
    ],
    ids=["missing", "no UTF-8", "too large", "no TOML", "nested"],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, content: bytes | None, problem: str) -> None:
    file = tmp_path / "some.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(TomlUnusable, match=problem):
        read_toml(file)


def test_a_file_as_large_as_may_be(tmp_path: Path) -> None:
    file = tmp_path / "some.toml"
    file.write_bytes(b"a = 1 #".ljust(SIZE_MAX, b"x"))
    document = read_toml(file)
    assert document.table == {"a": 1}
    assert document.lines.key("a", None) == 1
