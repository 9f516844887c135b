"""The configuration file: typed TOML. An unknown key or a bad value is refused with its file, line and path.

`systemd/cardd.toml` shows every key with its default.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cardd.toml_file import Lines, TomlDocument, TomlUnusable, parse_toml, read_toml

DEFAULT_PATH = Path("/etc/cardd/cardd.toml")
_LIFETIME_MAX = 31 * 24 * 3600
_KIND = re.compile(r"[a-z][a-z0-9-]{0,31}")
_PROFESSION = re.compile(r"(CPS|CPF|CPE|CPA)/([0-9]{1,4})")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


class ConfigError(Exception):
    """The file cannot be used; the text says where and why."""

    def __init__(self, path: Path, problem: str, line: int | None = None) -> None:
        self.path = path
        self.line = line
        super().__init__(f"{path}: {problem}" if line is None else f"{path}, line {line}: {problem}")


def _setting(default: Any, read: Callable[[Any], Any]) -> Any:  # a dataclass field of any type
    """A field with its default and the function that turns a TOML value into it (ValueError: the reason)."""
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata={"read": read})
    return field(default=default, metadata={"read": read})


def _choice(*values: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:  # TOML
        if value not in values:
            raise ValueError(f"must be one of {', '.join(values)}")
        return str(value)

    return read


def _string(value: Any) -> str:  # TOML
    if not isinstance(value, str) or not value:
        raise ValueError("must be a string that is not empty")
    return value


def _absolute_path(value: Any) -> Path:  # TOML
    path = Path(_string(value))
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    return path


_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?/[!-~]{0,1000}")


def _addresses(value: Any) -> tuple[str, ...]:  # TOML
    good = isinstance(value, list) and all(isinstance(one, str) and _ADDRESS.fullmatch(one) for one in value)
    if not good:
        raise ValueError('must be a list of addresses like "http://example.org/list.crl"')
    return tuple(value)


def _boolean(value: Any) -> bool:  # TOML
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004  # a bad value, as for every other key
    return value


def _optional_path(value: Any) -> Path | None:  # TOML
    return None if value == "" else _absolute_path(value)


def _paths(value: Any) -> tuple[Path, ...]:  # TOML
    if not isinstance(value, list):
        raise ValueError("must be a list of absolute paths")  # noqa: TRY004  # a bad value, as for every other key
    return tuple(map(_absolute_path, value))


def _seconds(low: float, high: float) -> Callable[[Any], float]:
    def read(value: Any) -> float:  # TOML
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"must be a number of seconds from {low:g} to {high:g}")
        return float(value)

    return read


def _idle(value: Any) -> float:  # TOML
    if value == 0 and not isinstance(value, bool):
        return 0.0
    try:
        return _seconds(10, 24 * 3600)(value)
    except ValueError as error:
        raise ValueError(f"must be 0 (never) or {str(error).removeprefix('must be ')}") from None


def _integer(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:  # TOML
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"must be an integer from {low} to {high}")
        return value

    return read


def _fingerprints(value: Any) -> frozenset[str]:  # TOML
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError("must be a list of SHA-256 fingerprints")
    plain = frozenset(one.replace(":", "").strip().lower() for one in value)
    for one in sorted(plain):
        if not _FINGERPRINT.fullmatch(one):
            raise ValueError(f"{one!r} is no SHA-256 fingerprint (64 hexadecimal digits, colons allowed)")
    return plain


def _optional_string(value: Any) -> str:  # TOML
    return "" if value == "" else _string(value)


def _lifetime(value: Any) -> int:  # TOML
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LIFETIME_MAX:
        raise ValueError(f"must be whole seconds from 1 to {_LIFETIME_MAX} (31 days)")
    return value


def _words(value: Any, form: re.Pattern[str], example: str) -> tuple[str, ...]:  # TOML
    good = isinstance(value, list) and value and all(isinstance(one, str) and form.fullmatch(one) for one in value)
    if not good:
        raise ValueError(f"must be a list of words like {example}")
    return tuple(value)


def _lifetime_rules(value: Any) -> tuple[LifetimeRuleConfig, ...]:  # TOML
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ValueError("must be a list of tables")
    return tuple(_lifetime_rule(one) for one in value)


def _lifetime_rule(table: Mapping[str, Any]) -> LifetimeRuleConfig:  # TOML
    needed = {"default-lifetime", "maximum-lifetime"}
    if not needed <= table.keys() <= needed | {"kinds", "professions"}:
        raise ValueError(
            "must be tables of default-lifetime and maximum-lifetime, with kinds or professions that they are for"
        )
    default, maximum = _lifetime(table["default-lifetime"]), _lifetime(table["maximum-lifetime"])
    _require_ordered(default, maximum)
    return LifetimeRuleConfig(
        default_lifetime=default,
        maximum_lifetime=maximum,
        kinds=_words(table["kinds"], _KIND, '"device"') if "kinds" in table else (),
        professions=_words(table["professions"], _PROFESSION, '"CPS/10"') if "professions" in table else (),
    )


def _require_ordered(default: int, maximum: int) -> None:
    if default > maximum:
        raise ValueError("has a default-lifetime that is longer than its maximum-lifetime")


def _tables(value: Any) -> tuple[Mapping[str, Any], ...]:  # TOML
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ValueError("must be tables, each under a header with two pairs of brackets")
    return tuple(value)


def _string_table(value: Any) -> dict[str, str]:  # TOML
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise ValueError("must be a table of strings")
    return dict(value)


@dataclass(frozen=True, slots=True)
class LogSection:
    """What the daemon writes to its standard error, where journald takes it."""

    level: str = _setting("info", _choice("error", "warning", "info", "debug", "apdu"))


@dataclass(frozen=True, slots=True)
class ReadersSection:
    """Where readers come from."""

    backend: str = _setting("pcsc", _string)
    options: Mapping[str, str] = _setting({}, _string_table)
    flapping: int = _setting(20, _integer(0, 1000))


@dataclass(frozen=True, slots=True)
class CardsSection:
    """How cards are held and remembered."""

    hold: str = _setting("session", _choice("session", "insertion", "shared"))
    memory: Path | None = _setting(Path("/var/lib/cardd/cards"), _optional_path)
    queue: int = _setting(64, _integer(1, 4096))


@dataclass(frozen=True, slots=True)
class DriversSection:
    """Devices that are no PC/SC cards. What a table may hold is the source's to say."""

    pkcs11: tuple[Mapping[str, Any], ...] = _setting((), _tables)
    software: tuple[Mapping[str, Any], ...] = _setting((), _tables)


