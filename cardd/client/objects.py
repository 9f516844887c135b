"""Readers, cards and sessions as frozen values that can be called.

A value tells what was so when it was read; ask the client again for what is so now. The methods act on the very card
or session that the value was read from, never on a later one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cardd.bus.descriptors import OwnedFd
from cardd.bus.names import CARD, OPTION_LAST_TRY, OPTION_NO_USER_INTERACTION, OPTION_WITHOUT_PIN_PAD, SESSION
from cardd.bus.transport import RemoteMethod
from cardd.client.agent import Agent, PinPurpose, PreparedAnswers
from cardd.client.consent import Access, Document, access_from
from cardd.client.core import PATIENCE, Link
from cardd.client.errors import NoReply
from cardd.client.secret import PlaintextPipe, SecretBytes, pipe_holding
from cardd.client.values import (
    Activity,
    Capabilities,
    CardState,
    Holder,
    MintedToken,
    Properties,
    Trust,
    activity_from,
    capabilities_from,
    holder_from,
    maybe,
    moment,
    path_or_none,
    take,
    trust_from,
)
from cardd.client.wrapping import Option, Options
from cardd.errors import CardRemoved, SessionEnded

_PLAINTEXT_MAX = 1 << 16
"""Bytes: far above one RSA block; what an empty pipe holds on Linux."""

_PIPE_PATIENCE = 10.0
"""Seconds for the daemon to close the pipe after its reply."""

_NO_OPTIONS: Options = {}


@dataclass(frozen=True, slots=True)
class Reader:
    """A PC/SC reader that is plugged in; `card` is the path of the card in it; with `pin_pad`, PINs are typed on it;
    to a `contactless` one cards are held."""

    path: str
    name: str
    usb_ids: str
    seat: str
    card: str | None
    pin_pad: bool = False
    contactless: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """One insertion of one card; `session` is the path of the session that is open on it.

    `driver` and `kind` are empty until the card is identified; `pin_tries_left` is None when it is not known;
    `problem` is a D-Bus error name that says why `state` is in-use, unknown or failed.
    """

    path: str
    reader: str
    driver: str
    state: str
    problem: str
    kind: str
    pin_tries_left: int | None
    trust: Trust
    session: str | None
    capabilities: Capabilities
    _link: Link = field(repr=False, compare=False)

    @property
    def identified(self) -> bool:
        """Whether the card is known and can be asked for its holder."""
        return self.state == CardState.IDENTIFIED

    async def authenticate(
        self,
        *,
        pin: SecretBytes | None = None,
        agent: Agent | None = None,
        interactive: bool = True,
        last_try: bool = False,
    ) -> Session:
        """Open a session, or join the one that is open.

        Args:
            pin: its characters (ASCII digits), sent by pipe and wiped; None: the daemon has an agent ask.
            agent: asks the user for this call alone; None: the agent that is registered.
            interactive: False: fail rather than ask anybody.
            last_try: the user was told that one try is left, and agrees to spend it.

        Raises:
            PinIncorrect, PinBlocked, LastTry, PinFormat, NoAgent, NotAuthorizedDismissed, CardInUse, NotTrusted,
            ProofFailed, CardRemoved, CardMute and others of `cardd.errors`.
        """
        options = {OPTION_LAST_TRY: True} if last_try else {}
        if pin is not None:
            with OwnedFd(pipe_holding(pin)) as reading:
                path = await self._call("AuthenticateWithPin", "ha{sv}", "o", reading, options)
        else:
            options |= {} if interactive else {OPTION_NO_USER_INTERACTION: True}
            async with self._link.core.agent(agent):
                path = await self._call("Authenticate", "a{sv}", "o", options, patience=None)
        return await open_session(Link(self._link.core, self._link.owner, path))

    async def change_pin(
        self,
        *,
        current: SecretBytes | None = None,
        new: SecretBytes | None = None,
        agent: Agent | None = None,
        last_try: bool = False,
        without_pin_pad: bool = False,
    ) -> None:
        """Change the PIN.

        Args:
            current: present PIN; with `new`, nobody is asked. Both are wiped.
            new: the PIN to be.
            agent: asks for both; None: the agent that is registered. With a PIN pad it is told only.
            last_try: as for `authenticate`.
            without_pin_pad: ask on the computer although the reader has a PIN pad; so it is where `new` is given.

        Raises:
            PinIncorrect, PinBlocked, LastTry, PinFormat, NoAgent, NotAuthorizedDismissed, PinPadCannotChange and others
            of `cardd.errors`.
        """
        answers = {PinPurpose.CHANGE_CURRENT: current, PinPurpose.CHANGE_NEW: new}
        await self._with_answers("ChangePin", answers, agent, _change_options(last_try, without_pin_pad))

    async def unblock_pin(
        self,
        *,
        puk: SecretBytes | None = None,
        new: SecretBytes | None = None,
        agent: Agent | None = None,
        last_try: bool = False,
        without_pin_pad: bool = False,
    ) -> None:
        """Unblock the PIN with the unblocking code, and set a new one.

        Args:
            puk: the unblocking code; with `new`, nobody is asked. Both are wiped.
            new: the PIN to be.
            agent: asks for both; None: the agent that is registered. With a PIN pad it is told only.
            last_try: as for `authenticate`.
            without_pin_pad: ask on the computer although the reader has a PIN pad; so it is where `new` is given.

        Raises:
            PukIncorrect, PukBlocked, LastPukTry, PukFormat, PinFormat, NoAgent, PinPadCannotChange and others of
            `cardd.errors`.
        """
        answers = {PinPurpose.UNBLOCK_PUK: puk, PinPurpose.UNBLOCK_NEW: new}
        await self._with_answers("UnblockPin", answers, agent, _change_options(last_try, without_pin_pad))

    async def get_holder(self) -> Holder:
        """Ask who the card belongs to."""
        return holder_from(await self._call("GetHolder", "a{sv}", "a{sv}", _NO_OPTIONS))

    async def get_certificates(self) -> Mapping[str, bytes]:
        """Read the certificates: DER by key name. The first time the card may need seconds."""
        found: dict[str, bytes] = await self._call("GetCertificates", "a{sv}", "a{say}", _NO_OPTIONS)
        return found

    async def read_object(self, label: str) -> bytes:
        """Read a data object, for instance CPS_DATA, as stored.

        Raises:
            ObjectNotFound: the card holds nothing of that label.
        """
        value: bytes = await self._call("ReadObject", "sa{sv}", "ay", label, _NO_OPTIONS)
        return value

    async def _with_answers(
        self,
        member: str,
        answers: Mapping[PinPurpose, SecretBytes | None],
        agent: Agent | None,
        options: Mapping[str, Option],
    ) -> None:
        given = {purpose: answer for purpose, answer in answers.items() if answer is not None}
        prepared = PreparedAnswers(given)
        try:
            async with self._link.core.agent(prepared if given else agent):
                # Codes that are in the computer already are not typed once more.
                wanted = {**options, **({OPTION_WITHOUT_PIN_PAD: True} if given else {})}
                await self._call(member, "a{sv}", "", wanted, patience=None)
        finally:
            prepared.wipe()

    async def _call(
        self, member: str, takes: str, returns: str, *values: object, patience: float | None = PATIENCE
    ) -> Any:
        method = RemoteMethod(CARD, member, takes, returns)
        return await self._link.call(method, *values, gone=CardRemoved, patience=patience)


@dataclass(frozen=True, slots=True)
class Session:
    """What a verified PIN opened, until the card leaves; or a redeemed token, until its end.

    `level` is `card` or `token`; `card` is "/" where there is none; `expires` is None where only the card's leaving
    ends it.
    """

    path: str
    card: str
    level: str
    since: datetime | None
    expires: datetime | None
    uses: int
    _link: Link = field(repr=False, compare=False)

    @property
    def ended(self) -> str | None:
        """Why the session ended (`EndReason`), None while it is not known to have ended."""
        return self._link.core.ends.reason(self._link.owner, self.path)

    async def wait_ended(self) -> str:
        """Wait for the session's end and return the reason (`EndReason`)."""
        return await asyncio.shield(self._link.core.ends.future(self._link.owner, self.path))

    async def sign(
        self,
        key: str,
        algorithm: str,
        digest: bytes,
        *,
        document: Document | None = None,
        agent: Agent | None = None,
        interactive: bool = True,
    ) -> bytes:
        """Sign a digest with a key of the card; the holder may be asked whether they agree, and for the PIN where the
        card wants it for each signature.

        Args:
            key: `signature` or `authentication`.
            algorithm: `RS256` or `PS256`.
            digest: SHA-256 of what is signed, 32 bytes.
            document: what is signed, and how far one consent shall reach; None: nothing is said of it.
            agent: asks the user for this call alone; None: the agent that is registered.
            interactive: False: fail rather than ask anybody.

        Returns:
            The signature, as long as the key's modulus.

        Raises:
            ConsentRefused, ConsentNotAnswered, NoSuchJob, NoAgent, NotAuthorized, NotAuthorizedCanObtain,
            NotAuthorizedDismissed, PinIncorrect, PinBlocked,
            UnknownKey, AlgorithmNotSupported, DigestLength, SessionEnded and others of `cardd.errors`.
        """
        options = dict((document or Document()).options())
        if not interactive:
            options[OPTION_NO_USER_INTERACTION] = True
        values = (key, algorithm, bytes(digest), options)
        async with self._link.core.agent(agent):
            signature: bytes = await self._call("Sign", "ssaya{sv}", "ay", *values, patience=None)
        return signature

    async def check_access(
        self, action: str, key: str = "", *, algorithm: str = "", document_kind: str = "", reserve: bool = False
    ) -> Access:
        """Ask what the rules say of this program, without asking the user anything. polkit may still refuse.

        Args:
            action: sign, decrypt, assert, mint-token, read-holder.
            key: of the card, where one is used.
            algorithm: JOSE name.
            document_kind: what the program will say of the document.
            reserve: where the holder would be asked, give the number under which: show it to the user, and pass it
                on in `Document.job`.

        Raises:
            InvalidArgument, Busy, SessionEnded and others of `cardd.errors`.
        """
        words = {"algorithm": algorithm, "document-kind": document_kind}
        options: dict[str, Option] = {name: word for name, word in words.items() if word}
        if reserve:
            options["reserve"] = True
        return access_from(await self._call("CheckAccess", "ssa{sv}", "a{sv}", key, action, options))

    async def decrypt(self, key: str, algorithm: str, cryptogram: bytes, *, document_kind: str = "") -> bytearray:
        """Decipher one block with a key of the card; the plaintext comes by pipe, never over the bus.

        Args:
            key: `encryption`.
            algorithm: `RSA1_5`, or `RSA-OAEP-256` where the card's capabilities have it.
            cryptogram: as long as the key's modulus.
            document_kind: what is read, in the application's own word: rules and rights may refuse by it.

        Returns:
            The plaintext, in a buffer that the caller can wipe.

        Raises:
            DecryptFailed, UnknownKey, AlgorithmNotSupported, SessionEnded and others of `cardd.errors`.
        """
        pipe = PlaintextPipe(_PLAINTEXT_MAX)
        try:
            with OwnedFd(pipe.take_writing()) as writing:
                options: dict[str, Option] = {"document-kind": document_kind} if document_kind else {}
                values = (key, algorithm, bytes(cryptogram), writing, options)
                await self._call("Decrypt", "ssayha{sv}", "", *values)
            async with asyncio.timeout(_PIPE_PATIENCE):
                return await pipe.gather()
        except TimeoutError as error:
            raise NoReply from error
        finally:
            pipe.close()

    async def mint_token(
        self,
        device: bytes | str,
        *,
        lifetime: timedelta | None = None,
        audience: Sequence[str] = (),
        kind: str | None = None,
    ) -> MintedToken:
        """Mint a token for a device of the holder's, signed by the card.

        Args:
            device: public key that the token is bound to, on P-256: SubjectPublicKeyInfo in DER, or a JWK as JSON text.
            lifetime: whole seconds; None for the daemon's default. The daemon may give less.
            audience: who may rely on it; empty for the daemon itself.
            kind: what it is for; None for a device.

        Raises:
            KeyRefused, LifetimeRefused, InvalidArgument, NoCardKey, SessionEnded and others of `cardd.errors` and
            `cardd.tokens.errors`.
        """
        options: dict[str, Option] = {"device-key" if isinstance(device, bytes) else "device-jwk": device}
        if lifetime is not None:
            options["lifetime"] = int(lifetime.total_seconds())
        if audience:
            options["audience"] = list(audience)
        if kind is not None:
            options["kind"] = kind
        token_id, token = await self._call("MintToken", "a{sv}", "ss", options)
        return MintedToken(token_id, token)

    async def assert_to(self, audience: str, nonce: bytes) -> str:
        """Have the holder told to one audience, now: what an application logs in with.

        Args:
            audience: to whom: its origin or another name.
            nonce: its random bytes, 16 to 64.

        Returns:
            An assertion for `cardd.client.assertions.AssertionVerifier`, good for a minute.

        Raises:
            InvalidArgument, SessionEnded and others of `cardd.errors`.
        """
        assertion: str = await self._call("Assert", "saya{sv}", "s", audience, bytes(nonce), _NO_OPTIONS)
        return assertion

    async def get_holder(self) -> Holder:
        """Ask who the session stands for."""
        return holder_from(await self._call("GetHolder", "a{sv}", "a{sv}", _NO_OPTIONS))

    async def get_activities(self) -> tuple[Activity, ...]:
        """Ask for the holder's work situations; empty where the card tells none."""
        rows = await self._call("GetActivities", "a{sv}", "aa{sv}", _NO_OPTIONS, patience=None)
        return tuple(map(activity_from, rows))

    async def select_activity(self, activity_id: str) -> None:
        """Choose a work situation: journal, assertions and tokens of this session tell it from now on.

        Args:
            activity_id: of one of them; empty: none.

        Raises:
            NoSuchActivity, SessionEnded and others of `cardd.errors`.
        """
        await self._call("SelectActivity", "sa{sv}", "", activity_id, _NO_OPTIONS, patience=None)

    async def end(self) -> None:
        """End the session; the card wants its PIN again, a token stays good."""
        await self._call("End", "a{sv}", "", _NO_OPTIONS)

    async def _call(
        self, member: str, takes: str, returns: str, *values: object, patience: float | None = PATIENCE
    ) -> Any:
        method = RemoteMethod(SESSION, member, takes, returns)
        return await self._link.call(method, *values, gone=lambda: session_gone(self._link), patience=patience)


