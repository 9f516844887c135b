"""The CPS4: what it does otherwise than the CPS3; the rest of ``ias_ecc`` is common to both.

| | CPS3 | CPS4 |
| --- | --- | --- |
| application | selected after a reset, class 00 | selected by its AID on logical channel 1, class 01 (`applications`) |
| SELECT | FCP 62; path by P1=09 | FCI 6F; path from the MF by P1=08 (`select`) |
| environment | key under tag 84, algorithm under 80 | 91 for signatures, 83 for the raw operation (`manage_...`) |
| signature | the hash may be closed by the card; PKCS#1 v1.5 | the whole hash; PKCS#1 v1.5 and PSS (`perform_...`) |
| authentication key | INTERNAL AUTHENTICATE, DECIPHER with padding | one raw RSA operation, DECIPHER (`perform_...`) |
| PIN change | old and new | the new one, after VERIFY (`reference_data`) |
| PIN unblocked | RESET RETRY COUNTER with the new PIN | RESET RETRY COUNTER, then the new PIN (`reference_data`) |

The commands are known from the agency's library alone. GUESS: that it has no GET DATA of security data objects and no
INTERNAL AUTHENTICATE, for that library asks a CPS4 neither; a real card settles it by 6D00.
"""

from __future__ import annotations

from types import MappingProxyType

from cardsim.ias_ecc.commands.binary import read_binary, update_binary
from cardsim.ias_ecc.commands.get_challenge import get_challenge
from cardsim.ias_ecc.commands.reference_data import verify
from cardsim.ias_ecc.cps4.applications import LogicalChannels
from cardsim.ias_ecc.cps4.manage_security_environment import manage_security_environment
from cardsim.ias_ecc.cps4.perform_security_operation import perform_security_operation
from cardsim.ias_ecc.cps4.reference_data import change_reference_data, reset_retry_counter
from cardsim.ias_ecc.cps4.select import select
from cardsim.ias_ecc.generation import Generation

CPS4 = Generation(
    commands=MappingProxyType(
        {
            0x20: verify,
            0x22: manage_security_environment,
            0x24: change_reference_data,
            0x2A: perform_security_operation,
            0x2C: reset_retry_counter,
            0x84: get_challenge,
            0xA4: select,
            0xB0: read_binary,
            0xD6: update_binary,
        }
    ),
    applications=LogicalChannels,
)
