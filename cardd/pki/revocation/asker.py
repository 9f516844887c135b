"""Asks OCSP responders, by cardd-fetch, about certificates of which the lists tell nothing current; keeps the answers.

A certificate is asked about once until its answer's nextUpdate, and after a failure not again for a while. Nobody waits
for it: a card is judged by what is known, and judged anew when an answer comes.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import socket
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from cardd.pki.revocation.asking_protocol import ANSWER_MAX, NoAnswer, parse_answer, question_packet
from cardd.pki.revocation.faults import DataRefused
from cardd.pki.revocation.issuers import issuer_id
from cardd.pki.revocation.ocsp import MAX_ANSWER_BYTES, OcspStatus, build_request, read_answer

log = logging.getLogger(__name__)

PAUSE: Final = timedelta(minutes=15)
"""After a question that brought nothing."""
SECONDS: Final = 30.0
"""For an answer; the fetcher gives up sooner."""
KEPT_MAX: Final = 256
"""Answers that are kept, the longest unused ones go first."""
SUFFIX: Final = ".ocsp"

Vouching = Callable[[x509.Certificate, x509.Certificate], bool]
"""Whether data at hand say that a certificate by an issuer is good: for a responder's own."""


@dataclass(frozen=True, slots=True)
class AskerSettings:
    """Whom to ask, and where answers are kept.

    Args:
        responders: addresses that may be asked; what a certificate names beside these is passed over.
        folder: of the daemon's own.
        path: cardd-fetch's socket.
    """

    responders: tuple[str, ...]
    folder: Path
    path: Path


class OcspAsker:
    """Answers at hand, and questions under way; on the loop.

    Args:
        settings: whom, where.
        clock: the time, aware.
        vouching: tells whether a responder's certificate is revoked.
        changed: called when an answer came.
    """

    def __init__(
        self,
        settings: AskerSettings,
        clock: Callable[[], datetime],
        vouching: Vouching,
        changed: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._vouching = vouching
        self._changed = changed
        self._known: OrderedDict[str, OcspStatus | None] = OrderedDict()
        self._not_before: dict[str, datetime] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}

    def answer(self, certificate: x509.Certificate, issuer: x509.Certificate) -> OcspStatus | None:
        """The answer at hand, None where there is none; see `cardd.pki.revocation.book.Answers`."""
        name = _name(certificate, issuer)
        if name not in self._known:
            self._remember(name, self._read(name, certificate, issuer))
        self._known.move_to_end(name)
        return self._known[name]

    def want(self, certificate: x509.Certificate, issuer: x509.Certificate) -> None:
        """Ask, unless that is being done, or was done in vain just now, or nobody may be asked."""
        address = self._responder_of(certificate)
        name = _name(certificate, issuer)
        if address is None or name in self._asking or self._clock() < self._not_before.get(name, self._clock()):
            return
        self._not_before[name] = self._clock() + PAUSE
        task = asyncio.get_running_loop().create_task(self._ask(name, address, certificate, issuer))
        self._asking[name] = task
        task.add_done_callback(lambda _: self._asking.pop(name, None))

    def close(self) -> None:
        """Ask no more."""
        for task in tuple(self._asking.values()):
            task.cancel()

    async def stop(self) -> None:
        """As `close`, and wait until nothing is under way."""
        self.close()
        if self._asking:
            await asyncio.wait(tuple(self._asking.values()))

    def _responder_of(self, certificate: x509.Certificate) -> str | None:
        """The first that the certificate names and the configuration allows."""
        return next((one for one in _named_responders(certificate) if one in self._settings.responders), None)

    async def _ask(self, name: str, address: str, certificate: x509.Certificate, issuer: x509.Certificate) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                der = await self._exchange(question_packet(address, build_request(certificate, issuer)))
            status = self._verified(der, certificate, issuer)
            self._write(name, der)
        except NoAnswer as error:
            log.warning("%s was not asked, or did not answer: %s", address, error)
        except DataRefused as error:
            log.warning("the answer of %s is not used: %s", address, error.detail)
        except (OSError, ValueError) as error:  # TimeoutError is an OSError
            log.warning("cardd-fetch-ocsp.socket does not serve: %s", str(error) or type(error).__name__)
        else:
            self._remember(name, status)
            self._not_before[name] = max(status.next_update, self._clock() + PAUSE)
            self._changed()

    async def _exchange(self, packet: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.setblocking(False)
            await loop.sock_connect(connection, str(self._settings.path))
            await loop.sock_sendall(connection, packet)
            return parse_answer(await loop.sock_recv(connection, ANSWER_MAX))

    def _verified(self, der: bytes, certificate: x509.Certificate, issuer: x509.Certificate) -> OcspStatus:
        return read_answer(
            der, certificate, issuer, self._clock(), vouched=lambda responder: self._vouching(responder, issuer)
        )

    def _remember(self, name: str, status: OcspStatus | None) -> None:
        self._known[name] = status
        while len(self._known) > KEPT_MAX:
            self._known.popitem(last=False)

    def _read(self, name: str, certificate: x509.Certificate, issuer: x509.Certificate) -> OcspStatus | None:
        """What was kept, verified again: it is an authority's word, not ours."""
        try:
            with _opened(self._settings.folder / f"{name}{SUFFIX}") as descriptor:
                return self._verified(os.read(descriptor, MAX_ANSWER_BYTES + 1), certificate, issuer)
        except (OSError, DataRefused):
            return None

    def _write(self, name: str, der: bytes) -> None:
        folder = self._settings.folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial = folder / f".{name}.partial"
            partial.write_bytes(der)
            partial.rename(folder / f"{name}{SUFFIX}")
            self._forget_old()
        except OSError as error:  # it counts in this process all the same
            log.warning("an OCSP answer cannot be kept: %s", error.strerror)

    def _forget_old(self) -> None:
        kept = sorted(self._settings.folder.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime_ns)
        for path in kept[:-KEPT_MAX]:
            path.unlink()


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _named_responders(certificate: x509.Certificate) -> list[str]:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return []
    found = [one.access_location.value for one in access if one.access_method == AuthorityInformationAccessOID.OCSP]
    # A bare host and its root are one address (RFC 3986, 6.2.3); the configuration writes the root.
    return [one if one.count("/") > 2 else f"{one}/" for one in found if isinstance(one, str)]


def _name(certificate: x509.Certificate, issuer: x509.Certificate) -> str:
    """Of the file: it tells nobody which card it was."""
    return hashlib.sha256(f"{issuer_id(issuer)}/{certificate.serial_number:x}".encode()).hexdigest()[:32]
