"""What is asked of the holder before a signature, and what an application says of a document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cardd.bus.wire import variant
from cardd.client.values import Properties, take
from cardd.client.wrapping import Options


@dataclass(frozen=True, slots=True)
class ConsentRequest:
    """What an application wants to sign; every text is plain, but markup is yours to escape.

    `job` is the number that the application may show as well. `application`, `pid` and `uid` are what the kernel says
    of it; `document_kind` and `title` are its own words. The consent would be for `uses` signatures within `seconds`,
    in `mode` document (this digest), batch (this application's batch) or session (whatever it signs with this key).
    """

    session: str
    job: str
    application: str
    pid: int
    uid: int
    key: str
    document_kind: str
    title: str
    digest: str
    position: int
    mode: str
    uses: int
    seconds: float
    holder: str


@dataclass(frozen=True, slots=True)
class Document:
    """What an application says of what it has signed, and how far it wants one consent of the holder to reach.

    `job` is a number that `Session.check_access` reserved; it is to be shown to the user. `consent` is document, batch
    or session; `batch` lists the digests of a batch, or `count` says how many there are; `position` is this one's
    number among them, from 1.
    """

    kind: str = ""
    title: str = field(default="", repr=False)
    job: str | None = None
    consent: str | None = None
    batch: Sequence[bytes] = ()
    count: int | None = None
    position: int | None = None

    def options(self) -> Options:
        """As Sign takes them; what is not said is left out."""
        said: dict[str, str | int | None] = {
            "document-kind": self.kind or None,
            "title": self.title or None,
            "job": self.job,
            "consent": self.consent,
            "count": self.count,
            "position": self.position,
        }
        options: dict[str, object] = {name: value for name, value in said.items() if value is not None}
        if self.batch:
            options["batch"] = variant("aay", [bytes(one) for one in self.batch])
        return options  # type: ignore[return-value]  # each value is one that Options has


@dataclass(frozen=True, slots=True)
class Access:
    """What the rules say: `effect` is allow, ask or deny, `rule` the rule that decided (empty: none did).

    Where it is ask, one consent of the holder may be for `uses` signatures within `seconds`; `job` is the number that
    was reserved.
    """

    effect: str
    rule: str
    reason: str
    mode: str = ""
    uses: int = 0
    seconds: float = 0.0
    job: str | None = None


def access_from(reply: Properties) -> Access:
    """Decode CheckAccess's answer."""
    return Access(
        effect=take(reply, "effect", str, "deny"),
        rule=take(reply, "rule", str, ""),
        reason=take(reply, "reason", str, ""),
        mode=take(reply, "mode", str, ""),
        uses=take(reply, "uses", int, 0),
        seconds=take(reply, "seconds", float, 0.0),
        job=take(reply, "job", str, "") or None,
    )


def consent_request_from(session: str, details: Properties) -> ConsentRequest:
    """Decode Confirm's question."""
    return ConsentRequest(
        session=session,
        job=take(details, "job", str, ""),
        application=take(details, "application", str, ""),
        pid=take(details, "pid", int, 0),
        uid=take(details, "uid", int, 0),
        key=take(details, "key", str, ""),
        document_kind=take(details, "document-kind", str, ""),
        title=take(details, "title", str, ""),
        digest=take(details, "digest", str, ""),
        position=take(details, "position", int, 1),
        mode=take(details, "mode", str, ""),
        uses=take(details, "uses", int, 1),
        seconds=take(details, "seconds", float, 0.0),
        holder=take(details, "holder", str, ""),
    )
