"""Callers x actions x rules, with the running daemon and the real polkitd: as the tables of docs/access.md say.

Login sessions are logind's state files, written by the test; control groups are real where root may make them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from tests.support.host import MEMBER_UID, OUTSIDER_UID, REPOSITORY
from tests.support.ward import Application, Ward, in_user_manager, open_ward

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and other users are for root")

WORDS = {
    "yes": "yes",
    "DecryptFailed": "yes",  # zeros are no cryptogram: the card was asked
    "NoAgent": "asks",  # the holder would be asked, and nobody can
    "NotAuthorizedCanObtain": "password",
    "NotAuthorized": "no",
}
FLATPAK = in_user_manager(MEMBER_UID, "app-flatpak-org.example.Records-4711.scope")
SNAP = in_user_manager(MEMBER_UID, "snap.records.viewer-0b9a1c52-5f1c-4a44-9d3c-7f3b1f0e2d11.scope")
USER_UNIT = in_user_manager(MEMBER_UID, "app-gnome-org.example.Letters-7.scope")
PODMAN = f"/user.slice/user-{MEMBER_UID}.slice/user@{MEMBER_UID}.service/user.slice/libpod-{'a1' * 32}.scope"
DOCKER = f"/system.slice/docker-{'b2' * 32}.scope"
SERVICE = "/system.slice/records.service"

CALLERS: dict[str, tuple[str, Application]] = {
    "the holder's program, at the desk": ("active", Application()),
    "one in a Flatpak, a Snap, a unit of the user or a container of the user's": ("active", Application(group=PODMAN)),
    "one whose session is switched away": ("inactive", Application()),
    "one over the network": ("remote", Application()),
    "a service under the holder's uid": ("active", Application(group=SERVICE)),
    "a container of the machine's, under the holder's uid": ("active", Application(group=DOCKER)),
    "another user": ("active", Application(OUTSIDER_UID)),
    "root": ("active", Application(0)),
}


def table(heading: str) -> dict[str, dict[str, str]]:
    """The table under a heading of docs/access.md: cells by the first column and by the header."""
    text = (REPOSITORY / "docs" / "access.md").read_text()
    lines = text[text.index(f"\n## {heading}\n") :].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip(" `") for cell in line.strip("|").split("|")])
    header, _, *body = rows
    return {row[0]: dict(zip(header[1:], row[1:], strict=True)) for row in body}


@pytest.fixture(scope="module")
def ward() -> Iterator[Ward]:
    """With the rules and the polkit policy as installed."""
    with open_ward() as ward:
        yield ward


@pytest.mark.parametrize("login", ["inactive", "remote", None])
def test_who_is_not_at_the_desk_opens_nothing(ward: Ward, login: str | None) -> None:
    ward.log_in(login)
    found = ward.outcomes(Application())
    assert (found["read-holder"], found["authenticate"]) == ("NotAuthorized", "NotAuthorized")
    assert "sign" not in found, "there is no session"


def test_as_installed_each_caller_may_what_the_documentation_says(ward: Ward) -> None:
    documented = table("As installed")
    assert documented.keys() == CALLERS.keys()
    found = {}
    for name, (login, application) in CALLERS.items():
        ward.log_in(login)
        outcomes = ward.outcomes(application)
        found[name] = {action: WORDS[outcome] for action, outcome in outcomes.items()}
    assert found == documented
    ward.log_in("active")
    for group in (FLATPAK, SNAP, USER_UNIT):
        outcomes = ward.outcomes(Application(group=group))
        assert {action: WORDS[outcome] for action, outcome in outcomes.items()} == (
            documented["the holder's program, at the desk"]
        )


def test_to_end_is_always_the_right_of_the_sessions_user(ward: Ward) -> None:
    ward.log_in("active")
    ward.outcomes(Application())
    assert ward.outcomes(Application(OUTSIDER_UID), end=True)["end"] == "NotAuthorized"
    ward.log_in("inactive")
    assert ward.outcomes(Application(), end=True)["end"] == "yes"


def test_tokens_of_others_are_for_whom_polkit_lets(ward: Ward) -> None:
    ward.log_in("active")
    token_id = ward.outcomes(Application(), ids=True)["ids"][-1]
    assert ward.outcomes(Application(OUTSIDER_UID), revoke=[token_id])["revoke"] == "NotAuthorizedCanObtain"
    rule = """polkit.addRule(function (action, subject) {
        if (action.id === "org.cardd1.manage-tokens" && subject.user === "visitor") { return polkit.Result.YES; }
    });"""
    with ward.polkit_rule(rule):
        found = ward.outcomes(Application(OUTSIDER_UID), revoke=[token_id])
    assert (found["manage-tokens"], found["revoke"]) == ("yes", "yes")


def test_the_journal_names_what_refused() -> None:
    """A rule by its place, polkit by its action, or that no rule fits."""
    rule = '[[rule]]\nname = "no decryption"\naction = "decrypt"\neffect = "deny"\n'
    with open_ward(rule) as ward:
        ward.log_in("active")
        ward.outcomes(Application())
        told = {refusal["action"]: refusal.get("rule") for refusal in ward.refusals()}
        assert told == {
            "Sign": "default",
            "Decrypt": f"{ward.folder}/rules.toml, rule 1 (no decryption), line 1",
            "ListTokens": "org.cardd1.manage-tokens",
            "Verify": "org.cardd1.read-journal",
            "Reload": "org.cardd1.configure",
        }


HOSPITAL = """polkit.addRule(function (action, subject) {
    if (action.id === "org.cardd1.%s" && action.lookup("%s") === "%s") { return polkit.Result.NO; }
});"""


@pytest.mark.parametrize(
    ("rule", "refused", "passes"),
    [
        (("decrypt", "card-type", "CPS"), Application(), None),
        (("decrypt", "profession", "10"), Application(), None),
        (("decrypt", "application", "org.example.Records"), Application(group=FLATPAK), Application()),
        (("sign", "document-kind", "prescription"), Application(kind="prescription"), Application(kind="letter")),
    ],
)
def test_a_hospitals_rule_in_polkit_decides_by_what_cardd_tells_it(
    ward: Ward, rule: tuple[str, str, str], refused: Application, passes: Application | None
) -> None:
    ward.log_in("active")
    action = rule[0]
    assert WORDS[ward.outcomes(refused)[action]] in ("yes", "asks")
    with ward.polkit_rule(HOSPITAL % rule):
        assert ward.outcomes(refused)[action] == "NotAuthorized"
        if passes is not None:
            assert WORDS[ward.outcomes(passes)[action]] in ("yes", "asks")


# Rules by program, place and time: each is needed for what it gives, or takes.


def hours(now: datetime, *, open_now: bool) -> str:
    """Twelve hours around this moment, or the other twelve."""
    middle = now if open_now else now + timedelta(hours=12)
    return f"{middle - timedelta(hours=6):%H:%M}-{middle + timedelta(hours=6):%H:%M}"


NOW = datetime.now().astimezone()
GIVING = {
    "flatpak": ('flatpak = "org.example.Records"', Application(group=FLATPAK)),
    "snap": ('snap = "records.viewer"', Application(group=SNAP)),
    "all programs of a snap": ('snap = "records"', Application(group=SNAP)),
    "user-unit": ('user-unit = "app-*-org.example.Letters-*.scope"', Application(group=USER_UNIT)),
    "executable": ('executable = "{program}"', Application(copied=True)),
    "unit": ('unit = "records.service"\nuser = "doctor"\nsession = "other"', Application(group=SERVICE)),
    "user": ('user = "visitor"\nsession = "other"', Application(OUTSIDER_UID)),
    "group": ('group = "visitor"\nsession = "other"', Application(OUTSIDER_UID)),
    "container": ("container = true", Application(group=PODMAN)),
    "seat": ('seat = "seat0"', Application()),
    "hours": (f'hours = "{hours(NOW, open_now=True)}"', Application()),
    "card-type and profession": ('card-type = "CPS"\nprofession = 10', Application()),
    "algorithm": ('algorithm = "RS256"', Application()),
}
NOT_GIVING = {
    "another flatpak": ('flatpak = "org.example.Recorder"', Application(group=FLATPAK)),
    "flatpak, by a program outside": ('flatpak = "org.example.Records"', Application()),
    "flatpak, by a name in another's slice": (
        'flatpak = "org.example.Records"',
        Application(group=f"/system.slice/x.service/{FLATPAK.rpartition('/')[2]}"),
    ),
    "another program of the snap": ('snap = "records.editor"', Application(group=SNAP)),
    "executable, by another": ('executable = "{program}"', Application()),
    "unit, to the holder's own programs": ('unit = "records.service"', Application()),
    "unit, to another session": ('unit = "records.service"', Application(group=SERVICE)),
    "user, whose session it is not": ('user = "visitor"', Application(OUTSIDER_UID)),
    "container, outside of one": ("container = true", Application()),
    "seat": ('seat = "seat1"', Application()),
    "hours": (f'hours = "{hours(NOW, open_now=False)}"', Application()),
    "profession": ('card-type = "CPS"\nprofession = 21', Application()),
    "card type": ('card-type = "CPF"', Application()),
}
HOSPITALS_SERVICES = """polkit.addRule(function (action, subject) {
    if (action.id === "org.cardd1.sign" && (action.lookup("application") === "records.service" ||
        subject.user === "visitor")) { return polkit.Result.YES; }
});"""
"""polkit lets in nobody but active sessions: what a rule of cardd gives to others, a rule of polkit must give too."""


def signing(condition: str, effect: str, ward: Ward) -> str:
    """A rule for the signature key."""
    given = condition.format(program=ward.program)
    return f'[[rule]]\naction = "sign"\nkey = "signature"\neffect = "{effect}"\n{given}\n'


@pytest.fixture(scope="module")
def opened(ward: Ward) -> Iterator[Ward]:
    """The doctor's session is open, and polkit is out of the way for services and visitors."""
    ward.log_in("active")
    before = (ward.folder / "rules.toml").read_text()
    assert ward.outcomes(Application())["authenticate"] == "yes"
    with ward.polkit_rule(HOSPITALS_SERVICES):
        yield ward
    ward.put_rules(before)


