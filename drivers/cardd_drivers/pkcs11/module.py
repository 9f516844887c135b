"""One token of a module, inside its own process. Nothing else of cardd loads python-pkcs11."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, TokenFlag
from pkcs11.constants import SlotFlag
from pkcs11.mechanisms import MGF

from cardd_drivers.contract import DecipherAlgorithm, DecipherFailed, SignatureAlgorithm
from cardd_drivers.isolated.description import CERTIFICATES_MAX, Description
from cardd_drivers.isolated.messages import FIELD_MAX, Fault
from cardd_drivers.isolated.serving import Faulty
from cardd_drivers.pkcs11.function_list import FunctionList, ReturnValueError
from cardd_drivers.rsa_padding import remove_oaep, remove_pkcs1, sha256_digest_info
from cardd_drivers.secret_memory import SecretBytes

PIN_TYPED_MAX: Final = 64
"""Characters that cardd reads of any PIN."""
_SALT: Final = 32
"""Bytes (RFC 7518, 3.5)."""
_REMOVED: Final = (pkcs11.DeviceRemoved, pkcs11.TokenNotPresent, pkcs11.TokenNotRecognised, pkcs11.SlotIDInvalid)
_NO_ALGORITHM: Final = (pkcs11.MechanismInvalid, pkcs11.MechanismParamInvalid)
_NO_KEY: Final = (pkcs11.KeyTypeInconsistent, pkcs11.NoSuchKey, pkcs11.FunctionNotSupported)
_PIN_FAULTS: Final[Mapping[int, Fault]] = {
    0x0A0: Fault.PIN_INCORRECT,
    0x0A1: Fault.PIN_INCORRECT,  # CKR_PIN_INVALID: characters that the token does not take
    0x0A2: Fault.PIN_INCORRECT,  # CKR_PIN_LEN_RANGE
    0x0A4: Fault.PIN_BLOCKED,
    0x030: Fault.FAILED,
    0x032: Fault.REMOVED,
    0x0E0: Fault.REMOVED,
    0x0E1: Fault.REMOVED,
}
"""PKCS #11 2.40, 5.1.6: CKR values that a login or a change of a PIN gives."""


