"""A card in a reader as the daemon knows it: whose it is, whether it is believed, and the session that it carries."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from cryptography import x509

from cardd.access.caller import Caller
from cardd.access.ownership import require_owner
from cardd.cards.present import CardState, PresentCard
from cardd.errors import (
    CarddError,
    CardNotReady,
    CardRemoved,
    ForeignCard,
    LastTry,
    NotTrusted,
    PinIncorrect,
    PukIncorrect,
    ReaderFault,
    UnknownCard,
)
from cardd.holder.errors import MalformedCertificate
from cardd.holder.professional import Professional, professional_from
from cardd.pki.blocklist import BlockList, Marks
from cardd.pki.certificates import load_certificate
from cardd.pki.errors import ChallengeMismatch, UnreadableCertificates
from cardd.pki.proof import verify_challenge
from cardd.pki.store import TrustStore
from cardd.pki.trust import CertificateUse, Trust, TrustReason, TrustState, refused
from cardd.sessions.believed import marks_of
from cardd.sessions.failures import as_client_error, client_errors
from cardd.sessions.states import Event, State, advance
from cardd.sessions.waiting import settled_before
from cardd_drivers.contract import Capabilities, Card, KeyName, ObjectNotFound, PinStatus

if TYPE_CHECKING:
    from cardd.sessions.session import Session

T = TypeVar("T")

WRONG_CODE_PAUSE = 1.0
"""Seconds after a wrong PIN or PUK in which no other goes to the card."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What every card in a reader is judged by.

    Args:
        trust: the trust store in force now; it changes when the trust directory is read again.
        clock: the time, UTC and aware.
        blocks: the block list in force now.
    """

    trust: Callable[[], TrustStore]
    clock: Callable[[], datetime]
    blocks: Callable[[], BlockList] = BlockList


class Presence:
    """One insertion of one card, above the card itself: holder, trust, session.

    Args:
        card: what the readers brought.
        environment: by what it is judged.
    """

    def __init__(self, card: PresentCard, environment: Environment) -> None:
        self.card = card
        self.number = card.insertion.number
        self.state = State.PRESENT
        self.professional: Professional | None = None
        self.trust: Trust | None = None
        self.session: Session | None = None
        self.proving = asyncio.Lock()
        """Held while a PIN goes to the card, and while the card is given back."""
        self._environment = environment
        self._certificate: x509.Certificate | None = None
        self._proven = True
        """False where the card answered a challenge wrongly that it needs no PIN for."""
        self._departed = asyncio.get_running_loop().create_future()
        self._next_code_at = 0.0

    @property
    def clock(self) -> Callable[[], datetime]:
        """The time, UTC and aware."""
        return self._environment.clock

    @property
    def certificate(self) -> x509.Certificate:
        """The authentication certificate, or that of the key which proves possession.

        Raises:
            CardNotReady: the card has not named itself yet.
        """
        if self._certificate is None:
            raise CardNotReady(state=self.state.value)
        return self._certificate

    @property
    def expires(self) -> datetime:
        """The last moment at which the card's chain is valid.

        Raises:
            NotTrusted: it is not trusted.
        """
        if self.trust is None or self.trust.expires is None:
            raise NotTrusted(reason="not judged yet" if self.trust is None else self.trust.reason.value)
        return self.trust.expires

    @property
    def tries_left(self) -> int | None:
        """Of the PIN, as the card told last; None when it did not, or since it was right (it counts anew then)."""
        status = self.card.pin_status
        return None if status is None else status.tries_left

    @property
    def holder_name(self) -> str:
        """The holder as a question to the user names them; empty where the card names nobody."""
        if self.professional is None:
            return ""
        names = (self.professional.given_name, self.professional.family_name)
        return " ".join(name for name in names if name) or self.professional.national_id

    @property
    def problem(self) -> CarddError | None:
        """Why the card cannot be used as it is, as a client may be told."""
        if self.card.state is CardState.UNKNOWN:
            return UnknownCard()
        if self.card.foreign is not None:
            return ForeignCard(kind=self.card.foreign.value)
        return None if self.card.problem is None else self._as_client_error(self.card.problem)

    def happen(self, event: Event) -> None:
        """Change state by the table."""
        self.state = advance(self.state, event)

    def learn(self) -> None:
        """Take over what the card has said of itself since: its holder, its trust, its PIN's tries."""
        if self.card.state is not CardState.IDENTIFIED or self.state in (State.DEPARTED, State.AUTHENTICATED):
            return
        self._certificate, self.professional = _read(self.card.certificates.get(KeyName.AUTHENTICATION))
        if self.card.possession is not None:
            self._certificate, self._proven = _possessed(self.card)
        if self.state is not State.AUTHENTICATING:
            self.happen(Event.NAMED)
            self.judge()
            if self.state is State.UNTRUSTED or not _is_usable(self.card.capabilities):
                # One bad answer while it was read must not make a good card useless for ever.
                self.card.doubt()

    def judge(self) -> None:
        """Decide on the card now: its certificate's chain, revocation, the block list. What a session that is open does
        about it is the registry's to say."""
        if self.state in (State.PRESENT, State.DEPARTED):
            return
        self.trust = self._verdict()
        if self.state in (State.IDENTIFIED, State.TRUSTED, State.UNTRUSTED):
            self.happen(Event.CHAIN_ACCEPTED if self.trust.state is TrustState.TRUSTED else Event.CHAIN_REFUSED)

    def _verdict(self) -> Trust:
        store, now = self._environment.trust(), self._environment.clock()
        if self._certificate is None:
            found = _malformed(now)
        else:
            found = store.verify(self._certificate, CertificateUse.AUTHENTICATION, now)
        if not self._proven:
            found = refused(found, TrustReason.UNPROVEN)
        return refused(found, TrustReason.BLOCKED) if self._environment.blocks().blocks(self._marks()) else found

    def _marks(self) -> Marks:
        identity, professional = self.card.identity, self.professional
        serials = frozenset() if identity is None else frozenset({identity.serial})
        if professional is None:
            return Marks(self._certificate, serials, "")
        return marks_of(professional, self._certificate, serials)

    def require_ready(self) -> None:
        """Let pass a card that has named itself and is there.

        Raises:
            CarddError: unknown card, in use, failed, gone, or not ready yet.
        """
        self.require_present()
        if (problem := self.problem) is not None:
            raise problem
        if self.card.state is not CardState.IDENTIFIED:
            raise CardNotReady(state=self.card.state.value)

    def require_trusted(self) -> None:
        """Let pass a card whose certificate is believed at this moment.

        Raises:
            NotTrusted: with the reason.
        """
        self.judge()
        if self.trust is None or self.trust.state is not TrustState.TRUSTED:
            raise NotTrusted(reason="not judged yet" if self.trust is None else self.trust.reason.value)

    def require_present(self) -> None:
        """Let pass a card that is in its reader, as the watch thread saw it last.

        Raises:
            CardRemoved.
        """
        if (error := self.guard()) is not None:
            raise error

    def require_session_owner(self, caller: Caller) -> None:
        """Let pass whoever may change something of the card: anybody, unless another user's session is open.

        Raises:
            NotAuthorized.
        """
        if self.session is not None:
            require_owner(caller, self.session.owner_uid)

    def guard(self) -> CarddError | None:
        """What to send instead of a result, should it be sent now."""
        return None if self.card.insertion.mark.reason is None else CardRemoved()

    async def capabilities(self) -> Capabilities:
        """What the card can do.

        Raises:
            CarddError: as `require_ready`.
        """
        self.require_ready()
        if self.card.capabilities is None:
            raise CardNotReady(state=self.card.state.value)
        return self.card.capabilities

    async def read_certificates(self, caller: Caller) -> dict[str, bytes]:
        """DER certificates by key name; reads from the card what is not known yet."""
        self.require_ready()
        found: dict[str, bytes] = {}
        with client_errors():
            for key in KeyName:
                try:
                    found[key.value] = await self._run(caller, _certificate_reader(key))
                except ObjectNotFound:
                    continue
        return found

    async def read_object(self, caller: Caller, label: str) -> bytes:
        """A data object by its label; while a session is open, for its owner alone (it may be behind the PIN)."""
        self.require_ready()
        self.require_session_owner(caller)
        with client_errors(label=label):
            return await self._run(caller, lambda card: card.read_object(label))

    async def while_here(self, work: Awaitable[T]) -> T:
        """Wait for something outside the card (a user, a descriptor), for as long as the card stays.

        Raises:
            CardRemoved: it left first; the work is cancelled.
        """
        task = await settled_before(work, self._departed)
        if not task.done():
            raise CardRemoved
        return task.result()

    async def pause_after_wrong(self) -> None:
        """Wait until another code may go to the card: a user does not notice, a program that guesses is slowed down.

        Raises:
            CardRemoved: the card left meanwhile.
        """
        remaining = self._next_code_at - asyncio.get_running_loop().time()
        if remaining > 0:
            await self.while_here(asyncio.sleep(remaining))

    def note_failure(self, error: BaseException) -> None:
        """Take notice of how a code was refused."""
        if isinstance(error, LastTry):  # others spent the tries before it
            self.card.note_pin_status(PinStatus(tries_left=1))
        if isinstance(error, PinIncorrect | PukIncorrect):
            self._next_code_at = asyncio.get_running_loop().time() + WRONG_CODE_PAUSE

    def depart(self) -> None:
        """The card, its reader or the daemon goes; what waits for its user is given up."""
        self.happen(Event.GONE)
        if not self._departed.done():
            self._departed.set_result(None)

    async def _run(self, caller: Caller, operation: Callable[[Card], T]) -> T:
        result = await self.card.run(operation, caller=caller.name, user=caller.uid)
        self.require_present()
        return result

    def _as_client_error(self, problem: Exception) -> CarddError:
        try:
            return as_client_error(problem)
        except Exception:  # a driver's defect; the log has it, the client gets a sentence
            return ReaderFault(detail=type(problem).__name__)


