"""cardd-fetch --answer: asks OCSP responders for cardd; its socket starts it, and it ends when nobody asks any more."""

from __future__ import annotations

import logging
import os
import pwd
import socket
import struct
from typing import Final

from cardd.fetch.download import DownloadFailed, Limits, Question, Validators, download
from cardd.pki.revocation.asking_protocol import QUESTION_MAX, answer_packet, parse_question, refusal_packet
from cardd.pki.revocation.ocsp import MAX_ANSWER_BYTES

log = logging.getLogger(__name__)

IDLE_SECONDS: Final = 60.0
PACKET_SECONDS: Final = 2.0
LIMITS: Final = Limits(size=MAX_ANSWER_BYTES, seconds=15.0, silence=10.0)
_LISTEN_FDS_START: Final = 3  # sd_listen_fds(3)
_UCRED: Final = struct.Struct("=iII")  # unix(7), SO_PEERCRED: pid, uid, gid
_REQUEST: Final = "application/ocsp-request"  # RFC 6960, A.1


class Answering:
    """Asks for whoever may, whom it may.

    Args:
        responders: addresses that are asked; others are refused.
        allowed_uid: who may ask.
        limits: what a question may cost.
    """

    def __init__(self, responders: tuple[str, ...], allowed_uid: int, limits: Limits = LIMITS) -> None:
        self._responders = responders
        self._allowed_uid = allowed_uid
        self._limits = limits

    def serve(self, listening: socket.socket, *, idle: float = IDLE_SECONDS) -> None:
        """Serve until nobody has asked for `idle` seconds.

        Args:
            listening: SOCK_SEQPACKET, listening.
            idle: seconds.
        """
        listening.settimeout(idle)
        while True:
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                return
            with connection:
                connection.settimeout(PACKET_SECONDS)
                try:
                    connection.send(self._answer(connection))
                except OSError as error:
                    log.warning("a question was not answered: %s", error)  # who asked has left

    def _answer(self, connection: socket.socket) -> bytes:
        _, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        # Read in any case: a socket that is closed with something unread in it resets the other end before its answer.
        packet = connection.recv(QUESTION_MAX + 1)
        if uid != self._allowed_uid:
            return refusal_packet("another user than cardd's asks")
        try:
            address, request = parse_question(packet)
        except ValueError:
            return refusal_packet("no question")
        if address not in self._responders:
            return refusal_packet("the responder is not one of [revocation] responders")
        try:
            found = download(address, Validators(), self._limits, Question(request, _REQUEST))
        except DownloadFailed as error:
            return refusal_packet(str(error))
        return answer_packet(found.content or b"")


def serve_socket(responders: tuple[str, ...], user: str = "cardd") -> int:
    """Serve the socket that systemd passes; gives the exit status."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        log.error("cardd-fetch --answer is started by systemd, with its socket")
        return os.EX_USAGE
    try:
        allowed = pwd.getpwnam(user).pw_uid
    except KeyError:
        log.error("there is no user %s", user)
        return os.EX_NOUSER
    with socket.socket(fileno=_LISTEN_FDS_START) as listening:
        Answering(responders, allowed).serve(listening)
    return os.EX_OK
