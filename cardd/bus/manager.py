"""org.cardd1.Manager: the daemon itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cardd
from cardd.access.ownership import require_root
from cardd.bus import names
from cardd.bus.agents import Agents
from cardd.bus.interface import Call, Interface, dbus_property, method
from cardd.bus.options import no_options


class ManagerInterface(Interface):
    """Stands at /org/cardd1.

    Args:
        agents: where agents register.
        drivers: names of the card drivers that were found.
        warnings: what an administrator should know, as it stands now.
        reload: reads the configuration and the trust directory again (ConfigurationInvalid: it cannot be used).
    """

    name = names.MANAGER

    def __init__(
        self,
        agents: Agents,
        drivers: Sequence[str],
        warnings: Callable[[], Sequence[str]],
        reload: Callable[[], None],
    ) -> None:
        super().__init__()
        self._agents = agents
        self._drivers = list(drivers)
        self._warnings = warnings
        self._reload = reload

    @method("oa{sv}", in_names=("agent", "options"))
    async def register_agent(self, call: Call, agent: str, options: dict[str, Any]) -> None:
        """Take in who asks the user."""
        no_options(options)
        self._agents.register(call.caller, agent)

    @method("o", in_names=("agent",))
    async def unregister_agent(self, call: Call, agent: str) -> None:
        """Let it go."""
        self._agents.unregister(call.caller, agent)

    @method()
    async def reload(self, call: Call) -> None:
        """Read configuration and trust directory again."""
        require_root(call.caller, "reload the configuration")
        self._reload()

    @dbus_property("s", emits="const")
    def version(self) -> str:
        """The daemon's version."""
        return cardd.__version__

    @dbus_property("as", emits="const")
    def drivers(self) -> list[str]:
        """Card drivers by name."""
        return self._drivers

    @dbus_property("as")
    def warnings(self) -> list[str]:
        """What an administrator should know."""
        return list(self._warnings())
