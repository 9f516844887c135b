"""The same jobs on the same card in the layout of real ones, through the real pcscd: by cardd, OpenSC, Cryptolib.

Each time the card is put in anew, and each peer is a fresh program. Cryptolib is the agency's own library; where
``CARDD_CRYPTOLIB`` does not say where it is, its figures are left out, and standard error says so.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from benchmarks.figure import Figure
from benchmarks.meter import Cost, Meter
from cardd.cards.connection import HoldMode
from cardsim.card import SimulatedCard
from cardsim.transports.vpcd import VpcdAddress, VpcdReader
from tests.support.core import HOLDER, PIN, card_of, running_core_on_pcscd
from tests.support.cryptolib import CryptolibUnavailable, Installation, find_cryptolib
from tests.support.pcscd import PrivatePcscd
from tests.support.pkcs11 import AUTHENTICATION, OPENSC, SHA256_PREFIX, SIGNATURE, Module, Program

MESSAGE = b"document"
DIGEST = hashlib.sha256(MESSAGE).digest()
CERTIFICATE = "Certificat d'Authentification CPS"
TEN = 10

NEVER_SEEN, KNOWN = "never-seen", "known"
HOLDER_KNOWN, PIN_VERIFIED, SHORTEST_RUN = "holder", "pin-verified", "shortest-run"
ONE_SIGNATURE, TEN_SIGNATURES, ONE_DECRYPTION = "sign/one", "sign/ten", "decrypt/one"
OURS = "ours"
COMMANDS_GOALS = {
    f"{NEVER_SEEN}/{PIN_VERIFIED}": 25,
    f"{KNOWN}/{PIN_VERIFIED}": 7,
    f"{KNOWN}/{SHORTEST_RUN}": 10,
    ONE_SIGNATURE: 3,
    ONE_DECRYPTION: 4,
}
READY_GOAL, AUTHENTICATED_GOAL = 0.15, 1.2
"""Seconds, of a known card: from insertion until its PIN can be asked for, and from the PIN to an open session."""

_OPENSC_CACHE = "app default { framework pkcs15 { use_file_caching = public; } }\n"

Costs = dict[str, Cost]
"""What one contestant was measured to cost, by job."""


class Bench:
    """A reader of a private pcscd, and a card that is put in and measured again and again.

    Args:
        pcscd: runs.
        profile: whose card.
    """

    def __init__(self, pcscd: PrivatePcscd, profile: str) -> None:
        self.pcscd = pcscd
        self.reader = VpcdReader(VpcdAddress(port=pcscd.ports[0]))
        self.profile = profile

    def card(self) -> SimulatedCard:
        """The card, fresh."""
        return card_of(self.profile)

    def meter(self) -> Meter:
        """Measures the card that comes."""
        return Meter(self.reader.exchanges, self.card().protocol)

    @contextmanager
    def inserted(self) -> Iterator[Meter]:
        """A card in the reader, measured from its insertion on."""
        with self.meter() as meter:
            self.reader.insert(self.card())
            try:
                self.pcscd.await_card()
                yield meter
            finally:
                self.reader.remove()
                self.pcscd.await_empty()


async def ours(bench: Bench, hold: HoldMode) -> Costs:
    """cardd: on a card never seen, and on the same again."""
    costs: Costs = {}
    async with running_core_on_pcscd(bench.reader, hold=hold) as core:
        for state in (NEVER_SEEN, KNOWN):
            with bench.meter() as meter:
                presence = await core.insert(bench.card())
                costs[f"{state}/{HOLDER_KNOWN}"] = meter.total
                session = await core.authenticate(presence)
                costs[f"{state}/{PIN_VERIFIED}"] = meter.total
                await session.sign(HOLDER, "signature", "RS256", DIGEST)
                costs[f"{state}/{SHORTEST_RUN}"] = before = meter.total
                for count in range(1, TEN + 1):
                    await session.sign(HOLDER, "signature", "RS256", DIGEST)
                    costs[ONE_SIGNATURE if count == 1 else TEN_SIGNATURES] = meter.total - before
                secret = _cryptogram((await presence.read_certificates(HOLDER))["encryption"])
                before = meter.total
                with await session.decrypt(HOLDER, "encryption", "RSA1_5", secret):
                    costs[ONE_DECRYPTION] = meter.total - before
            core.reader.remove()
            await core.gone()
            await asyncio.to_thread(bench.pcscd.await_empty)
    return costs


@dataclass(frozen=True, slots=True)
class Peer:
    """Another program's PKCS#11 module.

    Args:
        name: in the figures.
        module: the module.
        signs: key, mechanism and data of a signature.
    """

    name: str
    module: Module
    signs: tuple[str, str, bytes]


def theirs(bench: Bench, peer: Peer) -> Costs:
    """A peer: on a card never seen, and on the same again; what it keeps of the card it has kept then."""
    costs: Costs = {}
    for state in (NEVER_SEEN, KNOWN):
        with bench.inserted() as meter, Program(peer.module) as program:
            program.connect()
            program.labels()
            secret = _cryptogram(program.certificate(CERTIFICATE))
            costs[f"{state}/{HOLDER_KNOWN}"] = meter.total
            program.login(PIN.decode())
            costs[f"{state}/{PIN_VERIFIED}"] = meter.total
            program.sign(*peer.signs)
            before = meter.total
            for count in range(1, TEN + 1):
                program.sign(*peer.signs)
                costs[ONE_SIGNATURE if count == 1 else TEN_SIGNATURES] = meter.total - before
            before = meter.total
            program.decrypt(AUTHENTICATION, secret)
            costs[ONE_DECRYPTION] = meter.total - before
            program.close()
    with bench.inserted() as meter, Program(peer.module) as program:
        program.connect()
        program.login(PIN.decode())
        program.sign(*peer.signs)
        program.close()
        costs[f"{KNOWN}/{SHORTEST_RUN}"] = meter.total
    return costs


def openscs(pcscd: PrivatePcscd, folder: Path) -> Iterator[Peer]:
    """OpenSC as installed, and the same with its file cache.

    Args:
        pcscd: where it finds the card.
        folder: for its configuration and cache.
    """
    if OPENSC is None:
        _left_out("opensc", "the Debian package opensc-pkcs11 is not installed")
        return
    # It cannot use the signature key; the card does the same with either.
    signs = (AUTHENTICATION, "RSA-PKCS", SHA256_PREFIX + DIGEST)
    yield Peer("opensc", Module(OPENSC, pcscd.environment), signs)
    configuration = folder / "opensc.conf"
    configuration.write_text(_OPENSC_CACHE)
    own = {"OPENSC_CONF": str(configuration), "XDG_CACHE_HOME": str(folder / "cache")}
    yield Peer("opensc-cache", Module(OPENSC, {**pcscd.environment, **own}), signs)


def cryptolibs(pcscd: PrivatePcscd, folder: Path) -> Iterator[Peer]:
    """Cryptolib, its cache empty.

    Args:
        pcscd: where it finds the card.
        folder: for its tables and cache.
    """
    try:
        installation = Installation(find_cryptolib(), folder / "cryptolib")
    except CryptolibUnavailable as reason:
        _left_out("cryptolib", str(reason))
        return
    module = Module(installation.module, pcscd.environment, installation.command)
    yield Peer("cryptolib", module, (SIGNATURE, "SHA256-RSA-PKCS", MESSAGE))


def measure() -> Iterator[Figure]:
    """Every figure of this file: on a CPS3, and on a CPS4, which OpenSC does not know."""
    with PrivatePcscd() as pcscd:
        yield from _side_by_side(Bench(pcscd, "physician"), "peers", (openscs, cryptolibs), COMMANDS_GOALS)
        yield from _side_by_side(Bench(pcscd, "physician-cps4"), "peers/cps4", (cryptolibs,), {})


def _side_by_side(
    bench: Bench,
    prefix: str,
    who: Sequence[Callable[[PrivatePcscd, Path], Iterator[Peer]]],
    goals: Mapping[str, int],
) -> Iterator[Figure]:
    held = asyncio.run(ours(bench, HoldMode.INSERTION))
    by_session = asyncio.run(ours(bench, HoldMode.SESSION))
    for job, cost in held.items():
        yield from _figures(f"{prefix}/{job}/{OURS}", cost, Cost(commands=goals.get(job, 0)), "goal")
    for name, costs in ((OURS, held), (f"{OURS}-session", by_session)):
        yield from _promised(prefix, name, costs)
    with tempfile.TemporaryDirectory() as folder:
        others = (peer for find in who for peer in find(bench.pcscd, Path(folder)))
        measured = ((peer.name, theirs(bench, peer)) for peer in others)
        for name, costs in ((f"{OURS}-session", by_session), *measured):
            for job, cost in costs.items():
                yield from _figures(f"{prefix}/{job}/{name}", cost, held[job], "ours")


def _figures(name: str, cost: Cost, reference: Cost, of: str) -> Iterator[Figure]:
    """Commands and seconds, each beside its reference where there is one."""
    note = f"{cost.sent} bytes sent, {cost.received} received"
    for suffix, value, unit, beside in (
        ("", cost.commands, "commands", reference.commands),
        ("/time", cost.seconds, "s", reference.seconds),
    ):
        yield Figure(f"{name}{suffix}", value, unit, of if beside else "no goal", beside, note)


def _promised(prefix: str, name: str, costs: Costs) -> Iterator[Figure]:
    """What a user waits for with a known card."""
    ready = costs[f"{KNOWN}/{HOLDER_KNOWN}"]
    authenticated = costs[f"{KNOWN}/{PIN_VERIFIED}"] - ready
    for job, cost, goal in (("ready", ready, READY_GOAL), ("authenticated", authenticated, AUTHENTICATED_GOAL)):
        yield Figure(
            f"{prefix}/{KNOWN}/{job}/{name}/time", cost.seconds, "s", "goal", goal, f"{cost.commands} commands"
        )


def _cryptogram(certificate: bytes) -> bytes:
    """A short secret for the key of a certificate."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise TypeError("the card's key is RSA")
    return key.encrypt(b"secret", padding.PKCS1v15())


def _left_out(name: str, reason: str) -> None:
    print(f"peers/…/{name} is left out: {reason}", file=sys.stderr)
