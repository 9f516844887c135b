"""The numbers of PC/SC as pyscard's ``smartcard.scard`` gives them on Linux (pcsc-lite): results are unsigned."""

from __future__ import annotations

from typing import ClassVar


class ScardConstants:
    """Every constant of ``smartcard.scard``, under its name there."""

    # Scopes of a context
    SCARD_SCOPE_USER: ClassVar[int] = 0
    SCARD_SCOPE_TERMINAL: ClassVar[int] = 1
    SCARD_SCOPE_SYSTEM: ClassVar[int] = 2

    # SCardConnect: how the card is shared
    SCARD_SHARE_SHARED: ClassVar[int] = 2
    SCARD_SHARE_EXCLUSIVE: ClassVar[int] = 1
    SCARD_SHARE_DIRECT: ClassVar[int] = 3

    # SCardDisconnect, SCardReconnect, SCardEndTransaction: what becomes of the card
    SCARD_LEAVE_CARD: ClassVar[int] = 0
    SCARD_RESET_CARD: ClassVar[int] = 1
    SCARD_UNPOWER_CARD: ClassVar[int] = 2
    SCARD_EJECT_CARD: ClassVar[int] = 3

    # Protocols; SCARD_PCI_* in SCardTransmit
    SCARD_PROTOCOL_UNSET: ClassVar[int] = 0
    SCARD_PROTOCOL_T0: ClassVar[int] = 1
    SCARD_PROTOCOL_T1: ClassVar[int] = 2
    SCARD_PROTOCOL_RAW: ClassVar[int] = 4
    SCARD_PROTOCOL_T15: ClassVar[int] = 8
    SCARD_PROTOCOL_ANY: ClassVar[int] = 3
    SCARD_PROTOCOL_UNDEFINED: ClassVar[int] = 0
    SCARD_PROTOCOL_OPTIMAL: ClassVar[int] = 0
    SCARD_PROTOCOL_Tx: ClassVar[int] = 3
    SCARD_PROTOCOL_DEFAULT: ClassVar[int] = 3
    SCARD_PCI_T0: ClassVar[int] = 1
    SCARD_PCI_T1: ClassVar[int] = 2
    SCARD_PCI_RAW: ClassVar[int] = 4

    # SCardGetStatusChange: states of a reader, and its longest wait (pyscard's: 24.8 days, in ms)
    SCARD_STATE_UNAWARE: ClassVar[int] = 0x0
    SCARD_STATE_IGNORE: ClassVar[int] = 0x1
    SCARD_STATE_CHANGED: ClassVar[int] = 0x2
    SCARD_STATE_UNKNOWN: ClassVar[int] = 0x4
    SCARD_STATE_UNAVAILABLE: ClassVar[int] = 0x8
    SCARD_STATE_EMPTY: ClassVar[int] = 0x10
    SCARD_STATE_PRESENT: ClassVar[int] = 0x20
    SCARD_STATE_ATRMATCH: ClassVar[int] = 0x40
    SCARD_STATE_EXCLUSIVE: ClassVar[int] = 0x80
    SCARD_STATE_INUSE: ClassVar[int] = 0x100
    SCARD_STATE_MUTE: ClassVar[int] = 0x200
    SCARD_STATE_UNPOWERED: ClassVar[int] = 0x400
    INFINITE: ClassVar[int] = 2147483647

    # Results: success, internal failures, errors, warnings
    SCARD_S_SUCCESS: ClassVar[int] = 0
    SCARD_F_INTERNAL_ERROR: ClassVar[int] = 0x80100001
    SCARD_E_CANCELLED: ClassVar[int] = 0x80100002
    SCARD_E_INVALID_HANDLE: ClassVar[int] = 0x80100003
    SCARD_E_INVALID_PARAMETER: ClassVar[int] = 0x80100004
    SCARD_E_INVALID_TARGET: ClassVar[int] = 0x80100005
    SCARD_E_NO_MEMORY: ClassVar[int] = 0x80100006
    SCARD_F_WAITED_TOO_LONG: ClassVar[int] = 0x80100007
    SCARD_E_INSUFFICIENT_BUFFER: ClassVar[int] = 0x80100008
    SCARD_E_UNKNOWN_READER: ClassVar[int] = 0x80100009
    SCARD_E_TIMEOUT: ClassVar[int] = 0x8010000A
    SCARD_E_SHARING_VIOLATION: ClassVar[int] = 0x8010000B
    SCARD_E_NO_SMARTCARD: ClassVar[int] = 0x8010000C
    SCARD_E_UNKNOWN_CARD: ClassVar[int] = 0x8010000D
    SCARD_E_CANT_DISPOSE: ClassVar[int] = 0x8010000E
    SCARD_E_PROTO_MISMATCH: ClassVar[int] = 0x8010000F
    SCARD_E_NOT_READY: ClassVar[int] = 0x80100010
    SCARD_E_INVALID_VALUE: ClassVar[int] = 0x80100011
    SCARD_E_SYSTEM_CANCELLED: ClassVar[int] = 0x80100012
    SCARD_F_COMM_ERROR: ClassVar[int] = 0x80100013
    SCARD_F_UNKNOWN_ERROR: ClassVar[int] = 0x80100014
    SCARD_E_INVALID_ATR: ClassVar[int] = 0x80100015
    SCARD_E_NOT_TRANSACTED: ClassVar[int] = 0x80100016
    SCARD_E_READER_UNAVAILABLE: ClassVar[int] = 0x80100017
    SCARD_E_PCI_TOO_SMALL: ClassVar[int] = 0x80100019
    SCARD_E_READER_UNSUPPORTED: ClassVar[int] = 0x8010001A
    SCARD_E_DUPLICATE_READER: ClassVar[int] = 0x8010001B
    SCARD_E_CARD_UNSUPPORTED: ClassVar[int] = 0x8010001C
    SCARD_E_NO_SERVICE: ClassVar[int] = 0x8010001D
    SCARD_E_SERVICE_STOPPED: ClassVar[int] = 0x8010001E
    SCARD_E_NO_READERS_AVAILABLE: ClassVar[int] = 0x8010002E
    SCARD_E_UNSUPPORTED_FEATURE: ClassVar[int] = 0x8010001F
    SCARD_W_UNSUPPORTED_CARD: ClassVar[int] = 0x80100065
    SCARD_W_UNRESPONSIVE_CARD: ClassVar[int] = 0x80100066
    SCARD_W_UNPOWERED_CARD: ClassVar[int] = 0x80100067
    SCARD_W_RESET_CARD: ClassVar[int] = 0x80100068
    SCARD_W_REMOVED_CARD: ClassVar[int] = 0x80100069
    SCARD_W_SECURITY_VIOLATION: ClassVar[int] = 0x8010006A
    SCARD_W_WRONG_CHV: ClassVar[int] = 0x8010006B
    SCARD_W_CHV_BLOCKED: ClassVar[int] = 0x8010006C
    SCARD_W_EOF: ClassVar[int] = 0x8010006D
    SCARD_W_CANCELLED_BY_USER: ClassVar[int] = 0x8010006E
    SCARD_W_CARD_NOT_AUTHENTICATED: ClassVar[int] = 0x8010006F
    SCARD_E_UNEXPECTED: ClassVar[int] = 0x8010001F
    SCARD_E_ICC_INSTALLATION: ClassVar[int] = 0x80100020
    SCARD_E_ICC_CREATEORDER: ClassVar[int] = 0x80100021
    SCARD_E_DIR_NOT_FOUND: ClassVar[int] = 0x80100023
    SCARD_E_FILE_NOT_FOUND: ClassVar[int] = 0x80100024
    SCARD_E_NO_DIR: ClassVar[int] = 0x80100025
    SCARD_E_NO_FILE: ClassVar[int] = 0x80100026
    SCARD_E_NO_ACCESS: ClassVar[int] = 0x80100027
    SCARD_E_WRITE_TOO_MANY: ClassVar[int] = 0x80100028
    SCARD_E_BAD_SEEK: ClassVar[int] = 0x80100029
    SCARD_E_INVALID_CHV: ClassVar[int] = 0x8010002A
    SCARD_E_UNKNOWN_RES_MNG: ClassVar[int] = 0x8010002B
    SCARD_E_NO_SUCH_CERTIFICATE: ClassVar[int] = 0x8010002C
    SCARD_E_CERTIFICATE_UNAVAILABLE: ClassVar[int] = 0x8010002D
    SCARD_E_COMM_DATA_LOST: ClassVar[int] = 0x8010002F
    SCARD_E_NO_KEY_CONTAINER: ClassVar[int] = 0x80100030
    SCARD_E_SERVER_TOO_BUSY: ClassVar[int] = 0x80100031
    SCARD_P_SHUTDOWN: ClassVar[int] = 0x80100018

    # SCardGetAttrib
    SCARD_ATTR_VENDOR_NAME: ClassVar[int] = 0x10100
    SCARD_ATTR_VENDOR_IFD_TYPE: ClassVar[int] = 0x10101
    SCARD_ATTR_VENDOR_IFD_VERSION: ClassVar[int] = 0x10102
    SCARD_ATTR_VENDOR_IFD_SERIAL_NO: ClassVar[int] = 0x10103
    SCARD_ATTR_CHANNEL_ID: ClassVar[int] = 0x20110
    SCARD_ATTR_ASYNC_PROTOCOL_TYPES: ClassVar[int] = 0x30120
    SCARD_ATTR_DEFAULT_CLK: ClassVar[int] = 0x30121
    SCARD_ATTR_MAX_CLK: ClassVar[int] = 0x30122
    SCARD_ATTR_DEFAULT_DATA_RATE: ClassVar[int] = 0x30123
    SCARD_ATTR_MAX_DATA_RATE: ClassVar[int] = 0x30124
    SCARD_ATTR_MAX_IFSD: ClassVar[int] = 0x30125
    SCARD_ATTR_SYNC_PROTOCOL_TYPES: ClassVar[int] = 0x30126
    SCARD_ATTR_POWER_MGMT_SUPPORT: ClassVar[int] = 0x40131
    SCARD_ATTR_USER_TO_CARD_AUTH_DEVICE: ClassVar[int] = 0x50140
    SCARD_ATTR_USER_AUTH_INPUT_DEVICE: ClassVar[int] = 0x50142
    SCARD_ATTR_CHARACTERISTICS: ClassVar[int] = 0x60150
    SCARD_ATTR_CURRENT_PROTOCOL_TYPE: ClassVar[int] = 0x80201
    SCARD_ATTR_CURRENT_CLK: ClassVar[int] = 0x80202
    SCARD_ATTR_CURRENT_F: ClassVar[int] = 0x80203
    SCARD_ATTR_CURRENT_D: ClassVar[int] = 0x80204
    SCARD_ATTR_CURRENT_N: ClassVar[int] = 0x80205
    SCARD_ATTR_CURRENT_W: ClassVar[int] = 0x80206
    SCARD_ATTR_CURRENT_IFSC: ClassVar[int] = 0x80207
    SCARD_ATTR_CURRENT_IFSD: ClassVar[int] = 0x80208
    SCARD_ATTR_CURRENT_BWT: ClassVar[int] = 0x80209
    SCARD_ATTR_CURRENT_CWT: ClassVar[int] = 0x8020A
    SCARD_ATTR_CURRENT_EBC_ENCODING: ClassVar[int] = 0x8020B
    SCARD_ATTR_EXTENDED_BWT: ClassVar[int] = 0x8020C
    SCARD_ATTR_ICC_PRESENCE: ClassVar[int] = 0x90300
    SCARD_ATTR_ICC_INTERFACE_STATUS: ClassVar[int] = 0x90301
    SCARD_ATTR_CURRENT_IO_STATE: ClassVar[int] = 0x90302
    SCARD_ATTR_ATR_STRING: ClassVar[int] = 0x90303
    SCARD_ATTR_ICC_TYPE_PER_ATR: ClassVar[int] = 0x90304
    SCARD_ATTR_ESC_RESET: ClassVar[int] = 0x7A000
    SCARD_ATTR_ESC_CANCEL: ClassVar[int] = 0x7A003
    SCARD_ATTR_ESC_AUTHREQUEST: ClassVar[int] = 0x7A005
    SCARD_ATTR_MAXINPUT: ClassVar[int] = 0x7A007
    SCARD_ATTR_DEVICE_UNIT: ClassVar[int] = 0x7FFF0001
    SCARD_ATTR_DEVICE_IN_USE: ClassVar[int] = 0x7FFF0002
    SCARD_ATTR_DEVICE_FRIENDLY_NAME_A: ClassVar[int] = 0x7FFF0003
    SCARD_ATTR_DEVICE_SYSTEM_NAME_A: ClassVar[int] = 0x7FFF0004
    SCARD_ATTR_DEVICE_FRIENDLY_NAME_W: ClassVar[int] = 0x7FFF0005
    SCARD_ATTR_DEVICE_SYSTEM_NAME_W: ClassVar[int] = 0x7FFF0006
    SCARD_ATTR_SUPRESS_T1_IFS_REQUEST: ClassVar[int] = 0x7FFF0007
    SCARD_ATTR_DEVICE_FRIENDLY_NAME: ClassVar[int] = 0x7FFF0003
    SCARD_ATTR_DEVICE_SYSTEM_NAME: ClassVar[int] = 0x7FFF0004

    # As pyscard has it: the result, not a handle
    INVALID_HANDLE: ClassVar[int] = 2148532227


