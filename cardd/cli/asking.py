"""Asking the user for codes: what is said, and the last try never spent unawares."""

from __future__ import annotations

from cardd.cli import wording
from cardd.cli.i18n import _, ngettext
from cardd.cli.terminal import Terminal
from cardd.client import Agent, Card, ConsentRequest, Lengths, NoticeRequest, PinPurpose, PinRequest, Session
from cardd.client.secret import SecretBytes, wipe
from cardd.errors import LastTry, NotAuthorizedDismissed, PinBlocked, PinFormat, PinIncorrect


def refuse_last_try(tries_left: int | None, *, allowed: bool) -> None:
    """Let nothing spend the last try unless told so.

    Args:
        tries_left: None when not known.
        allowed: the user said so.

    Raises:
        PinBlocked: no try is left.
        LastTry: one is left, and it may not be spent.
    """
    if tries_left == 0:
        raise PinBlocked
    if tries_left == 1 and not allowed:
        raise LastTry


async def authenticate_on(terminal: Terminal, card: Card, *, last_try: bool) -> Session:
    """Ask for the PIN until it is right, given up or blocked.

    Args:
        terminal: to ask on.
        card: whose PIN.
        last_try: the user agreed beforehand to spend the last one.

    Raises:
        NotAuthorizedDismissed: the user gave up.
        CarddError: as `Card.authenticate`, but for wrong and malformed PINs, which are asked for again.
    """
    tries_left = card.pin_tries_left
    while True:
        await agree_to_last_try(terminal, tries_left, agreed=last_try)
        pin = await terminal.ask_secret(_prompt(_("PIN"), card.capabilities.pin))
        try:
            # At one try left the user has just agreed.
            return await card.authenticate(pin=pin, last_try=last_try or tries_left == 1)
        except LastTry:  # tries were spent elsewhere meanwhile
            tries_left = 1
        except PinIncorrect as error:
            left = error.fields.get("tries_left")
            tries_left = left if isinstance(left, int) else None
            terminal.tell(wording.sentence_of(error))
        except PinFormat as error:
            terminal.tell(wording.sentence_of(error))


async def authenticate_on_reader(terminal: Terminal, card: Card, reader: str, *, last_try: bool) -> Session:
    """Have the PIN typed on the reader.

    Raises:
        NotAuthorizedDismissed: one try is left, and the user does not agree to spend it.
        CarddError: as `Card.authenticate`.
    """
    await agree_to_last_try(terminal, card.pin_tries_left, agreed=last_try)
    terminal.tell(on_reader_text(reader))
    return await card.authenticate(last_try=last_try or card.pin_tries_left == 1)


async def agree_to_last_try(
    terminal: Terminal, tries_left: int | None, purpose: str = PinPurpose.AUTHENTICATE, *, agreed: bool = False
) -> None:
    """Say when one try is left, and have the user agree.

    Raises:
        PinBlocked: no try is left.
        NotAuthorizedDismissed: the user does not agree.
    """
    if tries_left == 0:
        raise PinBlocked
    if tries_left == 1 and not agreed:
        terminal.tell(last_try_text(purpose))
        if not await terminal.confirm(_("Go on? [y/N]")):
            raise NotAuthorizedDismissed


def last_try_text(purpose: str) -> str:
    """What another wrong answer does.

    Args:
        purpose: of the question, a `PinPurpose`.
    """
    if purpose == PinPurpose.UNBLOCK_PUK:
        return _("This is the LAST try of the unblocking code: another wrong one makes the card useless.")
    return _("This is the LAST try: another wrong PIN blocks the card.")


class TerminalAgent(Agent):
    """Answers the daemon's questions on a terminal.

    Args:
        terminal: to ask on.
        last_try: the user agreed beforehand to spend the last one.
    """

    tells_last_try = True

    def __init__(self, terminal: Terminal, *, last_try: bool) -> None:
        self._terminal = terminal
        self._last_try = last_try

    async def request_pin(self, request: PinRequest) -> SecretBytes | None:
        """Ask; a new PIN is asked for twice."""
        lengths = Lengths(request.minimum, request.maximum) if request.maximum else None
        try:
            if request.purpose in (PinPurpose.CHANGE_NEW, PinPurpose.UNBLOCK_NEW):
                return await self._new_pin(lengths)
            await agree_to_last_try(self._terminal, request.tries_left, request.purpose, agreed=self._last_try)
            if request.purpose == PinPurpose.UNBLOCK_PUK:
                return await self._terminal.ask_secret(_prompt(_("Unblocking code (PUK)"), lengths))
            label = _("Present PIN") if request.purpose == PinPurpose.CHANGE_CURRENT else _("PIN")
            return await self._terminal.ask_secret(_prompt(label, lengths))
        except NotAuthorizedDismissed:
            return None

    async def confirm(self, request: ConsentRequest) -> bool | None:
        """Show who wants to sign what, and ask; anything but a yes is a no."""
        self._terminal.tell(consent_question(request))
        return await self._terminal.confirm(_("Sign? [y/N]"))

    async def notify(self, notice: NoticeRequest) -> bool:
        """Show it; nothing is to be answered."""
        text = notice_text(notice)
        if text is None:
            return False
        self._terminal.tell(text)
        return True

    async def _new_pin(self, lengths: Lengths | None) -> SecretBytes:
        while True:
            first = await self._terminal.ask_secret(_prompt(_("New PIN"), lengths))
            second = await self._terminal.ask_secret(_prompt(_("New PIN again"), None))
            same = first == second
            wipe(second)
            if same and _fits(first, lengths):
                return first
            wipe(first)
            self._terminal.tell(_("This cannot be a PIN of this card.") if same else _("They differ; once more."))


