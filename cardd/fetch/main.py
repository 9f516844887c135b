"""The program: reads cardd's configuration, makes one run, ends. `cardd-fetch.timer` starts it."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cardd import __version__
from cardd.config import DEFAULT_PATH, ConfigError, load
from cardd.fetch.answering import serve_socket
from cardd.fetch.run import FetchSettings, run
from cardd.pki.store import TrustStore

log = logging.getLogger("cardd-fetch")

EXIT_CONFIGURATION = 78
"""EX_CONFIG (sysexits.h)."""
EXIT_UNWRITABLE = 73
"""EX_CANTCREAT (sysexits.h)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `cardd-fetch`. That a server does not answer is no failure of the program: it tries again."""
    options = _arguments(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        config = load(options.config)
    except ConfigError as error:
        log.error("%s", error)
        return EXIT_CONFIGURATION
    section, pki = config.revocation, config.pki
    if options.answer:
        return serve_socket(section.responders)
    if section.fetched is None:
        log.info("[revocation] fetched is empty: nothing is to be fetched")
        return 0
    store = TrustStore.load(pki.directory, unpinned=pki.unpinned, simulator=pki.simulator, clock=_now)
    if not store.roots:
        log.warning("no root certificate is trusted, so no CRL would be either; run `cardctl trust add`")
        return 0
    settings = FetchSettings(section.fetched, section.lists, timedelta(hours=section.refresh_hours))
    try:
        failures = run(settings, store.authorities, _now)
    except OSError as error:
        log.error("%s: %s", section.fetched, error.strerror)
        return EXIT_UNWRITABLE
    if failures:
        log.warning("%d of the addresses gave nothing that can be used; they are asked again later", failures)
    return 0


def _now() -> datetime:
    return datetime.now(UTC)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="cardd-fetch", description="Fetch the CRLs that cardd judges cards by, those that are due; then end."
    )
    parser.add_argument("--config", type=Path, default=DEFAULT_PATH, metavar="FILE", help=f"default: {DEFAULT_PATH}")
    parser.add_argument("--answer", action="store_true", help="ask OCSP responders for cardd, on systemd's socket")
    parser.add_argument("--version", action="version", version=f"cardd-fetch {__version__}")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
