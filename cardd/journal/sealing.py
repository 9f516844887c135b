"""Sealing: each epoch is signed with a key whose public half the epoch before has signed; then that key is erased.

The key file has two slots in sectors of their own. The next key is written to the free slot and synced before a seal
names it; when the seal is on the disk, the slot of the key that made it is overwritten with zeros. Erasing is best
effort: an SSD, or a file system that copies on write, may keep the old sector (docs/journal.md).
"""

from __future__ import annotations

import re

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from cardd.journal.files import Files, Handle, write_all

KEY_FILE = "sealing.key"
FIRST_KEY_FILE = "first-key.pub"
_SLOT = 512
_SEED = 32


def public_of(key: Ed25519PrivateKey) -> str:
    """The public half, 32 bytes in hexadecimal (RFC 8032)."""
    return key.public_key().public_bytes_raw().hex()


def public_key_in(text: str) -> str:
    """A public key as an administrator keeps it: 64 hexadecimal digits, or PEM; gives the digits.

    Raises:
        ValueError: it is neither.
    """
    text = text.strip()
    if text.startswith("-----BEGIN"):
        key = load_pem_public_key(text.encode())
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("the key is none of Ed25519")
        return key.public_bytes_raw().hex()
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise ValueError("a sealing key is 64 hexadecimal digits, or PEM")
    return text


class KeyRing:
    """The key in force and, for a moment, its successor.

    Args:
        files: the journal's directory.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._handle: Handle | None = None
        self._slot = 0
        self._key: Ed25519PrivateKey | None = None
        self._next: Ed25519PrivateKey | None = None

    @property
    def public(self) -> str:
        """Public half of the key in force."""
        return public_of(self._in_force())

    def take_up(self, wanted: str | None) -> bool:
        """Open the key file, and take the key that the journal names.

        Args:
            wanted: public half of the key in force by the journal's last seal or header; None for a new journal.

        Returns:
            Whether that key was there. If not, a new one is in force, which no former key has signed.

        Raises:
            OSError: the file cannot be read or written.
        """
        self.close()
        if KEY_FILE not in self._files.names():
            self._make()
        handle = self._handle = self._files.open(KEY_FILE, write=True)
        for slot in (0, 1):
            seed = handle.read_at(slot * _SLOT, _SEED)
            if len(seed) == _SEED and any(seed):
                key = Ed25519PrivateKey.from_private_bytes(seed)
                if public_of(key) == wanted:
                    self._key, self._slot = key, slot
                    self._erase(1 - slot)
                    return True
        self._slot = 0
        self._key = self._put(0)
        self._erase(1)
        return False

    def prepare(self) -> str:
        """Write the next key to the disk; gives its public half.

        Raises:
            OSError: it is not safely there; the key in force stays.
        """
        self._next = self._put(1 - self._slot)
        return public_of(self._next)

    def sign(self, statement: bytes) -> str:
        """Ed25519 signature by the key in force, hexadecimal."""
        return self._in_force().sign(statement).hex()

    def hand_over(self) -> None:
        """The seal that names the next key is on the disk: that key is in force now, and the old one is erased.

        Raises:
            OSError: the old key could not be erased; the new one is in force all the same.
        """
        if self._next is None:
            raise RuntimeError("no next key was prepared")
        self._key, self._next = self._next, None
        self._slot = 1 - self._slot
        self._erase(1 - self._slot)

    def close(self) -> None:
        """Give the file back and forget the keys."""
        self._key = self._next = None
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def _in_force(self) -> Ed25519PrivateKey:
        if self._key is None:
            raise RuntimeError("the key file is not open")
        return self._key

    def _make(self) -> None:
        handle = self._files.create(KEY_FILE, 0o600)
        try:
            write_all(handle, 0, bytes(2 * _SLOT))
            handle.sync()
        finally:
            handle.close()
        self._files.sync_directory()

    def _put(self, slot: int) -> Ed25519PrivateKey:
        key = Ed25519PrivateKey.generate()
        self._write(slot, key.private_bytes_raw())
        return key

    def _erase(self, slot: int) -> None:
        self._write(slot, bytes(_SEED))

    def _write(self, slot: int, seed: bytes) -> None:
        if self._handle is None:
            raise RuntimeError("the key file is not open")
        write_all(self._handle, slot * _SLOT, seed)
        self._handle.sync()