# What SCardGetErrorMessage says (pcsc_stringify_error of pcsc-lite).
ERROR_MESSAGES: dict[int, str] = {
    ScardConstants.SCARD_S_SUCCESS: "Command successful.",
    ScardConstants.SCARD_F_INTERNAL_ERROR: "Internal error.",
    ScardConstants.SCARD_E_CANCELLED: "Command cancelled.",
    ScardConstants.SCARD_E_INVALID_HANDLE: "Invalid handle.",
    ScardConstants.SCARD_E_INVALID_PARAMETER: "Invalid parameter given.",
    ScardConstants.SCARD_E_INVALID_TARGET: "Invalid target given.",
    ScardConstants.SCARD_E_NO_MEMORY: "Not enough memory.",
    ScardConstants.SCARD_F_WAITED_TOO_LONG: "Waited too long.",
    ScardConstants.SCARD_E_INSUFFICIENT_BUFFER: "Insufficient buffer.",
    ScardConstants.SCARD_E_UNKNOWN_READER: "Unknown reader specified.",
    ScardConstants.SCARD_E_TIMEOUT: "Command timeout.",
    ScardConstants.SCARD_E_SHARING_VIOLATION: "Sharing violation.",
    ScardConstants.SCARD_E_NO_SMARTCARD: "No smart card inserted.",
    ScardConstants.SCARD_E_UNKNOWN_CARD: "Unknown card.",
    ScardConstants.SCARD_E_CANT_DISPOSE: "Cannot dispose handle.",
    ScardConstants.SCARD_E_PROTO_MISMATCH: "Card protocol mismatch.",
    ScardConstants.SCARD_E_NOT_READY: "Subsystem not ready.",
    ScardConstants.SCARD_E_INVALID_VALUE: "Invalid value given.",
    ScardConstants.SCARD_E_SYSTEM_CANCELLED: "System cancelled.",
    ScardConstants.SCARD_F_COMM_ERROR: "RPC transport error.",
    ScardConstants.SCARD_F_UNKNOWN_ERROR: "Unknown error.",
    ScardConstants.SCARD_E_INVALID_ATR: "Invalid ATR.",
    ScardConstants.SCARD_E_NOT_TRANSACTED: "Transaction failed.",
    ScardConstants.SCARD_E_READER_UNAVAILABLE: "Reader is unavailable.",
    ScardConstants.SCARD_E_PCI_TOO_SMALL: "PCI struct too small.",
    ScardConstants.SCARD_E_READER_UNSUPPORTED: "Reader is unsupported.",
    ScardConstants.SCARD_E_DUPLICATE_READER: "Reader already exists.",
    ScardConstants.SCARD_E_CARD_UNSUPPORTED: "Card is unsupported.",
    ScardConstants.SCARD_E_NO_SERVICE: "Service not available.",
    ScardConstants.SCARD_E_SERVICE_STOPPED: "Service was stopped.",
    ScardConstants.SCARD_E_NO_READERS_AVAILABLE: "Cannot find a smart card reader.",
    ScardConstants.SCARD_E_UNSUPPORTED_FEATURE: "Feature not supported.",
    ScardConstants.SCARD_W_UNSUPPORTED_CARD: "Card is not supported.",
    ScardConstants.SCARD_W_UNRESPONSIVE_CARD: "Card is unresponsive.",
    ScardConstants.SCARD_W_UNPOWERED_CARD: "Card is unpowered.",
    ScardConstants.SCARD_W_RESET_CARD: "Card was reset.",
    ScardConstants.SCARD_W_REMOVED_CARD: "Card was removed.",
    ScardConstants.SCARD_W_SECURITY_VIOLATION: "Access denied.",
}
