"""The doorkeeper of this machine: callers by bus, kernel and logind, rules and polkit, consents on the boot clock."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from datetime import datetime

from cardd.access.caller import Caller
from cardd.access.callers import Callers
from cardd.access.consent import ConsentBook
from cardd.access.consenting import Consents
from cardd.access.exe_client import ExecutableHelper
from cardd.access.facts import CallerFacts, gather
from cardd.access.gate import Gate
from cardd.access.logins import LogindFiles
from cardd.access.polkit import Polkit
from cardd.access.rulebook import Rulebook
from cardd.bus.agents import Agents
from cardd.bus.doorkeeper import Doorkeeper
from cardd.bus.peers import credentials_of
from cardd.bus.transport import Transport
from cardd.sessions.account import Account


def host_doorkeeper(
    transport: Transport, polkit: Polkit, rules: Callable[[], Rulebook], agents: Agents, account: Account
) -> Doorkeeper:
    """Make it.

    Args:
        transport: the bus that tells credentials.
        polkit: asked after the rules.
        rules: give the rules in force.
        agents: who asks the holder.
        account: what is told to the journal.
    """
    logins, helper = LogindFiles(), ExecutableHelper()

    async def facts(caller: Caller) -> CallerFacts:
        executables = helper if rules().needs_executables else None
        credentials = functools.partial(credentials_of, transport)
        return await gather(caller, credentials, logins, executables=executables)

    boot_clock = functools.partial(time.clock_gettime, time.CLOCK_BOOTTIME)
    gate = Gate(polkit, rules, logins, lambda: datetime.now().astimezone())
    return Doorkeeper(Callers(facts), gate, Consents(ConsentBook(boot_clock)), agents, account)
