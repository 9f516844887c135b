"""Runs of the fetcher: what is asked when, and what replaces what."""

from __future__ import annotations

import dataclasses
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from cardd.fetch.download import Limits, Validators
from cardd.fetch.run import FetchSettings, addresses, file_of, run
from cardd.fetch.state import (
    FILE,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    ResourceState,
    load_states,
    save_states,
)
from cardd.pki.authorities import Candidate, accept
from tests.unit.fetch.server import Web, content, serving
from tests.unit.pki import factory
from tests.unit.pki.revocation import support
from tests.unit.pki.revocation.support import DAY, NOW

HOUR = timedelta(hours=1)
PATH = "/CRL/list.crl"


class Runs:
    """Runs over one folder, at any time."""

    def __init__(self, folder: Path, web: Web) -> None:
        self.web = web
        self.folder = folder
        self.now = NOW
        self.pauses: list[float] = []
        self.settings = FetchSettings(folder, (web.url(PATH),), 6 * HOUR, Limits(1 << 20, seconds=20))
        root, intermediate = factory.root().certificate, factory.intermediate().certificate
        unpinned = frozenset({factory.fingerprint(root)})
        self.authorities = accept(
            [Candidate(root, ""), Candidate(intermediate, "")], unpinned=unpinned, now=NOW
        ).authorities

    def run(self, later: timedelta = timedelta()) -> int:
        self.now += later
        return run(self.settings, self.authorities, lambda: self.now, self.pauses.append)

    @property
    def content(self) -> bytes | None:
        path = file_of(self.folder, self.web.url(PATH))
        return path.read_bytes() if path.exists() else None

    @property
    def state(self) -> ResourceState:
        return load_states(self.folder)[self.web.url(PATH)]


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    with serving() as web:
        yield Runs(tmp_path, web)


def crl(number: int, at: datetime = NOW, lifetime: timedelta = 7 * DAY) -> bytes:
    return support.crl(factory.intermediate(), number=number, at=at, lifetime=lifetime)


def test_a_list_is_fetched_once_and_again_when_it_is_time(runs: Runs) -> None:
    runs.web.pages[PATH] = content(crl(1), ETag='"1"')
    assert (runs.run(), runs.content) == (0, crl(1))
    assert runs.run(5 * HOUR) == 0
    assert runs.web.count(PATH) == 1
    runs.web.pages[PATH] = content(b"", 304)
    assert runs.run(2 * HOUR) == 0
    assert (runs.web.count(PATH), runs.content) == (2, crl(1))
    assert runs.web.asked[1][1]["If-None-Match"] == '"1"'
    assert runs.state.fetched == runs.now
    assert runs.folder.joinpath(FILE).stat().st_mode & 0o777 == 0o644


def test_a_list_that_ends_sooner_is_asked_for_sooner(runs: Runs) -> None:
    runs.web.pages[PATH] = content(crl(1, lifetime=HOUR))
    runs.run()
    runs.run(HOUR + FIRST_PAUSE)
    assert runs.web.count(PATH) == 2


@pytest.mark.parametrize(
    "bad",
    [
        b"<html>log in to the hospital's network</html>",
        crl(2)[:-9],
        support.crl(factory.authority("AC INCONNUE"), number=2),
        support.crl(factory.intermediate(), number=2, at=NOW + 3 * DAY),
        b"",
        bytes(1 << 19),
    ],
    ids=["page", "cut", "stranger", "future", "empty", "zeros"],
)
def test_what_cannot_be_used_replaces_nothing(runs: Runs, bad: bytes) -> None:
    runs.web.pages[PATH] = content(crl(1))
    runs.run()
    runs.web.pages[PATH] = content(bad)
    assert runs.run(DAY) == 1
    assert runs.content == crl(1)
    assert runs.state.problem
    # Nor is it taken for what the server calls unchanged.
    assert runs.state.validators == Validators()


def test_an_older_list_replaces_nothing(runs: Runs) -> None:
    runs.web.pages[PATH] = content(crl(5))
    runs.run()
    runs.web.pages[PATH] = content(crl(4))
    runs.run(DAY)
    assert runs.content == crl(5)


def test_failures_are_spaced_out_over_runs(runs: Runs) -> None:
    """Each run is a process of its own: what was learnt is on the disk."""
    runs.web.pages[PATH] = content(b"", 500)
    asked: list[timedelta] = []
    for quarter in range(4 * 24 * 3):
        before = runs.web.count(PATH)
        runs.run(timedelta() if quarter == 0 else FIRST_PAUSE)
        if runs.web.count(PATH) > before:
            asked.append(runs.now - NOW)
    gaps = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert gaps[:4] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE, 8 * FIRST_PAUSE]
    assert max(gaps) <= LONGEST_PAUSE
    assert len(asked) < 12
    runs.web.pages[PATH] = content(crl(1))
    assert runs.run(LONGEST_PAUSE) == 0
    assert (runs.state.failures, runs.state.problem) == (0, "")


def test_a_server_that_refuses_is_left_alone(runs: Runs) -> None:
    """The health PKI's answers 403 to who asks too often: the other addresses there wait as well."""
    other = "/CRL/other.crl"
    runs.settings = dataclasses.replace(runs.settings, lists=(runs.web.url(PATH), runs.web.url(other)))
    runs.web.pages.update({PATH: content(b"", 403), other: content(crl(1))})
    runs.run()
    assert (runs.web.count(PATH), runs.web.count(other)) == (1, 0)
    runs.run(timedelta(minutes=30))
    assert (runs.web.count(PATH), runs.web.count(other)) == (1, 1)
    runs.run(timedelta(minutes=31))
    assert runs.web.count(PATH) == 2


