"""What is remembered of cards that were seen before: public data, hints only, never an authority.

On disk each card has one file, named by a hash of its serial number (which a card may choose), written whole and
renamed into place. A file that cannot be read as it should be is forgotten.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import struct
import tempfile
import threading
from pathlib import Path
from typing import Final

from cardd_drivers.contract import Memory

VALUE_MAX: Final = 64 * 1024
CARD_MAX: Final = 512 * 1024
"""Bytes kept of one card."""
NAME_MAX: Final = 255
CARDS_IN_MEMORY_MAX: Final = 32
CARDS_ON_DISK_MAX: Final = 4096
"""Cards kept; the longest unchanged ones go first."""
_MAGIC: Final = b"cardd1\n"
_LENGTHS: Final = struct.Struct(">HI")
_DIGEST: Final = hashlib.sha256().digest_size

logger = logging.getLogger(__name__)

Values = dict[str, bytes]


def open_memory(directory: Path | None) -> Memory:
    """A memory in a directory (made when it is not there), or None for one that ends with the process."""
    return VolatileMemory() if directory is None else DiskMemory(directory)


class VolatileMemory:
    """Keeps everything in the process; a `cardd_drivers.contract.Memory` for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cards: dict[str, Values] = {}

    def get(self, serial: str, name: str) -> bytes | None:
        """The bytes kept, or None."""
        with self._lock:
            return self._values(serial).get(name)

    def put(self, serial: str, name: str, value: bytes) -> None:
        """Keep bytes.

        Raises:
            ValueError: more than `VALUE_MAX`, or a name of more than `NAME_MAX` bytes.
        """
        if len(value) > VALUE_MAX:
            raise ValueError(f"{len(value)} bytes are more than the {VALUE_MAX} that are remembered")
        if len(name.encode()) > NAME_MAX:
            raise ValueError(f"a name of more than {NAME_MAX} bytes")
        with self._lock:
            values = {**self._values(serial), name: bytes(value)}
            if sum(map(len, values.values())) > CARD_MAX:
                values = {name: bytes(value)}
            self._cache(serial, values)
            self._keep(serial, values)

    def forget(self, serial: str) -> None:
        """Drop all that is kept of this card."""
        with self._lock:
            self._drop(serial)

    def _values(self, serial: str) -> Values:
        return self._cards.get(serial, {})

    def _cache(self, serial: str, values: Values) -> None:
        self._cards.pop(serial, None)
        self._cards[serial] = values
        while len(self._cards) > CARDS_IN_MEMORY_MAX:
            del self._cards[next(iter(self._cards))]

    def _keep(self, serial: str, values: Values) -> None:
        """Nothing more to do here."""

    def _drop(self, serial: str) -> None:
        self._cards.pop(serial, None)


class DiskMemory(VolatileMemory):
    """Keeps it in files too. A disk that fails makes this a `VolatileMemory`, with a word in the log.

    Args:
        directory: belongs to the daemon alone; made with mode 0700 when it is not there.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._directory = directory

    def _values(self, serial: str) -> Values:
        if serial not in self._cards:
            self._cache(serial, self._read(serial))
        return self._cards[serial]

    def _keep(self, serial: str, values: Values) -> None:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._replace(self._path(serial), _pack(values))
            self._prune()
        except OSError as error:
            logger.warning("what is known of a card cannot be kept in %s: %s", self._directory, error.strerror)

    def _drop(self, serial: str) -> None:
        super()._drop(serial)
        try:
            self._path(serial).unlink(missing_ok=True)
        except OSError as error:
            logger.warning("what is known of a card cannot be forgotten: %s", error.strerror)

    def _path(self, serial: str) -> Path:
        return self._directory / hashlib.sha256(serial.encode("utf-8", "surrogatepass")).hexdigest()

    def _read(self, serial: str) -> Values:
        path = self._path(serial)
        try:
            with path.open("rb") as reading:
                packed = reading.read(2 * CARD_MAX)
        except FileNotFoundError:
            return {}
        except OSError as error:
            logger.warning("what is known of a card cannot be read: %s", error.strerror)
            return {}
        try:
            return _unpack(packed)
        except ValueError as error:
            logger.warning("%s is forgotten: %s", path, error)
            return {}

    def _replace(self, path: Path, packed: bytes) -> None:
        descriptor, name = tempfile.mkstemp(dir=self._directory, prefix=".new-")  # mode 0600
        try:
            with open(descriptor, "wb") as writing:
                writing.write(packed)
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(OSError):  # the first failure is the one to tell
                os.unlink(name)
            raise

    def _prune(self) -> None:
        paths = list(self._directory.iterdir())
        if len(paths) <= CARDS_ON_DISK_MAX:
            return
        for path in sorted(paths, key=lambda one: one.stat().st_mtime)[: len(paths) - CARDS_ON_DISK_MAX]:
            path.unlink(missing_ok=True)


def _pack(values: Values) -> bytes:
    body = bytearray()
    for name, value in values.items():
        coded = name.encode()
        body += _LENGTHS.pack(len(coded), len(value)) + coded + value
    return _MAGIC + hashlib.sha256(body).digest() + body


def _unpack(packed: bytes) -> Values:
    """What `_pack` made.

    Raises:
        ValueError: it is not that.
    """
    start = len(_MAGIC) + _DIGEST
    body = packed[start:]
    if not packed.startswith(_MAGIC) or hashlib.sha256(body).digest() != packed[len(_MAGIC) : start]:
        raise ValueError("it is damaged or of another version")
    values: Values = {}
    while body:
        if len(body) < _LENGTHS.size:
            raise ValueError("it is cut short")
        name_length, value_length = _LENGTHS.unpack_from(body)
        end = _LENGTHS.size + name_length + value_length
        if len(body) < end:
            raise ValueError("it is cut short")
        name = body[_LENGTHS.size : _LENGTHS.size + name_length].decode()
        values[name], body = body[_LENGTHS.size + name_length : end], body[end:]
    return values
