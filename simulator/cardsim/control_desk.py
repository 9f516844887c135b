"""What can be asked of a running simulator: insert, remove, status, faults, readers.

A request is a JSON object with ``command`` and that command's own keys; an answer has ``ok``, and either the command's
results or ``error`` (a name for programs) and ``message`` (a sentence for people).

| command | keys | results |
| --- | --- | --- |
| insert | reader, profile | reader, profile, holder, card_number |
| remove | reader | reader |
| tap | reader, profile, milliseconds (1000) | as insert, once the card has gone again |
| trace | reader | reader, then a line of a transcript for each exchange, until the client leaves |
| pin-pad | reader, key (``ok``, ``cancel``, ``time-out``), digits | reader |
| status | | readers: name, card, profile, holder, card_number, atr, faults of each |
| fault | reader, fault (``sw@3:6F00``) | reader, faults |
| clear-faults | reader | reader |
| add-reader | name | reader |
| remove-reader | name | reader |

Without ``reader`` the first one is meant, without ``profile`` the card that was in it last.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from cardsim.control_cards import DEFAULT_PROFILE, CardCupboard, PreparedLookAlike
from cardsim.faults import Fault, FaultSpecificationError
from cardsim.pki.sized import CertificateSizeError
from cardsim.pki.store import PkiStoreError
from cardsim.profiles import ProfileError
from cardsim.transports.reader import ReaderError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cardsim.trace import ExchangeFeed
    from cardsim.transports.pcsc.pin_pad import PinPad
    from cardsim.transports.reader import CardReader

Answer = dict[str, object]

# Long enough for pcscd, which looks at a virtual reader every 0.4 s, and for a program to read a card after that.
_TAP_MILLISECONDS = "1000"
_LONGEST_TAP_MILLISECONDS = 60_000


class ControlError(Exception):
    """A request cannot be done.

    Args:
        name: for programs: ``bad-request``, ``unknown-command``, ``unknown-key``, ``unknown-reader``, ``bad-profile``,
            ``bad-fault``, ``reader``, ``unsupported``, ``failed``.
        message: for people.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class ReaderRack(Protocol):
    """Readers that can be plugged in and out."""

    def readers(self) -> Sequence[CardReader]:
        """Return the readers, the first being the one that is meant where none is named."""

    def add_reader(self, name: str) -> CardReader:
        """Plug one in. Raises: ``ReaderError``."""

    def remove_reader(self, name: str) -> None:
        """Unplug one. Raises: ``ReaderError``."""


class FixedRack:
    """Readers that stay as they are: those of pcscd; a ``ReaderRack``."""

    def __init__(self, *readers: CardReader) -> None:
        self._readers = readers

    def readers(self) -> Sequence[CardReader]:
        """Return the readers."""
        return self._readers

    def add_reader(self, name: str) -> CardReader:
        """Raises: ``ReaderError``, always."""
        raise ReaderError(f"no reader {name!r} can be plugged in: the readers are those of pcscd's configuration")

    def remove_reader(self, name: str) -> None:
        """Raises: ``ReaderError``, always."""
        raise ReaderError(f"{name!r} cannot be unplugged: the readers are those of pcscd's configuration")