@dataclass(frozen=True, slots=True)
class PkiSection:
    """Which authorities are believed."""

    directory: Path = _setting(Path("/etc/cardd/trust"), _absolute_path)
    unpinned: frozenset[str] = _setting(frozenset(), _fingerprints)
    simulator: Path | None = _setting(None, _optional_path)
    blocked: Path | None = _setting(Path("/etc/cardd/blocked.toml"), _optional_path)
    clock_mark: Path | None = _setting(Path("/var/lib/cardd/clock-mark"), _optional_path)


@dataclass(frozen=True, slots=True)
class RevocationSection:
    """How revocation is asked, and where data about it come from."""

    policy: str = _setting("grace", _choice("strict", "grace", "offline"))
    grace_days: int = _setting(7, _integer(0, 90))
    fetched: Path | None = _setting(Path("/var/cache/cardd-fetch"), _optional_path)
    mirror: Path | None = _setting(None, _optional_path)
    index: Path = _setting(Path("/var/lib/cardd/revocation"), _absolute_path)
    lists: tuple[str, ...] = _setting(("http://igc-sante.esante.gouv.fr/CRL/ACI-FO-PP.crl",), _addresses)
    refresh_hours: int = _setting(6, _integer(1, 168))
    responders: tuple[str, ...] = _setting((), _addresses)


@dataclass(frozen=True, slots=True)
class SessionsSection:
    """What ends a session beside its card's removal."""

    end_on_lock: bool = _setting(False, _boolean)
    end_on_seat_switch: bool = _setting(False, _boolean)
    idle: float = _setting(0.0, _idle)


@dataclass(frozen=True, slots=True)
class PinSection:
    """How long a PIN is waited for."""

    descriptor_timeout: float = _setting(10.0, _seconds(0.1, 300))
    agent_timeout: float = _setting(120.0, _seconds(1, 3600))


@dataclass(frozen=True, slots=True)
class JournalSection:
    """Where what happened is written down."""

    directory: Path = _setting(Path("/var/lib/cardd/journal"), _absolute_path)
    journald: bool = _setting(True, _boolean)
    told: Path = _setting(Path("/var/lib/cardd/holders-told"), _absolute_path)


