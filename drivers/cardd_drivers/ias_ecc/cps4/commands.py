"""The commands that the CPS4 takes in another form than the CPS3, as the agency's library sends them.

Class 00 throughout: `Exchange` adds logical channel 1.
"""

from __future__ import annotations

import enum

from cardd_drivers.apdu import SHORT_LE_MAX, Command, Secrecy
from cardd_drivers.ias_ecc.commands import MASTER_FILE, Template
from cardd_drivers.secret_memory import SecretBytes

SECURITY_DOMAIN_AID = bytes.fromhex("A0000001510000")
"""GlobalPlatform's issuer security domain: a detour that wakes the application."""
OLDER_SIDE_AID = bytes.fromhex("8025000001FF0002")
"""The CPS2ter side, on the basic channel: the detour's second step."""

_LOCAL = 0x80
"""Bit 8 of a reference: local to the current DF (ISO 7816-4 table 93)."""


class AlgorithmReference(enum.IntEnum):
    """First byte of tag 91 in a signature template."""

    RSA_PKCS1_SHA256 = 0x28
    RSA_PSS_SHA256 = 0x2C


def select_master_file() -> Command:
    """SELECT 3F00 by file identifier, P1=00 (ISO 7816-4 7.1.1); without Le the answer is a status word."""
    return Command(0x00, 0xA4, 0x00, 0x00, MASTER_FILE)


def select_df(path: bytes) -> Command:
    """SELECT a DF by its path from the MF, P1=08 (ISO 7816-4 7.1.1); without Le the answer is a status word.

    Args:
        path: file identifiers behind 3F00, two bytes each.
    """
    return Command(0x00, 0xA4, 0x08, 0x00, path)


def select_ef(path: bytes) -> Command:
    """SELECT an EF by its path from the MF, P1=08, P2=00: the answer is its FCI (ISO 7816-4 7.1.1)."""
    return Command(0x00, 0xA4, 0x08, 0x00, path, le=SHORT_LE_MAX)


def select_ef_by_identifier(identifier: bytes) -> Command:
    """SELECT an EF under the current DF by its identifier, P1=00, with its FCI (ISO 7816-4 7.1.1)."""
    return Command(0x00, 0xA4, 0x00, 0x00, identifier, le=SHORT_LE_MAX)


def mse_set_signature(key_reference: int, algorithm: AlgorithmReference) -> Command:
    """MSE SET with P1=81 for a signature: algorithm and local key reference under tag 91."""
    return Command(0x00, 0x22, 0x81, Template.DIGITAL_SIGNATURE, bytes((0x91, 2, algorithm, key_reference | _LOCAL)))


def mse_set_confidentiality(key_reference: int) -> Command:
    """MSE SET with P1=41 for the raw RSA operation: the key under tag 83, no algorithm."""
    return Command(0x00, 0x22, 0x41, Template.CONFIDENTIALITY, bytes((0x83, 1, key_reference & ~_LOCAL)))


def raw_rsa(secrecy: Secrecy) -> Command:
    """PERFORM SECURITY OPERATION: DECIPHER (ISO 7816-8) of a block as long as the modulus, without padding indicator.

    Args:
        secrecy: SECRET_RESPONSE where the block is a cryptogram; its result is then a padded plaintext.
    """
    return Command(0x00, 0x2A, 0x80, 0x86, le=SHORT_LE_MAX, secrecy=secrecy)


def reset_retry_counter_alone(reference: int) -> Command:
    """RESET RETRY COUNTER without data, P1=03, after VERIFY of the PUK (ISO 7816-4 7.5.10); P2 has bit 8 set."""
    return Command(0x00, 0x2C, 0x03, reference | _LOCAL)


def change_to(reference: int, new: SecretBytes) -> Command:
    """CHANGE REFERENCE DATA with the new PIN alone, P1=01, once the old one or the PUK was verified (ISO 7816-4 7.5.7).

    Args:
        reference: number of the PIN.
        new: its padded characters; kept, not copied, so that the caller can wipe it.
    """
    return Command(0x00, 0x24, 0x01, reference, new, secrecy=Secrecy.SECRET_DATA)
