"""A secret in memory: one buffer, wiped when done with, shown by nothing."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from cardd_drivers.secret_memory import SecretBytes, wipe


class Secret:
    """Owns a mutable buffer (a PIN, a plaintext) and wipes it at the end of its ``with`` block.

    Args:
        buffer: taken over, not copied; its other holders see it wiped. That of a PIN is a
            `cardd_drivers.secret_memory.secret_room`.
    """

    __slots__ = ("_buffer",)

    def __init__(self, buffer: SecretBytes) -> None:
        self._buffer = buffer

    @property
    def buffer(self) -> SecretBytes:
        """The bytes themselves, never to be copied into a ``bytes`` or a ``str``."""
        return self._buffer

    def __len__(self) -> int:
        """Number of bytes."""
        return len(self._buffer)

    def wipe(self) -> None:
        """Overwrite with zeros, in place."""
        wipe(self._buffer)

    def __enter__(self) -> Self:
        """The secret itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wipe, whatever happened."""
        self.wipe()

    def __repr__(self) -> str:
        """Says nothing."""
        return "Secret()"
