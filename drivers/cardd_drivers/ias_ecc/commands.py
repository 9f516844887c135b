"""The commands that the contact CPS is driven with, one function each, named as in the standard.

Class 00 throughout (`Exchange` adds the logical channel); bytes as published for the CPS3 and as its two existing
middlewares send them. What the CPS4 takes in another form is in `cps4.commands`.
"""

from __future__ import annotations

import enum

from cardd_drivers.apdu import SHORT_LE_MAX, Command, Secrecy
from cardd_drivers.secret_memory import SecretBytes

MASTER_FILE = bytes.fromhex("3F00")
ROOT_AID = bytes.fromhex("8025000001FF0100")
"""The IAS ECC applet, whose DF is the MF (published EF.ATR, tag 4F)."""

SHORT_EF_OFFSET_MAX = 0xFF
OFFSET_MAX = 0x7FFF


class ShortFileId(enum.IntEnum):
    """Short EF identifiers in the MF (published FCPs, tag 88)."""

    EF_SN = 0x1C
    EF_DIR = 0x1E


class Template(enum.IntEnum):
    """Control reference templates of MSE SET (ISO 7816-4 6.3.3)."""

    AUTHENTICATION = 0xA4
    DIGITAL_SIGNATURE = 0xB6
    CONFIDENTIALITY = 0xB8


class AlgorithmReference(enum.IntEnum):
    """Values of tag 80 in a template, as IAS ECC numbers them."""

    RSA_PKCS1 = 0x02
    RSA_PKCS1_DECIPHER = 0x1A
    RSA_PKCS1_SHA256 = 0x42


class SelectResponse(enum.IntEnum):
    """P2 of SELECT: what the card is to answer (ISO 7816-4 table 40)."""

    FCP = 0x04
    NONE = 0x0C


def select_by_path(path: bytes, answer: SelectResponse = SelectResponse.NONE) -> Command:
    """SELECT with P1=09 (ISO 7816-4 7.1.1). On the CPS3 a path that begins with 3F00 starts at the MF, wherever it is.

    Args:
        path: file identifiers, two bytes each.
        answer: whether the FCP is wanted.
    """
    return Command(0x00, 0xA4, 0x09, answer, path)


def select_child_ef(identifier: bytes, answer: SelectResponse = SelectResponse.NONE) -> Command:
    """SELECT an EF under the current DF by its identifier, P1=02 (ISO 7816-4 7.1.1)."""
    return Command(0x00, 0xA4, 0x02, answer, identifier)


def select_by_df_name(name: bytes, answer: SelectResponse = SelectResponse.NONE) -> Command:
    """SELECT a DF by its name (AID), P1=04 (ISO 7816-4 7.1.1)."""
    return Command(0x00, 0xA4, 0x04, answer, name)


def read_binary(offset: int, length: int) -> Command:
    """READ BINARY of the current EF (ISO 7816-4 7.2.3).

    Args:
        offset: first byte, 0 to 7FFF.
        length: bytes wanted, 1 to 256.
    """
    return Command(0x00, 0xB0, offset >> 8, offset & 0xFF, le=length)


def read_binary_by_sfi(sfi: ShortFileId, length: int) -> Command:
    """READ BINARY of an EF of the current DF from its first byte, which becomes the current EF (ISO 7816-4 7.2.3)."""
    return Command(0x00, 0xB0, 0x80 | sfi, 0x00, le=length)


def verify_status(reference: int) -> Command:
    """VERIFY without data: asks for the tries left, costs none (ISO 7816-4 7.5.6)."""
    return Command(0x00, 0x20, 0x00, reference)


def verify(reference: int, block: SecretBytes) -> Command:
    """VERIFY (ISO 7816-4 7.5.6).

    Args:
        reference: number of the PIN or PUK.
        block: its padded characters; kept, not copied, so that the caller can wipe it.
    """
    return Command(0x00, 0x20, 0x00, reference, block, secrecy=Secrecy.SECRET_DATA)


def change_reference_data(reference: int, old_and_new: SecretBytes) -> Command:
    """CHANGE REFERENCE DATA with the old and the new PIN, each padded (ISO 7816-4 7.5.7)."""
    return Command(0x00, 0x24, 0x00, reference, old_and_new, secrecy=Secrecy.SECRET_DATA)


def reset_retry_counter(reference: int, block: SecretBytes) -> Command:
    """RESET RETRY COUNTER with the new PIN alone, P1=02, after VERIFY of the PUK (ISO 7816-4 7.5.10)."""
    return Command(0x00, 0x2C, 0x02, reference, block, secrecy=Secrecy.SECRET_DATA)


def mse_set(template: Template, key_reference: int, algorithm: int) -> Command:
    """MANAGE SECURITY ENVIRONMENT SET (ISO 7816-4 7.5.11): private key by tag 84, algorithm by tag 80.

    Args:
        template: what the key is to be used for.
        key_reference: number of the key, as the key directory gives it.
        algorithm: an `AlgorithmReference`, or one that the card's own list gives.
    """
    return Command(0x00, 0x22, 0x41, template, bytes((0x84, 1, key_reference, 0x80, 1, algorithm)))


def internal_authenticate() -> Command:
    """INTERNAL AUTHENTICATE (ISO 7816-4 7.5.2): the card pads to PKCS#1 type 1; at most 40 % of the modulus."""
    return Command(0x00, 0x88, 0x00, 0x00, le=SHORT_LE_MAX)


def compute_digital_signature() -> Command:
    """PERFORM SECURITY OPERATION: COMPUTE DIGITAL SIGNATURE over a whole digest (ISO 7816-8)."""
    return Command(0x00, 0x2A, 0x9E, 0x9A, le=SHORT_LE_MAX)


def decipher() -> Command:
    """PERFORM SECURITY OPERATION: DECIPHER (ISO 7816-8); its data goes by chaining, the answer is the plaintext."""
    return Command(0x00, 0x2A, 0x80, 0x86, le=SHORT_LE_MAX, secrecy=Secrecy.SECRET_RESPONSE)


def padded_cryptogram(cryptogram: bytes) -> bytes:
    """The data of DECIPHER: padding indicator 81, proprietary, as both middlewares of the CPS3 send it."""
    return b"\x81" + cryptogram
