"""Profiles: those that come along, and what is refused in one's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardsim import profiles
from cardsim.behaviour import Behaviour, BlockingTry, LogoutRule, PastEnd
from cardsim.identifiers import luhn_check_digit
from cardsim.layouts import cps3_easy
from cardsim.profiles import CardType, CertificateVariant, ProfileError
from cardsim.profiles.loader import parse
from cardsim.profiles.switches import switches

MINIMAL = """\
description = "smallest"

[holder]
card_type = "CPS"
identifier = "899900000011"
title = "Médecin"

[card]
number = "2600000011"
serial = "26000001"
pin = "4711"
puk = "47114711"
"""


def test_names() -> None:
    """The promised ones are there, sorted."""
    promised = {
        "physician",
        "nurse",
        "pharmacist",
        "student",
        "staff",
        "expired",
        "strange-ca",
        "pin-blocked",
        "swapped-usage",
        "malformed-certificate",
        "physician-cps4",
        "nurse-cps4-t0",
        "authorised-staff",
        "many-activities",
        "physician-easy",
        "otherwise",
        "unmarked",
    }
    assert promised <= set(profiles.names())
    assert profiles.names() == sorted(profiles.names())


@pytest.mark.parametrize("name", profiles.names())
def test_each_profile_is_fictional(name: str) -> None:
    """Test numbers with right check digits, card numbers and serials of the test range."""
    profile = profiles.load(name)
    identifier = profile.holder.identifier
    if identifier.startswith("8"):
        assert identifier[1:].startswith("9990000")
        assert int(identifier[-1]) == luhn_check_digit(identifier[1:-1])
    assert profile.card.number.startswith("260000")
    assert profile.card.serial.startswith("260000")
    assert (profile.name, profile.card.pin, profile.card.puk) == (name, "1234", "12345678")


def test_numbers_are_used_once() -> None:
    """No two profiles share a serial or a printed number."""
    loaded = [profiles.load(name) for name in profiles.names()]
    assert len({profile.card.serial for profile in loaded}) == len(loaded)
    assert len({profile.card.number for profile in loaded}) == len(loaded)


def test_what_profiles_say() -> None:
    """A few of them, in the words of the model."""
    physician, student, staff = (profiles.load(name) for name in ("physician", "student", "staff"))
    assert physician.holder.display_name == "Éloïse O'HARA-LEFÈVRE"
    assert [activity.number for activity in physician.activities] == [1, 2]
    assert (student.holder.card_type, student.holder.future_profession) == (CardType.CPF, 10)
    assert staff.holder.display_name == "EMPLOYE 0001"
    assert profiles.load("pin-blocked").card.pin_tries_left == 0
    assert profiles.load("strange-ca").certificates is CertificateVariant.STRANGE_ISSUER


def test_own_file(tmp_path: Path) -> None:
    """By path; its name is the file's; defaults fill the rest."""
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL, encoding="utf-8")
    for given_as in (path, str(path)):
        profile = profiles.load(given_as)
        assert profile.name == "mine"
        assert profile.behaviour == Behaviour()
        assert profile.card.pin_tries_left == 3


def test_behaviour_switches() -> None:
    """Each by its name."""
    text = MINIMAL + (
        '[behaviour]\nlogout = "never"\npast_end = "6cxx"\nblocking_try = "6983"\n'
        "pin_for_each_signature = true\nenvironment_lost_after_use = true\n"
    )
    expected = Behaviour(
        logout=LogoutRule.NEVER,
        past_end=PastEnd.CORRECT_LENGTH,
        blocking_try=BlockingTry.BLOCKED,
        pin_for_each_signature=True,
        environment_lost_after_use=True,
    )
    assert parse(text, "f", "f").behaviour == expected


def test_every_switch_is_taken_in_each_of_its_values() -> None:
    """What `switches` lists is what a profile may say, and says it to the card."""
    for switch in switches():
        taken = set()
        for value in switch.values:
            if " to " not in value:
                behaviour = parse(f"{MINIMAL}[behaviour]\n{switch.name} = {value}\n", "f", "f").behaviour
                taken.add(getattr(behaviour, switch.name))
        assert len(taken) == len([value for value in switch.values if " to " not in value])


def test_a_layout_brings_its_own_behaviour_and_numbers() -> None:
    """What the profile names goes before what the layout has."""
    easy = MINIMAL.replace('serial = "26000001"', 'serial = "26000001"\nlayout = "cps3-easy"')
    profile = parse(easy + '[behaviour]\npast_end = "9000"\n[numbers]\nkey_directory = 0x7A02\n', "f", "f")
    assert profile.behaviour == replace(cps3_easy.LAYOUT.behaviour, past_end=PastEnd.SILENT)
    assert profile.numbers == replace(cps3_easy.LAYOUT.numbers, key_directory=0x7A02)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("pin_directory = 0x3F00", "p.toml:14: numbers.pin_directory: has the number of the card itself"),
        ("info = 0xD120", "p.toml:14: numbers.info: has the number of the card itself"),
        ("key_directory = 0x7001", "p.toml:14: numbers.key_directory: has the number of pin_directory"),
        ("application = 2", "p.toml:13: numbers.contactless_application: has the number of application"),
        (
            "technical_certificate = 0x5031",
            "p.toml:14: numbers.technical_certificate: has the number of the card itself",
        ),
        ("signature_key = 2", "p.toml:14: numbers.authentication_key: has the number of signature_key"),
        ("pin = 32", "p.toml:14: numbers.pin: must be an integer from 1 to 31"),
        ('key_references = "odd"', "p.toml:14: numbers.key_references: must be one of two-bytes, negative"),
    ],
)
def test_numbers_that_no_card_can_have(line: str, message: str) -> None:
    """Reserved, taken, or twice the same; the line is that of the key, or of its table where the key is not named."""
    expected = message if "authentication_key" not in message else message.replace(":14:", ":13:")
    assert refusal(f"{MINIMAL}[numbers]\n{line}\n") == expected


