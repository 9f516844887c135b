"""Names of what goes over the line: commands, files, status words (ISO 7816-4 and -8, published CPS files)."""

from __future__ import annotations

COMMANDS = {
    0x20: "VERIFY",
    0x21: "VERIFY",
    0x22: "MANAGE SECURITY ENVIRONMENT",
    0x24: "CHANGE REFERENCE DATA",
    0x2A: "PERFORM SECURITY OPERATION",
    0x2C: "RESET RETRY COUNTER",
    0x70: "MANAGE CHANNEL",
    0x82: "EXTERNAL AUTHENTICATE",
    0x84: "GET CHALLENGE",
    0x88: "INTERNAL AUTHENTICATE",
    0xA4: "SELECT",
    0xB0: "READ BINARY",
    0xB1: "READ BINARY",
    0xB2: "READ RECORD",
    0xC0: "GET RESPONSE",
    0xC2: "ENVELOPE",
    0xCA: "GET DATA",
    0xCB: "GET DATA",
    0xD6: "UPDATE BINARY",
    0xD7: "UPDATE BINARY",
    0xDA: "PUT DATA",
    0xDB: "PUT DATA",
}
# P1-P2 of PERFORM SECURITY OPERATION (ISO 7816-8).
SECURITY_OPERATIONS = {
    0x9E9A: "COMPUTE DIGITAL SIGNATURE",
    0x90A0: "HASH",
    0x9080: "HASH",
    0x8086: "DECIPHER",
    0x8680: "ENCIPHER",
}
# P2 of MANAGE SECURITY ENVIRONMENT (ISO 7816-4, 10.3.3).
TEMPLATES = {0xA4: "AT", 0xAA: "HT", 0xB4: "CCT", 0xB6: "DST", 0xB8: "CT"}
FILES = {
    0x3F00: "MF",
    0x0001: "DF contact",
    0x0002: "DF contactless",
    0x2F00: "EF.DIR",
    0x2F01: "EF.ATR",
    0xD003: "EF.SN",
    0x5031: "EF.ODF",
    0x5032: "EF.CIAInfo",
}
# Short file identifiers that the CPS3 gives in the FCP of these files.
SHORT_IDENTIFIERS = {0x1C: "EF.SN", 0x1D: "EF.ATR", 0x1E: "EF.DIR"}
APPLICATIONS = {
    "8025000001FF0100": "root application",
    "8025000001FF0002": "CPS2ter side",
    "A0000001510000": "GlobalPlatform's domain",
    "E828BD080F8025000001FF0010": "CPX IAS",
    "E828BD080F8025000001FF0020": "CPX IAS CL",
}
STATUS_WORDS = {
    0x9000: "done",
    0x6282: "end of file before Le",
    0x6700: "wrong length",
    0x6881: "logical channel not open",
    0x6883: "last command of the chain expected",
    0x6982: "security status not satisfied",
    0x6983: "blocked",
    0x6984: "reference data not usable",
    0x6985: "conditions of use not satisfied",
    0x6986: "no current EF",
    0x6A80: "incorrect data",
    0x6A82: "file not found",
    0x6A84: "not enough memory",
    0x6A86: "incorrect P1-P2",
    0x6A88: "referenced data not found",
    0x6B00: "offset beyond the end",
    0x6D00: "INS not supported",
    0x6E00: "CLA not supported",
}


def status_word(sw: int) -> str:
    """What a status word means; one that is not known is called so."""
    if sw >> 8 in (0x61, 0x9F):  # 9F: class A0, as in GSM 11.11
        return f"{sw & 0xFF or '256 or more'} bytes wait"
    if sw >> 8 == 0x6C:
        return f"wrong Le: {sw & 0xFF or 256} it is"
    if sw & 0xFFF0 == 0x63C0:
        return f"{sw & 0xF} tries left"
    return STATUS_WORDS.get(sw, "unknown")
