"""A dbus-daemon of one's own: the simulator's stage has it."""

from cardsim.stage.bus import OPEN_POLICY, PrivateBus

__all__ = ["OPEN_POLICY", "PrivateBus"]
