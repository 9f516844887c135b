"""Files of rules and rights: what is read, and what is refused with file, rule and line."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.access.actions import Action
from cardd.access.rule_values import CARD_TYPES, READERS, Names
from cardd.access.rules import Effect, Relation, Rule
from cardd.access.rules_file import RulesError, load_rules, parse_rights, parse_rules
from cardd.access.terms import ConsentMode, ConsentTerms
from cardd.holder.nomenclature import CardType
from cardd.toml_file import SIZE_MAX
from tests.unit.access.support import facts, request

REPOSITORY = Path(__file__).resolve().parents[3]
FILE = Path("/etc/cardd/rules.toml")
NAMES = Names({"doctor": 1000}.__getitem__, {"ward": 2000}.__getitem__)


def parse(text: str, no_executables: str | None = None) -> tuple[Rule, ...]:
    return parse_rules(text, FILE, no_executables=no_executables, names=NAMES)


FULL = """
[[rule]]
name = "everything"
effect = "ask"
action = "sign"
key = "signature"
algorithm = ["RS256", "PS256"]
unit = "records.service"
user-unit = "app-*-org.example.App-*.scope"
flatpak = "org.example.App"
snap = ["records", "tools.viewer"]
executable = "/usr/bin/records"
user = ["doctor", 1001]
group = "ward"
card-type = "CPS"
profession = [10, 60]
document-kind = ["prescription", "unstated"]
seat = "seat0"
session = ["own-active", "other"]
container = false
hours = ["mon-fri 08:00-19:30", "sat 09:00-12:00"]
consent = { mode = "batch", uses = 20, seconds = 300.5 }
own-agent = true
"""


def test_every_key() -> None:
    (rule,) = parse(FULL)
    assert (rule.source.number, rule.source.line, rule.source.name) == (1, 2, "everything")
    assert str(rule.source) == "/etc/cardd/rules.toml, rule 1 (everything), line 2"
    assert rule.effect is Effect.ASK
    assert rule.actions == {Action.SIGN}
    assert rule.snaps == {"records.*", "tools.viewer"}
    assert rule.uids == {1000, 1001}
    assert rule.gids == {2000}
    assert rule.card_types == {"CPS"}
    assert rule.professions == {10, 60}
    assert rule.relations == {Relation.OWN_ACTIVE, Relation.OTHER}
    assert rule.container is False
    assert rule.hours is not None
    assert len(rule.hours.spans) == 6
    assert rule.terms == ConsentTerms(ConsentMode.BATCH, 20, 300.5)
    assert rule.own_agent
    read = {reader.field for reader in READERS.values()} | {"source", "effect"}
    assert read == {one.name for one in fields(Rule)}


def test_what_gives_is_for_the_holders_own_programs_and_what_refuses_for_all() -> None:
    allow, ask, deny = parse('[[rule]]\neffect="allow"\n[[rule]]\neffect="ask"\n[[rule]]\neffect="deny"\n')
    assert allow.relations == ask.relations == {Relation.OWN_ACTIVE, Relation.OWN}
    assert deny.relations == set(Relation)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('effects = "deny"', "there is no key effects"),
        ('effect = "maybe"', "allow, ask or deny"),
        ('action = "fly"', '"fly" is none of'),
        ("action = []", "a string or a list"),
        ("action = 7", "a string or a list"),
        ('action = [""]', "a string or a list"),
        ('key = "pin"', "none of authentication, signature, encryption"),
        ('algorithm = "RS1"', '"RS1" is none of'),
        ('unit = "*"', "leave the key out"),
        ('unit = "a\\u0007"', "printable"),
        (f'unit = "{"a" * 300}"', "at most 255"),
        ('executable = "records"', "absolute"),
        ('user = "nobody-here"', "no user of this machine"),
        ("user = -1", "name or a number"),
        ("user = true", "name or a number"),
        ("user = []", "not be empty"),
        ('user = "a\\u0000"', "no user"),
        ("group = 1.5", "name or a number"),
        ('group = "none"', "no group of this machine"),
        ('card-type = "cps"', '"cps" is none of'),
        ('profession = "doctor"', "a code from 0 to 99"),
        ("profession = 100", "a code from 0 to 99"),
        ("profession = []", "a code from 0 to 99"),
        ("profession = 10", "name card-type"),
        ('document-kind = "A B"', "no kind of documents"),
        ('seat = "0"', "no seat"),
        ('session = "mine"', '"mine" is none of'),
        ('container = "yes"', "true or false"),
        ('hours = "daily"', "is not like"),
        ('consent = "batch"', "must be like"),
        ("consent = {}", "must be like"),
        ('consent = { mode = "ever" }', "mode must be"),
        ('consent = { mode = "batch", limit = 1 }', "must be like"),
        ('consent = { mode = "batch" }', "needs a limit of uses and one of seconds"),
        ('consent = { mode = "session", uses = 10 }', "needs a limit"),
        ('consent = { mode = "session", uses = 251, seconds = 1 }', "uses must be from 1 to 250"),
        ('consent = { mode = "session", uses = 1, seconds = 86401 }', "at most 86400"),
        ('consent = { mode = "session", uses = 1, seconds = inf }', "at most 86400"),
        ('consent = { mode = "session", uses = true, seconds = 1 }', "whole number"),
        ('consent = { mode = "document", uses = 2 }', "one use"),
        ("own-agent = 1", "true or false"),
        ('name = "a\\nb"', "printable"),
        ('key = "authentication"', "named applications"),
    ],
)
def test_a_bad_value_is_refused_with_its_line(line: str, problem: str) -> None:
    effect = "" if line.startswith("effect =") else 'effect = "ask"\n'
    text = f'# rules\n[[rule]]\neffect = "deny"\n\n[[rule]]\n{effect}seat = "seat0"\n\n{line}\n'
    if line.startswith("seat"):
        text = text.replace('seat = "seat0"\n', "\n")
    with pytest.raises(RulesError) as caught:
        parse(text)
    assert problem in str(caught.value)
    assert (caught.value.rule, caught.value.line) == (2, text.split("\n").index(line) + 1)
    assert str(caught.value).startswith("/etc/cardd/rules.toml, rule 2, line ")


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        ("[[rule]]\n", "has no effect", 1),
        ('[[rule]]\neffect = "allow"\ndocument-kind = "note"\n', "own word", 3),
        ('[[rule]]\neffect = "allow"\nconsent = { mode = "document" , seconds = 5}\n', "only a rule that asks", 2),
        ('[[rule]]\neffect = "deny"\nown-agent = true\n', "only a rule that asks", 2),
        ('rule = "x"\n', "must be written [[rule]]", None),
        ('[rule]\neffect = "deny"\n', "must be written [[rule]]", 1),
        ('[[rule]]\neffect = "deny"\n\n[[rules]]\n', "there is no rules here", 4),
        ('rules = 1\n[[rule]]\neffect = "deny"\n', "there is no rules here", 1),
        ("[[rule]\n", "no valid TOML", None),
        ("x = " + "[" * 20000, "nested too deeply", None),
        ('rule = [{ effect = "deny" }, { effect = "no" }]\n', "allow, ask or deny", None),
        ('[[rule]]\neffect = "ask"\n[rule.consent]\nmode = "ever"\n', "mode must be", 1),
    ],
)
def test_a_bad_file(text: str, problem: str, line: int | None) -> None:
    with pytest.raises(RulesError) as caught:
        parse(text)
    assert problem in str(caught.value)
    assert caught.value.line == line


def test_rules_by_executable_need_the_helper() -> None:
    text = '[[rule]]\neffect = "deny"\nexecutable = "/usr/bin/game"\n'
    assert parse(text)[0].executables == {"/usr/bin/game"}
    with pytest.raises(RulesError, match="line 3: rules by executable cannot be used here: the helper is off"):
        parse(text, "the helper is off")


def test_a_header_inside_a_string_is_none() -> None:
    text = '[[rule]]\nname = "x"\neffect = "deny"\nunit = """a\\\n[[rule]]\n"""\n[[rule]]\neffect = "bad"\n'
    with pytest.raises(RulesError) as caught:
        parse(text.replace('"""a\\\n[[rule]]\n"""', "'''a'''"))
    assert caught.value.line == 6
    with pytest.raises(RulesError) as caught:
        parse(text)
    assert caught.value.rule == 1  # the line feed in the name of the unit
    assert caught.value.line == 4


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    try:
        parse(text)
    except RulesError:
        return


def test_files_one_after_the_other(tmp_path: Path) -> None:
    for name, effect in (("a.toml", "ask"), ("b.toml", "deny")):
        (tmp_path / name).write_text(f'[[rule]]\neffect = "{effect}"\n')
    book = load_rules([tmp_path / "b.toml", tmp_path / "a.toml"], names=NAMES)
    assert [rule.effect for rule in book.rules] == [Effect.DENY, Effect.ASK]
    assert book.sources == (str(tmp_path / "b.toml"), str(tmp_path / "a.toml"))


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "cannot be read"), (b"\xff", "not UTF-8 at byte 0"), (b"#" * (SIZE_MAX + 1), "larger than")],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, problem: str) -> None:
    path = tmp_path / "rules.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RulesError, match=problem):
        load_rules([path])


# What is shipped.


def test_the_shipped_rules_ask_at_the_desk_and_nowhere_else() -> None:
    book = load_rules([REPOSITORY / "systemd/rules.toml"])
    decision = book.decide(request())
    assert decision.effect is Effect.ASK
    assert decision.terms is not None
    for relation in (Relation.OWN, Relation.OTHER):
        assert book.decide(request(relation=relation)).effect is Effect.DENY
    assert book.decide(request(key="authentication")).effect is Effect.DENY


def test_the_examples_in_the_shipped_rules_load() -> None:
    text = (REPOSITORY / "systemd/rules.toml").read_text()
    start = text.index("# [[rule]]")
    examples = text[start : text.index("\n\n", start)]
    plain = "\n".join(line.removeprefix("#").removeprefix(" ") for line in examples.splitlines())
    rules = parse(plain)
    assert [rule.source.name for rule in rules] == [
        "prescriptions one by one",
        "the browser logs in by TLS",
        "the records service signs letters by day",
    ]


@pytest.fixture
def rights() -> Path:
    return REPOSITORY / "systemd/rights-example.toml"


@pytest.mark.parametrize(
    ("card_type", "profession", "action", "kind", "passes"),
    [
        ("CPS", 10, Action.SIGN, "prescription", True),
        ("CPS", 10, Action.SIGN, "unstated", True),
        ("CPS", 60, Action.SIGN, "prescription", False),
        ("CPS", 60, Action.SIGN, "care-plan", True),
        ("CPS", 60, Action.DECRYPT, "prescription", True),
        ("CPS", 60, Action.DECRYPT, "unstated", False),
        ("CPF", 10, Action.SIGN, "prescription", False),
        ("CPF", 10, Action.DECRYPT, "anything", True),
        ("CPF", 10, Action.DECRYPT, "unstated", False),
        ("CPE", None, Action.SIGN, "admission", True),
        ("CPE", 7, Action.SIGN, "prescription", False),
        ("CPS", 26, Action.DECRYPT, "prescription", False),
        ("", None, Action.DECRYPT, "prescription", False),
        ("CPS", 26, Action.ASSERT, "unstated", True),
    ],
)
def test_the_example_of_rights(
    rights: Path, tmp_path: Path, card_type: str, profession: int | None, action: Action, kind: str, passes: bool
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\neffect = "allow"\n')
    book = load_rules([rules], rights=rights)
    asked = request(action=action, card_type=card_type, profession=profession, document_kind=kind)
    assert (book.decide(asked).effect is Effect.ALLOW) is passes


def test_rights_take_away_and_never_give(rights: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\neffect = "deny"\n')
    decision = load_rules([rules], rights=rights).decide(request())
    assert (decision.effect, decision.reason) == (Effect.DENY, "rule 1 says deny")


def test_rights_say_nothing_of_a_raw_signature(rights: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\neffect = "ask"\nkey = "authentication"\nunit = "tls.service"\n')
    book = load_rules([rules], rights=rights)
    asked = request(key="authentication", card_type="CPS", profession=26, facts=facts(unit="tls.service"))
    assert book.decide(asked).effect is Effect.ASK


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[right]]\nread = []\n", "names no card-type"),
        ('[[right]]\ncard-type = "CPS"\n', "neither read nor write"),
        ('[[right]]\ncard-type = "CPS"\nread = "A"\n', "no kind of documents"),
        ('[[right]]\ncard-type = "CPS"\nkind = "a"\n', "there is no key kind"),
        ('[[rule]]\neffect = "deny"\n', "there is no rule here"),
    ],
)
def test_bad_rights(text: str, problem: str) -> None:
    with pytest.raises(RulesError, match=problem):
        parse_rights(text, FILE)


def test_card_types_are_those_of_the_holder() -> None:
    assert set(CARD_TYPES) == {one.value for one in CardType} - {CardType.UNKNOWN.value}


@pytest.mark.parametrize("action", ['"decrypt"', '["sign", "mint-token"]'])
def test_a_rule_that_asks_about_anything_but_signatures_is_refused(action: str) -> None:
    with pytest.raises(RulesError, match="line 3: the holder is asked about signatures alone"):
        parse(f'[[rule]]\neffect = "ask"\naction = {action}\n')


def test_a_rule_that_asks_and_names_no_action_lets_nothing_through_unasked() -> None:
    (rule,) = parse('[[rule]]\neffect = "ask"\n')
    assert rule.actions == {Action.SIGN}
