"""What lies between a driver's command and the channel: small processors in a chain, each with one idea.

`Exchange` is the whole chain. Its order, from the driver down: command chaining, gathering of 61xx, repetition after
6Cxx, repetition after a chain that was broken off, the logical channel, T=0 case 4, and the check that a card gives no
more than it was asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cardd_drivers.apdu import CLA_CHAINING, SHORT_DATA_MAX, SHORT_LE_MAX, SW, Command, Response, Secrecy
from cardd_drivers.contract import CardReset, Channel, MalformedCardData, Transport, UnexpectedResponse

Transmit = Callable[[Command], Response]
"""Sends one command, gives its response."""

RESPONSE_MAX = 64 * 1024
"""Bytes that any response may gather to."""
_ROUNDS_LEAST = 8
"""GET RESPONSE commands that the shortest response may take; longer ones may take 2 for each 256 bytes."""

_SELECT, _BY_DF_NAME = 0xA4, 0x04
_BYTES_REMAIN = 0x61
_WRONG_LE = 0x6C


class Exchange:
    """The chain of processors over one channel.

    Args:
        channel: the way to the card.
        response_max: bytes that one response may gather to; what a driver never expects more than.
        logical_channel: 0 to 3; the card's logical channel that every command goes to.
    """

    def __init__(self, channel: Channel, response_max: int = RESPONSE_MAX, logical_channel: int = 0) -> None:
        sender = checked(channel.transmit)
        if channel.transport is Transport.T0:
            sender = without_case_4_le(sender)
        if logical_channel:
            sender = on_logical_channel(sender, logical_channel)
        self._send = gather_response(repeat_with_right_le(past_broken_chain(sender)), response_max)

    def send(self, command: Command) -> Response:
        """Send one command and gather its whole response; 61xx and 6Cxx never come back.

        Raises:
            The channel's errors.
            MalformedCardData: the card gave more than it was asked for, or no end.
            UnexpectedResponse: 6Cxx twice, or where no length was asked.
        """
        return self._send(command)

    def send_chained(self, command: Command, data: bytes) -> Response:
        """Send data of any length as a chain of commands (ISO 7816-4 5.3.3), all but the last with CLA bit 5 set.

        Args:
            command: header, Le and secrecy of the last command; its own data field is not used.
            data: the whole data field.

        Returns:
            The response to the last command, or the first refusal within the chain, which ends it.

        Raises:
            As `send`.
        """
        blocks = [data[start : start + SHORT_DATA_MAX] for start in range(0, len(data), SHORT_DATA_MAX)] or [b""]
        for block in blocks[:-1]:
            response = self._send(replace(command, cla=command.cla | CLA_CHAINING, data=block, le=None))
            if response.sw != SW.SUCCESS:
                return response
        return self._send(replace(command, data=blocks[-1]))


def checked(sender: Transmit) -> Transmit:
    """Refuse a response that holds more than Le asked for, or more than a short response can."""

    def send(command: Command) -> Response:
        response = sender(command)
        most = SHORT_LE_MAX if command.le is None else command.le
        if len(response.data) > most:
            raise MalformedCardData(f"{command.header.hex()} answered {len(response.data)} bytes of {most} asked")
        return response

    return send


def without_case_4_le(sender: Transmit) -> Transmit:
    """In T=0 a command that carries data and wants data is sent without Le (ISO 7816-3 12.2.1); 61xx follows."""

    def send(command: Command) -> Response:
        return sender(replace(command, le=None) if command.data and command.le is not None else command)

    return send


def on_logical_channel(sender: Transmit, number: int) -> Transmit:
    """Say in each class byte which logical channel is meant (ISO 7816-4 5.4.1).

    A channel closes with a reset alone. Where the card does not know it any more (6881), its application and its PIN
    are gone: only a SELECT by DF name, which may open it, learns of that as of a status word.

    Args:
        sender: what sends.
        number: 1 to 3.

    Raises (send):
        CardReset: the channel is not open.
    """

    def send(command: Command) -> Response:
        response = sender(replace(command, cla=command.cla | number))
        opens = command.ins == _SELECT and command.p1 == _BY_DF_NAME
        if response.sw == SW.LOGICAL_CHANNEL_NOT_SUPPORTED and not opens:
            raise CardReset("the card's logical channel is closed")
        return response

    return send


def past_broken_chain(sender: Transmit) -> Transmit:
    """After 6883, the last command of a chain expected, send the command once more: the refusal ends that chain.

    A chain is broken off where its caller gave up between two of its commands, or where one of its answers was lost;
    the command that follows is another caller's, who has no part in it. ISO 7816-4 5.3.3 leaves open what a card does
    then. A command that carries a secret is not repeated: none goes to the card oftener than its owner gave it.

    GUESS: a real card drops the chain with the refusal, as the simulator does. A DECIPHER cut short would settle it.
    """

    def send(command: Command) -> Response:
        response = sender(command)
        if response.sw != SW.LAST_COMMAND_OF_CHAIN_EXPECTED or command.secrecy is Secrecy.SECRET_DATA:
            return response
        return sender(command)

    return send


def repeat_with_right_le(sender: Transmit) -> Transmit:
    """After 6Cxx repeat the command once with Le = xx, where 00 stands for 256 (ISO 7816-3 12.2.1)."""

    def send(command: Command) -> Response:
        response = sender(command)
        if response.sw.sw1 != _WRONG_LE:
            return response
        if command.le is None:
            raise UnexpectedResponse(response.sw, command)
        again = sender(replace(command, le=response.sw.sw2 or SHORT_LE_MAX))
        if again.sw.sw1 == _WRONG_LE:
            raise UnexpectedResponse(again.sw, command)
        return again

    return send


def gather_response(sender: Transmit, response_max: int = RESPONSE_MAX) -> Transmit:
    """Fetch with GET RESPONSE what 61xx announces (ISO 7816-4 7.6.1), up to `response_max` bytes, in bounded rounds.

    A GET RESPONSE keeps the secrecy of the response that it fetches.
    """

    def send(command: Command) -> Response:
        response = sender(command)
        if response.sw.sw1 != _BYTES_REMAIN:
            return response
        secrecy = command.secrecy if command.secrecy is Secrecy.SECRET_RESPONSE else Secrecy.PUBLIC
        gathered = bytearray(response.data)
        for _ in range(max(_ROUNDS_LEAST, 2 * response_max // SHORT_LE_MAX)):
            announced = response.sw.sw2  # 00: 256 or more, and nobody knows how many
            le = announced or SHORT_LE_MAX
            response = sender(Command(command.cla & ~CLA_CHAINING, 0xC0, 0, 0, le=le, secrecy=secrecy))
            gathered += response.data
            if len(gathered) > response_max:
                break
            if response.sw.sw1 != _BYTES_REMAIN:
                if response.sw == SW.SUCCESS and len(response.data) < announced:
                    break
                return Response(bytes(gathered), response.sw)
            if not response.data:
                break
        raise MalformedCardData(f"{command.header.hex()} has a response without end, or an end before its time")

    return send
