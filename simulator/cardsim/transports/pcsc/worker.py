"""The thread on which an inserted card computes, so that whoever waits for its answer need not wait for the card."""

from __future__ import annotations

import logging
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cardsim.inserted import CardMuteError, CardVanishedError

if TYPE_CHECKING:
    from cardsim.inserted import InsertedCard

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Request:
    """A command on its way.

    Attributes:
        command: what the card is to do.
        done: whether it has ended.
        answer: what came back; None: nothing did.
    """

    command: bytes
    done: bool = False
    answer: bytes | None = None


class CardWorker:
    """One thread for one insertion.

    Args:
        card: the inserted card.
        turns: notified when a request is done; guards ``busy`` and the requests.
        name: the reader's, for the thread.
    """

    def __init__(self, card: InsertedCard, turns: threading.Condition, name: str) -> None:
        self.card = card
        self.busy = False
        self._turns = turns
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=f"cardsim {name}", daemon=True).start()

    def submit(self, command: bytes) -> Request:
        """Hand a command to the card; with the lock of ``turns``."""
        request = Request(command)
        self.busy = True
        self._requests.put(request)
        return request

    def end(self) -> None:
        """End the thread when it has done what it is at."""
        self._requests.put(None)

    def _run(self) -> None:
        while (request := self._requests.get()) is not None:
            answer = self._answer(request.command)
            with self._turns:
                request.answer = answer
                request.done = True
                self.busy = False
                self._turns.notify_all()

    def _answer(self, command: bytes) -> bytes | None:
        try:
            return self.card.transmit(command)
        except (CardVanishedError, CardMuteError):
            return None
        except Exception as error:  # a card never raises: a broken one is mute, and the log says why
            _log.error("the simulated card failed: %s", type(error).__name__)  # a traceback may show a PIN
            return None
