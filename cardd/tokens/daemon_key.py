"""The daemon's own key: P-256, made on first use, kept in a file of its own. It names the daemon, and speaks for token
sessions, which have no card.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from cardd.tokens.errors import DaemonKeyUnusable, KeyRefused
from cardd.tokens.jose import Type, sign_by_key
from cardd.tokens.keys import PublicKey
from cardd.tokens.strict import JsonObject

_MAX_FILE: Final = 4096


class DaemonKey:
    """The key, in memory. Shown by nothing.

    Args:
        key: P-256.

    Raises:
        KeyRefused: another curve.
    """

    __slots__ = ("_key", "public")

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self.public = PublicKey.of(key.public_key())

    def sign(self, typ: Type, claims: JsonObject) -> str:
        """A compact JWS by this key, which its header names by thumbprint (`kid`)."""
        return sign_by_key({"typ": typ.value, "kid": self.public.thumbprint}, claims, self._key)

    def __repr__(self) -> str:
        """The public half's name."""
        return f"DaemonKey({self.public.thumbprint})"


def load_or_make(path: Path) -> DaemonKey:
    """Read the daemon's key, or make it: written whole, mode 0600, on the medium before it is used.

    Args:
        path: in a directory of the daemon's own.

    Raises:
        DaemonKeyUnusable: the file is another's, others may read it, it holds something else, or cannot be made.
    """
    try:
        try:
            return _load(path)
        except FileNotFoundError:
            _make(path)
            return _load(path)
    except OSError as error:
        raise DaemonKeyUnusable(reason=f"its file: {error.strerror}") from error


def _load(path: Path) -> DaemonKey:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise DaemonKeyUnusable(reason="its path is no plain file")
        if status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise DaemonKeyUnusable(reason="its file must be the daemon's alone: chmod 0600, chown to its user")
        content = file.read(_MAX_FILE + 1)
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise DaemonKeyUnusable(reason="its file holds no private key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise DaemonKeyUnusable(reason="it is no elliptic curve key")
    try:
        return DaemonKey(key)
    except KeyRefused as error:
        raise DaemonKeyUnusable(reason=str(error.fields["reason"])) from error


def _make(path: Path) -> None:
    """Write a new key beside its place, then link it there: whoever is first wins, nobody sees half a file."""
    key = ec.generate_private_key(ec.SECP256R1())
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return  # another start of the daemon was faster; its key is the one
    finally:
        os.unlink(temporary)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
