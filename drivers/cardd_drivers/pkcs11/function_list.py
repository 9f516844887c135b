"""The calls of a module that take a PIN, straight from memory for secrets.

python-pkcs11 takes a PIN as a ``str``, which nobody can wipe. So C_Login and C_SetPIN are called through the module's
own table of functions, on the sessions that python-pkcs11 has opened (PKCS #11 2.40, 5.2: CK_FUNCTION_LIST; 5.6).
"""

from __future__ import annotations

import ctypes
from typing import Final

from cardd_drivers.secret_memory import SecretBytes

CKU_USER: Final = 1
_GET_TOKEN_INFO: Final = 6
_SET_PIN: Final = 11
_LOGIN: Final = 18
"""Positions in CK_FUNCTION_LIST, behind its version."""
_POINTERS: Final = 68
_CKR_OK: Final = 0


class _Functions(ctypes.Structure):
    _fields_ = (("version", ctypes.c_ubyte * 2), ("pointers", ctypes.c_void_p * _POINTERS))


class _TokenInfo(ctypes.Structure):
    """CK_TOKEN_INFO (PKCS #11 2.40, 3.2)."""

    _fields_ = (
        ("texts", ctypes.c_char * 96),
        ("flags", ctypes.c_ulong),
        ("sessions", ctypes.c_ulong * 4),
        ("max_pin", ctypes.c_ulong),
        ("min_pin", ctypes.c_ulong),
        ("memory", ctypes.c_ulong * 4),
        ("versions", ctypes.c_ubyte * 4),
        ("time", ctypes.c_char * 16),
    )


class ReturnValueError(Exception):
    """A function of the module gave another value than CKR_OK.

    Args:
        function: its name.
        value: the CK_RV.
    """

    def __init__(self, function: str, value: int) -> None:
        super().__init__(f"{function}: 0x{value:X}")
        self.value = value


class FunctionList:
    """A module's functions.

    Args:
        module: the shared object, loaded and initialised by python-pkcs11 in this process.

    Raises:
        OSError: it is no module.
        ReturnValueError: it does not give its functions.
    """

    def __init__(self, module: str) -> None:
        library = ctypes.CDLL(module)
        table = ctypes.POINTER(_Functions)()
        try:
            value = library.C_GetFunctionList(ctypes.byref(table))
        except AttributeError as error:
            raise OSError("it is no PKCS#11 module") from error
        _check("C_GetFunctionList", value)
        self._pointers = table.contents.pointers

    def login(self, session: int, pin: SecretBytes) -> None:
        """C_Login as the user. Raises: ReturnValueError."""
        function = self._function(_LOGIN, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong)
        _check("C_Login", function(session, CKU_USER, _address(pin), len(pin)))

    def set_pin(self, session: int, old: SecretBytes, new: SecretBytes) -> None:
        """C_SetPIN. Raises: ReturnValueError."""
        two = (ctypes.c_void_p, ctypes.c_ulong) * 2
        function = self._function(_SET_PIN, ctypes.c_ulong, *two)
        _check("C_SetPIN", function(session, _address(old), len(old), _address(new), len(new)))

    def pin_lengths(self, slot: int) -> tuple[int, int]:
        """Least and most characters of a slot's token's PIN. Raises: ReturnValueError."""
        info = _TokenInfo()
        function = self._function(_GET_TOKEN_INFO, ctypes.c_ulong, ctypes.POINTER(_TokenInfo))
        _check("C_GetTokenInfo", function(slot, ctypes.byref(info)))
        return int(info.min_pin), int(info.max_pin)

    def _function(self, position: int, *arguments: type) -> ctypes._CFunctionType:
        return ctypes.CFUNCTYPE(ctypes.c_ulong, *arguments)(self._pointers[position])


def _address(secret: SecretBytes) -> int:
    """Where a secret lies, which must outlive the call; no copy is made."""
    return ctypes.addressof(ctypes.c_char.from_buffer(secret)) if len(secret) else 0


def _check(function: str, value: int) -> None:
    if value != _CKR_OK:
        raise ReturnValueError(function, value)
