"""A report of one card for those who have none: safe questions, and what they settle of what was never published.

Nothing here costs a try or changes the card: `Recorder` lets pass SELECT, READ BINARY, GET DATA, GET RESPONSE and
VERIFY without data alone, whatever the steps ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from cardd_drivers.apdu import SHORT_LE_MAX, Command, Response
from cardd_drivers.contract import (
    Cancelled,
    CardError,
    CardKind,
    CardMute,
    CardRemoved,
    CardReport,
    CardReset,
    Channel,
    ReaderFailure,
    ReportedCommand,
    Transport,
)
from cardd_drivers.ias_ecc import commands
from cardd_drivers.ias_ecc.commands import SelectResponse
from cardd_drivers.ias_ecc.directories import parse_dodf
from cardd_drivers.ias_ecc.discovery import discover, read_directory, read_serial
from cardd_drivers.ias_ecc.files import FILE_MAX, Files, locate
from cardd_drivers.ias_ecc.generation import Generation
from cardd_drivers.ias_ecc.layout import CONTACT_AID, CONTACTLESS_AID, Layout
from cardd_drivers.ias_ecc.objects import DataObject, Path
from cardd_drivers.ias_ecc.report_answers import Findings, answers_of
from cardd_drivers.ias_ecc.report_mask import shown

T = TypeVar("T")

_VERIFY: Final = 0x20
_HARMLESS: Final = frozenset({0xA4, 0xB0, 0xC0, 0xCB})
"""INS of SELECT, READ BINARY, GET RESPONSE and GET DATA (ISO 7816-4)."""
_THE_CARD_IS_GONE: Final = (CardRemoved, CardReset, CardMute, ReaderFailure, Cancelled)

_MASTER_FILES: Final = ("2F00", "2F01", "D003", "D010")
_APPLICATION_FILES: Final = ("5031", "5032")
_OBJECTS_AT_MF: Final = (
    *(("PIN", 0x01, 1), ("PUK", 0x01, 2)),
    *(("security environment 1", 0x7B, 1), ("security environment 3", 0x7B, 3), ("security environment 5", 0x7B, 5)),
)
_PIN_CLASS, _KEY_CLASS, _ENVIRONMENT_CLASS = 0x01, 0x10, 0x7B
_PARTS: Final = {
    _PIN_CLASS: ("A0", "7F41"),
    _KEY_CLASS: ("A0", "7F48"),
    _ENVIRONMENT_CLASS: ("7B",),
}
"""Tags that are asked of each class of security data object: its parameters, its usage data."""
_CERTIFICATE_HEAD: Final = 4
"""Bytes of a certificate that tell its length and nothing of its holder."""


class Recorder:
    """A channel that lets harmless commands pass and keeps each with its answer.

    Args:
        channel: the way to the card.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.step = ""
        self.kept: list[tuple[str, Command, Response]] = []

    @property
    def atr(self) -> bytes:
        """Answer to reset."""
        return self._channel.atr

    @property
    def transport(self) -> Transport:
        """The negotiated protocol."""
        return self._channel.transport

    def transmit(self, command: Command) -> Response:
        """Send one harmless command.

        Raises:
            ValueError: it could cost something; a defect of this file.
        """
        asks_for_tries = command.ins == _VERIFY and not command.data and command.entry is None
        if command.ins not in _HARMLESS and not asks_for_tries:
            raise ValueError(f"no card report sends {command.header.hex()}")
        response = self._channel.transmit(command)
        self.kept.append((self.step, command, response))
        return response


