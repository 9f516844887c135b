"""The program that makes indexes of CRL files: cardd starts it when there are new ones, and it ends when it is done.

A process of its own, because a CRL may be tens of megabytes: its memory goes with it, and the daemon's threads need not
wait for it. It has the daemon's sandbox (which lets it set itself no limits: size and number of files are limited, and
the daemon waits for so long at most). Order and report are JSON on standard input and output.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cardd.pki.revocation.crl import MAX_CRL_BYTES, CrlFacts, read_crl
from cardd.pki.revocation.faults import DataRefused, Fault
from cardd.pki.revocation.index import SUFFIX, CrlIndex, IndexUnusable, SourceFile, write_index
from cardd.pki.store import TrustStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cryptography import x509

CRL_SUFFIX: Final = ".crl"
MAX_FILES: Final = 64
"""In one directory; the health PKI has nine authorities."""


@dataclass(frozen=True, slots=True)
class IndexOrder:
    """What is to be done.

    Args:
        directory, unpinned, simulator: as for `TrustStore.load`: whose CRLs are believed.
        sources: directories whose ``*.crl`` files are read; whoever wrote them, nothing in them is trusted.
        target: where indexes go; of the daemon's own.
        now: the moment, aware.
    """

    directory: Path
    unpinned: frozenset[str]
    simulator: Path | None
    sources: tuple[Path, ...]
    target: Path
    now: datetime

    def to_json(self) -> str:
        """As it goes to the program."""
        return json.dumps(
            {
                "directory": str(self.directory),
                "unpinned": sorted(self.unpinned),
                "simulator": None if self.simulator is None else str(self.simulator),
                "sources": [str(source) for source in self.sources],
                "target": str(self.target),
                "now": self.now.isoformat(),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> IndexOrder:
        """As it came."""
        order: dict[str, Any] = json.loads(text)
        simulator = order["simulator"]
        return cls(
            directory=Path(order["directory"]),
            unpinned=frozenset(order["unpinned"]),
            simulator=None if simulator is None else Path(simulator),
            sources=tuple(map(Path, order["sources"])),
            target=Path(order["target"]),
            now=datetime.fromisoformat(order["now"]),
        )


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A file that is not used.

    Args:
        source: where it stands.
        fault: why.
        detail: a sentence for people.
    """

    source: str
    fault: Fault
    detail: str


def make_indexes(order: IndexOrder) -> list[RefusedFile]:
    """Verify what is new, and write its index; an index is replaced by a newer CRL of its issuer and scope only.

    Raises:
        OSError: the target cannot be written.
    """
    order.target.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left_over in order.target.glob(".*.partial"):
        left_over.unlink()
    store = TrustStore.load(
        order.directory, unpinned=order.unpinned, simulator=order.simulator, clock=lambda: order.now
    )
    authorities = [authority.certificate for authority in store.authorities]
    known = dict(_known(order.target))
    refused: list[RefusedFile] = []
    for path, file in _files(order.sources, refused):
        if any(file == source for source, _ in known.values()):
            continue
        try:
            name, facts = _index_one(path, file, authorities, known, order)
        except DataRefused as error:
            refused.append(RefusedFile(str(path), error.fault, error.detail))
        else:
            known[name] = file, facts
    return refused


Known = dict[str, tuple[SourceFile, CrlFacts]]


def _known(target: Path) -> Iterator[tuple[str, tuple[SourceFile, CrlFacts]]]:
    for path in target.glob(f"*{SUFFIX}"):
        try:
            with CrlIndex(path) as index:
                yield path.stem, (index.source, index.facts)
        except IndexUnusable:
            path.unlink()  # made anew from its source


def _index_one(
    path: Path, file: SourceFile, authorities: Sequence[x509.Certificate], known: Known, order: IndexOrder
) -> tuple[str, CrlFacts]:
    crl = read_crl(read_source(path), authorities, order.now)
    name = _name_of(crl.facts)
    before = known.get(name)
    if before is not None and not crl.facts.newer_than(before[1]):
        if before[1].newer_than(crl.facts):
            detail = f"the CRL of {before[1].this_update:%Y-%m-%d %H:%M} UTC, by the same issuer, is known already"
            raise DataRefused(Fault.OLDER, detail)
        return name, before[1]
    write_index(order.target, name, crl, file)
    return name, crl.facts


def _name_of(facts: CrlFacts) -> str:
    """The index's file: one for an issuer, a scope and a kind, so that the newer replaces the older."""
    scope = facts.scope
    words = (facts.issuer, scope.users_only, scope.authorities_only, sorted(scope.points), facts.base is None)
    return hashlib.sha256(repr(words).encode()).hexdigest()[:32]


def _files(directories: Sequence[Path], refused: list[RefusedFile]) -> Iterator[tuple[Path, SourceFile]]:
    for directory in directories:
        try:
            names = sorted(name for name in os.listdir(directory) if name.endswith(CRL_SUFFIX))
        except OSError as error:
            refused.append(RefusedFile(str(directory), Fault.UNREADABLE, f"cannot be read: {error.strerror}"))
            continue
        if len(names) > MAX_FILES:
            detail = f"more than {MAX_FILES} files; those beyond are not read"
            refused.append(RefusedFile(str(directory), Fault.TOO_LARGE, detail))
        for name in names[:MAX_FILES]:
            path = directory / name
            with contextlib.suppress(FileNotFoundError):  # it went meanwhile
                yield path, SourceFile.of(path, path.lstat())


def read_source(path: Path) -> bytes:
    """The bytes of a file that anybody may have put there.

    Raises:
        DataRefused: a link, no plain file, too large, or it cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise DataRefused(Fault.UNREADABLE, "not a plain file")
            der = file.read(MAX_CRL_BYTES + 1)
    except OSError as error:
        raise DataRefused(Fault.UNREADABLE, f"cannot be read as a plain file: {error.strerror}") from error
    if len(der) > MAX_CRL_BYTES:
        raise DataRefused(Fault.TOO_LARGE, f"more than {MAX_CRL_BYTES} bytes")
    return der


def report_to_json(refused: Sequence[RefusedFile]) -> str:
    """As the program says it."""
    return json.dumps([{"source": one.source, "fault": one.fault, "detail": one.detail} for one in refused])


def report_from_json(text: bytes) -> list[RefusedFile]:
    """As it came.

    Raises:
        ValueError: it is no report.
    """
    found: list[Mapping[str, str]] = json.loads(text)
    return [RefusedFile(one["source"], Fault(one["fault"]), one["detail"]) for one in found]


def main() -> int:
    """The program."""
    order = IndexOrder.from_json(sys.stdin.read())
    try:
        refused = make_indexes(order)
    except OSError as error:
        print(f"{order.target}: {error.strerror}", file=sys.stderr)
        return 1
    print(report_to_json(refused))
    return 0


if __name__ == "__main__":
    sys.exit(main())
