"""Asking in a window by pinentry: the Assuan protocol of GnuPG's dialogues (pinentry manual, "Protocol")."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from cardd.cli.asking import consent_question, notice_text, pin_question
from cardd.cli.assuan import AnswerPipe, unescaped
from cardd.cli.i18n import _
from cardd.client import Agent, ConsentRequest, NoticeRequest, PinPurpose, PinRequest
from cardd.client.secret import SecretBytes, secret_room, wipe
from cardd.errors import AgentFailed

_DISPLAYS: Final = ("WAYLAND_DISPLAY", "DISPLAY")
_CANCELLED: Final = 99
"""GPG_ERR_CANCELED, in the lower 16 bits of an error's number (libgpg-error)."""
_NOT_CONFIRMED: Final = 114
"""GPG_ERR_NOT_CONFIRMED."""


def find_pinentry(environment: Mapping[str, str]) -> Path | None:
    """The pinentry of this desktop, None where there is no window system or no pinentry."""
    if not any(environment.get(name) for name in _DISPLAYS):
        return None
    found = shutil.which("pinentry", path=environment.get("PATH"))
    return None if found is None else Path(found)


class PinentryAgent(Agent):
    """Asks in windows, one process of pinentry a question.

    Args:
        program: pinentry.
    """

    tells_last_try = True

    def __init__(self, program: Path) -> None:
        self._program = program

    async def request_pin(self, request: PinRequest) -> SecretBytes | None:
        """Ask; a new PIN is asked for twice, until both are the same."""
        if request.purpose not in (PinPurpose.CHANGE_NEW, PinPurpose.UNBLOCK_NEW):
            return await self._pin(pin_question(request))
        question = pin_question(request)
        while True:
            first = await self._pin(question)
            if first is None:
                return None
            second = await self._pin(_("Once more, please.") + "\n" + pin_question(request))
            same = first == second
            if second is not None:
                wipe(second)
            if same:
                return first
            wipe(first)
            if second is None:
                return None
            question = _("They differ; once more.") + "\n" + pin_question(request)

    async def confirm(self, request: ConsentRequest) -> bool | None:
        """Show who wants to sign what."""
        async with _Dialogue(self._program) as dialogue:
            await dialogue.prepare(consent_question(request), ok=_("Sign"))
            return await dialogue.confirm()

    async def notify(self, notice: NoticeRequest) -> bool:
        """Show it until the user closes the window."""
        text = notice_text(notice)
        if text is None:
            return False
        async with _Dialogue(self._program) as dialogue:
            await dialogue.prepare(text, ok=_("OK"))
            await dialogue.message()
        return True

    async def _pin(self, question: str) -> SecretBytes | None:
        async with _Dialogue(self._program) as dialogue:
            await dialogue.prepare(question, ok=_("OK"))
            return await dialogue.get_pin()


class _Dialogue:
    """One process of pinentry; it ends with its context, and its window with it."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._process: asyncio.subprocess.Process | None = None
        self._answers = AnswerPipe()
        self._closing = AsyncExitStack()

    async def __aenter__(self) -> _Dialogue:
        async with AsyncExitStack() as starting:
            starting.enter_context(self._answers)
            await self._start()
            starting.push_async_callback(self._end)
            await self._answer()  # its greeting
            self._closing = starting.pop_all()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._closing.aclose()

    async def _start(self) -> None:
        try:
            self._process = await asyncio.create_subprocess_exec(
                str(self._program), stdin=asyncio.subprocess.PIPE, stdout=self._answers.writing
            )
        except OSError as error:
            raise AgentFailed(reason=f"pinentry cannot be run ({error.strerror})") from error
        self._answers.close_writing()

    async def _end(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()

    async def prepare(self, description: str, *, ok: str) -> None:
        """Say what the window shows."""
        commands = {"SETTITLE": "cardd", "SETDESC": description, "SETOK": ok, "SETCANCEL": _("Refuse")}
        for command, text in commands.items():
            if await self._command(f"{command} {_escaped(text)}") is not None:
                raise AgentFailed(reason="pinentry does not take what it is to show")

    async def get_pin(self) -> SecretBytes | None:
        """What was typed; None where the user closed the window."""
        typed = _Data()
        failure = await self._command("GETPIN", typed)
        if failure is None:
            return typed.characters
        wipe(typed.characters)
        if failure == _CANCELLED:
            return None
        raise AgentFailed(reason=f"pinentry answered error {failure}")

    async def confirm(self) -> bool | None:
        """Whether the user agreed; a window that was closed by its frame is no answer."""
        failure = await self._command("CONFIRM")
        if failure is None:
            return True
        if failure in (_CANCELLED, _NOT_CONFIRMED):
            return False
        raise AgentFailed(reason=f"pinentry answered error {failure}")

    async def message(self) -> None:
        """Until the user has seen it: the button and the window's frame say the same."""
        failure = await self._command("MESSAGE")
        if failure not in (None, _CANCELLED):
            raise AgentFailed(reason=f"pinentry answered error {failure}")

    async def _command(self, line: str, data: _Data | None = None) -> int | None:
        if self._process is None or self._process.stdin is None:
            raise AgentFailed(reason="pinentry does not run")
        try:
            self._process.stdin.write(f"{line}\n".encode())
            await self._process.stdin.drain()
        except OSError as error:
            raise AgentFailed(reason="pinentry ended") from error
        return await self._answer(data)

    async def _answer(self, data: _Data | None = None) -> int | None:
        """Read up to OK or ERR; gives the error's code, None for OK."""
        while True:
            line = await self._answers.line()
            word = bytes(line[:2])  # no more: a data line goes on with the PIN
            if word == b"OK":
                return None
            if word == b"ER":
                return _code_of(bytes(line))
            if word == b"D " and data is not None:
                data.take(line[2:])


class _Data:
    """What data lines gave, in memory for secrets."""

    def __init__(self) -> None:
        self.characters = secret_room(0)

    def take(self, raw: memoryview) -> None:
        """Append what a line gives; a PIN has one line."""
        more, before = unescaped(raw), self.characters
        self.characters = secret_room(len(before) + len(more))
        self.characters[: len(before)] = before
        self.characters[len(before) :] = more
        wipe(before)
        wipe(more)


def _code_of(line: bytes) -> int:
    word, _, rest = line.partition(b" ")
    number = rest.split(b" ")[0]
    if word != b"ERR" or not number.isdigit():
        raise AgentFailed(reason="pinentry answers nonsense")
    return int(number) & 0xFFFF


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
