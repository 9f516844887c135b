"""Files that commands read and write."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from pathlib import Path
from typing import BinaryIO

from cardd.cli.failures import FileUnusable
from cardd.cli.output import Output

STANDARD = "-"
"""Stands for the standard input."""

_CHUNK = 1 << 20


def open_input(name: str) -> BinaryIO:
    """Open a file, or the standard input.

    Raises:
        FileUnusable: it cannot be opened.
    """
    if name == STANDARD:
        return sys.stdin.buffer
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise FileUnusable(file=name, reason=error.strerror or "?") from error


def sha256_of(name: str) -> bytes:
    """Hash a file of any size.

    Raises:
        FileUnusable: it cannot be read.
    """
    digest = hashlib.sha256()
    with open_input(name) as reading:
        try:
            while chunk := reading.read(_CHUNK):
                digest.update(chunk)
        except OSError as error:
            raise FileUnusable(file=name, reason=error.strerror or "?") from error
    return digest.digest()


def read_limited(name: str, limit: int) -> bytes:
    """Read a small file.

    Raises:
        FileUnusable: it cannot be read, or holds more than `limit` bytes.
    """
    with open_input(name) as reading:
        try:
            content = reading.read(limit + 1)
        except OSError as error:
            raise FileUnusable(file=name, reason=error.strerror or "?") from error
    if len(content) > limit:
        raise FileUnusable(file=name, reason=f"> {limit} bytes")
    return content


def write_private(path: Path, content: bytes | bytearray) -> None:
    """Write a file that its owner alone can read, replacing one that is there.

    Raises:
        FileUnusable: it cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb", buffering=0) as writing:
            if path.is_file():
                os.fchmod(descriptor, 0o600)  # one that was there keeps its mode otherwise
            writing.write(content)
    except OSError as error:
        raise FileUnusable(file=str(path), reason=error.strerror or "?") from error


def write_public(path: Path, content: bytes) -> None:
    """Write a file with the user's usual rights.

    Raises:
        FileUnusable: it cannot be written.
    """
    try:
        path.write_bytes(content)
    except OSError as error:
        raise FileUnusable(file=str(path), reason=error.strerror or "?") from error


def write_standard(content: bytes | bytearray) -> None:
    """Write bytes to the standard output as they are."""
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def show_binary(output: Output, content: bytes) -> None:
    """Write bytes to the standard output: as they are, or in base64 where people would see them."""
    if sys.stdout.isatty():
        output.line(base64.b64encode(content).decode())
    else:
        write_standard(content)
