"""Languages and catalogues."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from babel.messages.catalog import Catalog

from cardd import errors
from cardd.cli import i18n, wording
from cardd.cli.i18n import _, ngettext


@pytest.mark.parametrize(
    ("environment", "asked", "language"),
    [
        ({}, None, "en"),
        ({"LANG": "fr_FR.UTF-8"}, None, "fr"),
        ({"LANG": "fr"}, None, "fr"),
        ({"LANG": "de_DE.UTF-8"}, None, "en"),
        ({"LANG": "fr_FR.UTF-8", "LC_MESSAGES": "C"}, None, "en"),
        ({"LANG": "C", "LC_MESSAGES": "en_GB.UTF-8", "LC_ALL": "fr_BE.UTF-8"}, None, "fr"),
        ({"LANG": "fr_FR.UTF-8", "LC_ALL": ""}, None, "fr"),
        ({"LANG": "fr_FR.UTF-8"}, "en", "en"),
        ({}, "FR-ch", "fr"),
        ({}, "../../etc", "en"),
    ],
)
def test_the_language_is_chosen(environment: dict[str, str], asked: str | None, language: str) -> None:
    assert i18n.choose(environment, asked) == language


def test_french_is_spoken() -> None:
    i18n.speak("fr")
    assert _("Session ended.") == "Session fermée."
    assert ngettext("{count} try left", "{count} tries left", 2) == "{count} essais restants"
    assert _("") == ""
    assert _("a sentence that nobody translated") == "a sentence that nobody translated"
    i18n.speak("en")
    assert _("Session ended.") == "Session ended."


def test_every_message_is_translated_whole(messages: ModuleType) -> None:
    assert messages.problems() == []


@pytest.mark.parametrize("kind", errors.all_errors().values(), ids=lambda kind: kind.short_name)
def test_every_error_has_its_sentence_in_french(kind: type[errors.CarddError]) -> None:
    i18n.speak("en")
    english = _(kind.sentence)
    i18n.speak("fr")
    assert english == kind.sentence
    assert _(kind.sentence) != kind.sentence or kind.sentence == "{text} ({error})"


def _message(messages: ModuleType, *message: Any, **more: Any) -> list[str]:
    catalogue = Catalog(locale="fr")
    found: list[str] = messages._problems_of(catalogue.add(*message, **more))
    return found


def test_the_check_finds_what_is_wrong(messages: ModuleType) -> None:
    assert _message(messages, "one {a}", "un {a}") == []
    assert _message(messages, "one {a}", "") == ["untranslated: one {a}"]
    assert _message(messages, "one {a}", "un {b}") == ["other placeholders: un {b}"]
    assert _message(messages, "one", "un", flags=["fuzzy"]) == ["fuzzy: one"]
    assert _message(messages, ("used once", "used {n} times"), ("une fois", "{n} fois")) == []
    assert _message(messages, ("{n} try", "{n} tries"), ("{n} essai", "essais")) == ["other placeholders: essais"]


def test_words_of_an_error_are_translated_in_its_sentence() -> None:
    i18n.speak("fr")
    said = wording.sentence_of(errors.SessionEnded(reason="card-removed"))
    assert said == "La session est terminée (la carte a été retirée) ; authentifiez-vous de nouveau."
    said = wording.sentence_of(errors.NotTrusted(reason="unknown-issuer"))
    assert "son émetteur n'est pas connu ici" in said
    said = wording.sentence_of(errors.SessionEnded(reason="moon-phase"))
    assert "(moon-phase)" in said


def test_what_could_steer_a_terminal_is_taken_out() -> None:
    said = wording.sentence_of(errors.ObjectNotFound(label="x\x1b[2J\u202egnp"))
    assert "\x1b" not in said
    assert "\u202e" not in said