@pytest.mark.parametrize("name", GIVING)
def test_a_rule_gives_and_without_it_nothing_is_given(opened: Ward, name: str) -> None:
    condition, application = GIVING[name]
    opened.put_rules(signing(condition, "allow", opened))
    assert opened.outcomes(application)["sign"] == "yes"
    others = "".join(
        signing(other, "allow", opened)
        for other, program in GIVING.values()
        if program is not application and program.group not in (None, application.group)
    )
    opened.put_rules(others)
    assert opened.outcomes(application)["sign"] == "NotAuthorized"


@pytest.mark.parametrize("name", NOT_GIVING)
def test_a_rule_gives_nothing_to_others(opened: Ward, name: str) -> None:
    condition, application = NOT_GIVING[name]
    opened.put_rules(signing(condition, "allow", opened))
    assert opened.outcomes(application)["sign"] == "NotAuthorized"


@pytest.mark.parametrize("name", ["flatpak", "executable", "container", "hours", "seat"])
def test_a_rule_takes_and_without_it_nothing_is_taken(opened: Ward, name: str) -> None:
    condition, application = GIVING[name]
    everybody = signing("", "allow", opened)
    opened.put_rules(signing(condition, "deny", opened) + everybody)
    assert opened.outcomes(application)["sign"] == "NotAuthorized"
    opened.put_rules(everybody)
    assert opened.outcomes(application)["sign"] == "yes"


def test_a_rule_that_asks_asks_and_the_kind_of_a_document_only_narrows(opened: Ward) -> None:
    everybody = signing("", "allow", opened)
    opened.put_rules(signing('document-kind = "prescription"', "ask", opened) + everybody)
    assert opened.outcomes(Application(kind="prescription"))["sign"] == "NoAgent"
    assert opened.outcomes(Application(kind="letter"))["sign"] == "yes"
    opened.put_rules(signing('document-kind = "prescription"', "ask", opened))
    assert opened.outcomes(Application(kind="letter"))["sign"] == "NotAuthorized"


def test_polkit_must_agree_as_well(opened: Ward) -> None:
    opened.put_rules(signing('session = ["own-active", "own", "other"]', "allow", opened))
    assert opened.outcomes(Application(group=DOCKER))["sign"] == "NotAuthorized"
