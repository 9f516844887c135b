"""The Python client of cardd: `CarddClient` for asyncio, `cardd.client.blocking` for scripts.

Every failure is a `cardd.errors.CarddError`: the daemon's own, or one of `cardd.client.errors`.
"""

from cardd.client.agent import Agent, NoticeRequest, PinPurpose, PinRequest
from cardd.client.client import CarddClient
from cardd.client.consent import Access, ConsentRequest, Document
from cardd.client.errors import ClientError
from cardd.client.journal import Journal, JournalProblem, JournalQuery, JournalReport
from cardd.client.objects import Card, Reader, Session
from cardd.client.tokens import Tokens
from cardd.client.values import (
    Activity,
    Capabilities,
    CardState,
    EndReason,
    Holder,
    Lengths,
    MintedToken,
    RegisteredToken,
    Service,
    Trust,
    TrustState,
)

__all__ = [
    "Access",
    "Activity",
    "Agent",
    "Capabilities",
    "Card",
    "CardState",
    "CarddClient",
    "ClientError",
    "ConsentRequest",
    "Document",
    "EndReason",
    "Holder",
    "Journal",
    "JournalProblem",
    "JournalQuery",
    "JournalReport",
    "Lengths",
    "MintedToken",
    "NoticeRequest",
    "PinPurpose",
    "PinRequest",
    "Reader",
    "RegisteredToken",
    "Service",
    "Session",
    "Tokens",
    "Trust",
    "TrustState",
]
