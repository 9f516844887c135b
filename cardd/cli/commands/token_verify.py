"""`cardctl token verify`: whether a token holds, by its file and the roots alone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cardd.cli.commands.token import TokenFile, token_text
from cardd.cli.i18n import _
from cardd.cli.options import ConfigOption
from cardd.cli.output import Row, Section
from cardd.cli.roots import believed
from cardd.cli.settings import settings_of
from cardd.cli.wording import clock
from cardd.errors import N_

if TYPE_CHECKING:
    from cardd.tokens.verify import VerifiedToken  # cryptography and the JOSE library are slow to import


def verify(
    context: typer.Context,
    file: TokenFile,
    roots: Annotated[
        list[Path] | None,
        typer.Option(
            "--root",
            metavar="FILE",
            help=N_("Certificate of a root to believe, at your word; may be repeated. Default: those cardd believes."),
        ),
    ] = None,
    audience: Annotated[
        list[str] | None,
        typer.Option("--audience", metavar="NAME", help=N_("It must be for one of these. Default: for whomever.")),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Verify a token without cardd. Whether it was revoked is not known here."""
    from cardd.tokens.chain import StoreJudge  # noqa: PLC0415  # cryptography is slow to import
    from cardd.tokens.verify import TokenVerifier  # noqa: PLC0415  # as above

    text = token_text(file)
    authorities = believed(roots, config)
    verifier = TokenVerifier(StoreJudge(lambda: authorities), lambda: datetime.now(UTC))
    verified = verifier.verify(text, audiences=frozenset(audience) if audience else None)
    output = settings_of(context).output
    output.document(_document(verified))
    output.line(_("The token holds. Whether it was revoked, only the cardd that minted it knows."))
    output.sections([_section(verified)])


def _document(verified: VerifiedToken) -> dict[str, object]:
    from cardd.tokens.claims import holder_claims  # noqa: PLC0415  # cryptography is slow to import

    claims = verified.claims
    return {
        "id": claims.token_id,
        "issuer": claims.issuer,
        "subject": claims.subject,
        "kind": claims.kind,
        "audience": claims.audience,
        "authenticated_at": claims.authenticated_at,
        "issued_at": claims.issued_at,
        "expires_at": claims.expires_at,
        "device": claims.thumbprint,
        "simulator": verified.trust.simulator,
        "holder": holder_claims(verified.professional, verified.certificate),
    }


def _section(verified: VerifiedToken) -> Section:
    claims, professional = verified.claims, verified.professional
    named = " ".join(one for one in (professional.given_name, professional.family_name) if one)
    described = ", ".join(one for one in (professional.profession_label, professional.national_id) if one)
    rows: list[Row] = [
        (_("Holder"), f"{named} — {described}" if named else described),
        (_("Kind"), claims.kind),
        (_("PIN verified"), clock(claims.authenticated_at)),
        (_("Minted"), clock(claims.issued_at)),
        (_("Valid until"), clock(claims.expires_at)),
        (_("For"), ", ".join(claims.audience)),
        (_("Device"), claims.thumbprint),
    ]
    if verified.trust.simulator:
        rows.append((_("Certificate"), _("simulator: proves nothing about a real person")))
    return Section(_("Token {id}").format(id=claims.token_id), tuple(rows))
