"""The stand-alone verifier, loaded as a module, so that it can be asked a thousand times."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "journal-verify"


def _load() -> ModuleType:
    loader = SourceFileLoader("journal_verify", str(SCRIPT))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[loader.name] = module
    loader.exec_module(module)
    return module


MODULE = _load()


def check_directory(
    folder: Path, keys: frozenset[str], heads: tuple[str, ...] = (), header: bytes | None = None
) -> Any:  # the script's own class
    """What the script finds in a directory."""
    check = MODULE.Check(set(keys), [head for text in heads for head in MODULE.heads_in(text)])
    check.end(*MODULE.check_directory(check, folder, header))
    return check


def check_export(content: Path, proof: Path, keys: frozenset[str], heads: tuple[str, ...] = ()) -> Any:  # as above
    """What the script finds in an export."""
    check = MODULE.Check(set(keys), [head for text in heads for head in MODULE.heads_in(text)])
    check.end(*MODULE.check_export(check, content, proof))
    return check


def faults(check: Any) -> list[str]:  # as above
    """Names of what was found, in order."""
    return [problem["fault"] for problem in check.found]
