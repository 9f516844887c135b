"""Options in, rows out; and that a token's session looks like a card's."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta

import pytest

from cardd.bus.declaration import Declaration
from cardd.bus.descriptors import OwnedFd
from cardd.bus.interface import Variant, variant
from cardd.bus.limits import Limits
from cardd.bus.session import SessionInterface
from cardd.bus.token_session import TokenSessionInterface
from cardd.bus.tokens import PAGE_MAX, TOKEN_MAX, list_order, mint_order, proof_of, token_row, token_text
from cardd.bus.wire import encode_body
from cardd.errors import CarddError, DescriptorUnusable, InvalidArgument, UnknownOption
from cardd.sessions.token_settings import MintOrder
from cardd.tokens.errors import TokenMalformed, TokenTooLarge
from cardd.tokens.jose import MAX_LENGTH
from cardd.tokens.mint import AUDIENCE_MAX, AUDIENCES_MAX
from cardd.tokens.registry import REASON_MAX, Revocation
from tests.unit.tokens.registry_contract import record
from tests.unit.tokens.support import NOW

KEY = variant("ay", b"key")
QUIET = {"no-user-interaction": variant("b", True)}


def test_it_has_the_members_of_a_session_on_a_card() -> None:
    def plain(declaration: Declaration) -> object:
        arguments = {name: (one.inputs, one.outputs) for name, one in declaration.methods.items()}
        properties = {name: (one.signature, one.emits) for name, one in declaration.properties.items()}
        return declaration.name, arguments, properties, dict(declaration.signals)

    assert plain(TokenSessionInterface.declaration) == plain(SessionInterface.declaration)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"device-key": KEY}, MintOrder(b"key")),
        ({"device-jwk": variant("s", "{}"), **QUIET}, MintOrder("{}", interactive=False)),
        (
            {
                "device-key": KEY,
                "lifetime": variant("u", 60),
                "audience": variant("as", ["a", "b"]),
                "kind": variant("s", "kiosk"),
            },
            MintOrder(b"key", timedelta(seconds=60), ("a", "b"), "kiosk"),
        ),
    ],
)
def test_what_may_be_asked_of_a_token(options: dict[str, Variant], expected: MintOrder) -> None:
    assert mint_order(options) == expected


@pytest.mark.parametrize(
    ("read", "options", "error", "named"),
    [
        (mint_order, {}, InvalidArgument, "device-key"),
        (mint_order, {"device-key": KEY, "device-jwk": variant("s", "{}")}, InvalidArgument, "device-key"),
        (mint_order, {"device-key": variant("s", "key")}, InvalidArgument, "device-key"),
        (mint_order, {"device-key": KEY, "lifetime": variant("i", -1)}, InvalidArgument, "lifetime"),
        (mint_order, {"device-key": KEY, "no-user-interaction": variant("s", "")}, InvalidArgument, "no-user"),
        (mint_order, {"device-key": KEY, "pin": variant("s", "1234")}, UnknownOption, "pin"),
        (proof_of, {}, InvalidArgument, "proof"),
        (proof_of, {"proof": variant("ay", b"x")}, InvalidArgument, "proof"),
        (list_order, {"limit": variant("u", 0)}, InvalidArgument, "limit"),
        (list_order, {"limit": variant("u", PAGE_MAX + 1)}, InvalidArgument, "limit"),
        (list_order, {"id": variant("s", "x"), "after": variant("s", "y")}, InvalidArgument, "id"),
    ],
)
def test_what_may_not_is_named(
    read: Callable[[dict[str, Variant]], object],
    options: dict[str, Variant],
    error: type[CarddError],
    named: str,
) -> None:
    with pytest.raises(error, match=named) as caught:
        read(options)
    assert "1234" not in str(caught.value)


def test_a_full_page_of_the_longest_rows_fits_into_a_message() -> None:
    widest = "\U0001f9ea"
    longest = record(
        audience=tuple("x" * AUDIENCE_MAX for _ in range(AUDIENCES_MAX)),
        subject="9" * 64,
        card_id="9" * 64,
        minted_by="uid:4294967295",
        revocation=Revocation("A" * 22, widest * REASON_MAX, "uid:4294967295", NOW),
    )
    body, _ = encode_body("aa{sv}", [[token_row(longest)] * PAGE_MAX])
    assert len(body) + 1024 < Limits().message_bytes


def test_its_bound_is_that_of_those_who_read_tokens() -> None:
    assert TOKEN_MAX == MAX_LENGTH


async def read(content: bytes) -> str:
    reading, writing = os.pipe()
    with OwnedFd(reading) as descriptor:
        os.set_blocking(writing, False)
        os.write(writing, content)
        os.close(writing)
        return await token_text(descriptor, timeout=5)


async def test_a_token_from_a_file_may_have_its_end_of_line() -> None:
    assert await read(b"a.b.c\r\n") == "a.b.c"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"x" * (TOKEN_MAX + 3), TokenTooLarge),
        (b"x" * 60_000, TokenTooLarge),
        ("é".encode(), TokenMalformed),
    ],
)
async def test_a_token_that_cannot_be_one_is_refused_before_it_is_looked_into(
    content: bytes, error: type[CarddError]
) -> None:
    with pytest.raises(error):
        await read(content)


async def test_a_token_that_is_never_written_is_given_up() -> None:
    reading, writing = os.pipe()
    with OwnedFd(reading) as descriptor, pytest.raises(DescriptorUnusable):
        await token_text(descriptor, timeout=0.05)
    os.close(writing)
