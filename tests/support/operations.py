"""Everything that a card does for a caller, each as one call whose result is checked past the daemon."""

from __future__ import annotations

import asyncio
import base64
import enum
import functools
import hashlib
import random
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils

from cardd.cards.connection import HoldMode
from cardd.cards.memory import VolatileMemory
from cardd.cards.present import CardState
from cardd.sessions.pin_change import change_pin, unblock_pin
from cardd.sessions.presence import Environment, Presence
from cardd.sessions.secret import Secret
from cardd.sessions.session import Session
from cardd.sessions.states import EndReason, State
from cardd.sessions.token_settings import MintOrder, TokenSettings
from cardd.sessions.tokens import Tokens
from cardsim import profiles
from cardsim.ias_ecc.system import IasEccCard
from cardsim.layouts.catalogue import LAYOUTS
from cardsim.personalise import personalise
from tests.support.core import HOLDER, PATIENCE, PUK, READER, Core, Typed, pki_store, running_core
from tests.support.inside import Inside
from tests.unit.tokens.support import Device

DIGEST = hashlib.sha256(b"document").digest()
PLAINTEXT = b"of a patient whom nobody knows"
NEW_PIN = b"8642"
AUDIENCE = "https://records.example"
NONCE = b"nonce of a server, of 32 bytes.."


class Operation(enum.StrEnum):
    """What is asked of a card."""

    IDENTIFY = "identify"
    """Of a card that was never seen."""
    RECOGNISE = "recognise"
    """Of a card that is remembered."""
    AUTHENTICATE = "authenticate"
    SIGN = "sign"
    DECRYPT = "decrypt"
    ASSERT = "assert"
    MINT = "mint"
    CHANGE_PIN = "change PIN"
    UNBLOCK = "unblock"

    @property
    def in_session(self) -> bool:
        """It needs a session."""
        return self in (Operation.SIGN, Operation.DECRYPT, Operation.ASSERT, Operation.MINT)

    @property
    def presents_pin(self) -> bool:
        """A secret goes to the card."""
        return self in (Operation.AUTHENTICATE, Operation.CHANGE_PIN, Operation.UNBLOCK)


@functools.cache
def _personalised(layout: str, profile: str) -> tuple[IasEccCard, Inside, Mapping[str, rsa.RSAPublicKey]]:
    """A card and what it is held against; the same one each time it is asked for, as cards are in a drawer."""
    loaded = profiles.load(profile)
    shaped = replace(
        loaded,
        card=replace(loaded.card, layout=layout),
        behaviour=loaded.behaviour or LAYOUTS[layout].behaviour,
    )
    card = personalise(shaped, pki_store())
    credentials = pki_store().card(shaped)
    of_authentication = _public_key(credentials.authentication.certificate)
    keys = {
        "authentication": of_authentication,
        "encryption": of_authentication,
        "signature": _public_key(credentials.signature.certificate),
    }
    return card, Inside(card), keys


