"""The commands, a function each, named and numbered as in ISO 7816-4 and -8; the CPS3's table of them by INS."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cardsim.ias_ecc.commands.binary import read_binary, update_binary
from cardsim.ias_ecc.commands.external_authenticate import external_authenticate
from cardsim.ias_ecc.commands.get_challenge import get_challenge
from cardsim.ias_ecc.commands.get_data import get_data
from cardsim.ias_ecc.commands.internal_authenticate import internal_authenticate
from cardsim.ias_ecc.commands.manage_security_environment import manage_security_environment
from cardsim.ias_ecc.commands.odd_binary import read_binary_odd, update_binary_odd
from cardsim.ias_ecc.commands.perform_security_operation import perform_security_operation
from cardsim.ias_ecc.commands.reference_data import change_reference_data, reset_retry_counter, verify
from cardsim.ias_ecc.commands.select import select
from cardsim.ias_ecc.generation import CommandFunction

COMMANDS: Mapping[int, CommandFunction] = MappingProxyType(
    {
        0x20: verify,
        0x22: manage_security_environment,
        0x24: change_reference_data,
        0x2A: perform_security_operation,
        0x2C: reset_retry_counter,
        0x82: external_authenticate,
        0x84: get_challenge,
        0x88: internal_authenticate,
        0xA4: select,
        0xB0: read_binary,
        0xB1: read_binary_odd,
        0xCB: get_data,
        0xD6: update_binary,
        0xD7: update_binary_odd,
    }
)
"""Commands by instruction byte. GET RESPONSE (C0) belongs to transmission."""
