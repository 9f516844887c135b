"""What can go wrong when a holder is read from a certificate."""

from __future__ import annotations


class HolderError(Exception):
    """Base of this folder's errors. Their texts name fields and offsets, never a person."""


class MalformedCertificate(HolderError):
    """The certificate gives no identity: its names cannot be read, or its common name is missing or unusable."""


class DerError(HolderError):
    """Bytes that are not the DER (X.690) expected.

    Args:
        what: What is wrong, in a few words.
        offset: Offset in bytes, in the buffer that was given to the reader.
    """

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(f"{what} at offset {offset}")
        self.what = what
        self.offset = offset
