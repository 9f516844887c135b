"""Writes what a daemon is to trust: the fictional roots and intermediates, without their keys, and their CRLs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cardsim import profiles
from cardsim.pki.authorities import Hierarchy
from cardsim.profiles.model import CertificateVariant

if TYPE_CHECKING:
    from pathlib import Path

    from cardsim.pki.store import PkiStore

# Whose cards a daemon is to refuse: never among the certificates to trust.
_NOT_TO_TRUST = frozenset({Hierarchy.STRANGE})


def export(store: PkiStore, directory: Path) -> list[Path]:
    """Write the certificates and the CRLs of the trusted hierarchies as DER files.

    Args:
        store: where they are kept; made there on first use.
        directory: made where it is missing.

    Returns: the files written.
    Raises: ``PkiStoreError``, ``OSError``.
    """
    directory.mkdir(parents=True, exist_ok=True)
    _issue_revoked(store)
    written = []
    for hierarchy in Hierarchy:
        if hierarchy in _NOT_TO_TRUST:
            continue
        certificates = store.root_certificate(hierarchy), store.intermediate_certificate(hierarchy)
        for source in (*certificates, *store.crls(hierarchy)):
            target = directory / f"{hierarchy.folder}-{source.name}"
            # Renamed into its place: a daemon may be reading what stands there.
            partial = target.with_name(f".{target.name}.partial")
            partial.write_bytes(source.read_bytes())
            partial.replace(target)
            written.append(target)
    return written


def _issue_revoked(store: PkiStore) -> None:
    """A revoked card is on the CRL before anybody has put it in."""
    for name in profiles.names():
        profile = profiles.load(name)
        if profile.certificates is CertificateVariant.REVOKED:
            store.card(profile)
