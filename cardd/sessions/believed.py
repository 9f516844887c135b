"""What a verdict on a holder's certificate means for the session that rests on it."""

from __future__ import annotations

from cryptography import x509

from cardd.holder.professional import Professional
from cardd.pki.blocklist import Marks
from cardd.pki.trust import Trust, TrustReason, TrustState
from cardd.sessions.states import EndReason

# The data about revocation grew old, or the clock is wrong: no new session, but nothing was learnt about this card.
_GOES_ON = frozenset({TrustReason.REVOCATION_UNKNOWN, TrustReason.NOT_YET_VALID})


def end_of(trust: Trust) -> EndReason | None:
    """Why a session must end that rests on a certificate of this verdict; None where it may go on.

    An administrator who takes a root away, or blocks a card, has withdrawn the trust: as if its issuer had.
    """
    if trust.state is TrustState.TRUSTED or trust.reason in _GOES_ON:
        return None
    return EndReason.EXPIRED if trust.reason is TrustReason.EXPIRED else EndReason.REVOKED


def marks_of(
    professional: Professional, certificate: x509.Certificate | None, serials: frozenset[str] = frozenset()
) -> Marks:
    """By what the block list knows a card or its token.

    Args:
        professional: the holder.
        certificate: whose he is by.
        serials: what the card says of itself; a token has none.
    """
    numbers = {number for number in (professional.card_number,) if number is not None}
    return Marks(certificate, serials | numbers, professional.national_id)
