"""Another program on the machine: one that uses a card through a PKCS#11 module, step by step."""

from __future__ import annotations

import enum
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

OPENSC = next(Path("/usr/lib").glob("*/opensc-pkcs11.so"), None)
"""OpenSC's module as Debian's package opensc-pkcs11 has it; None where that is not installed."""
AUTHENTICATION, SIGNATURE = "CPS_PRIV_AUT", "CPS_PRIV_SIG"
"""Labels of a CPS's private keys."""
SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")
"""DigestInfo of SHA-256 up to the digest (RFC 8017, 9.2)."""
_PROGRAM = Path(__file__).with_name("pkcs11_program.py")
_DATA, _CERTIFICATE = 0, 1


class Result(enum.IntEnum):
    """What a PKCS#11 function gives (CKR)."""

    OK = 0x000
    SLOT_ID_INVALID = 0x003
    GENERAL_ERROR = 0x005
    DEVICE_ERROR = 0x030
    DEVICE_REMOVED = 0x032
    FUNCTION_NOT_SUPPORTED = 0x054
    MECHANISM_INVALID = 0x070
    PIN_INCORRECT = 0x0A0
    PIN_LOCKED = 0x0A4
    SESSION_HANDLE_INVALID = 0x0B3
    TOKEN_NOT_PRESENT = 0x0E0
    TOKEN_NOT_RECOGNIZED = 0x0E1
    USER_NOT_LOGGED_IN = 0x101
    USER_PIN_NOT_INITIALIZED = 0x102


class Refused(Exception):
    """A step was refused.

    Args:
        result: by what; the bare number where it has no name here.
        function: which function gave it.
    """

    def __init__(self, result: Result | int, function: str) -> None:
        super().__init__(f"{function}: {result!r}")
        self.result = result
        self.function = function


@dataclass(frozen=True, slots=True)
class Module:
    """A PKCS#11 module, and how a program is started that can use it.

    Args:
        path: the shared object.
        environment: of the program.
        command: from the program's command line to the one that starts it.
    """

    path: Path
    environment: Mapping[str, str]
    command: Callable[..., Sequence[str]] = lambda *argv: argv


class Program:
    """A running program; a context manager that ends it. A step that takes longer than the patience ends it too.

    Args:
        module: what it uses.
        patience: seconds that a step may take.
    """

    def __init__(self, module: Module, patience: float = 30.0) -> None:
        self._patience = patience
        self._process = subprocess.Popen(
            module.command(sys.executable, str(_PROGRAM), str(module.path)),
            env=dict(module.environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def initialize(self) -> None:
        """C_Initialize."""
        self._step("initialize")

    def slots(self) -> int:
        """How many slots have a token."""
        return int(self._step("slots")["count"])

    def open(self) -> None:
        """A read-write session with the first token."""
        self._step("open")

    def connect(self) -> None:
        """All three, as a program does at its start."""
        self.initialize()
        self.slots()
        self.open()

    def labels(self) -> list[str]:
        """Labels of all objects that can be seen now."""
        return list(self._step("objects")["labels"])

    def certificate(self, label: str) -> bytes:
        """DER of a certificate."""
        return bytes.fromhex(self._step("read", **{"class": _CERTIFICATE, "label": label})["data"])

    def data_object(self, label: str) -> bytes:
        """Content of a data object."""
        return bytes.fromhex(self._step("read", **{"class": _DATA, "label": label})["data"])

    def login(self, pin: str, *, so: bool = False) -> None:
        """C_Login as user, or with the PUK as security officer."""
        self._step("login", pin=pin, so=so)

    def logout(self) -> None:
        """C_Logout."""
        self._step("logout")

    def sign(self, key: str, mechanism: str, data: bytes) -> bytes:
        """C_SignInit and C_Sign.

        Args:
            key: label of the private key.
            mechanism: ``RSA-PKCS`` (data: a DigestInfo) or ``SHA256-RSA-PKCS`` (data: the message).
            data: what is signed.
        """
        return bytes.fromhex(self._step("sign", key=key, mechanism=mechanism, data=data.hex())["data"])

    def decrypt(self, key: str, cryptogram: bytes) -> bytes:
        """C_DecryptInit and C_Decrypt, RSA-PKCS."""
        return bytes.fromhex(self._step("decrypt", key=key, mechanism="RSA-PKCS", data=cryptogram.hex())["data"])

    def set_pin(self, old: str, new: str) -> None:
        """C_SetPIN."""
        self._step("set-pin", old=old, new=new)

    def init_pin(self, new: str) -> None:
        """C_InitPIN."""
        self._step("init-pin", new=new)

    def close(self) -> None:
        """C_CloseSession and C_Finalize; the program runs on."""
        self._step("close")

    def _step(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Raises:
        Refused: by a function of the module.
        TimeoutError: it hangs; it is ended.
        RuntimeError: it died.
        """
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the program has no pipes")
        late = threading.Event()

        def end() -> None:
            late.set()
            self._process.kill()

        alarm = threading.Timer(self._patience, end)
        alarm.start()
        try:
            self._process.stdin.write(json.dumps({"do": name, **arguments}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        finally:
            alarm.cancel()
        if late.is_set():
            raise TimeoutError(f"{name} took more than {self._patience} s")
        if not line:
            raise RuntimeError(f"the program ended in {name}, status {self._process.wait()}")
        told: dict[str, Any] = json.loads(line)
        if told["result"] != Result.OK:
            raise Refused(_result(told["result"]), told["function"])
        return told


def _result(number: int) -> Result | int:
    try:
        return Result(number)
    except ValueError:  # one without a name here
        return number