def _malformed(now: datetime) -> Trust:
    """The verdict on what is no certificate."""
    return Trust(
        state=TrustState.UNTRUSTED,
        reason=TrustReason.MALFORMED,
        use=CertificateUse.AUTHENTICATION,
        chain=(),
        simulator=False,
        checked_at=now,
    )


def _certificate_reader(key: KeyName) -> Callable[[Card], bytes]:
    return lambda card: card.read_certificate(key)


def _is_usable(capabilities: Capabilities | None) -> bool:
    """It has a PIN, or needs none for what it does."""
    return capabilities is not None and (capabilities.pin is not None or capabilities.possession is not None)


def _possessed(card: PresentCard) -> tuple[x509.Certificate | None, bool]:
    """The certificate of a card that proves its possession alone, and whether it has. It names the card, and nobody."""
    certificate, _ = _read(card.certificates.get(KeyName.TECHNICAL))
    if certificate is None or card.possession is None:
        return certificate, False
    try:
        verify_challenge(certificate, card.possession.challenge, card.possession.answer)
    except ChallengeMismatch:
        return certificate, False
    return certificate, True


def _read(der: bytes | None) -> tuple[x509.Certificate | None, Professional | None]:
    if der is None:
        return None, None
    try:
        certificate = load_certificate(der)
    except UnreadableCertificates:
        return None, None
    try:
        return certificate, professional_from(certificate)
    except MalformedCertificate:
        return certificate, None
