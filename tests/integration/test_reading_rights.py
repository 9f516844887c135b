"""What an application says that it reads may close a decryption to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cardd.errors import DecryptFailed, InvalidArgument, NotAuthorized
from cardsim.stage.daemon import SERVING_RULES
from tests.support.running import Running, open_session, running_cardd

CLOSED = """
[[rule]]
name = "not these"
action = "decrypt"
document-kind = "psychiatry"
effect = "deny"
"""


@pytest.fixture(scope="module")
def cardd() -> Iterator[Running]:
    """A cardd whose rules refuse one kind of document."""
    with running_cardd(rules=CLOSED + SERVING_RULES) as running:
        yield running


async def test_rules_decide_by_the_kind_of_what_is_read(cardd: Running) -> None:
    async with open_session(cardd) as session:
        with pytest.raises(NotAuthorized, match="not these"):
            await session.decrypt("encryption", "RSA1_5", bytes(256), document_kind="psychiatry")
        for kind in ("letter", ""):
            with pytest.raises(DecryptFailed):  # it came to the card, which finds no padding in it
                await session.decrypt("encryption", "RSA1_5", bytes(256), document_kind=kind)
        with pytest.raises(InvalidArgument, match="document-kind"):
            await session.decrypt("encryption", "RSA1_5", bytes(256), document_kind="No Word")
