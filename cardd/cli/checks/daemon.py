"""Checks that ask the daemon: the bus, cardd itself, readers, cards."""

from __future__ import annotations

from cardd import __version__
from cardd.cli import wording
from cardd.cli.checks.model import Finding, State
from cardd.cli.i18n import _
from cardd.client import Card, CarddClient, CardState, Reader, Service, TrustState
from cardd.client.errors import AccessDenied, BusUnreachable, DaemonNotRunning, DaemonStartFailed
from cardd.errors import CarddError


async def check_daemon(bus: str | None) -> list[Finding]:
    """Look at everything that the daemon can tell.

    Args:
        bus: address of the bus, None for the system bus.
    """
    try:
        async with await CarddClient.connect(bus) as client:
            found = [Finding("bus", State.OK, _("The message bus answers."))]
            return found + await _behind_bus(client)
    except BusUnreachable as error:
        remedy = _("Start it: `sudo systemctl start dbus`.") if bus is None else _("Check the address given by --bus.")
        return [Finding("bus", State.PROBLEM, wording.sentence_of(error), remedy)]


async def _behind_bus(client: CarddClient) -> list[Finding]:
    name = "daemon"
    try:
        service, readers, cards, _sessions = await client.overview()
    except (DaemonNotRunning, DaemonStartFailed) as error:
        remedy = _("Run `sudo systemctl enable --now cardd`, then `sudo journalctl -u cardd` if it does not stay.")
        return [Finding(name, State.PROBLEM, wording.sentence_of(error), remedy)]
    except AccessDenied as error:
        return [Finding(name, State.PROBLEM, wording.sentence_of(error), _("See the check of the bus policy."))]
    except CarddError as error:
        return [Finding(name, State.PROBLEM, wording.sentence_of(error), _("See `sudo journalctl -u cardd`."))]
    return [*check_service(service), check_readers(readers), *check_cards(cards)]


def check_service(service: Service) -> list[Finding]:
    """The daemon's version and what it warns of."""
    found = [Finding("daemon", State.OK, _("cardd {version} is running.").format(version=service.version))]
    if service.version != __version__:
        found.append(
            Finding(
                "version",
                State.WARNING,
                _("cardctl is version {client}, cardd is version {daemon}.").format(
                    client=__version__, daemon=wording.clean(service.version)
                ),
                _("Restart cardd: `sudo systemctl restart cardd`."),
            )
        )
    if not service.drivers:
        found.append(Finding("drivers", State.PROBLEM, _("cardd found no card driver."), _("Install cardd again.")))
    return found + [Finding("warning", State.WARNING, wording.warning(one)) for one in service.warnings]


def check_readers(readers: list[Reader]) -> Finding:
    """Whether a reader is there."""
    if readers:
        names = ", ".join(wording.clean(reader.name) for reader in readers)
        return Finding("readers", State.OK, _("Readers: {names}.").format(names=names))
    return Finding(
        "readers",
        State.PROBLEM,
        _("No reader is seen."),
        _("Plug one in; if it is, install its driver (`sudo apt install libccid`) and try another USB port."),
    )


def check_cards(cards: list[Card]) -> list[Finding]:
    """What is wrong with the cards that are in."""
    if not cards:
        return [Finding("card", State.SKIPPED, _("No card is in a reader: insert one to have it looked at."))]
    return [finding for card in cards for finding in _check_card(card)]


def _check_card(card: Card) -> list[Finding]:
    name = f"card {card.path.rpartition('/')[2]}"
    if not card.identified:
        return [_unusable(name, card)]
    found = [Finding(name, State.OK, _("The card is recognised ({kind}).").format(kind=wording.card_kind(card.kind)))]
    if card.trust.state == TrustState.UNTRUSTED:
        found.append(
            Finding(
                name,
                State.PROBLEM,
                _("The card's certificate is {trust}.").format(trust=wording.trust(card.trust)),
                _("Add what is missing with `sudo cardctl trust add FILE…`; an expired card must be replaced."),
            )
        )
    if card.pin_tries_left == 0:
        found.append(Finding(name, State.PROBLEM, _("The PIN is blocked."), _("Unblock it: `cardctl pin unblock`.")))
    elif card.pin_tries_left == 1:
        found.append(
            Finding(name, State.WARNING, _("One try is left for the PIN."), _("Look it up before the next login."))
        )
    return found


def _unusable(name: str, card: Card) -> Finding:
    if card.state == CardState.IN_USE:
        return Finding(
            name,
            State.PROBLEM,
            _("Another program holds the card."),
            _("Close it. A browser may hold it through OpenSC: docs/sharing.md tells how to keep it off."),
        )
    if card.state == CardState.UNKNOWN:
        return Finding(
            name,
            State.PROBLEM,
            _("No driver knows this card."),
            _("Insert a health professional's card (CPS), chip first; a Vitale card is not read by cardd."),
        )
    if card.state == CardState.FOREIGN:
        kind = wording.card_kind(card.kind)
        return Finding(name, State.OK, _("cardd leaves this card alone ({kind}).").format(kind=kind))
    if card.state == CardState.FAILED:
        return Finding(
            name,
            State.PROBLEM,
            _("The card cannot be read ({problem}).").format(problem=wording.clean(card.problem.rpartition(".")[2])),
            _("Clean its contacts and insert it again; try another reader."),
        )
    return Finding(name, State.WARNING, _("The card is still being read."), _("Try again in a few seconds."))
