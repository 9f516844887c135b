"""Between reader and commands: command chaining, GET RESPONSE, and what Le means in T=0 and T=1.

In T=0 a command that carries data cannot be answered with data: the card says 61xx and GET RESPONSE fetches them
(ISO 7816-3, 12.2.1; ISO 7816-4, 5.3.4). An Le behind the data never reaches such a card: it is left aside.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cardsim.apdu import CLA_CHAINING, SHORT_LE_MAX, CommandApdu, Response
from cardsim.card import CardProtocol
from cardsim.status_words import StatusError, StatusWord, bytes_available, correct_length

INS_GET_RESPONSE = 0xC0
CHAIN_LIMIT = 1024
"""Most data bytes of one chain. GUESS: the largest useful one is 257; a real card's buffer is not published."""


@dataclass(slots=True)
class Transmission:
    """The transmission state of a card between two commands; lost with the power.

    Args:
        protocol: T=0 or T=1.
        direct: in T=0, answer data with data at once, as readers' drivers that fetch them by themselves make it look.
    """

    protocol: CardProtocol
    direct: bool = False
    _chain: CommandApdu | None = field(default=None, repr=False)
    _pending: bytes = field(default=b"", repr=False)
    _refused: tuple[tuple[int, int, int, int], bytes] | None = field(default=None, repr=False)

    def reset(self) -> None:
        """Forget a chain that was begun and data that wait."""
        self._chain, self._pending, self._refused = None, b"", None

    # Commands

    def assemble(self, command: CommandApdu) -> CommandApdu | None:
        """Collect a chain (ISO 7816-4, 5.3.3).

        Returns:
            The command with all its data, or None while more of the chain is to come.

        Raises:
            StatusError: 6883, another command came within a chain (which is dropped); 6700, the chain is too long.
        """
        begun, self._chain = self._chain, None
        last = not command.cla & CLA_CHAINING
        header = (command.cla & ~CLA_CHAINING, command.ins, command.p1, command.p2)
        if begun is not None and begun.header != header:
            raise StatusError(StatusWord.LAST_COMMAND_OF_CHAIN_EXPECTED)
        data = (begun.data if begun else b"") + command.data
        if len(data) > CHAIN_LIMIT:
            raise StatusError(StatusWord.WRONG_LENGTH)
        whole = CommandApdu(*header, data, command.le)
        if last:
            return whole
        self._chain = whole
        return None

    # Answers

    def get_response(self, command: CommandApdu) -> Response | None:
        """GET RESPONSE (ISO 7816-4, 11.3.1): the next piece of what waits; None where nothing does.

        Raises:
            StatusError: 6Cxx, more is asked than waits; 6A86.
        """
        if command.p1 or command.p2:
            raise StatusError(StatusWord.INCORRECT_P1_P2)
        if not self._pending or command.le is None:
            return None
        if command.le > len(self._pending):
            raise StatusError(correct_length(len(self._pending)))
        piece, self._pending = self._pending[: command.le], self._pending[command.le :]
        sw = bytes_available(len(self._pending)) if self._pending else StatusWord.SUCCESS
        return Response(piece, sw, sized=True)

    def repeated(self, command: CommandApdu) -> Response | None:
        """The answer kept back by 6Cxx, when the same command comes again with the right Le (ISO 7816-3, 12.2.1).

        So a computation is not made twice, and a hash that it consumed is not missed.
        """
        refused, self._refused = self._refused, None
        if refused and not command.data and refused[0] == command.header and command.le == (len(refused[1]) or 256):
            return Response(refused[1], sized=True)
        return None

    def deliver(self, command: CommandApdu, response: Response) -> Response:
        """Bring a command's answer into the form that protocol and Le allow.

        Raises:
            StatusError: 61xx or 6Cxx; the data wait.
        """
        if response.sized or not response.data:
            return response
        if self.protocol is CardProtocol.T0:
            return self._deliver_t0(command, response)
        if command.le is None:
            return Response(sw=response.sw) if response.optional else self._wait(response.data)
        if len(response.data) <= command.le:
            return response
        piece, rest = response.data[: command.le], response.data[command.le :]
        self._pending = rest
        return Response(piece, bytes_available(len(rest)))

    def _deliver_t0(self, command: CommandApdu, response: Response) -> Response:
        if self.direct and command.data and len(response.data) <= SHORT_LE_MAX:
            return response
        if command.data or command.le is None or len(response.data) > 256:
            return self._wait(response.data)
        if command.le != len(response.data):
            self._refused = (command.header, response.data)
            raise StatusError(correct_length(len(response.data)))
        return response

    def _wait(self, data: bytes) -> Response:
        self._pending = data
        raise StatusError(bytes_available(len(data)))

    def drop_pending(self) -> None:
        """A command other than GET RESPONSE: what waited is lost."""
        self._pending = b""