class ModuleToken:
    """A `cardd_drivers.isolated.serving.Backend`.

    Args:
        module: path of the shared object.
        slot: CK_SLOT_ID.

    Raises:
        Faulty: the module cannot be loaded, or has no token there.
    """

    def __init__(self, module: str, slot: int) -> None:
        with faults():
            self._library = pkcs11.lib(module)
            found = [one for one in self._library.get_slots(token_present=True) if one.slot_id == slot]
            if not found:
                raise Faulty(Fault.REMOVED, f"slot {slot} has no token")
            self._slot = found[0]
            self._mechanisms = self._slot.get_mechanisms()
            self._token = self._slot.get_token()
            self._session: Any = self._token.open()  # the stubs do not tell of its handle
            self._functions = FunctionList(module)
            self._lengths = self._functions.pin_lengths(slot)
        self._logged_in = False
        self._keys: dict[bytes, Any] = {}

    def describe(self) -> Description:
        """What the token is."""
        with faults():
            flags = self._token.flags
            minimum, maximum = self._lengths
            needed = bool(flags & TokenFlag.LOGIN_REQUIRED)
            maximum = min(maximum or PIN_TYPED_MAX, PIN_TYPED_MAX) if needed else 0
            return Description(
                serial=_printable(self._token.serial.decode("utf-8", "replace")),
                label=_printable(self._token.label),
                hardware=bool(self._slot.flags & SlotFlag.HW_SLOT),
                pin_minimum=min(max(minimum, 1), maximum),
                pin_maximum=maximum,
                signature=frozenset(self._signatures()),
                decipher=frozenset(self._decipherments()),
                certificates=len(self._certificates()),
            )

    def certificate(self, position: int) -> tuple[bytes, bytes]:
        """Id and DER."""
        with faults():
            return self._certificates()[position]

    def tries_left(self) -> int | None:
        """PKCS#11 tells of none left and of the last one, and of no number (CKF_USER_PIN_LOCKED, _FINAL_TRY)."""
        with faults():
            flags = self._slot.get_token().flags
        if flags & TokenFlag.USER_PIN_LOCKED:
            return 0
        return 1 if flags & TokenFlag.USER_PIN_FINAL_TRY else None

    def login(self, pin: SecretBytes) -> None:
        """C_Login, once in the life of this process: no PIN is kept, and none is presented again."""
        if self._logged_in:
            raise Faulty(Fault.FAILED, "the PIN is verified already")
        with faults():
            self._functions.login(self._session.handle, pin)
        self._logged_in = True

    def set_pin(self, old: SecretBytes, new: SecretBytes) -> None:
        """C_SetPIN, in a session that may write."""
        with faults():
            writing: Any = self._token.open(rw=True)
            try:
                self._functions.set_pin(writing.handle, old, new)
            finally:
                writing.close()

    def sign(self, key: bytes, algorithm: SignatureAlgorithm, digest: bytes) -> bytes:
        """C_Sign: CKM_RSA_PKCS over the DigestInfo, or CKM_RSA_PKCS_PSS over the digest."""
        with faults():
            private = self._key(key)
            if algorithm is SignatureAlgorithm.RS256:
                return bytes(private.sign(sha256_digest_info(digest), mechanism=Mechanism.RSA_PKCS))
            parameters = (Mechanism.SHA256, MGF.SHA256, _SALT)
            return bytes(private.sign(digest, mechanism=Mechanism.RSA_PKCS_PSS, mechanism_param=parameters))

    def decipher(self, key: bytes, algorithm: DecipherAlgorithm, cryptogram: bytes) -> bytes | bytearray:
        """C_Decrypt. Where the module has the raw operation, the padding is removed here, in one way for all modules:
        few of them have OAEP with SHA-256, and some tell in which way a padding was wrong."""
        with faults():
            private = self._key(key)
        raw = Mechanism.RSA_X_509 in self._mechanisms
        try:
            if not raw:
                return bytes(private.decrypt(cryptogram, mechanism=Mechanism.RSA_PKCS))
            block = private.decrypt(cryptogram, mechanism=Mechanism.RSA_X_509)
            remove = remove_pkcs1 if algorithm is DecipherAlgorithm.RSA1_5 else remove_oaep
            return remove(block.rjust(len(cryptogram), b"\0"))
        except (pkcs11.UserNotLoggedIn, *_REMOVED, *_NO_ALGORITHM):
            with faults():
                raise
        except (DecipherFailed, pkcs11.PKCS11Error):
            raise Faulty(Fault.DECIPHER_FAILED) from None

    def read_object(self, label: str) -> bytes:
        """CKA_VALUE of a data object."""
        with faults():
            wanted = {Attribute.CLASS: ObjectClass.DATA, Attribute.LABEL: label}
            found = list(self._session.get_objects(wanted))
            if not found:
                raise Faulty(Fault.NO_OBJECT, label)
            return bytes(found[0][Attribute.VALUE])[:FIELD_MAX]

    def _certificates(self) -> list[tuple[bytes, bytes]]:
        found = self._session.get_objects({Attribute.CLASS: ObjectClass.CERTIFICATE})
        both = [(bytes(one[Attribute.ID]), bytes(one[Attribute.VALUE])) for one in found]
        return [(key, der) for key, der in both if len(der) <= FIELD_MAX][:CERTIFICATES_MAX]

    def _key(self, identifier: bytes) -> Any:
        if identifier not in self._keys:
            wanted = {
                Attribute.CLASS: ObjectClass.PRIVATE_KEY,
                Attribute.KEY_TYPE: KeyType.RSA,
                Attribute.ID: identifier,
            }
            found = list(self._session.get_objects(wanted))
            if not found and not self._logged_in:
                raise Faulty(Fault.NOT_LOGGED_IN)
            if len(found) != 1:
                raise Faulty(Fault.NO_KEY, f"{len(found)} RSA keys have the certificate's id")
            self._keys[identifier] = found[0]
        return self._keys[identifier]

    def _signatures(self) -> Iterator[SignatureAlgorithm]:
        if Mechanism.RSA_PKCS in self._mechanisms:
            yield SignatureAlgorithm.RS256
        if Mechanism.RSA_PKCS_PSS in self._mechanisms:
            yield SignatureAlgorithm.PS256

    def _decipherments(self) -> Iterator[DecipherAlgorithm]:
        raw = Mechanism.RSA_X_509 in self._mechanisms
        if raw or Mechanism.RSA_PKCS in self._mechanisms:
            yield DecipherAlgorithm.RSA1_5
        if raw:
            yield DecipherAlgorithm.RSA_OAEP_256


@contextmanager
def faults() -> Iterator[None]:
    """Turn what a module raises into `Faulty`."""
    try:
        yield
    except ReturnValueError as error:
        raise Faulty(_PIN_FAULTS.get(error.value, Fault.FAILED), str(error)) from None
    except pkcs11.UserNotLoggedIn:
        raise Faulty(Fault.NOT_LOGGED_IN) from None
    except _REMOVED as error:
        raise Faulty(Fault.REMOVED, type(error).__name__) from None
    except _NO_ALGORITHM as error:
        raise Faulty(Fault.NO_ALGORITHM, type(error).__name__) from None
    except _NO_KEY as error:
        raise Faulty(Fault.NO_KEY, type(error).__name__) from None
    except (pkcs11.PKCS11Error, OSError) as error:
        raise Faulty(Fault.FAILED, f"{type(error).__name__} {error}".strip()) from None


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in text.strip(" \0"))[:64]
