"""What a card signed, verified by its certificate: the common part of tokens and assertions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cardd.holder.errors import MalformedCertificate
from cardd.holder.professional import Professional, professional_from
from cardd.pki.trust import Trust
from cardd.tokens.chain import Chain, ChainJudge, read_x5c, require_trusted, rsa_key_of
from cardd.tokens.claims import mismatch
from cardd.tokens.compact import Unverified
from cardd.tokens.errors import (
    AudienceRefused,
    ChainRefused,
    HolderMismatch,
    TokenAltered,
    TokenExpired,
    TokenNotYetValid,
)
from cardd.tokens.jose import verifies

SKEW: Final = timedelta(seconds=30)
"""How far the clocks of two machines may differ."""


@dataclass(frozen=True, slots=True)
class CardSigned:
    """A text whose signature holds under the certificate that it carries; the chain is judged later, at its times.

    Args:
        unverified: the text taken apart.
        chain: the holder's certificate first.
        professional: read from it.
    """

    unverified: Unverified
    chain: Chain = field(repr=False)
    professional: Professional

    def require_believed(self, judge: ChainJudge, moments: Iterable[datetime]) -> Trust:
        """Check that the chain is trusted at each moment, and that the text says of its holder what the chain says.

        Raises:
            ChainRefused, HolderMismatch.
        """
        what = self.unverified.what
        trust = require_trusted(judge, self.chain, moments, what)
        if (claim := mismatch(self.unverified.claims, self.professional, self.chain[0])) is not None:
            raise HolderMismatch(what=what, claim=claim)
        return trust


def check_card_signature(unverified: Unverified) -> CardSigned:
    """Check the signature by the first certificate of `x5c`.

    Raises:
        TokenMalformed: no `x5c`.
        ChainRefused: a certificate that can be relied on for nothing.
        TokenAltered: the signature does not hold.
    """
    chain = read_x5c(unverified.key_value, unverified.what)
    if not verifies(unverified.text, rsa_key_of(chain[0], unverified.what)):
        raise TokenAltered(what=unverified.what)
    try:
        professional = professional_from(chain[0])
    except MalformedCertificate:
        raise ChainRefused(what=unverified.what, reason="malformed") from None
    return CardSigned(unverified, chain, professional)


def require_in_time(what: str, *, begins: datetime, ends: datetime, now: datetime, skew: timedelta) -> None:
    """Check that now lies between two moments, clocks differing by `skew` at most.

    Raises:
        TokenNotYetValid, TokenExpired.
    """
    if now < begins - skew:
        raise TokenNotYetValid(what=what)
    if now >= ends + skew:
        raise TokenExpired(what=what)


def require_audience_among(what: str, audience: tuple[str, ...], accepted: frozenset[str]) -> None:
    """Check that it was made for one of those accepted.

    Raises:
        AudienceRefused.
    """
    if accepted.isdisjoint(audience):
        raise AudienceRefused(what=what)
