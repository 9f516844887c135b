"""One run: asks each address that is due, keeps what is better than what is there."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509

from cardd.fetch.download import Download, DownloadFailed, Limits, Validators, download
from cardd.fetch.state import ResourceState, load_states, save_states, write_whole
from cardd.pki.authorities import Authority
from cardd.pki.revocation.crl import MAX_CRL_BYTES, CrlFacts, read_crl
from cardd.pki.revocation.faults import DataRefused
from cardd.pki.revocation.indexing import CRL_SUFFIX, read_source

log = logging.getLogger(__name__)

LIMITS: Final = Limits(size=MAX_CRL_BYTES)
BETWEEN_SECONDS: Final = 20.0
"""Between two requests to one server: the health PKI's refuses an address that asks a few times in a minute."""
_BUSY: Final = frozenset({403, 429, 503})
"""How servers say that they were asked too often."""
_BUSY_PAUSE: Final = timedelta(hours=1)
ADDRESSES_MAX: Final = 32


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """What the configuration says.

    Args:
        folder: where CRLs go.
        lists: addresses of CRLs.
        refresh: how long an answer is not asked for again, unless its nextUpdate comes sooner.
        limits: what a download may cost.
        between: seconds between two requests to one server.
    """

    folder: Path
    lists: tuple[str, ...]
    refresh: timedelta
    limits: Limits = LIMITS
    between: float = BETWEEN_SECONDS


def addresses(configured: Iterable[str], authorities: Iterable[Authority]) -> list[str]:
    """What is to be fetched: what is configured, and the CRLs that the authorities' own certificates name by HTTP."""
    named = [address for one in authorities for address in _points(one.certificate)]
    return list(dict.fromkeys([*configured, *named]))[:ADDRESSES_MAX]


def file_of(folder: Path, address: str) -> Path:
    """Where an address's answer is kept."""
    return folder / f"{hashlib.sha256(address.encode()).hexdigest()[:24]}{CRL_SUFFIX}"


def run(
    settings: FetchSettings,
    authorities: Sequence[Authority],
    now: Callable[[], datetime],
    pause: Callable[[float], None] = time.sleep,
) -> int:
    """Ask whatever is due; gives how many attempts failed.

    Args:
        settings: what and where to.
        authorities: accepted ones.
        now: the clock, aware.
        pause: waits some seconds.

    Raises:
        OSError: the folder cannot be written.
    """
    states = load_states(settings.folder)
    wanted = addresses(settings.lists, authorities)
    states = {address: states.get(address, ResourceState()) for address in wanted}
    asked: dict[str, bool] = {}
    failures = 0
    for address in wanted:
        server = urlsplit(address).netloc
        if not states[address].is_due(now()) or asked.get(server) is False:
            continue
        if server in asked:
            pause(settings.between)
        state, busy = _attempt(settings, address, states[address], [one.certificate for one in authorities], now())
        states[address] = state
        asked[server] = not busy
        failures += bool(state.problem)
        # After each: whoever is stopped in between has not asked for nothing.
        save_states(settings.folder, states)
    return failures


def _attempt(
    settings: FetchSettings,
    address: str,
    state: ResourceState,
    authorities: Sequence[x509.Certificate],
    now: datetime,
) -> tuple[ResourceState, bool]:
    """One address; and whether its server is to be left alone."""
    path = file_of(settings.folder, address)
    before = _facts_of(path, authorities, now)
    try:
        answer = download(address, state.validators if before is not None else Validators(), settings.limits)
        facts = _keep(path, answer, before, authorities, now)
    except DownloadFailed as error:
        busy = error.status in _BUSY
        wait = timedelta(seconds=error.retry_after or 0)
        log.warning("%s: %s", address, error)
        return state.failed(now, str(error), max(wait, _BUSY_PAUSE) if busy else wait), busy
    except DataRefused as error:
        log.warning("%s: %s", address, error.detail)
        return state.failed(now, error.detail), False
    log.info("%s: of %s, next %s", address, facts.this_update, facts.next_update)
    return state.succeeded(now, answer.validators, facts.next_update, settings.refresh), False


def _keep(
    path: Path,
    answer: Download,
    before: CrlFacts | None,
    authorities: Sequence[x509.Certificate],
    now: datetime,
) -> CrlFacts:
    """Write what came if it is good and not older than what is there; gives what is there then."""
    if answer.content is None:
        if before is None:
            raise DownloadFailed("the server says that nothing changed, though it was asked for everything")
        return before
    facts = read_crl(answer.content, authorities, now).facts
    if before is not None and before.issuer == facts.issuer and not facts.newer_than(before):
        return before
    write_whole(path, answer.content)
    return facts


def _facts_of(path: Path, authorities: Sequence[x509.Certificate], now: datetime) -> CrlFacts | None:
    """What is there; None where it is nothing that could be used."""
    try:
        return read_crl(read_source(path), authorities, now).facts
    except DataRefused:
        return None


def _points(certificate: x509.Certificate) -> list[str]:
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return []
    names = [name.value for point in points for name in point.full_name or ()]
    return [name for name in names if isinstance(name, str) and name.startswith(("http://", "https://"))]