def refusal(text: str) -> str:
    """The refusal of a text."""
    with pytest.raises(ProfileError) as refused:
        parse(text, "p.toml", "p")
    return str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('pin = "4711"', 'pin = "471"', "p.toml:11: card.pin: must be a string: 4 digits"),
        ('pin = "4711"', "pin = 4711", "p.toml:11: card.pin: must be a string: 4 digits"),
        ('puk = "47114711"\n', "", "p.toml:8: card.puk: is missing"),
        ('pin = "4711"', 'pin = "4711"\npins = 1', "p.toml:12: card.pins: unknown key"),
        ('description = "smallest"', 'description = "a"\nfoo = 1', "p.toml:2: foo: unknown key"),
        ('description = "smallest"', "", "p.toml:1: description: is missing"),
        ('card_type = "CPS"', 'card_type = "CPX"', "p.toml:4: holder.card_type: must be one of CPS, CPF, CPE, CPA"),
        ('title = "Médecin"', 'title = ""', "p.toml:6: holder.title: must be a string: 1 to 64 characters"),
        ('title = "Médecin"', 'title = "M"\nsurname = "X"', "p.toml:3: holder: surname and given_name go together"),
        (
            'title = "Médecin"',
            'title = "M"\nprofession = 300',
            "p.toml:7: holder.profession: must be an integer from 0 to 127",
        ),
        (
            'title = "Médecin"',
            'title = "M"\nprofession = true',
            "p.toml:7: holder.profession: must be an integer from 0 to 127",
        ),
        ('serial = "26000001"', 'serial = "2600000x"', "p.toml:10: card.serial: must be a string: 8 digits"),
        (
            'puk = "47114711"',
            'puk = "47114711"\nlayout = "cps9"',
            "p.toml:13: card.layout: must be one of cps3, cps3-easy, cps4, cps4-rc, cps4-t0",
        ),
        (
            'puk = "47114711"',
            'puk = "47114711"\npin_tries_left = 4',
            "p.toml:13: card.pin_tries_left: must be an integer from 0 to 3",
        ),
    ],
)
def test_bad_values_are_named_with_line_and_key(old: str, new: str, message: str) -> None:
    """One fault each."""
    assert refusal(MINIMAL.replace(old, new)) == message


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ('[certificates]\nvariant = "good"', "p.toml:14: certificates.variant: must be one of valid, expired,"),
        ('[behaviour]\nlogout = "x"', "p.toml:14: behaviour.logout: must be one of any-df, any-aid, root-aid, never"),
        (
            "[behaviour]\npin_for_each_signature = 1",
            "p.toml:14: behaviour.pin_for_each_signature: must be true or false",
        ),
        ("[behavior]\n", "p.toml:1: behavior: unknown key"),
        ("[activities]\n", "p.toml:1: activities: must be an array of tables: [[activities]]"),
        (
            '[[activities]]\nnumber=1\nname="a"\nstructure="1"\nsector="SA07"',
            "p.toml:16: activities.structure: must be a string: a Struct_IdNat",
        ),
        (
            '[[activities]]\nnumber=2\nname="a"\nstructure="12"\nsector="SA07"\n' * 2,
            "p.toml:19: activities.number: must rise from one activity to the next",
        ),
    ],
)
def test_bad_tables_are_named(added: str, message: str) -> None:
    """Tables, arrays of tables, choices."""
    assert refusal(MINIMAL + added).startswith(message)


def test_secrets_stay_out_of_texts() -> None:
    """PIN and PUK are in no refusal and no repr."""
    assert "471" not in refusal(MINIMAL.replace('"4711"', '"471147"'))
    profile = parse(MINIMAL, "f", "f")
    assert "4711" not in repr(profile)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nobody", "nobody: no such profile; there are authorised-staff, expired, "),
        ("/nowhere/p.toml", "/nowhere/p.toml: cannot be read"),
        ("nowhere.toml", "nowhere.toml: cannot be read"),
    ],
)
def test_profiles_that_are_not_there(name: str, message: str) -> None:
    """A name and a path."""
    with pytest.raises(ProfileError) as refused:
        profiles.load(name)
    assert str(refused.value).startswith(message)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """Latin-1 is refused by name."""
    path = tmp_path / "latin.toml"
    path.write_bytes(MINIMAL.encode("latin-1"))
    with pytest.raises(ProfileError, match=r"latin\.toml: cannot be read"):
        profiles.load(path)


@given(st.text(max_size=80))
def test_any_text_is_a_profile_or_refused(text: str) -> None:
    """No other error comes out."""
    with pytest.raises(ProfileError):
        parse(text, "p.toml", "p")


def test_timing_is_off_until_the_profile_asks_for_it() -> None:
    assert not parse(MINIMAL, "x.toml", "x").timing
    assert parse("timing = true\n" + MINIMAL, "x.toml", "x").timing
    with pytest.raises(ProfileError, match=r":1: timing.*true or false"):
        parse('timing = "slow"\n' + MINIMAL, "x.toml", "x")
