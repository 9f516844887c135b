"""Files of rules and of rights: TOML in, checked values out. What cannot be used is refused with file, rule and line.

`systemd/rules.toml` shows every key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from cardd.access.actions import Action
from cardd.access.exe_client import ExecutableHelper
from cardd.access.rights import Right, RightsTable
from cardd.access.rule_values import (
    READERS,
    Names,
    host_names,
    read_card_types,
    read_kinds,
    read_name,
    read_professions,
)
from cardd.access.rulebook import Rulebook
from cardd.access.rules import Effect, Relation, Rule, RuleSource
from cardd.access.terms import ONE_DOCUMENT
from cardd.toml_file import Lines, TomlUnusable, parse_toml, read_toml

RULES_MAX: Final = 10_000


class RulesError(Exception):
    """A file of rules cannot be used; the text says where and why.

    Args:
        file: its path.
        problem: in words.
        rule: number of the rule, from 1.
        line: from 1, None where it cannot be told.
    """

    def __init__(self, file: Path, problem: str, *, rule: int | None = None, line: int | None = None) -> None:
        self.file, self.rule, self.line = file, rule, line
        where = [str(file)]
        if rule is not None:
            where.append(f"rule {rule}")
        if line is not None:
            where.append(f"line {line}")
        super().__init__(f"{', '.join(where)}: {problem}")


@dataclass(frozen=True, slots=True)
class _Document:
    file: Path
    table: Mapping[str, Any]
    lines: Lines


def load_rules(
    files: Sequence[Path],
    *,
    rights: Path | None = None,
    no_executables: str | None = None,
    names: Names | None = None,
) -> Rulebook:
    """Read the rules of files, one file after the other.

    Args:
        files: in their order; the first rule that fits decides.
        rights: a table of rights, None without.
        no_executables: why paths of programs cannot be known, None where they can (`ExecutableHelper.problem`).
        names: numbers of users and groups by name, the host's by default.

    Raises:
        RulesError: a file cannot be read or used.
    """
    known = names or host_names()
    rules = [rule for file in files for rule in _rules_of(_read(file), known, no_executables)]
    if len(rules) > RULES_MAX:
        raise RulesError(files[-1], f"there are more than {RULES_MAX} rules")
    table = None if rights is None else RightsTable(_rights_of(_read(rights)))
    sources = [str(file) for file in (*files, *((rights,) if rights is not None else ()))]
    return Rulebook(rules, table, sources)


def load_host_rules(files: Sequence[Path], *, rights: Path | None = None) -> Rulebook:
    """Read the rules of this machine; whether the helper answers is asked only where a rule needs it.

    Raises:
        RulesError: as `load_rules`.
    """
    rules = load_rules(files, rights=rights)
    if not rules.needs_executables:
        return rules
    return load_rules(files, rights=rights, no_executables=ExecutableHelper().problem())


def parse_rules(
    text: str, file: Path, *, no_executables: str | None = None, names: Names | None = None
) -> tuple[Rule, ...]:
    """Read the text of a file of rules; raises as `load_rules`."""
    return tuple(_rules_of(_parse(text, file), names or host_names(), no_executables))


def parse_rights(text: str, file: Path) -> RightsTable:
    """Read the text of a table of rights; raises as `load_rules`."""
    return RightsTable(_rights_of(_parse(text, file)))


def _read(file: Path) -> _Document:
    try:
        found = read_toml(file)
    except TomlUnusable as error:
        raise RulesError(file, str(error)) from error
    return _Document(file, found.table, found.lines)


def _parse(text: str, file: Path) -> _Document:
    try:
        found = parse_toml(text)
    except TomlUnusable as error:
        raise RulesError(file, str(error)) from error
    return _Document(file, found.table, found.lines)


def _entries(document: _Document, name: str) -> list[Mapping[str, Any]]:
    """The entries of the one array of tables that a file holds."""
    for key in document.table:
        if key != name:
            line = document.lines.header(key) or document.lines.key(key, None)
            raise RulesError(document.file, f"there is no {key} here; a file holds [[{name}]] alone", line=line)
    entries = document.table.get(name, [])
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise RulesError(document.file, f"{name} must be written [[{name}]]", line=document.lines.header(name))
    return entries


class _Entry:
    """One rule or right while it is read: its place, and errors that name it."""

    def __init__(self, document: _Document, kind: str, position: int, table: Mapping[str, Any]) -> None:
        self._document = document
        self.table = table
        self._header = document.lines.header(kind, position)
        self.number = position + 1
        self.source = RuleSource(str(document.file), self.number, self._header, self.read("name", read_name, ""))

    def read(self, key: str, reader: Callable[[Any], Any], default: Any) -> Any:
        """A value, or its default."""
        if key not in self.table:
            return default
        try:
            return reader(self.table[key])
        except ValueError as error:
            raise self.error(f"{key} {error}", key) from error

    def check_keys(self, known: Sequence[str]) -> None:
        """Refuse a key that there is not."""
        for key in self.table:
            if key not in known:
                raise self.error(f"there is no key {key} (known: {', '.join(sorted(known))})", key)

    def error(self, problem: str, key: str | None = None) -> RulesError:
        """An error at a key, else at the entry."""
        line = self._document.lines.key(key, self._header) if key is not None and self._header is not None else None
        if line is None and key is not None:  # a table of its own: [rule.consent]
            line = self._header
        return RulesError(self._document.file, problem, rule=self.number, line=line or self._header)


def _rules_of(document: _Document, names: Names, no_executables: str | None) -> list[Rule]:
    return [
        _rule(_Entry(document, "rule", position, table), names, no_executables)
        for position, table in enumerate(_entries(document, "rule"))
    ]


def _rule(entry: _Entry, names: Names, no_executables: str | None) -> Rule:
    entry.check_keys(["name", "effect", *READERS])
    if "effect" not in entry.table:
        raise entry.error("has no effect: allow, ask or deny")
    effect: Effect = entry.read("effect", _effect, None)
    values = {
        reader.field: entry.read(key, partial(reader.read, names=names), None)
        for key, reader in READERS.items()
        if key in entry.table
    }
    if "relations" not in values:
        values["relations"] = frozenset(Relation) if effect is Effect.DENY else _OWN
    if effect is Effect.ASK:
        values.setdefault("actions", _ASKED_ABOUT)
    rule = Rule(entry.source, effect, **values)
    _check(entry, rule, no_executables)
    return rule


_OWN: Final = frozenset({Relation.OWN_ACTIVE, Relation.OWN})
"""To whom a rule that gives something gives it, unless it says more."""
_ASKED_ABOUT: Final = frozenset({Action.SIGN})
"""Nobody is asked about anything else: a rule that asks about it would let it through."""


def _effect(value: Any) -> Effect:  # TOML
    if value not in list(Effect):
        raise ValueError("must be allow, ask or deny")
    return Effect(value)


def _check(entry: _Entry, rule: Rule, no_executables: str | None) -> None:
    """Refuse what the parts of a rule do not mean together."""
    gives = rule.effect is not Effect.DENY
    if rule.effect is Effect.ALLOW and rule.rests_on_claims:
        raise entry.error("the kind of a document is the application's own word: it may ask or deny", "document-kind")
    if rule.effect is not Effect.ASK and (rule.terms is not ONE_DOCUMENT or rule.own_agent):
        raise entry.error("only a rule that asks has consent and own-agent", "effect")
    if rule.effect is Effect.ASK and rule.actions != _ASKED_ABOUT:
        raise entry.error("the holder is asked about signatures alone; for other actions, allow or deny", "action")
    if rule.professions and not rule.card_types:
        raise entry.error("the same number is a doctor on a CPS and a student on a CPF: name card-type", "profession")
    if gives and "authentication" in rule.keys and not rule.names_application:
        raise entry.error("the authentication key is opened to named applications alone", "key")
    if rule.executables and no_executables is not None:
        raise entry.error(f"rules by executable cannot be used here: {no_executables}", "executable")


def _rights_of(document: _Document) -> list[Right]:
    return [
        _right(_Entry(document, "right", position, table)) for position, table in enumerate(_entries(document, "right"))
    ]


def _right(entry: _Entry) -> Right:
    entry.check_keys(["name", "card-type", "profession", "read", "write"])
    if "card-type" not in entry.table:
        raise entry.error("names no card-type")
    if "read" not in entry.table and "write" not in entry.table:
        raise entry.error("gives neither read nor write")
    nothing: frozenset[Any] = frozenset()
    return Right(
        entry.source,
        entry.read("card-type", read_card_types, nothing),
        entry.read("profession", read_professions, nothing),
        entry.read("read", read_kinds, nothing),
        entry.read("write", read_kinds, nothing),
    )
