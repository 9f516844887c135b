"""What a token says: the registered claims, and the professional as the national identity provider names the fields.

The names of professional claims are those of Pro Santé Connect's user information. Its issuer and its `acr` words are
never used: a card's signature is another proof than that provider's word.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from cardd.holder import oids
from cardd.holder.activities import Activity
from cardd.holder.nomenclature import CardType
from cardd.holder.professional import Professional
from cardd.tokens.activity_claims import ACTIVITY_CLAIMS, ACTIVITY_ID, activity_in, add_activity
from cardd.tokens.compact import Claims
from cardd.tokens.errors import ConfirmationMissing, TokenMalformed
from cardd.tokens.strict import JsonObject, NotStrict, base64url, base64url_bytes

ACR_CARD: Final = "urn:cardd:acr:card-pin"
"""`acr` (OpenID Connect Core, 2): the card's PIN was verified and its key signed a fresh challenge."""
ACR_TOKEN: Final = "urn:cardd:acr:token-key"  # noqa: S105 - a name
"""`acr`: a token that a card signed, and a proof by the key that it is bound to."""

AMR_CARD: Final = ("sc", "pin")
"""`amr` (RFC 8176): smart card, PIN."""

CARD_ONLY: Final = "authMode"
"""The claim that a card itself was there ("CARD"); what speaks for a token's session leaves it out."""

HOLDER_CLAIMS: Final = frozenset(
    {
        "SubjectNameID",
        "given_name",
        "family_name",
        "SubjectRole",
        "SubjectRefPro",
        "SubjectOrganization",
        "SubjectOrganizationID",
        *ACTIVITY_CLAIMS,
        CARD_ONLY,
        "card_id",
        "card_type",
        "card_category",
        "x5t#S256",
    }
)
"""Everything in a token that its certificate says as well, and that must say the same there; and the work situation,
of which no certificate speaks, and whose claims must agree with one another and contradict no certificate."""

_KIND: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_TOKEN_ID: Final = re.compile(r"[A-Za-z0-9_-]{22}")
_THUMBPRINT_BYTES: Final = 32
_HEAD: Final = re.compile(r"[0-9a-f]{32}:[0-9]{1,15}:[0-9a-f]{64}")


def holder_claims(
    professional: Professional, certificate: x509.Certificate, activity: Activity | None = None
) -> JsonObject:
    """The claims about a professional; a member is absent where neither certificate nor card says.

    Args:
        professional: read from `certificate`.
        certificate: the authentication certificate.
        activity: the work situation that was chosen. A structure that the certificate names stays.
    """
    texts = {
        "SubjectNameID": professional.national_id,
        "given_name": professional.given_name,
        "family_name": professional.family_name,
        CARD_ONLY: "CARD",
        "card_id": _card_id(professional),
        "card_type": professional.card_type.value,
        "card_category": professional.category.value,
        # RFC 7515, 4.1.8: its name and its form, as a claim, since readers of claims look for it there.
        "x5t#S256": base64url(hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()),
    }
    claims: dict[str, object] = {name: text for name, text in texts.items() if text is not None}
    if professional.structure is not None:
        claims["SubjectOrganizationID"] = professional.structure.national_id
        if professional.structure.name is not None:
            claims["SubjectOrganization"] = professional.structure.name
    if (code := professional.profession_code) is not None:
        # The code and the table that it is of: a student's card bears a doctor's number, of another table.
        claims["SubjectRole"] = [f"{code}^{_profession_table(professional.card_type)}"]
        claims["SubjectRefPro"] = {"exercices": [{"codeProfession": str(code)}]}
    return claims if activity is None else add_activity(claims, activity)


def _profession_table(card_type: CardType) -> str:
    return oids.FUTURE_PROFESSION if card_type is CardType.CPF else oids.PROFESSION


def _card_id(professional: Professional) -> str | None:
    if professional.card_issuer is None or professional.card_number is None:
        return None
    return f"{professional.card_issuer}/{professional.card_number}"


