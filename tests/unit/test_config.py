"""The configuration file, as an administrator writes it and gets it wrong."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.config import Config, ConfigError, load, parse

SHIPPED = Path(__file__).parents[2] / "systemd" / "cardd.toml"


def test_the_shipped_file_names_every_key_with_its_default() -> None:
    text = SHIPPED.read_text()
    assert parse(text) == Config()
    for section in dataclasses.fields(Config):
        assert f"[{section.name}]" in text
        for key in dataclasses.fields(getattr(Config(), section.name)):
            assert key.name.replace("_", "-") in text, f"{section.name}.{key.name} is not in the shipped file"


def test_an_empty_file_means_the_defaults() -> None:
    assert parse("") == Config()


@pytest.mark.parametrize(
    ("text", "line", "fragment"),
    [
        ("[pki]\ndirectory = '/etc/x'\ndirektory = '/etc/y'\n", 3, "pki.direktory"),
        ("\n[pkj]\n", 2, "[pkj]"),
        ("pki = 3\n", 1, "pki must be a section"),
        ("[cards]\n# comment\nhold = 'for ever'\n", 3, "cards.hold must be one of"),
        ("[cards]\nqueue = true\n", 2, "cards.queue must be an integer"),
        ("[cards]\nqueue = 0\n", 2, "cards.queue must be an integer"),
        ("[pki]\ndirectory = 'trust'\n", 2, "absolute"),
        ("[pki]\nunpinned = ['12:34']\n", 2, "no SHA-256 fingerprint"),
        ("[pki]\nunpinned = 'ab'\n", 2, "list of SHA-256"),
        ("[pin]\nagent-timeout = 0\n", 2, "pin.agent-timeout"),
        ("[pin]\nagent-timeout = nan\n", 2, "pin.agent-timeout"),
        ("[readers]\nbackend = ''\n", 2, "readers.backend"),
        ("[readers.options]\nport = 3\n", 1, "readers.options must be a table of strings"),
        ("[log]\nlevel = 'loud'\n", 2, "log.level must be one of"),
        ("[log\n", None, "no valid TOML"),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, line: int | None, fragment: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, Path("/etc/cardd/cardd.toml"))
    assert fragment in str(caught.value)
    assert caught.value.line == line
    assert str(caught.value).startswith("/etc/cardd/cardd.toml")
    if line is not None:
        assert f"line {line}" in str(caught.value)


def test_fingerprints_are_taken_with_and_without_colons() -> None:
    plain = "ab" * 32
    text = f"[pki]\nunpinned = ['{plain}', '{':'.join(['CD'] * 32)}']\n"
    assert parse(text).pki.unpinned == {plain, "cd" * 32}


def test_an_empty_path_means_none() -> None:
    config = parse("[cards]\nmemory = ''\n[pki]\nsimulator = '/var/lib/cardsim/authorities'\n")
    assert config.cards.memory is None
    assert config.pki.simulator == Path("/var/lib/cardsim/authorities")


def test_a_file_that_is_missing_too_large_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.toml")
    large = tmp_path / "large.toml"
    large.write_text("#" * ((1 << 20) + 1))
    with pytest.raises(ConfigError, match="larger than"):
        load(large)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"[log]\nlevel = '\xff'\n")
    with pytest.raises(ConfigError, match="not UTF-8 at byte 15"):
        load(binary)


@given(st.text(max_size=300))
def test_any_text_gives_a_configuration_or_a_configuration_error(text: str) -> None:
    try:
        parse(text)
    except ConfigError as error:
        assert "cardd.toml" in str(error)  # noqa: PT017  # either outcome is right; this one has its form
