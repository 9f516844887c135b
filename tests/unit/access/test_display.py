"""Strangers' strings on a user's screen."""

import unicodedata
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.access.display import LENGTH_MAX, MARK, clean


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("Ordonnance du 3 mars", "Ordonnance du 3 mars"),
        ("Été — « œuvre » №5 日本", "Été — « œuvre » №5 日本"),
        ("e\u0301te\u0301", "été"),
        ("\x1b[31mred\x1b[0m", f"{MARK}red{MARK}"),
        ("\x1b]0;title of the window\x07rest", f"{MARK}rest"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", f"{MARK}link{MARK}"),
        ("\x1bPdevice control\x1b\\rest", f"{MARK}rest"),
        ("\x9b31mred", f"{MARK}red"),
        ("cut \x1b[", f"cut {MARK}"),
        ("invoice \u202egpj.exe", f"invoice {MARK}gpj.exe"),
        ("\u2066isolated\u2069", f"{MARK}isolated{MARK}"),
        ("zero\u200bwidth\ufeff", f"zero{MARK}width{MARK}"),
        ("tag\U000e0041\U000e0042", f"tag{MARK}"),
        ("filler\u3164\u115f", f"filler{MARK}"),
        ("one\nline\r\n\ttwo\u2028three", f"one line two{MARK}three"),
        ("wide\u3000 \u00a0space", "wide space"),
        ("nul\0del\x7fbell\x07", f"nul{MARK}del{MARK}bell{MARK}"),
        ("z" + "\u0336" * 50, "z" + "\u0336" * 3 + MARK),
        ("\u0301alone", f"{MARK}alone"),
        ("\ud800surrogate", f"{MARK}surrogate"),
        ("", ""),
        ("   ", ""),
    ],
)
def test_what_is_shown(hostile: str, shown: str) -> None:
    assert clean(hostile) == shown


def test_a_long_text_ends_in_an_ellipsis() -> None:
    assert clean("a" * 500, 10) == "a" * 9 + "…"
    assert clean("a" * 10, 10) == "a" * 10


def test_of_a_megabyte_only_the_beginning_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    real = unicodedata.normalize

    def normalize(form: Literal["NFC"], text: str) -> str:
        seen.append(len(text))
        return real(form, text)

    monkeypatch.setattr(unicodedata, "normalize", normalize)
    assert len(clean("x" * (1 << 20))) == LENGTH_MAX
    assert seen
    assert max(seen) <= LENGTH_MAX * 8


def test_something_hidden_behind_a_wall_of_nothing_is_told() -> None:
    assert clean("ok" + " " * 5000 + "evil").endswith("…")


@given(st.text(st.characters(), max_size=400), st.integers(1, 60))
def test_nothing_but_one_line_of_printable_text(text: str, limit: int) -> None:
    shown = clean(text, limit)
    assert len(shown) <= limit
    assert all(one.isprintable() or unicodedata.category(one) in ("Mn", "Me") for one in shown)
    assert not any(
        unicodedata.bidirectional(one) in ("RLE", "LRE", "RLO", "LRO", "PDF", "RLI", "LRI", "FSI", "PDI")
        for one in shown
    )
    assert "  " not in shown


@given(st.text(st.characters(codec="utf-8", categories=("L", "Nd")), max_size=LENGTH_MAX))
def test_letters_and_digits_pass(text: str) -> None:
    normal = unicodedata.normalize("NFC", text)
    if not any(one in clean("\u115f\u1160\u3164\uffa0") or one in "\u115f\u1160\u3164\uffa0" for one in text):
        assert clean(text) == (normal if len(normal) <= LENGTH_MAX else normal[: LENGTH_MAX - 1] + "…")
