"""`cardctl status`: readers, cards and sessions."""

from __future__ import annotations

import typer

from cardd.cli import wording
from cardd.cli.i18n import _, ngettext
from cardd.cli.output import Output, Row, Section, plain
from cardd.cli.settings import run_connected
from cardd.client import Card, CarddClient, Holder, Reader, Service, Session
from cardd.errors import CarddError


def status(context: typer.Context) -> None:
    """Show readers, cards and sessions."""
    run_connected(context, _status)


async def _status(client: CarddClient, output: Output) -> None:
    service, readers, cards, sessions = await client.overview()
    holders = {card.path: await _holder(card) for card in cards}
    output.document(
        {
            "daemon": service,
            "readers": readers,
            "cards": [_card_document(card, holders[card.path]) for card in cards],
            "sessions": sessions,
        }
    )
    output.sections(_sections(service, readers, cards, sessions, holders))


async def _holder(card: Card) -> Holder | None:
    if not card.identified:
        return None
    try:
        return await card.get_holder()
    except CarddError:
        return None  # it left meanwhile, or this user may not know: the rest is shown all the same


def _card_document(card: Card, holder: Holder | None) -> dict[str, object]:
    return {**plain(card), "holder": holder}


def _sections(
    service: Service,
    readers: list[Reader],
    cards: list[Card],
    sessions: list[Session],
    holders: dict[str, Holder | None],
) -> list[Section]:
    by_path = {card.path: card for card in cards}
    by_card = {session.card: session for session in sessions}
    found: list[Section] = []
    for reader in readers:
        card = by_path.get(reader.card or "")
        if card is None:
            rows: tuple[Row, ...] = ((_("Card"), _("none")),)
        else:
            rows = card_rows(card, holders[card.path], by_card.get(card.path))
        found.append(Section(reader.name, rows))
    found += [_token_section(one) for one in sessions if one.level == "token"]
    if not readers:
        found.append(Section(_("No reader is plugged in.")))
    found += [Section(_("Warning"), (("•", wording.warning(one)),)) for one in service.warnings]
    return found


def card_rows(card: Card, holder: Holder | None, session: Session | None) -> tuple[Row, ...]:
    """What is shown of a card.

    Args:
        card: in its reader.
        holder: where it is known.
        session: the one that is open on it.
    """
    number = card.path.rpartition("/")[2]
    if not card.identified:
        return ((_("Card"), f"{number}: {wording.card_state(card.state, card.kind)}"),)
    kind = ", ".join(
        part for part in (wording.card_kind(card.kind), wording.category(holder) if holder is not None else "") if part
    )
    rows: list[Row] = [(_("Card"), f"{number}: {kind}")]
    if holder is not None:
        rows.append((_("Holder"), wording.holder(holder)))
    rows.append((_("Certificate"), wording.trust(card.trust)))
    # While a session is open the card does not count tries: the PIN is verified.
    rows.append((_("PIN"), _pin(card) if session is None else _("verified")))
    rows.append((_("Session"), _session(session) if session is not None else _("none")))
    return tuple(rows)


def _token_section(session: Session) -> Section:
    number = session.path.rpartition("/")[2]
    ends = "?" if session.expires is None else wording.clock(session.expires)
    rows = ((_("Session"), _session(session)), (_("Valid until"), ends))
    return Section(_("Session {number}, by a token").format(number=number), rows)


def _pin(card: Card) -> str:
    return _("none without contact") if card.capabilities.possession else _tries(card.pin_tries_left)


def _tries(tries_left: int | None) -> str:
    if tries_left is None:
        return _("tries left unknown")
    if tries_left == 0:
        return _("BLOCKED: unblock it with `cardctl pin unblock`")
    return ngettext("{count} try left", "{count} tries left", tries_left).format(count=tries_left)


def _session(session: Session) -> str:
    used = ngettext("used once", "used {count} times", session.uses).format(count=session.uses)
    if session.uses == 0:
        used = _("not used yet")
    if session.since is None:
        return _("open ({used})").format(used=used)
    return _("open since {time} ({used})").format(time=wording.clock(session.since), used=used)
