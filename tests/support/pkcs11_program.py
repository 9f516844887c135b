"""A program that uses a PKCS#11 module step by step, as its standard input says; run by ``tests.support.pkcs11``.

    python pkcs11_program.py MODULE

One JSON object a line: a step asked, its result given. Names and numbers are those of PKCS #11 v2.40, of which only
what the steps need is here. Standard library only: it runs where a module wants to be, and a module that crashes takes
nobody with it.
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

CKR_OK, CKR_ATTRIBUTE_TYPE_INVALID = 0x0, 0x12
CKF_SERIAL_SESSION, CKF_RW_SESSION = 0x4, 0x2
CKU_SO, CKU_USER = 0, 1
CKA_CLASS, CKA_LABEL, CKA_VALUE = 0x0, 0x3, 0x11
CKO_PRIVATE_KEY = 3
CKM = {"RSA-PKCS": 0x1, "SHA256-RSA-PKCS": 0x40}
LONGEST_RESULT = 256
"""Room for a result, so that no module computes twice to tell its length first. Just that of RSA-2048: where there is
more, Cryptolib refuses CKM_RSA_PKCS on a CPS4 by CKR_ARGUMENTS_BAD."""
MOST_OBJECTS, MOST_SLOTS = 64, 16

Ulong = ctypes.c_ulong
Step = dict[str, Any]


class Attribute(ctypes.Structure):
    """CK_ATTRIBUTE."""

    _fields_ = (("type", Ulong), ("value", ctypes.c_void_p), ("length", Ulong))


class Mechanism(ctypes.Structure):
    """CK_MECHANISM."""

    _fields_ = (("mechanism", Ulong), ("parameter", ctypes.c_void_p), ("length", Ulong))


class Refused(Exception):
    """A function gave another result than CKR_OK.

    Args:
        function: which.
        result: what it gave.
    """

    def __init__(self, function: str, result: int) -> None:
        super().__init__(f"{function}: {result:#x}")
        self.function = function
        self.result = result


class Program:
    """The module, a session, and the steps by name.

    Args:
        module: path of the shared object.
    """

    def __init__(self, module: str) -> None:
        self._module = ctypes.CDLL(module)
        self._session = Ulong()
        self._slots = (Ulong * MOST_SLOTS)()

    def step(self, asked: Step) -> Step:
        """Take one step; gives its result."""
        steps: dict[str, Callable[[Step], Step]] = {
            "initialize": self._initialize,
            "slots": self._list_slots,
            "open": self._open,
            "objects": self._objects,
            "read": self._read,
            "login": self._login,
            "logout": self._logout,
            "sign": self._sign,
            "decrypt": self._decrypt,
            "set-pin": self._set_pin,
            "init-pin": self._init_pin,
            "close": self._close,
        }
        try:
            return {"result": CKR_OK, **steps[asked["do"]](asked)}
        except Refused as refused:
            return {"result": refused.result, "function": refused.function}

    def _call(self, function: str, *arguments: Any) -> None:
        result = getattr(self._module, function)(*arguments) & 0xFFFFFFFF
        if result != CKR_OK:
            raise Refused(function, result)

    def _initialize(self, _: Step) -> Step:
        self._call("C_Initialize", None)
        return {}

    def _list_slots(self, _: Step) -> Step:
        count = Ulong(MOST_SLOTS)
        self._call("C_GetSlotList", ctypes.c_ubyte(1), self._slots, ctypes.byref(count))
        return {"count": count.value}

    def _open(self, _: Step) -> Step:
        flags = Ulong(CKF_SERIAL_SESSION | CKF_RW_SESSION)
        self._call("C_OpenSession", Ulong(self._slots[0]), flags, None, None, ctypes.byref(self._session))
        return {}

    def _objects(self, _: Step) -> Step:
        return {"labels": [self._label(handle) for handle in self._found()]}

    def _read(self, asked: Step) -> Step:
        (handle,) = self._found((CKA_CLASS, _number(asked["class"])), (CKA_LABEL, asked["label"].encode()))
        return {"data": self._value(handle, CKA_VALUE).hex()}

    def _login(self, asked: Step) -> Step:
        pin = asked["pin"].encode()
        user = CKU_SO if asked.get("so") else CKU_USER
        self._call("C_Login", self._session, Ulong(user), pin, Ulong(len(pin)))
        return {}

    def _logout(self, _: Step) -> Step:
        self._call("C_Logout", self._session)
        return {}

    def _sign(self, asked: Step) -> Step:
        return self._with_key("C_Sign", asked)

    def _decrypt(self, asked: Step) -> Step:
        return self._with_key("C_Decrypt", asked)

    def _with_key(self, function: str, asked: Step) -> Step:
        """One of the operations that begin with a mechanism and a private key and then take all their data at once."""
        (key,) = self._found((CKA_CLASS, _number(CKO_PRIVATE_KEY)), (CKA_LABEL, asked["key"].encode()))
        mechanism = Mechanism(CKM[asked["mechanism"]], None, 0)
        self._call(f"{function}Init", self._session, ctypes.byref(mechanism), Ulong(key))
        data = bytes.fromhex(asked["data"])
        result, length = (ctypes.c_ubyte * LONGEST_RESULT)(), Ulong(LONGEST_RESULT)
        self._call(function, self._session, data, Ulong(len(data)), result, ctypes.byref(length))
        return {"data": bytes(result[: length.value]).hex()}

    def _set_pin(self, asked: Step) -> Step:
        old, new = asked["old"].encode(), asked["new"].encode()
        self._call("C_SetPIN", self._session, old, Ulong(len(old)), new, Ulong(len(new)))
        return {}

    def _init_pin(self, asked: Step) -> Step:
        new = asked["new"].encode()
        self._call("C_InitPIN", self._session, new, Ulong(len(new)))
        return {}

    def _close(self, _: Step) -> Step:
        self._call("C_CloseSession", self._session)
        self._call("C_Finalize", None)
        return {}

    def _found(self, *template: tuple[int, bytes]) -> list[int]:
        wanted = (Attribute * max(len(template), 1))(*(_attribute(kind, value) for kind, value in template))
        self._call("C_FindObjectsInit", self._session, wanted, Ulong(len(template)))
        handles, count = (Ulong * MOST_OBJECTS)(), Ulong()
        self._call("C_FindObjects", self._session, handles, Ulong(MOST_OBJECTS), ctypes.byref(count))
        self._call("C_FindObjectsFinal", self._session)
        return list(handles[: count.value])

    def _label(self, handle: int) -> str:
        try:
            return self._value(handle, CKA_LABEL).decode("utf-8", "replace")
        except Refused as refused:
            if refused.result == CKR_ATTRIBUTE_TYPE_INVALID:  # OpenSC's profile object has none
                return ""
            raise

    def _value(self, handle: int, kind: int) -> bytes:
        asked = Attribute(kind, None, 0)
        self._call("C_GetAttributeValue", self._session, Ulong(handle), ctypes.byref(asked), Ulong(1))
        room = ctypes.create_string_buffer(max(asked.length, 1))
        asked.value = ctypes.addressof(room)
        self._call("C_GetAttributeValue", self._session, Ulong(handle), ctypes.byref(asked), Ulong(1))
        return room.raw[: asked.length]


def _attribute(kind: int, value: bytes) -> Attribute:
    # c_char_p keeps the bytes alive as long as the structure that casts it.
    return Attribute(kind, ctypes.cast(ctypes.c_char_p(value), ctypes.c_void_p), len(value))


def _number(value: int) -> bytes:
    return value.to_bytes(ctypes.sizeof(Ulong), sys.byteorder)


def _steps() -> Iterator[Step]:
    for line in sys.stdin:
        yield json.loads(line)


def main() -> None:
    """Take every step that is asked."""
    program = Program(sys.argv[1])
    for asked in _steps():
        print(json.dumps(program.step(asked)), flush=True)


if __name__ == "__main__":
    main()
