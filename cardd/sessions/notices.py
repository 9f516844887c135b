"""The holder is told of the journal: what is kept and how to see it, at the first authentication on a machine."""

from __future__ import annotations

import asyncio
import enum
import logging
from typing import Protocol

from cardd.access.caller import Caller
from cardd.errors import CarddError
from cardd.journal import Detail, Kind
from cardd.sessions.account import Account
from cardd.sessions.holders_told import HoldersTold
from cardd.sessions.session import Session

log = logging.getLogger(__name__)


class Notice(enum.StrEnum):
    """What a holder is told; the words are the agent's, in its user's language."""

    JOURNAL = "journal"
    """That each use of the card is written down, for how long, and how they see their own entries."""
    PIN_PAD = "pin-pad"
    """That the PIN is to be typed on the reader, now; cancelled once it was, or will not be."""


class Messenger(Protocol):
    """Shows a notice to a session's holder (`cardd.bus.agents.Agents`)."""

    async def notify(self, uid: int, login_session: str | None, notice: Notice, holder: str) -> Caller:
        """Have an agent show it; returns when the user has seen it.

        Args:
            uid: of the session's owner.
            login_session: in which it was opened.
            notice: what is to be told.
            holder: to whom, to be shown.

        Returns:
            Whose agent it was.

        Raises:
            CarddError: nobody was told.
        """


class Notices:
    """Tells each holder once a machine; one who could not be told is told at the next authentication.

    Args:
        told: who was.
        messenger: shows it.
        account: where it is written down.
    """

    def __init__(self, told: HoldersTold, messenger: Messenger, account: Account) -> None:
        self._told = told
        self._messenger = messenger
        self._account = account
        self._telling: dict[str, asyncio.Task[None]] = {}

    def session_opened(self, session: Session) -> None:
        """Tell the holder, without keeping the session waiting."""
        professional = session.presence.professional
        holder = "" if professional is None else professional.national_id
        if not holder or holder in self._telling:
            return
        task = self._telling[holder] = asyncio.get_running_loop().create_task(self._tell(session, holder))
        task.add_done_callback(lambda done: self._done(holder, done))

    async def stop(self) -> None:
        """Give up what is being shown: it is told next time."""
        tasks = tuple(self._telling.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _tell(self, session: Session, holder: str) -> None:
        if await asyncio.to_thread(self._told.knows, holder):
            return
        presence, owner = session.presence, session.owner_uid
        try:
            agent = await self._messenger.notify(owner, session.owner_session, Notice.JOURNAL, presence.holder_name)
            # Written down first: who is told twice has lost nothing, who is never told has.
            what = {Detail.SESSION: str(session.number)}
            await self._account.served(Kind.HOLDER_TOLD, presence, agent, what)
            await asyncio.to_thread(self._told.add, holder)
        except CarddError as error:
            log.info("a holder was not told of the journal (%s); next time, then", type(error).__name__)
        except OSError as error:
            log.warning("it cannot be kept that a holder was told of the journal: %s", error.strerror)

    def _done(self, holder: str, task: asyncio.Task[None]) -> None:
        del self._telling[holder]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a holder was not told of the journal", exc_info=error)
