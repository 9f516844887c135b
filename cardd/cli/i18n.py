"""French and English: which language is spoken, and the translation of sentences."""

from __future__ import annotations

import gettext
import os
from collections.abc import Mapping
from pathlib import Path

DOMAIN = "cardd"
LOCALES = Path(__file__).parent.parent / "locale"
LANGUAGES = ("en", "fr")
"""What is spoken; English is the language of the message ids."""

_translations: gettext.NullTranslations = gettext.NullTranslations()


def choose(environment: Mapping[str, str], asked: str | None = None) -> str:
    """Choose the language.

    Args:
        environment: LC_ALL, LC_MESSAGES and LANG are read, in this order, as setlocale(3) does.
        asked: by `--lang`, before all of them.

    Returns:
        One of `LANGUAGES`; English where the wish is none of them.
    """
    wish = asked or next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    language = wish.lower().replace("-", "_").partition("_")[0].partition(".")[0]
    return language if language in LANGUAGES else "en"


def speak(language: str) -> None:
    """Speak one of `LANGUAGES` from now on.

    typer takes its own words (Options, required…) from gettext's current domain: they are in our catalogue.
    """
    global _translations  # noqa: PLW0603  # one process speaks one language
    _translations = gettext.translation(DOMAIN, LOCALES, languages=[language], fallback=True)
    os.environ["LANGUAGE"] = language
    gettext.bindtextdomain(DOMAIN, LOCALES)
    gettext.textdomain(DOMAIN)


def _(sentence: str) -> str:
    """Translate one sentence."""
    # The empty message id is the catalogue's header.
    return _translations.gettext(sentence) if sentence else ""


def ngettext(singular: str, plural: str, count: int) -> str:
    """Translate a sentence that counts."""
    return _translations.ngettext(singular, plural, count)
