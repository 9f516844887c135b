"""A verified CRL as a sorted file, looked up in place: the daemon's memory does not grow with the CRL.

    cardd-crl 1 LF
    header, one line of JSON, LF
    records of 27 bytes, in ascending order: serial number (21 bytes, two's complement), date (5 bytes, seconds since
    1970), reason (1 byte)

The daemon's own verification writes it into a directory of the daemon's own; it bears no signature.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

from cryptography import x509

from cardd.pki.errors import PkiError
from cardd.pki.revocation.crl import SERIAL_BYTES, CrlEntry, CrlFacts, VerifiedCrl
from cardd.pki.revocation.scope import Scope

SUFFIX: Final = ".crlx"
_MAGIC: Final = b"cardd-crl 1\n"
_DATE_BYTES: Final = 5
_RECORD: Final = SERIAL_BYTES + _DATE_BYTES + 1
_HEADER_MAX: Final = 256 * 1024
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# RFC 5280, 5.3.1; 255: not said.
_REASONS: Final = (
    x509.ReasonFlags.unspecified,
    x509.ReasonFlags.key_compromise,
    x509.ReasonFlags.ca_compromise,
    x509.ReasonFlags.affiliation_changed,
    x509.ReasonFlags.superseded,
    x509.ReasonFlags.cessation_of_operation,
    x509.ReasonFlags.certificate_hold,
    x509.ReasonFlags.remove_from_crl,
    x509.ReasonFlags.privilege_withdrawn,
    x509.ReasonFlags.aa_compromise,
)
_NO_REASON: Final = 255


class IndexUnusable(PkiError):
    """A file that is no index, or a damaged one: to be made anew."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """Which file an index was made of: if it is the same still, it need not be read again.

    Args:
        path: where it stands.
        inode, size, modified: as the kernel tells; `modified` in nanoseconds.
    """

    path: str
    inode: int
    size: int
    modified: int

    @classmethod
    def of(cls, path: Path, status: os.stat_result) -> SourceFile:
        """The file with this status."""
        return cls(str(path), status.st_ino, status.st_size, status.st_mtime_ns)


def write_index(directory: Path, name: str, crl: VerifiedCrl, source: SourceFile) -> Path:
    """Write an index whole and to the disk, then rename it into its place.

    Raises:
        OSError.
    """
    target, partial = directory / f"{name}{SUFFIX}", directory / f".{name}.{os.getpid()}.partial"
    records = sorted(_record(entry) for entry in crl.entries)
    header = {**_facts_to_json(crl.facts), "count": len(records), "source": asdict(source)}
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as file:
        file.write(_MAGIC + json.dumps(header).encode() + b"\n")
        file.writelines(records)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(target)
    return target


class CrlIndex:
    """An open index.

    Args:
        path: the file.

    Raises:
        IndexUnusable: it cannot be opened, or is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            self._file: BinaryIO = open(descriptor, "rb")  # noqa: SIM115  # `close` gives it back
        except OSError as error:
            raise IndexUnusable(f"{path}: {error.strerror}") from error
        try:
            self._begin(path)
        except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError) as error:
            self._file.close()
            raise IndexUnusable(f"{path}: damaged ({type(error).__name__})") from error

    def _begin(self, path: Path) -> None:
        status = os.fstat(self._file.fileno())
        if not stat.S_ISREG(status.st_mode) or self._file.readline(len(_MAGIC)) != _MAGIC:
            raise ValueError(f"{path} is no index")
        header = json.loads(self._file.readline(_HEADER_MAX))
        self.facts = _facts_from_json(header)
        self.source = SourceFile(**header["source"])
        self._count = int(header["count"])
        self._start = self._file.tell()
        if status.st_size != self._start + self._count * _RECORD:
            raise ValueError(f"{path} is cut short")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return self._count

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def find(self, serial: int) -> CrlEntry | None:
        """The entry of a certificate, None where it is not on the CRL.

        Raises:
            OSError: the disk fails.
            IndexUnusable: a record is damaged.
        """
        if serial.bit_length() >= 8 * SERIAL_BYTES:
            return None  # no CRL that lists such a one is accepted
        wanted = serial.to_bytes(SERIAL_BYTES, "big", signed=True)
        low, high = 0, self._count
        while low < high:
            middle = (low + high) // 2
            if self._record(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        found = self._record(low) if low < self._count else b""
        return self._entry(serial, found) if found.startswith(wanted) else None

    def _record(self, number: int) -> bytes:
        return os.pread(self._file.fileno(), _RECORD, self._start + number * _RECORD)

    def _entry(self, serial: int, record: bytes) -> CrlEntry:
        seconds = int.from_bytes(record[SERIAL_BYTES:-1], "big")
        code = record[-1]
        try:
            reason = None if code == _NO_REASON else _REASONS[code]
            return CrlEntry(serial, _EPOCH + timedelta(seconds=seconds), reason)
        except (IndexError, OverflowError) as error:
            raise IndexUnusable(f"{self.path}: a damaged record") from error


def _record(entry: CrlEntry) -> bytes:
    seconds = max(0, int((entry.moment - _EPOCH).total_seconds()))
    reason = _NO_REASON if entry.reason is None else _REASONS.index(entry.reason)
    serial = entry.serial.to_bytes(SERIAL_BYTES, "big", signed=True)
    return serial + seconds.to_bytes(_DATE_BYTES, "big") + bytes([reason])


def _facts_to_json(facts: CrlFacts) -> dict[str, object]:
    return {
        "issuer": facts.issuer,
        "issuer-name": facts.issuer_name,
        "this-update": int(facts.this_update.timestamp()),
        "next-update": int(facts.next_update.timestamp()),
        "number": facts.number,
        "base": facts.base,
        "users-only": facts.scope.users_only,
        "authorities-only": facts.scope.authorities_only,
        "points": sorted(facts.scope.points),
    }


def _facts_from_json(header: dict[str, Any]) -> CrlFacts:  # JSON
    return CrlFacts(
        issuer=str(header["issuer"]),
        issuer_name=str(header["issuer-name"]),
        this_update=datetime.fromtimestamp(int(header["this-update"]), UTC),
        next_update=datetime.fromtimestamp(int(header["next-update"]), UTC),
        number=_optional_number(header["number"]),
        base=_optional_number(header["base"]),
        scope=Scope(
            users_only=header["users-only"] is True,
            authorities_only=header["authorities-only"] is True,
            points=frozenset(map(str, header["points"])),
        ),
    )


def _optional_number(value: Any) -> int | None:  # JSON
    return None if value is None else int(value)
