"""An easier layout of the CPS3: EF.ATR without the root AID, absolute paths, one application, a PIN without padding.

No real card is known to have it. It is the card that the recordings outside the real layout were made with, and what
OpenSC needs to unblock a PIN (the PIN's unblocking identifier is the PUK's).
"""

from __future__ import annotations

from cardsim import pkcs15
from cardsim.behaviour import AfterOlderSide, Behaviour, BlockingTry, DfAnswer, LogoutRule, PastEnd, UsageData
from cardsim.card import CardProtocol
from cardsim.ias_ecc.cps3 import CPS3
from cardsim.ias_ecc.files import FileRules
from cardsim.ias_ecc.pins import PinPolicy
from cardsim.layouts.cps3 import ATR, CONTACT_AID
from cardsim.layouts.layout import (
    ApplicationEntry,
    Environment,
    Key,
    KeyPurpose,
    Layout,
    ReferenceData,
    ReferenceDataPurpose,
    Rules,
)
from cardsim.layouts.numbers import Numbers

EF_ATR_CONTENT = bytes.fromhex("804301B84604010203104703940180E010020200FF020200FF020201000202010082029000")
"""No tag 4F: nothing names the master file."""
EF_LAST_UPDATE_CONTENT = bytes.fromhex("EC12810720260101120000820720260101120100")
"""``EC { 81: 7 bytes, 82: 7 bytes }``, each a date and time in BCD."""

_READ_ONLY = FileRules(bytes.fromhex("03FF00"))
_NO_FLAGS = bytes.fromhex("030100")
_PIN_IDENTIFIER, _PUK_IDENTIFIER = 1, 2
_NATIVE = bytes.fromhex("030204B0")


def _reference_data(
    purpose: ReferenceDataPurpose, label: str, identifier: int, unblocked_by: int | None, flags: bytes, length: int
) -> ReferenceData:
    return ReferenceData(
        purpose=purpose,
        label=label,
        identifier=identifier,
        authentication=unblocked_by,
        object_flags=pkcs15.PRIVATE,
        flags=flags,
        access_rules=(),
        policy=PinPolicy(min_length=length, max_length=length, stored_length=length),
        stored_length=length,
        max_length=length,
        directory_pad=True,
        directory_path=True,
        tries=3,
        uses=None,
        rule=bytes.fromhex("73000012FF00"),
        size_in_parameters=True,
    )


_SIGNATURE = Key(
    purpose=KeyPurpose.SIGNATURE,
    label="CPS_PRIV_SIG",
    identifier=b"\x01",
    object_flags=pkcs15.PRIVATE,
    usage=bytes.fromhex("0303062040"),
    access_flags=_NATIVE,
    access_rules=(),
    certificate_label="Certificat de Signature CPS",
    rule=bytes.fromhex("411100"),
)
_AUTHENTICATION = Key(
    purpose=KeyPurpose.AUTHENTICATION,
    label="CPS_PRIV_AUT",
    identifier=b"\x02",
    object_flags=pkcs15.PRIVATE,
    usage=bytes.fromhex("03020264"),
    access_flags=_NATIVE,
    access_rules=(),
    certificate_label="Certificat d'Authentification CPS",
    rule=bytes.fromhex("31111100"),
)

LAYOUT = Layout(
    name="cps3-easy",
    generation=CPS3,
    atr=ATR,
    protocol=CardProtocol.T0,
    label="CPS3v3",
    numbers=Numbers(
        certificate_directory=0x7004,
        authority_directory=0x7005,
        authentication_certificate=0x2001,
        signature_certificate=0x2002,
        authority_certificate=0x2003,
        id_card=0xD104,
        name=0xD115,
        language=0xD113,
        info=0xD114,
    ),
    behaviour=Behaviour(
        logout=LogoutRule.NEVER,
        past_end=PastEnd.CORRECT_LENGTH,
        blocking_try=BlockingTry.BLOCKED,
        usage_data=UsageData.SHOWN,
        df_answer=DfAnswer.FCP,
        fcp_rules_last=True,
        after_older_side=AfterOlderSide.NOTHING,
    ),
    rules=Rules(
        administered=_READ_ONLY,
        frozen=_READ_ONLY,
        dedicated=FileRules(bytes.fromhex("0200")),
        read_only=_READ_ONLY,
        updated_by_pin=FileRules(bytes.fromhex("031100")),
        read_by_pin=FileRules(bytes.fromhex("03FF11")),
        certificate=_READ_ONLY,
    ),
    root_aid=b"",
    contact_aid=CONTACT_AID,
    ef_atr=EF_ATR_CONTENT,
    applications=(ApplicationEntry(CONTACT_AID, "CPX IAS", contactless=False, ddo_aid=None),),
    last_update=EF_LAST_UPDATE_CONTENT,
    manufacturer="CARDSIM",
    info_flags=bytes.fromhex("03020560"),
    info_last_update=None,
    absolute_paths=True,
    object_flags=_NO_FLAGS,
    certificate_access_rules=(),
    authority_label="AC de test",
    reference_data=(
        _reference_data(
            ReferenceDataPurpose.PIN,
            "CODE PORTEUR",
            _PIN_IDENTIFIER,
            _PUK_IDENTIFIER,
            bytes.fromhex("03020308"),
            4,
        ),
        _reference_data(
            ReferenceDataPurpose.PUK,
            "CODE DE DEBLOCAGE",
            _PUK_IDENTIFIER,
            None,
            bytes.fromhex("0302000B"),
            8,
        ),
    ),
    keys=(_AUTHENTICATION, _SIGNATURE),
    local_references=True,
    # SE 1: by PIN; SE 2: by PUK.
    environments=(Environment(1, ReferenceDataPurpose.PIN), Environment(2, ReferenceDataPurpose.PUK)),
    older_side=True,
    contactless=None,
)
