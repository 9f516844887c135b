"""What is remembered of each address between two runs: when to ask again, and by what its answer is known."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cardd.fetch.download import Validators

FILE: Final = "state.json"
FIRST_PAUSE: Final = timedelta(minutes=15)
LONGEST_PAUSE: Final = timedelta(hours=24)
_SIZE_MAX: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ResourceState:
    """One address. Times are aware.

    Args:
        validators: of the file that is there.
        fetched: when its present answer came, or was confirmed; None: never.
        tried: when it was asked last.
        not_before: when it may be asked again.
        failures: one after the other, up to now.
        problem: why the last attempt failed; empty where it did not.
    """

    validators: Validators = field(default_factory=Validators)
    fetched: datetime | None = None
    tried: datetime | None = None
    not_before: datetime | None = None
    failures: int = 0
    problem: str = ""

    def is_due(self, now: datetime) -> bool:
        """Whether it may be asked now. A clock that was set back since asks too: the pause was by another time."""
        if self.not_before is None or self.tried is None:
            return True
        return now >= self.not_before or now < self.tried

    def succeeded(
        self, now: datetime, validators: Validators, next_update: datetime, refresh: timedelta
    ) -> ResourceState:
        """After an answer: ask again when the next one is announced, within the configured time."""
        announced = max(next_update, now + FIRST_PAUSE)
        return ResourceState(validators, fetched=now, tried=now, not_before=min(announced, now + refresh))

    def failed(self, now: datetime, problem: str, at_least: timedelta = FIRST_PAUSE) -> ResourceState:
        """After a failure: twice the pause each time, up to a day."""
        doubled = FIRST_PAUSE * 2 ** min(self.failures, 10)
        pause = min(max(doubled, at_least), LONGEST_PAUSE)
        return replace(self, tried=now, not_before=now + pause, failures=self.failures + 1, problem=problem)


States = dict[str, ResourceState]


def load_states(folder: Path) -> States:
    """What was kept, by address; nothing where the file is missing or damaged: then every address is asked anew."""
    try:
        with (folder / FILE).open("rb") as file:
            raw: dict[str, Any] = json.loads(file.read(_SIZE_MAX))
        return {address: _state(fields) for address, fields in raw.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def save_states(folder: Path, states: States) -> None:
    """Keep them: all of them or those that were kept before.

    Raises:
        OSError.
    """
    write_whole(folder / FILE, json.dumps({address: _fields(one) for address, one in states.items()}).encode())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file and rename it into its place, so that a reader finds the old or the new one.

    Raises:
        OSError.
    """
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), 0o644)
        os.fsync(file.fileno())
    partial.rename(path)


def _fields(state: ResourceState) -> dict[str, object]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(state).items()}


def _state(fields: dict[str, Any]) -> ResourceState:  # JSON
    return ResourceState(
        validators=Validators(str(fields["validators"]["etag"]), str(fields["validators"]["modified"])),
        fetched=_moment(fields["fetched"]),
        tried=_moment(fields["tried"]),
        not_before=_moment(fields["not_before"]),
        failures=int(fields["failures"]),
        problem=str(fields["problem"]),
    )


def _moment(text: Any) -> datetime | None:  # JSON
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment
