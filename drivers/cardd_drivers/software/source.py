"""A key in a file as a token: there while both of its files can be used, and are the same."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from cardd_drivers.contract import CardKind
from cardd_drivers.isolated.opened import OpenProcess
from cardd_drivers.isolated.process import open_process
from cardd_drivers.isolated.table import absolute_path, require_known, seconds, text
from cardd_drivers.software.files import FileRefused, read_guarded
from cardd_drivers.token_source import TokenListener

PROGRAM: Final = "cardd_drivers.software.child"
_KEYS: Final = ("certificate", "key", "name", "poll")

logger = logging.getLogger(__name__)


class FileToken:
    """A `cardd_drivers.token_source.Token`.

    Args:
        certificate, key: the files.
        name: as the place's name has it.
    """

    pcsc_reader = ""

    def __init__(self, certificate: Path, key: Path, name: str) -> None:
        self._settings = {"certificate": str(certificate), "key": str(key)}
        self.place: str = f"Software certificate {name}"

    def open(self, checkpoint: Callable[[], None], lost: Callable[[], None]) -> OpenProcess:
        """A process of its own."""
        return OpenProcess(open_process(PROGRAM, self._settings, {}, self.place, lost), CardKind.SOFTWARE, checkpoint)


class FileSource:
    """A `cardd_drivers.token_source.TokenSource`.

    Args:
        certificate: PEM or DER, public: it is known before the password, as on a card.
        key: PKCS#12, or PEM of an encrypted private key.
        name: as names of readers and logs have it.
        poll: seconds between two looks at the files.
    """

    driver = "software"

    def __init__(self, certificate: Path, key: Path, name: str, poll: float) -> None:
        self._certificate = certificate
        self._key = key
        self.name = f"software certificate {name}"
        self._label = name
        self._poll = poll
        self._stopping = threading.Event()

    def watch(self, listener: TokenListener) -> None:
        """Look at the files; what is wrong with them is logged once."""
        last: bytes | str | None = None
        while not self._stopping.is_set():
            now = self._look()
            if now != last:
                listener.tokens_are(())
                if isinstance(now, str):
                    logger.error("%s is not used: %s", self.name, now)
                else:
                    listener.tokens_are((FileToken(self._certificate, self._key, self._label),))
                last = now
            self._stopping.wait(self._poll)
        listener.tokens_are(())

    def stop(self) -> None:
        """End `watch`."""
        self._stopping.set()

    def _look(self) -> bytes | str:
        """What both files hold, or why they cannot be used."""
        try:
            certificate = read_guarded(self._certificate, secret=False)
            return certificate + read_guarded(self._key, secret=True)
        except FileRefused as error:
            return str(error)


def make_source(table: Mapping[str, Any]) -> FileSource:
    """See `cardd_drivers.token_source.MakeSource`."""
    require_known(table, _KEYS)
    key = absolute_path(table, "key")
    return FileSource(
        absolute_path(table, "certificate"), key, text(table, "name", key.stem), seconds(table, "poll", 5.0, 0.1, 3600)
    )
