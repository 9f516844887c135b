"""Timestamps over the journal's head (RFC 3161): an authority elsewhere says that it saw this head, and when.

A timestamp is two files: the head as text, and the authority's response (``openssl ts -verify -data HEAD -in RESPONSE``
checks them too). The response alone holds a hash, from which nobody could tell what was seen.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import datetime
from http.client import HTTPException
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from cardd.cli.failures import FileUnusable, TimestampRefused
from cardd.cli.files import read_limited
from cardd.journal.link import Head

RESPONSE_SUFFIX: Final = ".tsr"
HEAD_SUFFIX: Final = ".head"
_PATIENCE: Final = 30.0
"""Seconds that an authority may take."""
_RESPONSE_MAX: Final = 64 * 1024
"""Bytes of a response, its certificates included."""
_HEAD_MAX: Final = 256


def ask(tsa: str, head: Head, roots: Sequence[x509.Certificate]) -> tuple[bytes, datetime]:
    """Have an authority stamp a head; gives its response, verified, and the time that it names.

    Args:
        tsa: its address, http or https.
        head: of the journal.
        roots: those that its certificate must chain to.

    Raises:
        TimestampRefused: it cannot be reached, or its answer does not hold.
    """
    if urlsplit(tsa).scheme not in ("http", "https"):
        raise TimestampRefused(authority=tsa, reason="its address must begin with http:// or https://")
    request = TimestampRequestBuilder().data(text_of(head)).hash_algorithm(HashAlgorithm.SHA256).build()
    response = _post(tsa, request.as_bytes())
    return response, _time(response, text_of(head), roots, tsa, request.nonce)


def seen_by_authority(file: Path, roots: Sequence[x509.Certificate]) -> tuple[Head, datetime]:
    """What a timestamp that was kept says: the head, and when the authority saw it.

    Args:
        file: the response; the head is in the file beside it that ends in `HEAD_SUFFIX`.
        roots: those that the authority's certificate must chain to, at the time that it names.

    Raises:
        FileUnusable: a file cannot be read, or the head is none.
        TimestampRefused: the response does not hold, or is of another head.
    """
    beside = file.with_suffix(HEAD_SUFFIX)
    text = read_limited(str(beside), _HEAD_MAX)
    try:
        head = Head.parse(text.decode("ascii", "replace").strip())
    except ValueError as error:
        raise FileUnusable(file=str(beside), reason=str(error)) from error
    return head, _time(read_limited(str(file), _RESPONSE_MAX), text, roots, str(file), None)


def text_of(head: Head) -> bytes:
    """What is stamped."""
    return f"{head}\n".encode("ascii")


def _post(tsa: str, query: bytes) -> bytes:
    """RFC 3161, 3.4."""
    request = urllib.request.Request(  # noqa: S310  # the scheme was looked at
        tsa, query, {"Content-Type": "application/timestamp-query"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE) as reply:  # noqa: S310  # as above
            response: bytes = reply.read(_RESPONSE_MAX + 1)
    except (OSError, ValueError, HTTPException) as error:  # URLError is an OSError; a bad address, a ValueError
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise TimestampRefused(authority=tsa, reason=str(reason)) from error
    if len(response) > _RESPONSE_MAX:
        raise TimestampRefused(authority=tsa, reason=f"its answer has more than {_RESPONSE_MAX} bytes")
    return response


def _time(
    response: bytes, stamped: bytes, roots: Sequence[x509.Certificate], authority: str, nonce: int | None
) -> datetime:
    try:
        decoded: TimeStampResponse = decode_timestamp_response(response)
        if decoded.status != 0:  # PKIStatus granted (RFC 3161, 2.4.2)
            said = ", ".join(decoded.status_string) or f"status {decoded.status}"
            raise TimestampRefused(authority=authority, reason=f"it was not granted ({said})")
        VerifierBuilder(roots=list(roots), nonce=nonce).build().verify_message(decoded, stamped)
        at = decoded.tst_info.gen_time
    except VerificationError as error:
        raise TimestampRefused(authority=authority, reason=str(error)) from error
    except ValueError as error:
        raise TimestampRefused(authority=authority, reason=f"not a timestamp response: {error}") from error
    return at
