"""An agent that stays: registered with each daemon that runs, for as long as the bus is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Final, NoReturn

from cardd.client.agent import Agent
from cardd.client.core import Core
from cardd.client.errors import ConnectionLost, DaemonNotRunning, DaemonStartFailed, NoReply
from cardd.errors import CarddError

_RETRY: Final = 10.0
"""Seconds after which a daemon that is there and did not answer is asked once more."""


async def stay_registered(core: Core, agent: Agent, told: Callable[[CarddError | None], None]) -> NoReturn:
    """Register an agent with the daemon of now, and with each one after it.

    The first time, the daemon is started where the bus can. Later it is waited for: who stopped it meant it.

    Args:
        core: the connection.
        agent: asks the user.
        told: what came of each registration: None, or why there is no daemon to register with.

    Raises:
        ConnectionLost: the bus went away.
        CarddError: the daemon does not take the agent.
    """
    connection = core.connection
    changed, lost = asyncio.Event(), asyncio.Event()
    with ExitStack() as listening:
        listening.callback(connection.on_owner_change(lambda owner: changed.set()))
        listening.callback(connection.on_lost(lost.set))
        listening.callback(connection.on_lost(changed.set))
        may_start = True
        while True:
            changed.clear()
            path, failed = None, False
            if may_start or connection.owner is not None:
                try:
                    path = await core.register(agent, may_start=may_start)
                except (DaemonNotRunning, DaemonStartFailed, NoReply) as error:
                    failed = True
                    told(error)
                else:
                    told(None)
            may_start = False
            # One that is gone is waited for, however long.
            patience = _RETRY if failed and connection.owner is not None else None
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await changed.wait()
            if lost.is_set():
                raise ConnectionLost
            if path is not None:
                core.withdraw(path)
