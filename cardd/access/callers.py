"""The facts of the connections that have called: gathered once for each, forgotten when it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from cardd.access.caller import Caller
from cardd.access.facts import CallerFacts, CallerUnknown
from cardd.errors import NotAuthorized

Gather = Callable[[Caller], Awaitable[CallerFacts]]


class Callers:
    """Keeps facts by connection.

    Args:
        gather: gathers those of one (`cardd.access.facts.gather`, with what it needs).
    """

    def __init__(self, gather: Gather) -> None:
        self._gather = gather
        self._known: dict[str, asyncio.Task[CallerFacts]] = {}

    async def facts(self, caller: Caller) -> CallerFacts:
        """The facts of a connection; gathered once, whoever waits for them.

        Raises:
            NotAuthorized: nothing certain can be said of it.
        """
        task = self._known.get(caller.name)
        if task is None:
            task = self._known[caller.name] = asyncio.get_running_loop().create_task(_run(self._gather, caller))
            task.add_done_callback(lambda done: self._keep_or_drop(caller.name, done))
        try:
            # One waiting call that is cancelled leaves the others theirs.
            return await asyncio.shield(task)
        except CallerUnknown as error:
            raise NotAuthorized(reason=f"it cannot be said who calls: {error}") from error
        except asyncio.CancelledError:
            if task.cancelled():
                raise NotAuthorized(reason="it cannot be said who calls: the connection has left the bus") from None
            raise

    def known(self, connection: str) -> CallerFacts | None:
        """The facts of a connection that has been asked about, None before or without any."""
        task = self._known.get(connection)
        if task is None or not task.done() or task.cancelled() or task.exception() is not None:
            return None
        return task.result()

    def forget(self, connection: str) -> None:
        """A connection left the bus."""
        task = self._known.pop(connection, None)
        if task is not None:
            task.cancel()

    def _keep_or_drop(self, connection: str, task: asyncio.Task[CallerFacts]) -> None:
        """Keep facts alone: what is not known now may be at the next call."""
        failed = task.cancelled() or task.exception() is not None
        if failed and self._known.get(connection) is task:
            del self._known[connection]


async def _run(gather: Gather, caller: Caller) -> CallerFacts:
    return await gather(caller)
