"""The CPS4: its three ATRs are published, and so are the form of its label and its authentication key's reference.

GUESS: everything else about its files, which are those of the easier layout: with them the agency's library took a
software card for a CPS4. The ODF and the directories of a real card settle it.
"""

from __future__ import annotations

import dataclasses

from cardsim.behaviour import LogoutRule
from cardsim.card import CardProtocol
from cardsim.ias_ecc.cps4 import CPS4
from cardsim.layouts import cps3_easy
from cardsim.layouts.cps3 import ROOT_AID
from cardsim.layouts.layout import KeyPurpose, Layout, ReferenceData, ReferenceDataPurpose

ATR = bytes.fromhex("3B9B188001001225006480040100009044")
"""T=0 and T=1, 31 clocks per bit: 12 times the speed of a CPS3."""
RELEASE_CANDIDATE_ATR = bytes.fromhex("3B9B188001001225006480000401009044")
T0_ATR = bytes.fromhex("3BDC18FF00001225006480000401009000")

AUTHENTICATION_KEY = 0x20
"""Published by the library's use of it."""
SIGNATURE_KEY = 0x21

_KEY_RULES = {
    # COMPUTE DIGITAL SIGNATURE (for PSS, as the library has it) and DECIPHER by the PIN; put never, get always.
    KeyPurpose.AUTHENTICATION: bytes.fromhex("531111FF00"),
    KeyPurpose.SIGNATURE: bytes.fromhex("4311FF00"),
}


def _reference_data(item: ReferenceData) -> ReferenceData:
    """Changed by itself; the PIN reset by the PUK, the PUK never."""
    reset = "12" if item.purpose is ReferenceDataPurpose.PIN else "FF"
    by_itself = "11" if item.purpose is ReferenceDataPurpose.PIN else "12"
    return dataclasses.replace(item, rule=bytes.fromhex(f"73{by_itself}00{reset}FF00"))


_PIN, _PUK = cps3_easy.LAYOUT.reference_data
_FIRST_KEY, _SECOND_KEY = cps3_easy.LAYOUT.keys

LAYOUT: Layout = dataclasses.replace(
    cps3_easy.LAYOUT,
    name="cps4",
    generation=CPS4,
    atr=ATR,
    protocol=CardProtocol.T1,
    label="CPS4v1",
    numbers=dataclasses.replace(
        cps3_easy.LAYOUT.numbers, authentication_key=AUTHENTICATION_KEY, signature_key=SIGNATURE_KEY
    ),
    behaviour=dataclasses.replace(cps3_easy.LAYOUT.behaviour, logout=LogoutRule.ROOT_AID),
    root_aid=ROOT_AID,
    last_update=None,
    reference_data=(_reference_data(_PIN), _reference_data(_PUK)),
    keys=(
        dataclasses.replace(_FIRST_KEY, rule=_KEY_RULES[_FIRST_KEY.purpose]),
        dataclasses.replace(_SECOND_KEY, rule=_KEY_RULES[_SECOND_KEY.purpose]),
    ),
    local_references=False,
    older_side=False,
)
RELEASE_CANDIDATE_LAYOUT = dataclasses.replace(LAYOUT, name="cps4-rc", atr=RELEASE_CANDIDATE_ATR)
T0_LAYOUT = dataclasses.replace(LAYOUT, name="cps4-t0", atr=T0_ATR, protocol=CardProtocol.T0)