def is_kind(text: str) -> bool:
    """Whether a text can name a kind of token: a lower-case word of up to 32 letters, digits and hyphens."""
    return _KIND.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """The claims that every token has. Times are UTC, whole seconds.

    Args:
        issuer: `iss`, the issuing daemon's name.
        subject: `sub`, the holder's national identifier (PS_IdNat).
        token_id: `jti`, 128 random bits in base64url.
        issued_at: `iat`.
        expires_at: `exp`, the first moment at which it is no longer good.
        authenticated_at: `auth_time`, when the PIN was verified.
        acr: how the holder was authenticated.
        audience: `aud`, who may rely on it.
        thumbprint: `cnf.jkt`, RFC 7638 thumbprint of the device's key.
        kind: `token_kind`, what it is for; lifetimes go by it.
        journal_head: `journal_head`, where the issuing daemon's journal stood (``JOURNAL:LINE:SHA256``): whoever keeps
            the token is a witness of that journal. Empty where it was not told.
    """

    issuer: str
    subject: str = field(repr=False)
    token_id: str
    issued_at: datetime
    expires_at: datetime
    authenticated_at: datetime
    acr: str
    audience: tuple[str, ...]
    thumbprint: str
    kind: str
    journal_head: str = ""

    def to_json(self) -> JsonObject:
        """As RFC 7519, 4.1, RFC 7800, 3.1 and RFC 9449, 6.1 write them."""
        head: JsonObject = {"journal_head": self.journal_head} if self.journal_head else {}
        return {
            "iss": self.issuer,
            "sub": self.subject,
            "jti": self.token_id,
            "iat": seconds(self.issued_at),
            "exp": seconds(self.expires_at),
            "auth_time": seconds(self.authenticated_at),
            "acr": self.acr,
            "amr": list(AMR_CARD),
            "aud": list(self.audience),
            "cnf": {"jkt": self.thumbprint},
            "token_kind": self.kind,
            **head,
        }


def read_token_claims(members: JsonObject, what: str) -> TokenClaims:
    """Read the claims of a token. Claims of other names are left to others.

    Raises:
        TokenMalformed: one is missing or of a wrong form, or they contradict one another.
        ConfirmationMissing: no `cnf`.
    """
    claims = Claims(members, what)
    token_id, kind = claims.text("jti"), claims.text("token_kind")
    if _TOKEN_ID.fullmatch(token_id) is None or not is_kind(kind):
        raise TokenMalformed(what=what, reason="its jti or token_kind is none of ours")
    acr = claims.text("acr")
    if acr != ACR_CARD:
        raise TokenMalformed(what=what, reason="its acr is not that of a card and its PIN")
    issued, expires, authenticated = claims.time("iat"), claims.time("exp"), claims.time("auth_time")
    if not authenticated <= issued < expires:
        raise TokenMalformed(what=what, reason="its times contradict one another")
    return TokenClaims(
        issuer=claims.text("iss"),
        subject=claims.text("sub"),
        token_id=token_id,
        issued_at=moment(issued),
        expires_at=moment(expires),
        authenticated_at=moment(authenticated),
        acr=acr,
        audience=claims.texts("aud"),
        thumbprint=_thumbprint(claims.object("cnf"), what),
        kind=kind,
        journal_head=_journal_head(claims) if "journal_head" in members else "",
    )


def _journal_head(claims: Claims) -> str:
    text = claims.text("journal_head")
    if _HEAD.fullmatch(text) is None:
        raise TokenMalformed(what=claims.what, reason="its journal_head is none")
    return text


def _thumbprint(confirmation: JsonObject | None, what: str) -> str:
    if confirmation is None:
        raise ConfirmationMissing
    text = confirmation.get("jkt")
    if set(confirmation) != {"jkt"} or not isinstance(text, str) or not _is_thumbprint(text):
        raise TokenMalformed(what=what, reason="its cnf is not one thumbprint (jkt)")
    return text


def _is_thumbprint(text: str) -> bool:
    try:
        return len(base64url_bytes(text)) == _THUMBPRINT_BYTES
    except NotStrict:
        return False


def mismatch(members: JsonObject, professional: Professional, certificate: x509.Certificate) -> str | None:
    """The first claim that says something else than the certificate, or than the work situation that they all tell;
    None where all agree.

    Whoever has a card open can have it sign any text: a nurse's card must not make a doctor's token.

    Args:
        members: the payload.
        professional: read from `certificate`.
        certificate: whose key signed the payload.
    """
    if members.get("sub") != professional.national_id:
        return "sub"
    try:
        activity = activity_in(members)
    except NotStrict:
        return ACTIVITY_ID
    said = holder_claims(professional, certificate, activity)
    return next((name for name in sorted(HOLDER_CLAIMS) if members.get(name) != said.get(name)), None)


def seconds(at: datetime) -> int:
    """A moment as a NumericDate, cut to whole seconds."""
    return int(at.timestamp())


def moment(seconds_since_1970: int) -> datetime:
    """A NumericDate as a moment, UTC."""
    return datetime.fromtimestamp(seconds_since_1970, UTC)
