"""The CPS3 on its contact interface: numbers, rules, references and fixed contents as published from real cards.

Lines marked GUESS were never published; each would be settled by reading the named file of a real card.
"""

from __future__ import annotations

from cardsim import pkcs15
from cardsim.behaviour import Behaviour
from cardsim.card import CardProtocol
from cardsim.ias_ecc.cps3 import CPS3
from cardsim.ias_ecc.files import FileRules
from cardsim.ias_ecc.pins import PinPolicy
from cardsim.layouts.layout import (
    ApplicationEntry,
    ContactlessFace,
    Environment,
    Key,
    KeyPurpose,
    Layout,
    ReferenceData,
    ReferenceDataPurpose,
    Rules,
)
from cardsim.layouts.numbers import Numbers

ATR = bytes.fromhex("3BAC00402A001225006480000310009000")
"""T=0 only, default speed, 12 historical bytes."""

ROOT_AID = bytes.fromhex("8025000001FF0100")
CONTACT_AID = bytes.fromhex("E828BD080F8025000001FF0010")
CONTACTLESS_AID = bytes.fromhex("E828BD080F8025000001FF0020")
CONTACTLESS_ATR = bytes.fromhex("3B8F80010031B86404B0ECC1739401808290000E")
"""Published; its historical bytes are the card services, pre-issuing data and capabilities of EF.ATR."""

EF_ATR_CONTENT = bytes.fromhex(
    "804301B8460404B0ECC147039401804F088025000001FF0100E01002020104020201040202010002020100780806062B8122F8780282029000"
)
"""EF.ATR, with its stray category byte 80 in front, tag 4F with the root AID, and the four sizes of tag E0."""

_ADMINISTERED = FileRules(bytes.fromhex("7B45FFFFFF4500"), bytes.fromhex("7BFFFFFFFFFF00"))
# GUESS: the rules of the files under the application; their FCP settles them.
_CONTACT_ONLY = FileRules(bytes.fromhex("7B45FFFFFF4500"), bytes.fromhex("7BFFFFFFFFFFFF"))
_UPDATED_BY_PIN = FileRules(bytes.fromhex("7B45FFFFFF1100"), bytes.fromhex("7BFFFFFFFFFFFF"))
_READ_BY_PIN = FileRules(bytes.fromhex("7B45FFFFFF4511"), bytes.fromhex("7BFFFFFFFFFFFF"))

_PIN_IDENTIFIER, _PUK_IDENTIFIER = 1, 4

_PIN = ReferenceData(
    purpose=ReferenceDataPurpose.PIN,
    label="Code porteur de la carte CPS",
    identifier=_PIN_IDENTIFIER,
    # Published: the identifier of what unblocks it is not the PUK's (04).
    authentication=2,
    object_flags=pkcs15.NO_FLAGS_SHORT,
    flags=bytes.fromhex("0303040C10"),
    access_rules=(
        pkcs15.access_rule(pkcs15.ACCESS_READ_SHORT, pkcs15.ALWAYS),
        pkcs15.access_rule(pkcs15.ACCESS_UPDATE, pkcs15.ALWAYS),
        pkcs15.access_rule(pkcs15.ACCESS_PIN_CHANGE, pkcs15.by(_PUK_IDENTIFIER)),
    ),
    policy=PinPolicy(min_length=4, max_length=4, stored_length=8),
    stored_length=8,
    max_length=4,
    directory_pad=True,
    directory_path=False,
    tries=3,
    uses=None,
    rule=bytes.fromhex("F3000013FF00"),
    size_in_parameters=False,
)
_PUK = ReferenceData(
    purpose=ReferenceDataPurpose.PUK,
    label="Code de déblocage de la carte CPS",
    identifier=_PUK_IDENTIFIER,
    authentication=None,
    object_flags=pkcs15.NO_FLAGS_SHORT,
    flags=bytes.fromhex("0303041D10"),
    access_rules=(
        pkcs15.access_rule(pkcs15.ACCESS_READ_SHORT, pkcs15.ALWAYS),
        pkcs15.access_rule(pkcs15.ACCESS_UPDATE, pkcs15.ALWAYS),
    ),
    policy=PinPolicy(min_length=8, max_length=8, stored_length=8),
    stored_length=8,
    max_length=8,
    directory_pad=False,
    directory_path=False,
    tries=10,
    uses=100,
    rule=bytes.fromhex("F3FF00FFFF00"),
    size_in_parameters=False,
)