class ControlDesk:
    """Does what requests ask, on the readers of one simulator.

    Args:
        rack: the readers.
        cupboard: the cards.
        profile: the card that goes in first where a request names none.
        wait: lets seconds pass, while a card is tapped.
    """

    def __init__(
        self,
        rack: ReaderRack,
        cupboard: CardCupboard,
        profile: str = DEFAULT_PROFILE,
        *,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rack = rack
        self._cupboard = cupboard
        self._first_profile = profile
        self._wait = wait
        for reader in rack.readers():
            self._give_cards(reader)
        self._last_profile: dict[str, str] = {}
        self._commands: dict[str, tuple[frozenset[str], Callable[[Mapping[str, str]], Answer]]] = {
            "insert": (frozenset({"reader", "profile"}), self._insert),
            "remove": (frozenset({"reader"}), self._remove),
            "tap": (frozenset({"reader", "profile", "milliseconds"}), self._tap),
            "trace": (frozenset({"reader"}), lambda fields: {"reader": self._reader(fields).name}),
            "pin-pad": (frozenset({"reader", "key", "digits"}), self._pin_pad),
            "status": (frozenset(), self._status),
            "fault": (frozenset({"reader", "fault"}), self._fault),
            "clear-faults": (frozenset({"reader"}), self._clear_faults),
            "add-reader": (frozenset({"name"}), self._add_reader),
            "remove-reader": (frozenset({"name"}), self._remove_reader),
        }

    def do(self, request: object) -> Answer:
        """Do one request.

        Args:
            request: decoded JSON.

        Returns: the results.
        Raises: ``ControlError``.
        """
        if not isinstance(request, dict) or not all(isinstance(value, str) for value in request.values()):
            raise ControlError("bad-request", "a request is a JSON object whose values are strings")
        fields: dict[str, str] = dict(request)
        command = fields.pop("command", None)
        if command is None:
            raise ControlError("bad-request", "the request has no command")
        if command not in self._commands:
            raise ControlError(
                "unknown-command", f"unknown command {command[:40]!r}: one of {', '.join(self._commands)}"
            )
        known, action = self._commands[command]
        if unknown := sorted(fields.keys() - known):
            raise ControlError("unknown-key", f"{command} knows no key {unknown[0][:40]!r}")
        try:
            return action(fields)
        except ReaderError as error:
            raise ControlError("reader", str(error)) from error
        except FaultSpecificationError as error:
            raise ControlError("bad-fault", str(error)) from error
        except (ProfileError, CertificateSizeError) as error:
            raise ControlError("bad-profile", str(error)) from error
        except (PkiStoreError, OSError) as error:
            raise ControlError("failed", str(error)) from error

    def _give_cards(self, reader: CardReader) -> None:
        """Let a reader's faults swap cards."""
        reader.faults.cards = lambda name: self._cupboard.any_card(name).card

    def _reader(self, fields: Mapping[str, str]) -> CardReader:
        readers = self._rack.readers()
        name = fields.get("reader")
        if not readers:
            raise ControlError("unknown-reader", "there is no reader; add-reader plugs one in")
        if name is None:
            return readers[0]
        for reader in readers:
            if reader.name == name:
                return reader
        names = ", ".join(reader.name for reader in readers)
        raise ControlError("unknown-reader", f"there is no reader {name[:130]!r}, only: {names}")

    def _insert(self, fields: Mapping[str, str]) -> Answer:
        reader = self._reader(fields)
        name = fields.get("profile") or self._last_profile.get(reader.name, self._first_profile)
        prepared = self._cupboard.any_card(name)
        for other in self._rack.readers():
            if prepared.is_same_card(self._cupboard.owner(other.card)):
                raise ReaderError(f"the card of profile {prepared.name} is in {other.name} already")
        reader.insert(prepared.card)
        self._last_profile[reader.name] = name
        return {"reader": reader.name, **self._whose(reader)}

    def _remove(self, fields: Mapping[str, str]) -> Answer:
        reader = self._reader(fields)
        reader.remove()
        return {"reader": reader.name}

    def _tap(self, fields: Mapping[str, str]) -> Answer:
        """Hold a card to the reader for a moment."""
        text = fields.get("milliseconds", _TAP_MILLISECONDS)
        if not (text.isascii() and text.isdigit() and 0 < int(text) <= _LONGEST_TAP_MILLISECONDS):
            raise ControlError("bad-request", f"milliseconds is a number from 1 to {_LONGEST_TAP_MILLISECONDS}")
        answer = self._insert({name: value for name, value in fields.items() if name != "milliseconds"})
        reader = self._reader(fields)
        self._wait(int(text) / 1000)
        reader.remove()
        return answer

    def _pin_pad(self, fields: Mapping[str, str]) -> Answer:
        """Press keys on a reader's PIN pad."""
        reader = self._reader(fields)
        pad: PinPad | None = getattr(reader, "pin_pad", None)  # a reader of pcscd's has none
        if pad is None:
            raise ControlError("unsupported", f"{reader.name} has no PIN pad")
        digits, key = fields.get("digits", ""), fields.get("key", "ok")
        keys = {"ok": lambda: pad.enter(digits), "cancel": pad.cancel, "time-out": pad.time_out}
        if key not in keys or not (digits.isascii() and (digits.isdecimal() or not digits)):
            raise ControlError("bad-request", f"key is one of {', '.join(keys)}, digits are decimal digits")
        keys[key]()
        return {"reader": reader.name}

    def feed(self, name: str) -> ExchangeFeed:
        """Return the exchanges of a reader.

        Args:
            name: as ``trace`` has answered.

        Raises: ``ControlError``: it has been unplugged.
        """
        return self._reader({"reader": name}).exchanges

    def _status(self, _fields: Mapping[str, str]) -> Answer:
        return {"readers": [self._describe(reader) for reader in self._rack.readers()]}

    def _describe(self, reader: CardReader) -> Answer:
        card = reader.card
        return {
            "name": reader.name,
            "card": card is not None,
            "atr": None if card is None else card.atr.hex().upper(),
            **self._whose(reader),
            "faults": [str(fault) for fault in reader.faults.armed()],
        }

    def _whose(self, reader: CardReader) -> Answer:
        prepared = self._cupboard.owner(reader.card)
        if prepared is None:
            return {"profile": None, "holder": None, "card_number": None}
        if isinstance(prepared, PreparedLookAlike):
            return {"profile": prepared.name, "holder": None, "card_number": None}
        profile = prepared.profile
        return {
            "profile": profile.name,
            "holder": profile.holder.display_name,
            "card_number": profile.card.number,
        }

    def _fault(self, fields: Mapping[str, str]) -> Answer:
        reader = self._reader(fields)
        if "fault" not in fields:
            raise ControlError("bad-request", "fault needs the key 'fault', for instance sw@3:6F00")
        reader.faults.arm(Fault.parse(fields["fault"]))
        return {"reader": reader.name, "faults": [str(fault) for fault in reader.faults.armed()]}

    def _clear_faults(self, fields: Mapping[str, str]) -> Answer:
        reader = self._reader(fields)
        reader.faults.clear()
        return {"reader": reader.name}

    def _add_reader(self, fields: Mapping[str, str]) -> Answer:
        reader = self._rack.add_reader(self._name(fields))
        self._give_cards(reader)
        return {"reader": reader.name}

    def _remove_reader(self, fields: Mapping[str, str]) -> Answer:
        name = self._name(fields)
        self._rack.remove_reader(name)
        return {"reader": name}

    @staticmethod
    def _name(fields: Mapping[str, str]) -> str:
        if "name" not in fields:
            raise ControlError("bad-request", "the reader's name is missing: key 'name'")
        return fields["name"]
