"""The options of Sign: what an application says of a document, and how far it wants one consent to reach."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from cardd.access.actions import Action
from cardd.access.consent import Scope, Wish
from cardd.access.consenting import Claim, ConsentQuestion, question_for
from cardd.access.facts import CallerFacts
from cardd.access.gate import Target
from cardd.access.jobs import is_job_number
from cardd.access.terms import USES_MAX, ConsentMode, ConsentTerms
from cardd.bus.options import may_ask, typed_options
from cardd.errors import InvalidArgument

if TYPE_CHECKING:
    from cardd.sessions.session import Session

DIGEST_LENGTH: Final = 32
"""Bytes of a SHA-256."""
_KIND: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_SIGNATURES: Final = {
    "job": "s",
    "document-kind": "s",
    "title": "s",
    "consent": "s",
    "batch": "aay",
    "count": "u",
    "position": "u",
}


@dataclass(frozen=True, slots=True)
class SignOptions:
    """What Sign was told beside key, algorithm and digest. All of it is the application's own word.

    Args:
        interactive: somebody may be asked.
        job: number that the application was given and shows; None without.
        document_kind: "" where it says nothing.
        title: likewise.
        mode: how far one consent shall reach.
        count: how many signatures it shall be for.
        batch: digests of a batch, empty where they are not told.
        position: of the document in its batch, from 1.
    """

    interactive: bool = True
    job: str | None = None
    document_kind: str = ""
    title: str = ""
    mode: ConsentMode = ConsentMode.DOCUMENT
    count: int = 1
    batch: frozenset[bytes] = frozenset()
    position: int = 1


def sign_options(options: Mapping[str, Any]) -> SignOptions:
    """Read the options of Sign.

    Raises:
        UnknownOption, InvalidArgument: with the option's name.
    """
    given = typed_options(options, _SIGNATURES)
    batch = _batch(given.get("batch", []))
    count = given.get("count", len(batch) or 1)
    if not 1 <= count <= USES_MAX:
        raise InvalidArgument(argument="count", reason=f"one consent is for 1 to {USES_MAX} signatures")
    default = ConsentMode.BATCH if batch or "count" in given else ConsentMode.DOCUMENT
    position = given.get("position", 1)
    if not 1 <= position <= count:
        raise InvalidArgument(argument="position", reason="it is a number from 1 to the count of the batch")
    return SignOptions(
        interactive=may_ask(options),
        job=_job(given.get("job")),
        document_kind=document_kind(given.get("document-kind", "")),
        title=given.get("title", ""),
        mode=_mode(given["consent"]) if "consent" in given else default,
        count=count,
        batch=batch,
        position=position,
    )


def document_kind(text: str) -> str:
    """A kind of document as rules name them, "" for none.

    Raises:
        InvalidArgument: it is of another form.
    """
    if text and not _KIND.fullmatch(text):
        raise InvalidArgument(argument="document-kind", reason="it is a word of at most 64 of a-z, 0-9, hyphen and dot")
    return text


def wish_for(
    facts: CallerFacts, session: Session, target: Target, digest: bytes, options: SignOptions, terms: ConsentTerms
) -> tuple[Wish, Callable[[str], ConsentQuestion]]:
    """What the holder is asked, if asked.

    Args:
        facts: of the application.
        session: whose card signs.
        target: with which key.
        digest: of the document.
        options: what the application says.
        terms: how far the rules let one consent reach.

    Returns:
        The wish, and what makes the question of it, given the job's number.

    Raises:
        InvalidArgument: the application wants more than the terms give.
    """
    try:
        narrowed = terms.narrowed(options.mode, options.count)
    except ValueError as error:
        raise InvalidArgument(argument="consent", reason=str(error)) from error
    scope = Scope(facts.caller.name, session.number, Action.SIGN, target.key)
    wish = Wish(scope, digest, narrowed, options.batch)
    claim = Claim(options.document_kind, options.title, options.position)
    return wish, partial(_question, wish, facts, claim, session.presence.holder_name)


def _question(wish: Wish, facts: CallerFacts, claim: Claim, holder: str, job: str) -> ConsentQuestion:
    return question_for(job, wish, facts, claim, holder)


def _batch(digests: list[bytes]) -> frozenset[bytes]:
    if len(digests) > USES_MAX or any(len(one) != DIGEST_LENGTH for one in digests):
        raise InvalidArgument(argument="batch", reason=f"it lists at most {USES_MAX} SHA-256 digests")
    return frozenset(map(bytes, digests))


def _job(text: str | None) -> str | None:
    if text is not None and not is_job_number(text):
        raise InvalidArgument(argument="job", reason="it is a number that Session.CheckAccess gave")
    return text


def _mode(text: str) -> ConsentMode:
    try:
        return ConsentMode(text)
    except ValueError:
        raise InvalidArgument(argument="consent", reason="it is document, batch or session") from None