def _public_key(certificate: bytes) -> rsa.RSAPublicKey:
    key = x509.load_der_x509_certificate(certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    return key


class DrawerCard:
    """One card out of the drawer, as good as new.

    Args:
        layout: of `cardsim.layouts.catalogue`.
        profile: whose card it is.
    """

    def __init__(self, layout: str, profile: str) -> None:
        self.card, self.inside, self.keys = _personalised(layout, profile)
        self.serial = profiles.load(profile).card.serial
        self.inside.restore()

    def verifies(self, key: str, signature: bytes, digest: bytes) -> None:
        """Let pass an RS256 signature of the card's own key.

        Raises:
            InvalidSignature.
        """
        self.keys[key].verify(signature, digest, padding.PKCS1v15(), utils.Prehashed(hashes.SHA256()))

    def verifies_jws(self, text: str) -> None:
        """Let pass a compact JWS that the card's authentication key signed; raises as `verifies`."""
        signed, _, signature = text.rpartition(".")
        digest = hashlib.sha256(signed.encode("ascii")).digest()
        self.verifies("authentication", base64.urlsafe_b64decode(signature + "=="), digest)


class Workbench:
    """A core, a card to work with, and one that is swapped for it. Made by `workbench`."""

    def __init__(
        self,
        core: Core,
        tokens: Tokens,
        memory: VolatileMemory,
        mine: DrawerCard,
        other: DrawerCard,
        *,
        held_from_the_start: bool,
    ) -> None:
        self.core = core
        self.held_from_the_start = held_from_the_start
        self.tokens = tokens
        self.mine = mine
        self.other = other
        self._memory = memory

    @property
    def presence(self) -> Presence | None:
        """The card that is in, as the daemon knows it."""
        return next(iter(self.core.sessions.presences), None)

    @property
    def session(self) -> Session | None:
        """Its session."""
        return None if self.presence is None else self.presence.session

    async def ready(self, operation: Operation) -> None:
        """Bring everything to where the operation begins."""
        if operation in (Operation.IDENTIFY, Operation.RECOGNISE):
            await self.emptied()
            if operation is Operation.IDENTIFY:
                self._memory.forget(self.mine.serial)
            return
        await self.trusted()
        if operation.in_session:
            await self.opened()
        elif self.session is not None:
            self.core.heard.news.clear()
            self.core.sessions.end(self.session, EndReason.ENDED_BY_USER)
            # The last that is told, once the card was reset and asked for its tries again.
            await self.core.until(lambda: "card-changed" in [what for what, _ in self.core.heard.news])

    @property
    def held(self) -> bool:
        """The daemon means to have a connection to the card that is in."""
        return self.presence is not None and self.presence.card.is_held

    async def emptied(self) -> None:
        """Take the card out, if one is in, and wait until nobody has a connection to the reader."""
        self.core.reader.remove()
        await self.core.gone()
        await self.let_go()

    async def afresh(self) -> None:
        """Whatever happened: cards as good as new, and none of them in the reader."""
        self.mine.inside.restore()
        self.other.inside.restore()
        await self.emptied()

    async def let_go(self) -> None:
        """Wait for the threads that were told to stop: each closes its connection by itself, and tells nobody."""
        async with asyncio.timeout(PATIENCE):
            while self.core.reader.handles and not self.held:
                await asyncio.sleep(0.001)

    async def trusted(self) -> Presence:
        """The card is in and known; put in anew where it is not as it should be."""
        presence = self.presence
        usable = presence is not None and presence.state in (State.TRUSTED, State.AUTHENTICATED)
        if presence is None or not usable or self.core.reader.card is not self.mine.card:
            await self.emptied()
            presence = await self.core.insert(self.mine.card)
        return presence

    async def opened(self) -> Session:
        """Its session, opened where it is not."""
        presence = await self.trusted()
        return await self.core.sessions.authentication(presence).authenticate(HOLDER, Typed(self.mine.inside.digits))

    async def identified(self) -> Presence | None:
        """Put the card in; what became of it, None where it left again."""
        self.core.heard.news.clear()
        self.core.reader.insert(self.mine.card)
        await self.core.until(lambda: self._news_of_a_card)
        presence = self.presence
        if presence is not None and (problem := presence.problem) is not None:
            raise problem
        return presence

    @property
    def _news_of_a_card(self) -> bool:
        presence = self.presence
        if presence is None:
            return "card-removed" in [what for what, _ in self.core.heard.news]
        return presence.card.state is not CardState.PRESENT

    async def do(self, operation: Operation) -> object:
        """One call; its result as a caller gets it.

        Raises:
            CarddError.
        """
        account, pin = self.core.sessions.account, self.mine.inside.digits
        match operation:
            case Operation.IDENTIFY | Operation.RECOGNISE:
                return await self.identified()
            case Operation.AUTHENTICATE:
                return await self.opened()
            case Operation.CHANGE_PIN:
                await change_pin(self._there, account, HOLDER, Typed(pin, NEW_PIN))
            case Operation.UNBLOCK:
                await unblock_pin(self._there, account, HOLDER, Typed(PUK, NEW_PIN))
            case _:
                return await self.serve(self._open, operation)
        return None

    async def serve(self, session: Session, operation: Operation, card: DrawerCard | None = None) -> object:
        """One call to a session, perhaps one that has ended; what is decrypted was for `card`."""
        match operation:
            case Operation.SIGN:
                return await session.sign(HOLDER, "signature", "RS256", DIGEST)
            case Operation.DECRYPT:
                cryptogram = (card or self.mine).keys["encryption"].encrypt(PLAINTEXT, padding.PKCS1v15())
                return await session.decrypt(HOLDER, "encryption", "RSA1_5", cryptogram)
            case Operation.ASSERT:
                return await self.tokens.assert_by_card(session, HOLDER, AUDIENCE, NONCE)
            case Operation.MINT:
                return (await self.tokens.mint(session, HOLDER, MintOrder(_device().public.spki))).token
        raise ValueError(f"{operation} needs no session")

    def check(self, operation: Operation, result: object) -> None:
        """Hold a result against the card itself.

        Raises:
            AssertionError, InvalidSignature: it is not what was asked for.
        """
        match operation:
            case Operation.SIGN:
                assert isinstance(result, bytes)
                self.mine.verifies("signature", result, DIGEST)
            case Operation.DECRYPT:
                assert isinstance(result, Secret)
                with result:
                    assert bytes(result.buffer) == PLAINTEXT
            case Operation.ASSERT | Operation.MINT:
                assert isinstance(result, str)
                self.mine.verifies_jws(result)
            case Operation.AUTHENTICATE:
                assert isinstance(result, Session)
                assert self.mine.inside.verified
            case Operation.CHANGE_PIN | Operation.UNBLOCK:
                assert self.mine.inside.digits == NEW_PIN
            case _:
                assert isinstance(result, Presence)
                assert result.card.identity is not None
                assert result.card.identity.serial == self.mine.serial

    def replug(self) -> None:
        """Put the reader back where it was unplugged."""
        if self.core.reader not in self.core.pcsc.readers():
            self.core.reader = self.core.pcsc.add_reader(READER)

    @property
    def _there(self) -> Presence:
        assert self.presence is not None
        return self.presence

    @property
    def _open(self) -> Session:
        assert self.session is not None
        return self.session


@functools.cache
def _device() -> Device:
    return Device()


@asynccontextmanager
async def workbench(
    layout: str, profile: str, other: str, *, hold: HoldMode = HoldMode.SESSION
) -> AsyncIterator[Workbench]:
    """A core with a reader, and a card of a layout beside it; another holder's card of the same layout."""
    memory = VolatileMemory()
    async with running_core(hold=hold, memory=memory) as core:
        environment: Environment = core.sessions._environment
        core.reader.random_bytes = random.Random(1).randbytes  # noqa: S311  # garbage, the same each time
        with tempfile.TemporaryDirectory(prefix="cardd-tokens-") as folder:
            settings = TokenSettings(Path(folder) / "tokens.sqlite", Path(folder) / "key.pem")
            tokens = Tokens(settings, environment, core.sessions, core.sessions.account)
            try:
                yield Workbench(
                    core,
                    tokens,
                    memory,
                    DrawerCard(layout, profile),
                    DrawerCard(layout, other),
                    held_from_the_start=hold is HoldMode.INSERTION,
                )
            finally:
                tokens.stop()
                await tokens.close()
