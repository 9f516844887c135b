"""Starts the in-process stack as a daemon's configuration describes it."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cardsim import profiles
from cardsim.control import ControlServer
from cardsim.control_cards import DEFAULT_PROFILE, CardCupboard
from cardsim.control_desk import ControlDesk
from cardsim.look_alike import LOOK_ALIKES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cardsim.transports.inprocess import InProcessPcsc

_Choice = TypeVar("_Choice")
_OPTIONS = ("control", "home", "inserted", "pin-pad", "profile", "reader", "timing")
_DEFAULT_READER = "Simulated Reader 00 00"
_YES_NO = {"yes": True, "no": False}


class _Pad(enum.Enum):
    VERIFIES = enum.auto()
    FULL = enum.auto()


_PADS = {"yes": _Pad.FULL, "no": None, "verify-only": _Pad.VERIFIES}


def start_stack(stack: InProcessPcsc, options: Mapping[str, str]) -> InProcessPcsc:
    """Give a stack its reader, its card and its control socket; see ``cardsim.transports.inprocess.create``.

    Args:
        stack: a fresh one.
        options: as the configuration has them.

    Returns: the same stack.
    Raises: ``ValueError``, ``ReaderError``, ``ControlSocketError``, ``profiles.ProfileError``, ``OSError``.
    """
    for name in options:
        if name not in _OPTIONS:
            raise ValueError(f"unknown option {name!r} of the cardsim backend: one of {', '.join(_OPTIONS)}")
    inserted, timing = _yes_no(options, "inserted"), _yes_no(options, "timing")
    profile = options.get("profile", DEFAULT_PROFILE)
    if profile not in LOOK_ALIKES:
        profiles.load(profile)  # a wrong one is told now, not at the first insertion
    cupboard = CardCupboard(Path(options["home"]) if "home" in options else None, timing=timing)
    reader = stack.add_reader(options.get("reader", _DEFAULT_READER))
    if pad := _chosen(options, "pin-pad", _PADS):
        reader.add_pin_pad(changes_pins=pad is _Pad.FULL)
    desk = ControlDesk(stack, cupboard, profile)
    if "control" in options:
        server = ControlServer(Path(options["control"]), desk)
        server.start()
        stack.on_close(server.close)
    if inserted:
        try:
            reader.insert(cupboard.any_card(profile).card)
        except BaseException:
            stack.close()
            raise
    return stack


def _yes_no(options: Mapping[str, str], name: str) -> bool:
    return _chosen(options, name, _YES_NO)


def _chosen(options: Mapping[str, str], name: str, choices: Mapping[str, _Choice]) -> _Choice:
    given = options.get(name, "no")
    if given not in choices:
        raise ValueError(f"option {name!r} of the cardsim backend is {' or '.join(choices)}, not {given!r}")
    return choices[given]
