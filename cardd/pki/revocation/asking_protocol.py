"""What cardd and cardd-fetch say to each other about OCSP: one question, one answer, each one packet (SOCK_SEQPACKET).

The question is the responder's address, a line feed, and the OCSP request in DER; the answer is "ok ", and the OCSP
answer in DER, or "no " and a sentence for the log.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cardd.pki.revocation.ocsp import MAX_ANSWER_BYTES

SOCKET: Final = Path("/run/cardd-fetch/ocsp")
QUESTION_MAX: Final = 4096
ANSWER_MAX: Final = MAX_ANSWER_BYTES + 3
_SENTENCE_MAX: Final = 200


class NoAnswer(Exception):
    """The other side says that there is none, and why."""


def question_packet(address: str, request: bytes) -> bytes:
    """As it is sent.

    Args:
        address: of the responder, ASCII.
        request: DER.
    """
    return address.encode("ascii") + b"\n" + request


def parse_question(packet: bytes) -> tuple[str, bytes]:
    """Address and request.

    Raises:
        ValueError: it is no question.
    """
    address, separator, request = packet.partition(b"\n")
    if not separator or not request or len(packet) > QUESTION_MAX:
        raise ValueError("no question")
    return address.decode("ascii"), request


def answer_packet(answer: bytes) -> bytes:
    """As an answer is sent."""
    return b"ok " + answer


def refusal_packet(sentence: str) -> bytes:
    """As it is said that there is none."""
    return b"no " + sentence[:_SENTENCE_MAX].encode()


def parse_answer(packet: bytes) -> bytes:
    """The answer in DER; hostile bytes.

    Raises:
        NoAnswer: there is none.
        ValueError: it is no packet of these.
    """
    if packet.startswith(b"ok "):
        return packet[3:]
    if packet.startswith(b"no "):
        raise NoAnswer(packet[3 : 3 + 4 * _SENTENCE_MAX].decode("utf-8", "replace"))
    raise ValueError("no answer")
