"""Writes what a daemon is to trust: the fictional roots and intermediates, without their keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cardsim.pki.authorities import Hierarchy

if TYPE_CHECKING:
    from pathlib import Path

    from cardsim.pki.store import PkiStore

# Whose cards a daemon is to refuse: never among the certificates to trust.
_NOT_TO_TRUST = frozenset({Hierarchy.STRANGE})


def export(store: PkiStore, directory: Path) -> list[Path]:
    """Write the certificates of the trusted hierarchies as DER files.

    Args:
        store: where they are kept; made there on first use.
        directory: made where it is missing.

    Returns: the files written.
    Raises: ``PkiStoreError``, ``OSError``.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for hierarchy in Hierarchy:
        if hierarchy in _NOT_TO_TRUST:
            continue
        for certificate in (store.root_certificate(hierarchy), store.intermediate_certificate(hierarchy)):
            target = directory / f"{hierarchy.folder}-{certificate.name}"
            target.write_bytes(certificate.read_bytes())
            written.append(target)
    return written