def consent_question(request: ConsentRequest) -> str:
    """Who wants to sign what, as lines of plain text; what an application says is cleaned once more."""
    clean = wording.clean
    unstated = _("not stated")
    application = clean(request.application) or _("a program that is not known")
    lines = [
        _("{application} (process {pid}) wants to sign with the card of {holder}.").format(
            application=application, pid=request.pid, holder=clean(request.holder) or unstated
        ),
        _("Number: {job}. The application may show it too: it must be the same.").format(job=clean(request.job)),
        _("Document, as the application says: {kind}, {title}").format(
            kind=clean(request.document_kind) or unstated, title=clean(request.title) or unstated
        ),
        _("SHA-256: {digest}").format(digest=clean(request.digest)),
    ]
    if request.uses > 1:
        limit = ngettext(
            "Your yes is for {uses} signatures within {minutes} minute.",
            "Your yes is for {uses} signatures within {minutes} minutes.",
            max(1, round(request.seconds / 60)),
        )
        lines.append(limit.format(uses=request.uses, minutes=max(1, round(request.seconds / 60))))
    return "\n".join(lines)


def notice_text(notice: NoticeRequest) -> str | None:
    """What the user is told, as lines of plain text; None for a kind that is not known here."""
    if notice.kind == "pin-pad":
        return on_reader_text(notice.reader, notice.purpose)
    if notice.kind != "journal":
        return None
    lines = [
        _("To {holder}:").format(holder=wording.clean(notice.holder)) if notice.holder else "",
        _(
            "Each use of your card on this machine is written down in a journal: who used it, with which program, when "
            "and what for; never a PIN, a document or data of patients."
        ),
        _("The journal is kept without limit of time."),
        _("While your session is open, `cardctl journal query` shows you the entries that concern you."),
    ]
    return "\n".join(line for line in lines if line)


def on_reader_text(reader: str, purpose: str = PinPurpose.AUTHENTICATE) -> str:
    """What is typed where, with a reader that has a PIN pad.

    Args:
        reader: its name.
        purpose: of the first code, a `PinPurpose`.
    """
    if purpose == PinPurpose.CHANGE_CURRENT:
        text = _("Type on the reader {reader}, not here: the present PIN, then the new one twice; OK after each.")
    elif purpose == PinPurpose.UNBLOCK_PUK:
        text = _(
            "Type on the reader {reader}, not here: the unblocking code (PUK), then the new PIN twice; OK after each."
        )
    else:
        text = _("Type the PIN on the reader {reader}, not here, and press OK there.")
    return text.format(reader=wording.clean(reader))


def pin_question(request: PinRequest) -> str:
    """What code is asked for, of whose card, and how many tries are left."""
    labels = {
        PinPurpose.CHANGE_CURRENT: _("Present PIN"),
        PinPurpose.CHANGE_NEW: _("New PIN"),
        PinPurpose.UNBLOCK_PUK: _("Unblocking code (PUK)"),
        PinPurpose.UNBLOCK_NEW: _("New PIN"),
    }
    label = next((text for purpose, text in labels.items() if purpose == request.purpose), _("PIN"))
    lengths = Lengths(request.minimum, request.maximum) if request.maximum else None
    lines = [_("Card of {holder}").format(holder=wording.clean(request.holder)) if request.holder else ""]
    if request.purpose == PinPurpose.KEY_USE:
        lines.append(_("The card wants its PIN for this signature or decryption alone."))
    if request.last_try:
        lines.append(last_try_text(request.purpose))
        lines.append(_("Refuse if you are not sure."))
    lines.append(_prompt(label, lengths))
    return "\n".join(line for line in lines if line)


def _fits(pin: SecretBytes, lengths: Lengths | None) -> bool:
    if lengths is None:
        return True
    return lengths.minimum <= len(pin) <= lengths.maximum and all(ord("0") <= one <= ord("9") for one in pin)


def _prompt(label: str, lengths: Lengths | None) -> str:
    if lengths is None:
        return _("{label}:").format(label=label)
    if lengths.minimum == lengths.maximum:
        return ngettext("{label} ({count} digit):", "{label} ({count} digits):", lengths.maximum).format(
            label=label, count=lengths.maximum
        )
    return _("{label} ({minimum} to {maximum} digits):").format(
        label=label, minimum=lengths.minimum, maximum=lengths.maximum
    )
