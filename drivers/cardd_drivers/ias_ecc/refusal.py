"""The error for a status word that means nothing more special."""

from __future__ import annotations

from cardd_drivers.apdu import SW, Command, Response
from cardd_drivers.contract import SecurityStatusNotSatisfied, UnexpectedResponse


def refusal(response: Response, command: Command) -> UnexpectedResponse | SecurityStatusNotSatisfied:
    """The error to raise for a response that is no success."""
    if response.sw == SW.SECURITY_STATUS_NOT_SATISFIED:
        return SecurityStatusNotSatisfied(f"{command.header.hex()} wants the PIN")
    return UnexpectedResponse(response.sw, command)


def require_success(response: Response, command: Command) -> None:
    """Refuse every status word but 9000.

    Raises:
        SecurityStatusNotSatisfied, UnexpectedResponse.
    """
    if response.sw != SW.SUCCESS:
        raise refusal(response, command)
