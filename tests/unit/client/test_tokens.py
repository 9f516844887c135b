"""What the client makes of tokens, without a bus."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from cardd.client import tokens
from cardd.client.errors import UnexpectedReply
from cardd.client.values import MintedToken, token_from
from cardd.client.wrapping import Options, wrapped

ROW = {
    "id": "AAAA",
    "kind": "device",
    "subject": "899900000011",
    "audience": ["urn:example:daemon"],
    "issued-at": 1_700_000_000,
    "expires-at": 1_700_003_600,
}


def test_options_travel_as_the_types_of_the_contract() -> None:
    options: Options = {"yes": True, "limit": 5, "after": "x", "device-key": b"\0", "audience": ["a"]}
    sent = {name: value.signature for name, value in wrapped(options).items()}
    assert sent == {"yes": "b", "limit": "u", "after": "s", "device-key": "ay", "audience": "as"}


def test_a_row_as_it_is_and_what_it_does_not_say() -> None:
    row = token_from(ROW)
    assert (row.token_id, row.subject, row.audience) == ("AAAA", "899900000011", ("urn:example:daemon",))
    assert row.expires_at == datetime.fromtimestamp(1_700_003_600, UTC)
    assert (row.revoked_at, row.revoked_by, row.minted_by, row.authenticated_at) == (None, "", "", None)
    revoked = token_from({**ROW, "revoked-at": 1_700_000_001, "revoked-by": "uid:0", "revocation-reason": "lost"})
    assert (revoked.revoked_by, revoked.revocation_reason) == ("uid:0", "lost")
    assert revoked.revoked_at == datetime.fromtimestamp(1_700_000_001, UTC)


@pytest.mark.parametrize("change", [{"id": 3}, {"audience": "urn"}, {"expires-at": "soon"}])
def test_a_row_of_other_types_is_no_row(change: dict[str, object]) -> None:
    with pytest.raises(UnexpectedReply):
        token_from({**ROW, **change})


def test_a_minted_token_is_shown_by_nothing() -> None:
    assert "secret" not in repr(MintedToken("id", "secret"))


def test_what_goes_to_the_daemon_changes_no_more() -> None:
    descriptor = tokens._sealed("a.b.c")
    try:
        assert os.pread(descriptor, 10, 0) == b"a.b.c"
        with pytest.raises(PermissionError):
            os.pwrite(descriptor, b"x", 0)
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, 1)
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, 100)
    finally:
        os.close(descriptor)


def test_a_client_loads_neither_cryptography_nor_jose() -> None:
    check = "import sys, cardd.client; sys.exit(any(one in sys.modules for one in ('joserfc', 'cryptography')))"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
