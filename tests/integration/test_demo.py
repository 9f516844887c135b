"""The demo is true: on the real pcscd with the real OpenSSL and OpenSC, and without pcscd."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pcscd import PcscdUnavailable, PrivatePcscd

ROOT = Path(__file__).parents[2]


def tell(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the story."""
    command = [sys.executable, "-m", "scripts.demo_story", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)


def test_the_story_is_true_without_pcscd() -> None:
    told = tell("--in-process")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "claims were checked and hold" in told.stdout


def test_the_story_is_true_on_the_real_pcscd() -> None:
    try:
        with PrivatePcscd():
            pass
    except PcscdUnavailable as error:
        pytest.skip(f"no pcscd can run here: {error}")
    told = tell()
    assert told.returncode == 0, told.stdout + told.stderr
    assert "pcscd runs with a virtual reader" in told.stdout
    assert "the same command is refused now" in told.stdout