@dataclass(frozen=True, slots=True)
class LifetimeRuleConfig:
    """How long some tokens may live.

    Args:
        default_lifetime, maximum_lifetime: seconds.
        kinds: of tokens that it is for; empty: every kind.
        professions: type of card and code ("CPS/10") that it is for; empty: everybody.
    """

    default_lifetime: int
    maximum_lifetime: int
    kinds: tuple[str, ...] = ()
    professions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TokensSection:
    """Where tokens are registered, and how long they live.

    Raises:
        ValueError: the default lifetime is longer than the maximum.
    """

    registry: Path = _setting(Path("/var/lib/cardd/tokens.sqlite"), _absolute_path)
    key: Path = _setting(Path("/var/lib/cardd/token-key.pem"), _absolute_path)
    audience: str = _setting("", _optional_string)
    default_lifetime: int = _setting(8 * 3600, _lifetime)
    maximum_lifetime: int = _setting(12 * 3600, _lifetime)
    rules: tuple[LifetimeRuleConfig, ...] = _setting((), _lifetime_rules)

    def __post_init__(self) -> None:
        _require_ordered(self.default_lifetime, self.maximum_lifetime)


@dataclass(frozen=True, slots=True)
class AccessSection:
    """Who may do what with a card."""

    rules: tuple[Path, ...] = _setting((Path("/etc/cardd/rules.toml"),), _paths)
    rights: Path | None = _setting(None, _optional_path)
    without_polkit: str = _setting("refuse", _choice("refuse", "same-user"))


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration, every value checked."""

    log: LogSection = LogSection()
    readers: ReadersSection = ReadersSection()
    cards: CardsSection = CardsSection()
    drivers: DriversSection = DriversSection()
    pki: PkiSection = PkiSection()
    revocation: RevocationSection = RevocationSection()
    sessions: SessionsSection = SessionsSection()
    pin: PinSection = PinSection()
    journal: JournalSection = JournalSection()
    tokens: TokensSection = TokensSection()
    access: AccessSection = AccessSection()


def load(path: Path) -> Config:
    """Read a configuration file.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or has an unknown key or a bad value.
    """
    try:
        return _config(read_toml(path), path)
    except TomlUnusable as error:
        raise ConfigError(path, str(error)) from error


def parse(text: str, path: Path = DEFAULT_PATH) -> Config:
    """Turn the text of a configuration file into a `Config`; `path` serves the messages only.

    Raises:
        ConfigError: as `load`.
    """
    try:
        return _config(parse_toml(text), path)
    except TomlUnusable as error:
        raise ConfigError(path, str(error)) from error


def _config(document: TomlDocument, path: Path) -> Config:
    sections = {one.name: one.type for one in dataclasses.fields(Config)}
    lines = document.lines
    values: dict[str, Any] = {}
    for name, table in document.table.items():
        if name not in sections:
            raise ConfigError(path, f"there is no section [{name}]", lines.header(name))
        if not isinstance(table, dict):
            raise ConfigError(path, f"{name} must be a section [{name}]", lines.key(name, None))
        values[name] = _section(type(getattr(Config(), name)), name, table, lines, path)
    return Config(**values)


def _section(kind: type[Any], name: str, table: Mapping[str, Any], lines: Lines, path: Path) -> Any:
    readers = {_key(one.name): one for one in dataclasses.fields(kind)}
    values: dict[str, Any] = {}
    for key, value in table.items():
        line = _line_of(lines, name, key)
        if key not in readers:
            known = ", ".join(sorted(readers))
            raise ConfigError(path, f"there is no key {name}.{key} (known in [{name}]: {known})", line)
        try:
            values[readers[key].name] = readers[key].metadata["read"](value)
        except ValueError as error:
            raise ConfigError(path, f"{name}.{key} {error}", line) from error
    try:
        return kind(**values)
    except ValueError as error:  # of values that do not go together
        raise ConfigError(path, f"[{name}] {error}", lines.header(name)) from error


def _key(attribute: str) -> str:
    return attribute.replace("_", "-")


def _line_of(lines: Lines, section: str, key: str) -> int | None:
    """Where a key of a section stands, or its own table."""
    return lines.key(key, lines.header(section)) or lines.header(f"{section}.{key}")