def test_what_the_server_asks_to_wait_is_waited(runs: Runs) -> None:
    runs.web.pages[PATH] = content(b"", 503, Retry_After="14400")
    runs.run()
    runs.run(timedelta(hours=3, minutes=59))
    assert runs.web.count(PATH) == 1
    runs.run(timedelta(minutes=2))
    assert runs.web.count(PATH) == 2


def test_two_addresses_of_a_server_are_asked_with_a_pause(runs: Runs) -> None:
    lists = tuple(runs.web.url(path) for path in (PATH, "/b.crl", "/c.crl"))
    runs.settings = dataclasses.replace(runs.settings, lists=lists)
    runs.web.pages.update({path: content(crl(1)) for path in (PATH, "/b.crl", "/c.crl")})
    runs.run()
    assert runs.pauses == [20.0, 20.0]


def test_a_file_that_went_is_fetched_whole(runs: Runs) -> None:
    runs.web.pages[PATH] = content(crl(1), ETag='"1"')
    runs.run()
    file_of(runs.folder, runs.web.url(PATH)).write_bytes(b"damaged")
    runs.run(DAY)
    assert "If-None-Match" not in runs.web.asked[1][1]
    assert runs.content == crl(1)


def test_a_server_that_says_unchanged_to_who_has_nothing(runs: Runs) -> None:
    runs.web.pages[PATH] = content(b"", 304)
    assert runs.run() == 1
    assert "nothing changed" in runs.state.problem


@pytest.mark.parametrize("state", [b"", b"{", b"[]", b'{"a": 3}', b'{"a": {}}', b"\xff", b"[" * 100_000])
def test_a_damaged_state_is_none(runs: Runs, state: bytes) -> None:
    (runs.folder / FILE).write_bytes(state)
    runs.web.pages[PATH] = content(crl(1))
    assert (runs.run(), runs.content) == (0, crl(1))


def test_a_clock_that_was_set_back_asks(runs: Runs) -> None:
    runs.web.pages[PATH] = content(b"", 500)
    runs.run(300 * DAY)
    runs.web.pages[PATH] = content(crl(1))
    runs.run(-300 * DAY)
    assert runs.content == crl(1)


def test_what_the_authorities_name_is_fetched_too() -> None:
    points = x509.CRLDistributionPoints(
        [
            x509.DistributionPoint(
                [
                    x509.UniformResourceIdentifier(one)
                    for one in ("http://pki.invalid/root.crl", "ldap://pki.invalid/x")
                ],
                None,
                None,
                None,
            )
        ]
    )
    key = factory.rsa_key("named")
    issuer = factory.root()
    extensions = [(x509.BasicConstraints(True, 0), True), (factory.AUTHORITY_USAGE, True), (points, False)]
    above = issuer.certificate.subject, issuer.key
    named = factory.issue(factory.name("AC NOMMEE"), key, *above, extensions, NOW - DAY, NOW + DAY)
    unpinned = frozenset({factory.fingerprint(issuer.certificate)})
    accepted = accept([Candidate(issuer.certificate, ""), Candidate(named, "")], unpinned=unpinned, now=NOW)
    found = addresses(("http://pki.invalid/a.crl", "http://pki.invalid/root.crl"), accepted.authorities)
    assert found == ["http://pki.invalid/a.crl", "http://pki.invalid/root.crl"]
    assert addresses((), accepted.authorities) == ["http://pki.invalid/root.crl"]


MOMENTS = st.none() | st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(
    st.dictionaries(
        st.text(max_size=40),
        st.builds(
            ResourceState,
            st.builds(Validators, st.text(max_size=30), st.text(max_size=30)),
            MOMENTS,
            MOMENTS,
            MOMENTS,
            st.integers(0, 99),
            st.text(max_size=60),
        ),
        max_size=4,
    )
)
def test_states_are_kept_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, states: dict[str, ResourceState]
) -> None:
    folder = tmp_path_factory.mktemp("state")
    save_states(folder, states)
    assert load_states(folder) == states


def program(config: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("cardd-fetch")), "--config", str(config)]
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)


def test_the_program(runs: Runs, tmp_path: Path) -> None:
    """By cardd's own configuration."""
    trust = tmp_path / "trust"
    factory.write(trust, "root.cer", factory.root().certificate)
    factory.write(trust, "intermediate.cer", factory.intermediate().certificate)
    now = datetime.now(UTC).replace(microsecond=0)
    runs.web.pages[PATH] = content(crl(1, at=now))
    config = tmp_path / "cardd.toml"
    fingerprint = factory.fingerprint(factory.root().certificate)
    config.write_text(
        f'[pki]\ndirectory = "{trust}"\nunpinned = ["{fingerprint}"]\n'
        f'[revocation]\nfetched = "{runs.folder}"\nlists = ["{runs.web.url(PATH)}"]\n'
    )
    done = program(config)
    assert (done.returncode, runs.content) == (0, crl(1, at=now)), done.stderr
    config.write_text("[revocation]\nlists = ['ldap://x/y']\n")
    done = program(config)
    assert (done.returncode, "revocation.lists" in done.stderr) == (78, True)