# GUESS: the rules of the keys, from the uses that middlewares make of them; GET DATA A0 of each key settles them.
_SIGNATURE = Key(
    purpose=KeyPurpose.SIGNATURE,
    label="CPS_PRIV_SIG",
    identifier=CONTACT_AID + b"\x01",
    object_flags=pkcs15.PRIVATE,
    usage=bytes.fromhex("0303060040"),
    access_flags=bytes.fromhex("030204B0"),
    access_rules=(pkcs15.access_rule(pkcs15.ACCESS_PSO_CDS, pkcs15.by(_PIN_IDENTIFIER)),),
    certificate_label="Certificat de Signature CPS",
    rule=bytes.fromhex("4311FF00"),
)
_AUTHENTICATION = Key(
    purpose=KeyPurpose.AUTHENTICATION,
    label="CPS_PRIV_AUT",
    identifier=CONTACT_AID + b"\x02",
    object_flags=bytes.fromhex("030205E0"),
    usage=bytes.fromhex("03020560"),
    access_flags=bytes.fromhex("030204B0"),
    access_rules=(
        pkcs15.access_rule(pkcs15.ACCESS_PSO_DECIPHER, pkcs15.by(_PIN_IDENTIFIER)),
        pkcs15.access_rule(pkcs15.ACCESS_INTERNAL_AUTHENTICATE, pkcs15.by(_PIN_IDENTIFIER)),
    ),
    certificate_label="Certificat d'Authentification CPS",
    rule=bytes.fromhex("331111FF00"),
)

_CONTACTLESS = ContactlessFace(
    atr=CONTACTLESS_ATR,
    aid=CONTACTLESS_AID,
    label="CPS3v3_CL",
    # GUESS: one key, number and identifier 01; files and entries as those of the contact application. The agency's
    # library is content with them; the ODF and the directories of DF 0002 settle them.
    key_label="CPS_PRIV_TECH_AUT",
    certificate_label="Certificat Technique CPS",
    identifier=CONTACTLESS_AID + b"\x01",
    object_flags=bytes.fromhex("030100"),
    usage=bytes.fromhex("03020520"),
    access_flags=bytes.fromhex("030204B0"),
    rules=FileRules(bytes.fromhex("7B45FFFFFF45FF"), bytes.fromhex("7BFFFFFFFFFF00")),
    # INTERNAL AUTHENTICATE, put and get: without contact alone, and without PIN.
    key_rule=bytes.fromhex("23FFFF00"),
    contactless_key_rule=bytes.fromhex("2300FF00"),
)

LAYOUT = Layout(
    name="cps3",
    generation=CPS3,
    atr=ATR,
    protocol=CardProtocol.T0,
    label="CPS3v3",
    numbers=Numbers(),
    behaviour=Behaviour(),
    rules=Rules(
        administered=_ADMINISTERED,
        frozen=FileRules(bytes.fromhex("7BFFFFFFFFFF00"), bytes.fromhex("7BFFFFFFFFFF00")),
        dedicated=FileRules(bytes.fromhex("7AFFFFFFFF45")),
        read_only=_CONTACT_ONLY,
        updated_by_pin=_UPDATED_BY_PIN,
        read_by_pin=_READ_BY_PIN,
        certificate=_UPDATED_BY_PIN,
    ),
    root_aid=ROOT_AID,
    contact_aid=CONTACT_AID,
    ef_atr=EF_ATR_CONTENT,
    # The contactless entry first, and both with the contact AID in their DDO, as published.
    applications=(
        ApplicationEntry(CONTACTLESS_AID, "CPX IAS CL", contactless=True, ddo_aid=CONTACT_AID),
        ApplicationEntry(CONTACT_AID, "CPX IAS", contactless=False, ddo_aid=CONTACT_AID),
    ),
    last_update=None,
    manufacturer="ASIP SANTE",
    info_flags=bytes.fromhex("030206C0"),
    info_last_update="20100316110000Z",
    absolute_paths=False,
    object_flags=pkcs15.NO_FLAGS,
    certificate_access_rules=(
        pkcs15.access_rule(pkcs15.ACCESS_READ, pkcs15.ALWAYS),
        pkcs15.access_rule(pkcs15.ACCESS_UPDATE, pkcs15.by(_PIN_IDENTIFIER)),
    ),
    authority_label=None,
    reference_data=(_PIN, _PUK),
    keys=(_SIGNATURE, _AUTHENTICATION),
    local_references=True,
    # SE 1: by PIN; SE 3: by PUK; SE 5: mutual authentication with an administration key.
    environments=(
        Environment(1, ReferenceDataPurpose.PIN),
        Environment(3, ReferenceDataPurpose.PUK),
        Environment(5, None, bytes.fromhex("A40983018180010C9501C0")),
    ),
    older_side=True,
    contactless=_CONTACTLESS,
)
