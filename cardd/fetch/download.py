"""One download over HTTP, within limits: of time, of bytes, of redirects."""

from __future__ import annotations

import contextlib
import http.client
import signal
import types
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from typing import IO, Final
from urllib.parse import urlsplit

from cardd import __version__

_CHUNK: Final = 64 * 1024
_NOT_MODIFIED: Final = 304
_TAG_MAX: Final = 512
"""Characters of an ETag or a date that are kept."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server may cost.

    Args:
        size: bytes of an answer.
        seconds: for the whole download, however slowly bytes drip.
        silence: seconds without a byte.
    """

    size: int
    seconds: float = 300.0
    silence: float = 30.0


@dataclass(frozen=True, slots=True)
class Validators:
    """By what a server tells whether its answer changed (RFC 9110, 8.8).

    Args:
        etag, modified: as it said them; empty where it did not.
    """

    etag: str = ""
    modified: str = ""


@dataclass(frozen=True, slots=True)
class Download:
    """What came.

    Args:
        content: the bytes; None where the server says that nothing changed.
        validators: for the next time.
    """

    content: bytes | None = field(repr=False)
    validators: Validators


class DownloadFailed(Exception):
    """Nothing came, or not what may come; the text says why.

    Args:
        reason: a sentence for people.
        status: HTTP status, None where there was none.
        retry_after: seconds that the server asks to wait, None where it does not.
    """

    def __init__(self, reason: str, *, status: int | None = None, retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Question:
    """What is sent along, by POST.

    Args:
        content: the bytes.
        kind: their media type.
    """

    content: bytes = field(repr=False)
    kind: str


def download(address: str, validators: Validators, limits: Limits, question: Question | None = None) -> Download:
    """Fetch an address, by the proxy that the environment names, if any. In the main thread alone: it uses SIGALRM.

    Args:
        address: http or https.
        validators: of what is there already; empty ones fetch in any case.
        limits: what it may cost.
        question: what is asked; None asks by GET.

    Raises:
        DownloadFailed.
    """
    body = None if question is None else question.content
    request = urllib.request.Request(address, body, _headers(validators, question))  # noqa: S310  # the opener knows http(s) alone
    try:
        with _deadline(limits.seconds), _opener().open(request, timeout=limits.silence) as answer:
            return _read(answer, limits)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == _NOT_MODIFIED:
                return Download(None, validators)
            if 300 <= error.code < 400:
                raise DownloadFailed(
                    "the server redirects without end, or to what is no HTTP", status=error.code
                ) from None
            raise DownloadFailed(
                f"the server answers {error.code}", status=error.code, retry_after=_retry_after(error.headers)
            ) from None
    except TimeoutError:
        raise DownloadFailed(f"the server is too slow (limit {limits.seconds:g} s)") from None
    except urllib.error.URLError as error:
        slow = isinstance(error.reason, TimeoutError)
        raise DownloadFailed("the server does not answer" if slow else f"no connection: {error.reason}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DownloadFailed(f"the answer broke off ({type(error).__name__})") from None


def _read(answer: http.client.HTTPResponse, limits: Limits) -> Download:
    encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        # It was asked for none; what is unpacked may be a thousand times as large.
        raise DownloadFailed(f"the answer is packed ({encoding[:40]}), though that was not asked for")
    declared = answer.headers.get("Content-Length", "")
    if declared.isdecimal() and int(declared[:20]) > limits.size:
        raise DownloadFailed(f"the answer is larger than {limits.size} bytes")
    content = bytearray()
    while chunk := answer.read1(_CHUNK):
        content += chunk
        if len(content) > limits.size:
            raise DownloadFailed(f"the answer is larger than {limits.size} bytes")
    if declared.isdecimal() and len(content) != int(declared[:20]):
        raise DownloadFailed("the answer was cut short")
    kept = (answer.headers.get(name, "") for name in ("ETag", "Last-Modified"))
    return Download(bytes(content), Validators(*(text if len(text) <= _TAG_MAX else "" for text in kept)))


def _headers(validators: Validators, question: Question | None) -> dict[str, str]:
    headers = {"User-Agent": f"cardd-fetch/{__version__}", "Accept-Encoding": "identity"}
    if question is not None:
        headers["Content-Type"] = question.kind
    if validators.etag:
        headers["If-None-Match"] = validators.etag
    if validators.modified:
        headers["If-Modified-Since"] = validators.modified
    return headers


def _opener() -> urllib.request.OpenerDirector:
    """Knows http and https, no file: and no ftp:, which `urllib.request.build_opener` would add."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _SameHost(),
    ):
        opener.add_handler(handler)
    return opener


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows redirects on the server that was asked: another one is for the configuration to name."""

    max_redirections = 3
    max_repeats = 1

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """See `urllib.request.HTTPRedirectHandler`."""
        to = urlsplit(newurl)
        if to.scheme not in ("http", "https") or to.hostname != urlsplit(req.full_url).hostname:
            raise DownloadFailed("the server leads to another one; if that is right, name its address", status=code)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextlib.contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in whatever runs inside when the time is over, again and again until it has gone through."""

    def over(_number: int, _frame: types.FrameType | None) -> None:
        raise TimeoutError

    handler = signal.signal(signal.SIGALRM, over)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *timer)


def _retry_after(headers: Message) -> int | None:
    text = headers.get("Retry-After", "")
    return int(text) if text.isdecimal() and len(text) < 7 else None
