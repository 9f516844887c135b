"""The recorded programs' jobs, done by our drivers: the same commands where they act on the card, to the byte.

Each recorded step that asks the card to do something is done anew by the driver. It finds its way on a simulated card
(which files it reads, and in which order, is its own affair and counted elsewhere); every command that verifies,
changes, sets an environment or computes must be the recorded one, in the recorded order, and gets the recorded answer.
What the driver makes of the answers must be what the recorded program was told. What the standard leaves free, and what
is done otherwise on purpose, is listed with its reason.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cardd_drivers.apdu import Command, Response
from cardd_drivers.contract import (
    Card,
    DecipherAlgorithm,
    ErrorReference,
    KeyName,
    PinBlocked,
    PinIncorrect,
    SignatureAlgorithm,
)
from cardd_drivers.ias_ecc import driver
from cardsim.card import SimulatedCard
from tests.support.core import card_of
from tests.support.direct import DirectChannel
from tests.support.pkcs11 import SHA256_PREFIX
from tests.support.replay import TRANSCRIPTS, DictMemory, encode

PROFILES = {"cps3-real": "physician", "cps3-easy": "physician-easy", "cps4": "physician-cps4"}
"""The simulated card in the layout of each recorded one."""
PLAINTEXT = b"secret de test"
RS256, PS256 = SignatureAlgorithm.RS256, SignatureAlgorithm.PS256

# INS of the commands that act (ISO 7816-4 and -8): VERIFY, MSE, CHANGE REFERENCE DATA, PSO, RESET RETRY COUNTER,
# INTERNAL AUTHENTICATE.
_ACTING = frozenset({0x20, 0x22, 0x24, 0x2A, 0x2C, 0x88})
_VERIFY, _MSE, _CHANGE, _GET_RESPONSE, _DECIPHER = 0x20, 0x22, 0x24, 0xC0, b"\x2a\x80\x86"
_HEADER = 4


@dataclass(frozen=True, slots=True)
class Act:
    """One recorded command that acts, and its whole answer.

    Args:
        command: in its normal form (see `normal`).
        answer: data, fetched piece by piece or not, and the last status word.
    """

    command: bytes
    answer: bytes


def normal(command: bytes) -> bytes:
    """What the standard leaves free, one way: no Le behind data; the data objects of a template in the order of their
    tags (ISO 7816-4, 10.3.2: a control reference template has no order)."""
    header, body = command[:_HEADER], command[_HEADER:]
    if len(body) <= 1:  # no data: VERIFY that asks for the tries left, COMPUTE SIGNATURE of a hash on the card
        return header
    data = body[1 : 1 + body[0]]
    if header[1] == _MSE:
        data = b"".join(sorted(objects(data)))
    return header + bytes((len(data),)) + data


def objects(template: bytes) -> Iterator[bytes]:
    """The data objects of a control reference template, each with one byte of tag and of length."""
    while template:
        end = 2 + template[1]
        yield template[:end]
        template = template[end:]


def recorded_acts(path: Path) -> dict[str, list[Act]]:
    """The acts of each step of a transcript. An empty VERIFY is no act: it asks for the tries left."""
    steps: dict[str, list[Act]] = {}
    acting = False
    for line in path.read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        if "c" not in item:
            continue
        command, answer = bytes.fromhex(item["c"]), bytes.fromhex(item["r"])
        acts = steps.setdefault(item["event"], [])
        if command[1] == _GET_RESPONSE and acting:
            acts[-1] = Act(acts[-1].command, acts[-1].answer[:-2] + answer)
            continue
        acting = command[1] in _ACTING and not (command[1] == _VERIFY and len(command) <= _HEADER + 1)
        if acting:
            acts.append(Act(normal(command), answer))
    return steps


class RecordedActs(DirectChannel):
    """A simulated card to find the way on; what acts is answered by a recorded step, and must be what was recorded.

    Args:
        card: the simulated card.
        acts: of the step.
    """

    def __init__(self, card: SimulatedCard, acts: list[Act]) -> None:
        super().__init__(card)
        self.left = list(acts)
        self.recording = False

    def transmit(self, command: Command) -> Response:
        """Answer from the recording or from the simulated card."""
        if not self.recording or command.ins not in _ACTING or (command.ins == _VERIFY and not command.data):
            return super().transmit(command)
        asked = normal(encode(command))
        assert self.left, f"nothing more was recorded, and the driver sends {asked.hex()}"
        act = self.left.pop(0)
        assert asked.hex() == act.command.hex()
        return Response.parse(act.answer)


# The jobs

Judge = Callable[[Card, list[Act]], None]


def data_of(act: Act) -> bytes:
    """The data of a recorded command."""
    return act.command[_HEADER + 1 :]


def characters(block: bytes) -> bytearray:
    """A PIN without its padding."""
    return bytearray(block.rstrip(b"\xff"))


def verified(card: Card, acts: list[Act]) -> None:
    """The PIN is taken."""
    card.verify_pin(characters(data_of(acts[0])))


def incorrect(tries_left: int) -> Judge:
    """The PIN is refused."""

    def judge(card: Card, acts: list[Act]) -> None:
        with pytest.raises(PinIncorrect) as refused:
            verified(card, acts)
        assert (refused.value.tries_left, refused.value.reference) == (tries_left, ErrorReference.PIN)

    return judge


def blocked(card: Card, acts: list[Act]) -> None:
    """The PIN is refused for good."""
    with pytest.raises(PinBlocked):
        verified(card, acts)


def verified_or_blocked(card: Card, acts: list[Act]) -> None:
    """As was recorded: one of the programs could not unblock the PIN before."""
    (blocked if acts[0].answer == b"\x69\x83" else verified)(card, acts)


def changed(card: Card, acts: list[Act]) -> None:
    """A new PIN: both in one command, or the old one verified before."""
    both = data_of(acts[-1])
    if len(acts) == 1:
        half = len(both) // 2
        card.change_pin(characters(both[:half]), characters(both[half:]))
    else:
        card.change_pin(characters(data_of(acts[0])), characters(both))


def not_changed(card: Card, acts: list[Act]) -> None:
    """The old PIN was wrong."""
    old = new = data_of(acts[0])
    if acts[0].command[1] == _CHANGE:
        half = len(old) // 2
        old, new = old[:half], old[half:]
    with pytest.raises(PinIncorrect) as refused:
        card.change_pin(characters(old), characters(new))
    assert refused.value.tries_left == 2


def unblocked(card: Card, acts: list[Act]) -> None:
    """A new PIN by the PUK."""
    card.unblock_pin(characters(data_of(acts[0])), characters(data_of(acts[-1])))


def signs(key: KeyName, algorithm: SignatureAlgorithm = RS256) -> Judge:
    """A signature over the digest that was recorded."""

    def judge(card: Card, acts: list[Act]) -> None:
        asked = b"".join(map(data_of, acts[1:]))
        at = asked.find(SHA256_PREFIX)
        digest = asked[at + len(SHA256_PREFIX) :] if at >= 0 else asked
        assert card.sign(key, algorithm, digest) == acts[-1].answer[:-2]

    return judge


def deciphers(card: Card, acts: list[Act]) -> None:
    """The recorded plaintext, of the recorded cryptogram."""
    block = b"".join(data_of(act) for act in acts if act.command[1:4] == _DECIPHER)
    cryptogram = block[-256:]  # behind a padding indicator, on a CPS3
    assert bytes(card.decipher(KeyName.ENCRYPTION, DecipherAlgorithm.RSA1_5, cryptogram)) == PLAINTEXT


JOBS: dict[str, Judge] = {
    "login/login": verified,
    "login/login-again": verified,
    "wrongpin/wrong-pin-1": incorrect(2),
    "wrongpin/right-pin": verified,
    "changepin/login": verified,
    "changepin/change-pin": changed,
    "changepin/change-pin-back": changed,
    "changepin/change-pin-wrong-old": not_changed,
    "pkcs15-tool/change-pin": changed,
    "pkcs15-tool/unblock-pin": unblocked,
    "unblock/wrong-pin-1": incorrect(2),
    "unblock/wrong-pin-2": incorrect(1),
    "unblock/wrong-pin-3": blocked,
    "unblock/right-pin-when-blocked": blocked,
    "unblock/so-login-puk": unblocked,
    "unblock/login-new-pin": verified_or_blocked,
    "sign/login": verified,
    "sign/sign-aut-RSA-PKCS-digestinfo-first": signs(KeyName.AUTHENTICATION),
    "sign/sign-aut-RSA-PKCS-digestinfo-second": signs(KeyName.AUTHENTICATION),
    "sign/sign-sig-RSA-PKCS-prehash-digestinfo": signs(KeyName.SIGNATURE),
    "sign/sign-sig-RSA-PKCS-prehash-bare": signs(KeyName.SIGNATURE),
    "sign/sign-sig-SHA256-PSS-prehash": signs(KeyName.SIGNATURE, PS256),
    "sign/decrypt-aut-first": deciphers,
    "sign/decrypt-aut-second": deciphers,
    "onesign/login": verified,
    "onesign/sign": signs(KeyName.AUTHENTICATION),
    "removal/login": verified,
    "removal/login-after-reinsert": verified,
    "removal/sign-before": signs(KeyName.AUTHENTICATION),
    "removal/sign-after-reinsert": signs(KeyName.AUTHENTICATION),
}
"""What the driver does for a recorded step."""

_HASH_ON_CARD = "hashes on the card, as PKCS#11 has it where the module is given the message; cardd is given the digest"
NOT_DONE: dict[str, str] = {
    "contactless/sign-technical-key-no-login": "without contact: test_contactless_driver.py has that driver's commands",
    "sign/sign-aut-RSA-PKCS-102bytes": "signs bytes that are no digest, which the contract of drivers does not offer",
    "sign/sign-aut-RSA-PKCS-103bytes": "the same, and more of them than the card takes",
    "sign/sign-aut-SHA256-RSA-PKCS": _HASH_ON_CARD + "; the recorded program gives up with this key",
    "sign/sign-aut-SHA256-PSS-prehash": "for this key the driver encodes PSS itself, with a fresh salt",
    "sign/sign-sig-SHA1-RSA-PKCS": "SHA-1 is no algorithm of cardd",
    "sign/sign-sig-SHA256-RSA-PKCS-short": _HASH_ON_CARD,
    "sign/sign-sig-SHA256-RSA-PKCS-312bytes": _HASH_ON_CARD,
    "unblock/init-pin": "the second half of unblock/so-login-puk, done there",
}
"""Steps that act on the card and are not done, each with its reason. Those that only select and read are not here."""


def as_ours(recording: Path, step: str, steps: dict[str, list[Act]]) -> list[Act] | None:
    """The acts of a step as ours has them; None where the recording has no answer to what ours sends."""
    acts = steps[step]
    opensc = recording.name.startswith("opensc")
    if step.startswith("sign/decrypt"):
        # The recorder asked for the length first, and both programs have the card compute for that too.
        half = len(acts) // 2
        assert [act.command for act in acts[:half]] == [act.command for act in acts[half:]]
        return acts[:half]
    if step == "unblock/so-login-puk":
        # OpenSC's PKCS#11 module cannot go on from there.
        return None if opensc else acts + steps["unblock/init-pin"]
    if opensc and "change-pin" in step:
        # It verifies the old PIN before the command that carries it, and that the card verifies it by.
        return None if step.endswith("wrong-old") else acts[1:]
    return acts


@functools.cache
def simulated(layout: str) -> SimulatedCard:
    """The card to find the way on: nothing is done to it, so that one serves all."""
    return card_of(PROFILES[layout])


def jobs() -> Iterator[tuple[Path, str]]:
    """Every recorded step that acts and is done."""
    for recording in sorted(TRANSCRIPTS.rglob("*.jsonl")):
        steps = recorded_acts(recording)
        for step in steps:
            if step in JOBS and steps[step] and as_ours(recording, step, steps) is not None:
                yield recording, step


@pytest.mark.parametrize(("recording", "step"), [pytest.param(*job, id=f"{job[0].stem}-{job[1]}") for job in jobs()])
def test_what_acts_on_the_card_is_what_was_recorded(recording: Path, step: str) -> None:
    acts = as_ours(recording, step, recorded_acts(recording))
    assert acts
    channel = RecordedActs(simulated(recording.parent.name), acts)
    card = driver.open(channel, DictMemory())
    card.identify()
    channel.recording = True
    JOBS[step](card, acts)
    assert channel.left == [], "all of what was recorded"


def test_every_recorded_step_that_acts_is_done_or_said_not_to_be() -> None:
    acting = {
        step for recording in TRANSCRIPTS.rglob("*.jsonl") for step, acts in recorded_acts(recording).items() if acts
    }
    assert acting == set(JOBS) | set(NOT_DONE)
    assert not set(JOBS) & set(NOT_DONE)
    assert len(list(jobs())) > 100
