"""From what a card answered to the questions that its published bytes leave open, one by one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from cardd_drivers.apdu import Response
from cardd_drivers.contract import CardKind, MalformedCardData, ReportedAnswer, Transport
from cardd_drivers.ias_ecc.layout import Layout
from cardd_drivers.ias_ecc.objects import DataObject
from cardd_drivers.tlv import read_header

_NOT_ASKED: Final = "not asked: it takes the PIN"
_UNKNOWN: Final = "no answer: the directories could not be read"


@dataclass(slots=True)
class Findings:
    """What the steps gather.

    Args:
        atr, kind, transport: of the card.
        serial: as digits; never told.
        layout: the directories, None where they could not be read.
        data_objects: entries of the data directories.
        tries: answer to VERIFY without data.
        control: answers to SELECT, by the name of the file.
        objects: answers to GET DATA, by object and part.
        heads: first bytes of each certificate, by label.
        odd: what could not be done, and why.
    """

    atr: bytes
    kind: CardKind
    transport: Transport
    serial: str = field(default="", repr=False)
    layout: Layout | None = None
    data_objects: tuple[DataObject, ...] = ()
    tries: Response | None = None
    control: dict[str, Response | None] = field(default_factory=dict)
    objects: dict[str, Response | None] = field(default_factory=dict)
    heads: dict[str, bytes] = field(default_factory=dict, repr=False)
    odd: list[str] = field(default_factory=list)


def answers_of(findings: Findings) -> tuple[ReportedAnswer, ...]:
    """Question and answer, in a fixed order; a question that this card leaves open is there as well."""
    layout = findings.layout
    table = {
        "answer to reset, protocol, generation": _words(
            (findings.atr.hex(), findings.transport.value, findings.kind.value)
        ),
        "file numbers of directories, certificates and data objects": _files(findings),
        "key references, and uses for one presentation of the PIN (userConsent)": _keys(layout),
        "padding, stored length and reference of the PIN and of the PUK": _pins(layout),
        "a PIN for each signature": _consent(layout),
        "remaining tries, as VERIFY without data tells them": _answer(findings.tries),
        "control parameters (FCP, FCI) of files": _control(findings),
        "access rules and parameters of PIN and PUK": _objects(findings, ("PIN", "PUK"), "A0"),
        "answer to 7F41 of PIN and PUK": _objects(findings, ("PIN", "PUK"), "7F41"),
        "access rules of the keys": _objects(findings, ("contact key", "contactless key"), "A0"),
        "answer to 7F48 of the keys": _objects(findings, ("contact key", "contactless key"), "7F48"),
        "contents of the security environments": _objects(findings, ("security environment",), "7B"),
        "sizes of certificates": _sizes(findings),
        "whether selecting the application anew drops the PIN": _NOT_ASKED,
        "whether VERIFY takes the digits without padding": _NOT_ASKED,
        "form of the CPS_ACTIVITY objects": _NOT_ASKED,
        "what could not be asked": _words(findings.odd) or "nothing",
    }
    return tuple(ReportedAnswer(question, answer) for question, answer in table.items())


def _files(findings: Findings) -> str:
    if findings.layout is None:
        return _UNKNOWN
    named = [(one.attributes.label, one.path.value.hex()) for one in findings.layout.certificates]
    named += [(one.attributes.label, one.path.value.hex()) for one in findings.data_objects]
    directories = [("data directory", path.value.hex()) for path in findings.layout.data_directories]
    return _words(f"{label} {number}" for label, number in directories + named)


def _keys(layout: Layout | None) -> str:
    if layout is None:
        return _UNKNOWN
    return _words(
        f"{key.attributes.label}: {'none' if key.reference is None else f'{key.reference:02X}'}, "
        f"{key.modulus_bits} bits, userConsent {key.attributes.user_consent or 'absent'}"
        for key in layout.keys
    )


def _pins(layout: Layout | None) -> str:
    if layout is None:
        return _UNKNOWN
    return _words(
        f"{pin.attributes.label}: reference {pin.reference:02X}, stored {pin.stored}, "
        f"pad {'none' if pin.pad is None else f'{pin.pad:02X}'}, {pin.minimum} to {pin.maximum}"
        for pin in layout.pins
    )


def _consent(layout: Layout | None) -> str:
    if layout is None:
        return _UNKNOWN
    wanted = [key.attributes.label for key in layout.keys if key.attributes.user_consent == 1]
    return (
        f"yes, by userConsent of {_words(wanted)}" if wanted else "not by the key directory; the card may all the same"
    )


def _control(findings: Findings) -> str:
    return _words(f"{name}: {_answer(answer)}" for name, answer in findings.control.items())


def _objects(findings: Findings, names: tuple[str, ...], part: str) -> str:
    return _words(
        f"{name.removesuffix(f', {part}')}: {_answer(answer)}"
        for name, answer in findings.objects.items()
        if name.startswith(names) and name.endswith(f", {part}")
    )


def _sizes(findings: Findings) -> str:
    return _words(f"{label}: {_declared(head)}" for label, head in findings.heads.items()) or _UNKNOWN


def _declared(head: bytes) -> str:
    try:
        _tag, length, start = read_header(head, 0)
    except MalformedCardData:
        return "no DER"
    return f"{start + length} bytes"


def _answer(response: Response | None) -> str:
    if response is None:
        return "no answer"
    status = f"{response.sw.value:04X}"
    return f"{response.data.hex()} {status}" if response.data else status


def _words(parts: Iterable[str]) -> str:
    return "; ".join(parts)
