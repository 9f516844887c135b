"""A sample of `scripts/soak-kills`: pcscd and cardd are killed under applications that use the card."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripts.soak_kills.findings import Findings
from scripts.soak_kills.kills import Result, Soak, Victim
from scripts.soak_kills.scene import VERIFIED, Kept, Scene

from tests.support.core import pki_store
from tests.support.pcscd import PcscdUnavailable

KILLS = 8
SEED = 20


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    tmp_path.chmod(0o755)
    try:
        with Scene(tmp_path, pki_store()) as scene:
            yield scene
    except PcscdUnavailable as reason:
        pytest.skip(f"pcscd unavailable: {reason}")


def soak(scene: Scene, victim: Victim, kills: int = KILLS) -> Result:
    return asyncio.run(Soak(scene, victim, kills, SEED, print).run())


@pytest.mark.parametrize("victim", list(Victim))
def test_whoever_is_killed_nothing_hangs_and_nothing_is_lost(scene: Scene, victim: Victim) -> None:
    result = soak(scene, victim)
    assert result.findings == []
    assert result.kills == KILLS
    assert result.signatures
    assert result.tokens
    reason = "pcscd-lost" if victim is Victim.PCSCD else "daemon-stopped"
    assert result.ends[reason], "a kill met an open session"


def test_what_the_journal_does_not_have_is_found(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Scene.kept

    def one_less(self: Scene) -> Kept:
        kept = whole(self)
        kept.digests.pop()
        kept.tokens.clear()
        return kept

    monkeypatch.setattr(Scene, "kept", one_less)
    findings = " ".join(soak(scene, Victim.CARDD, kills=1).findings)
    assert "signatures were handed out and are not kept" in findings
    assert "tokens were handed out and are not kept" in findings


def test_a_pin_that_outlives_cardd_is_found(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Scene.pin_asked

    async def verified(self: Scene, *, verified_first: bool = False) -> bytes:
        await asked(self, verified_first=verified_first)
        return VERIFIED

    monkeypatch.setattr(Scene, "pin_asked", verified)
    assert "PIN as verified" in " ".join(soak(scene, Victim.CARDD, kills=1).findings)


def test_a_question_that_tells_nothing_is_refused_at_the_beginning(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(_: Scene, *, verified_first: bool = False) -> bytes:
        return b"\x63\xc3"

    monkeypatch.setattr(Scene, "pin_asked", nothing)
    with pytest.raises(RuntimeError, match="does not tell"):
        soak(scene, Victim.CARDD, kills=1)


def test_findings_say_after_which_kill() -> None:
    findings = Findings()
    findings.kill = 7
    findings.missing("things", {"a", "b"}, {"a"})
    findings.missing("things", {"a"}, {"a"})
    assert findings.told == ["after kill 7: 1 things were handed out and are not kept, for instance b"]