class Reporter:
    """Puts the questions.

    Args:
        channel: the way to a card that was just reset.
        generation: how it is spoken to.
        with_identity: read what tells whose card it is, too.
    """

    def __init__(self, channel: Channel, generation: Generation, *, with_identity: bool) -> None:
        self._recorder = Recorder(channel)
        self._generation = generation
        self._with_identity = with_identity
        self._exchange, selection = generation.way(self._recorder)
        self._files = Files(self._exchange, selection)
        self._findings = Findings(atr=channel.atr, kind=generation.kind, transport=channel.transport)

    def report(self) -> CardReport:
        """Ask everything; what the card refuses, or answers without sense, is told as it came.

        Raises:
            CardRemoved, CardReset, CardMute, ReaderFailure, Cancelled: the card does not answer any more.
        """
        findings = self._findings
        findings.serial = self._step("EF.SN", lambda: read_serial(self._files)) or ""
        snapshot = self._step("directories", lambda: discover(self._files))
        layout = None if snapshot is None else self._step("directories", lambda: Layout.parse(snapshot))
        findings.layout = layout
        if layout is not None:
            self._read_by_directories(layout)
        # From here on what is selected is not followed any more: nothing is read by `Files` again.
        self._ask_master_file()
        self._ask_application(layout)
        mask = "" if self._with_identity else findings.serial
        told = tuple(_reported(*kept, mask, masked=not self._with_identity) for kept in self._recorder.kept)
        return CardReport(told, answers_of(findings))

    def _read_by_directories(self, layout: Layout) -> None:
        files, application, findings = self._files, layout.application, self._findings
        info = Path(bytes.fromhex("5032"))
        self._step("EF.CIAInfo", lambda: read_directory(files, application, info))
        for path in layout.data_directories:
            findings.data_objects += self._step("data directory", self._listing(layout, path)) or ()
        if self._with_identity:
            for entry in findings.data_objects:
                self._step(f"content of {entry.attributes.label}", self._reading(layout, entry))

    def _listing(self, layout: Layout, path: Path) -> Callable[[], tuple[DataObject, ...]]:
        return lambda: parse_dodf(read_directory(self._files, layout.application, path))

    def _reading(self, layout: Layout, entry: DataObject) -> Callable[[], bytes]:
        return lambda: self._files.read_file(layout.application, entry.path, FILE_MAX, structured=False)

    def _ask_master_file(self) -> None:
        """The MF's files, the tries left, and the security data objects that are known there."""
        self._ask("SELECT root AID, P2=04", commands.select_by_df_name(commands.ROOT_AID, SelectResponse.FCP))
        for identifier in _MASTER_FILES:
            self._fcp(f"MF/{identifier}", bytes.fromhex("3F00" + identifier))
        self._ask("SELECT root AID", commands.select_by_df_name(commands.ROOT_AID))
        layout = self._findings.layout
        pin = None if layout is None else layout.pin()
        self._findings.tries = self._ask(
            "tries left of the PIN", commands.verify_status(1 if pin is None else pin.reference)
        )
        for name, kind, number in _OBJECTS_AT_MF:
            self._objects(name, kind, number)

    def _ask_application(self, layout: Layout | None) -> None:
        """Both applications by AID, the FCP of each file, sizes of certificates, and the keys' objects."""
        for name, aid in (("contact", CONTACT_AID), ("contactless", CONTACTLESS_AID)):
            selected = self._ask(
                f"SELECT {name} application, P2=04", commands.select_by_df_name(aid, SelectResponse.FCP)
            )
            if selected is not None and selected.sw.value == 0x9000:
                for number in (1, 2, 3):
                    self._objects(f"{name} key {number}", _KEY_CLASS, number)
        if layout is None or layout.application.path is None:
            return
        own = layout.application.path
        self._fcp("application", own)
        for identifier in _APPLICATION_FILES:
            self._fcp(f"application/{identifier}", own + bytes.fromhex(identifier))
        for certificate in layout.certificates:
            with self._guarded():
                where = locate(layout.application, certificate.path)
                self._fcp(certificate.attributes.label, where.df + where.identifier)
                head = self._ask(f"head of {certificate.attributes.label}", commands.read_binary(0, _CERTIFICATE_HEAD))
                self._findings.heads[certificate.attributes.label] = b"" if head is None else head.data
        for entry in self._findings.data_objects:
            with self._guarded():
                where = locate(layout.application, entry.path)
                self._fcp(entry.attributes.label, where.df + where.identifier)

    def _fcp(self, name: str, path: bytes) -> None:
        """SELECT by path with the control parameters wanted, each generation its own way."""
        if self._generation.kind is CardKind.CPS4:
            command = Command(0x00, 0xA4, 0x08, 0x00, path[len(commands.MASTER_FILE) :], le=SHORT_LE_MAX)
        else:
            command = commands.select_by_path(path, SelectResponse.FCP)
        self._findings.control[name] = self._ask(f"FCP of {name}", command)

    def _objects(self, name: str, kind: int, number: int) -> None:
        for part in _PARTS[kind]:
            answer = self._ask(f"GET DATA {name}, {part}", get_data(kind, number, bytes.fromhex(part)))
            self._findings.objects[f"{name}, {part}"] = answer

    def _ask(self, step: str, command: Command) -> Response | None:
        return self._step(step, lambda: self._exchange.send(command))

    def _step(self, step: str, work: Callable[[], T]) -> T | None:
        """One step; a card's refusal, or nonsense, ends this one alone."""
        self._recorder.step = step
        with self._guarded():
            return work()
        return None

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except _THE_CARD_IS_GONE:
            raise
        except CardError as error:
            self._findings.odd.append(f"{self._recorder.step}: {error}")


def get_data(kind: int, number: int, part: bytes) -> Command:
    """GET DATA on one part of a security data object (IAS ECC; extended header list of ISO 7816-4 8.4.1).

    Args:
        kind: class of the object: 01 PIN, 10 RSA private key, 7B security environment.
        number: which.
        part: tag of the part.
    """
    wanted = part + b"\x80"
    named = bytes((0xBF, 0x80 | kind, number, len(wanted))) + wanted
    template = bytes((0x70, len(named))) + named
    return Command(0x00, 0xCB, 0x3F, 0xFF, bytes((0x4D, len(template))) + template, le=SHORT_LE_MAX)


def _reported(step: str, command: Command, response: Response, serial: str, *, masked: bool) -> ReportedCommand:
    data = bytes(command.data)
    le = b"" if command.le is None else bytes((command.le & 0xFF,))
    sent = command.header + (bytes((len(data),)) + data if data else b"") + le
    answer = shown(response.data, serial, whole=step != "EF.SN") if masked else response.data.hex()
    return ReportedCommand(step, sent.hex(), answer, f"{response.sw.value:04X}")