def _change_options(last_try: bool, without_pin_pad: bool) -> dict[str, Option]:
    wanted = {OPTION_LAST_TRY: last_try, OPTION_WITHOUT_PIN_PAD: without_pin_pad}
    return {name: True for name, value in wanted.items() if value}


def reader_from(path: str, properties: Properties) -> Reader:
    """Decode a reader's properties."""
    return Reader(
        path=path,
        name=take(properties, "Name", str, ""),
        usb_ids=take(properties, "UsbIds", str, ""),
        seat=take(properties, "Seat", str, ""),
        pin_pad=take(properties, "PinPad", bool, False),
        contactless=take(properties, "Contactless", bool, False),
        card=path_or_none(properties, "Card"),
    )


def card_from(link: Link, properties: Properties) -> Card:
    """Decode a card's properties."""
    tries_left = take(properties, "PinTriesLeft", int, -1)
    return Card(
        path=link.path,
        reader=take(properties, "Reader", str, ""),
        driver=take(properties, "Driver", str, ""),
        state=take(properties, "State", str, CardState.PRESENT),
        problem=take(properties, "Problem", str, ""),
        kind=take(properties, "Kind", str, ""),
        pin_tries_left=None if tries_left < 0 else tries_left,
        trust=trust_from(maybe(properties, "Trust", dict) or {}),
        session=path_or_none(properties, "Session"),
        capabilities=capabilities_from(maybe(properties, "Capabilities", dict) or {}),
        _link=link,
    )


def session_from(link: Link, properties: Properties) -> Session:
    """Decode a session's properties, and begin to follow its end."""
    link.core.ends.future(link.owner, link.path)
    return Session(
        path=link.path,
        card=take(properties, "Card", str, ""),
        level=take(properties, "Level", str, ""),
        since=moment(properties, "Since", per_second=1_000_000),
        expires=moment(properties, "Expires", per_second=1_000_000),
        uses=take(properties, "Uses", int, 0),
        _link=link,
    )


async def open_session(link: Link) -> Session:
    """Read a session.

    Raises:
        SessionEnded: it has ended in the meantime.
    """
    return session_from(link, await link.properties(SESSION, gone=lambda: session_gone(link)))


def session_gone(link: Link) -> SessionEnded:
    """Make the error for a session that is no longer there, with its reason where it was heard."""
    return SessionEnded(reason=link.core.ends.reason(link.owner, link.path) or "unknown")
