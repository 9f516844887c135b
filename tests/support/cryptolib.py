"""The agency's own PKCS#11 library, Cryptolib CPS for Linux, where a developer has it: found by ``CARDD_CRYPTOLIB``.

It reads its tables from /etc/opt/santesocial/CPS and keeps its cache there. Each installation is a temporary copy of
those that stands in that place for the programs started through it alone, in a mount namespace of theirs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "CARDD_CRYPTOLIB"
_MODULE = "libcps3_pkcs11_lux.so"
_PLACE = Path("/etc/opt")
_FOLDER = Path("santesocial/CPS")
_TABLES = ("DICO-FR.GIP", "cps3_pkcs11.conf")
_CACHE = "cache"
_MOUNT = f'mount --bind "$0" {_PLACE} && exec "$@"'


class CryptolibUnavailable(Exception):
    """It cannot be used on this machine; the message is the reason, in words for a skipped test."""


@dataclass(frozen=True, slots=True)
class Cryptolib:
    """The library as it was found.

    Args:
        module: the shared object.
        tables: the folder with its tables.
    """

    module: Path
    tables: Path


def find_cryptolib(environment: Mapping[str, str] = os.environ) -> Cryptolib:
    """The library that ``CARDD_CRYPTOLIB`` names: the shared object, or the folder its Linux package was unpacked in.

    Raises:
        CryptolibUnavailable: the variable is not set, or what it names is not the library with its tables.
    """
    named = environment.get(VARIABLE)
    if not named:
        raise CryptolibUnavailable(f"{VARIABLE} does not say where the agency's Cryptolib CPS is")
    place = Path(named).absolute()
    modules = [place] if place.is_file() else sorted(each for each in place.rglob(_MODULE) if each.is_file())
    if not modules:
        raise CryptolibUnavailable(f"no {_MODULE} in {place} ({VARIABLE})")
    module = modules[0]
    for tables in (module.parent, *(parent / _PLACE.relative_to("/") / _FOLDER for parent in module.parents)):
        if all((tables / name).is_file() for name in _TABLES):
            return Cryptolib(module, tables)
    raise CryptolibUnavailable(f"{' and '.join(_TABLES)} are neither beside {module} nor in its package")


class Installation:
    """The library with tables and a cache of its own.

    Args:
        library: what is installed.
        root: an empty folder for it.

    Raises:
        CryptolibUnavailable: this user may not give a program a mount namespace of its own.
    """

    def __init__(self, library: Cryptolib, root: Path) -> None:
        self.module = library.module
        self._root = root
        folder = root / _FOLDER
        shutil.copytree(library.tables, folder, ignore=shutil.ignore_patterns(_CACHE))
        self.cache = folder / _CACHE
        self.cache.mkdir()
        trial = subprocess.run(self.command("true"), capture_output=True, text=True, check=False)
        if trial.returncode != 0:
            raise CryptolibUnavailable(f"no mount namespace for Cryptolib's tables: {trial.stderr.strip()}")

    def command(self, *argv: str) -> list[str]:
        """The command line of a program that finds this installation."""
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        return ["unshare", "--mount", *user, "sh", "-c", _MOUNT, str(self._root), *argv]

    def forget(self) -> None:
        """Empty its cache."""
        shutil.rmtree(self.cache)
        self.cache.mkdir()
