"""What real cards may do in one way or another, as switches: nobody has published which way a CPS3 goes."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class LogoutRule(enum.Enum):
    """Which SELECT drops the verified state of the PINs."""

    ANY_DF = "any-df"
    """Every one that makes another DF current, and every AID."""
    ANY_AID = "any-aid"
    """The root AID and every application AID; selection by path or file identifier does not."""
    ROOT_AID = "root-aid"
    """The root AID alone."""
    NEVER = "never"


class PastEnd(enum.Enum):
    """How READ BINARY answers when Le reaches past the end of the file."""

    WARN = "6282"
    """What there is, and 6282."""
    CORRECT_LENGTH = "6cxx"
    """No data; 6Cxx tells how many bytes there are."""
    SILENT = "9000"
    """What there is, and 9000."""


class OverLimit(enum.Enum):
    """How READ BINARY answers when Le is above the read limit."""

    SILENT = "9000"
    """As many bytes as the limit, and 9000."""
    CORRECT_LENGTH = "6cxx"
    """No data; 6Cxx tells the limit, or how many bytes there are."""
    REFUSED = "6700"


class UsageData(enum.Enum):
    """How GET DATA answers to the usage parameters of a PIN (7F41) or key (7F48)."""

    SHOWN = "shown"
    INCORRECT_DATA = "6a80"
    NOT_FOUND = "6a88"


class MissingObject(enum.Enum):
    """How GET DATA answers to an object that is not in the current DF."""

    NOT_FOUND = "6a88"
    INCORRECT_DATA = "6a80"


class DfAnswer(enum.Enum):
    """What SELECT with P2=04 returns for a DF."""

    FCP = "fcp"
    SILENT_MASTER_FILE = "silent-3f00"
    """Its FCP, but 9000 alone for the path 3F00."""
    SILENT = "silent"
    """9000 alone."""


class BlockingTry(enum.Enum):
    """Answer to the wrong PIN that takes the last try."""

    NO_TRY_LEFT = "63c0"
    BLOCKED = "6983"


class PinStatusAnswer(enum.Enum):
    """Answer to VERIFY without data."""

    COUNTER = "63cx"
    REFUSED = "6700"


class ShortIdentifiers(enum.Enum):
    """Which EFs READ BINARY finds by short file identifier."""

    ALL = "all"
    SERIAL = "serial"
    """EF.SN alone."""
    NONE = "none"


class AfterOlderSide(enum.Enum):
    """What brings class 00 back after class A0 (the older side of the chip) was used."""

    ROOT_AID = "root-aid"
    """SELECT of the root AID; until then class 00 is refused by 6E00."""
    NOTHING = "nothing"
    """Nothing is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The switches of one card; each field's metadata says what it does (``meaning``), and why it stands as it does.

    GUESS: every default but ``df_answer`` and ``missing_object``, which are published. A real card settles each by the
    command it is about; ``blocking_try`` only by blocking one.
    """

    logout: LogoutRule = field(
        default=LogoutRule.ROOT_AID,
        # The root AID is the applet's own, and re-selecting an applet drops its transient state; an application's AID
        # is a DF name inside it, and OpenSC selects one between PIN and use.
        metadata={"meaning": "which SELECT drops verified PINs"},
    )
    past_end: PastEnd = field(default=PastEnd.WARN, metadata={"meaning": "READ BINARY past the end of the file"})
    read_limit: int = field(
        default=256, metadata={"meaning": "bytes that READ BINARY gives at most", "range": (64, 256)}
    )
    over_limit: OverLimit = field(
        default=OverLimit.SILENT, metadata={"meaning": "READ BINARY of more than read_limit bytes"}
    )
    short_identifiers: ShortIdentifiers = field(
        default=ShortIdentifiers.ALL, metadata={"meaning": "which files READ BINARY finds by short identifier"}
    )
    select_without_answer: bool = field(default=True, metadata={"meaning": "SELECT takes P2=0C, else 6A86"})
    df_answer: DfAnswer = field(
        default=DfAnswer.SILENT_MASTER_FILE, metadata={"meaning": "what SELECT with P2=04 returns for a DF"}
    )
    fcp_rules_last: bool = field(
        default=False, metadata={"meaning": "the FCP has the access rules behind the life cycle"}
    )
    usage_data: UsageData = field(
        # A published tool lists no size for the PIN.
        default=UsageData.INCORRECT_DATA,
        metadata={"meaning": "GET DATA on the usage parameters of a PIN or key"},
    )
    missing_object: MissingObject = field(
        default=MissingObject.NOT_FOUND, metadata={"meaning": "GET DATA on an object of another DF, or of none"}
    )
    pin_status: PinStatusAnswer = field(
        default=PinStatusAnswer.COUNTER, metadata={"meaning": "VERIFY without data while the PIN is not verified"}
    )
    blocking_try: BlockingTry = field(
        default=BlockingTry.NO_TRY_LEFT, metadata={"meaning": "the wrong PIN that takes the last try"}
    )
    unpadded_pin: bool = field(default=False, metadata={"meaning": "PIN commands take the digits without padding too"})
    reset_with_puk: bool = field(
        default=False, metadata={"meaning": "RESET RETRY COUNTER takes P1=00 with the PUK before the new PIN"}
    )
    pin_for_each_signature: bool = field(
        # No userConsent was seen in key objects.
        default=False,
        metadata={"meaning": "COMPUTE DIGITAL SIGNATURE consumes the verified PIN"},
    )
    pin_lost_after_use: bool = field(
        default=False, metadata={"meaning": "every computation with a key consumes the verified PIN"}
    )
    environment_lost_after_use: bool = field(
        default=False, metadata={"meaning": "a computation clears the security environment"}
    )
    applet_asleep: bool = field(
        # The agency's library knows of it: it selects GlobalPlatform's domain, and the application again.
        default=False,
        metadata={"meaning": "CPS4: after a reset the application is found only once GlobalPlatform's domain was"},
    )
    direct_answers: bool = field(
        default=False, metadata={"meaning": "in T=0, data are answered with data at once, without 61xx"}
    )
    extended_length: bool = field(default=False, metadata={"meaning": "commands with extended lengths are taken"})
    after_older_side: AfterOlderSide = field(
        default=AfterOlderSide.ROOT_AID, metadata={"meaning": "what brings class 00 back after class A0 was used"}
    )
    odd_instructions: bool = field(
        default=False, metadata={"meaning": "READ and UPDATE BINARY with odd INS (B1, D7) are known, else 6D00"}
    )
    verify_logout: bool = field(
        default=False, metadata={"meaning": "VERIFY with P1=FF drops the verified PIN, else 6A86"}
    )
    decipher_keeps_padding: bool = field(
        default=False, metadata={"meaning": "PSO DECIPHER gives the whole block, its padding for the host to strip"}
    )
