"""The configuration file, as an administrator writes it and gets it wrong."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.config import Config, ConfigError, LifetimeRuleConfig, load, parse
from cardd.holder.nomenclature import CardType

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
        ("[sessions]\nidle = 9\n", 2, "sessions.idle must be 0 (never) or"),
        ("[sessions]\nidle = false\n", 2, "sessions.idle must be 0 (never) or"),
        ("[sessions]\nidle = nan\n", 2, "sessions.idle must be 0 (never) or"),
        ("[sessions]\nend-on-lock = 1\n", 2, "sessions.end-on-lock must be true or false"),
        ("[readers]\nbackend = ''\n", 2, "readers.backend"),
        ("[readers.options]\nport = 3\n", 1, "readers.options must be a table of strings"),
        ("[tokens]\nkey = 'key.pem'\n", 2, "absolute"),
        ("[tokens]\naudience = 3\n", 2, "tokens.audience must be a string"),
        ("[tokens]\ndefault-lifetime = 0\n", 2, "tokens.default-lifetime must be whole seconds"),
        ("[tokens]\nmaximum-lifetime = 2678401\n", 2, "31 days"),
        ("\n[tokens]\nmaximum-lifetime = 60\n", 2, "longer than its maximum-lifetime"),
        ("[tokens]\nrules = [3]\n", 2, "list of tables"),
        ("[tokens]\nrules = [{ default-lifetime = 60 }]\n", 2, "default-lifetime and maximum-lifetime"),
        (
            "[tokens]\nrules = [{ default-lifetime = 1, maximum-lifetime = 2, kind = 'x' }]\n",
            2,
            "default-lifetime and maximum-lifetime",
        ),
        ("[tokens]\nrules = [{ default-lifetime = 3, maximum-lifetime = 2 }]\n", 2, "longer than its maximum-lifetime"),
        (
            "[tokens]\nrules = [{ default-lifetime = 1, maximum-lifetime = 2, professions = ['10'] }]\n",
            2,
            'words like "CPS/10"',
        ),
        (
            "[tokens]\nrules = [{ default-lifetime = 1, maximum-lifetime = 2, kinds = [] }]\n",
            2,
            'words like "device"',
        ),
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


def test_lifetimes_by_kind_and_profession() -> None:
    text = """[tokens]
rules = [
  { kinds = ["device"], professions = ["CPF/10", "CPS/60"], default-lifetime = 60, maximum-lifetime = 120 },
  { default-lifetime = 1, maximum-lifetime = 1 },
]"""
    assert parse(text).tokens.rules == (
        LifetimeRuleConfig(60, 120, kinds=("device",), professions=("CPF/10", "CPS/60")),
        LifetimeRuleConfig(1, 1),
    )


def test_the_types_of_card_are_those_that_there_are() -> None:
    for one in set(CardType) - {CardType.UNKNOWN}:
        text = f"[tokens]\nrules = [{{ default-lifetime = 1, maximum-lifetime = 1, professions = ['{one}/1'] }}]"
        assert parse(text).tokens.rules[0].professions == (f"{one}/1",)


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
