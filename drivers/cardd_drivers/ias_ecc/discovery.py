"""Reading a card that was never seen: its serial, then its directories, each once."""

from __future__ import annotations

from cardd_drivers.apdu import SW
from cardd_drivers.contract import MalformedCardData, UnexpectedResponse
from cardd_drivers.ias_ecc.commands import ShortFileId
from cardd_drivers.ias_ecc.directories import parse_ef_dir, parse_ef_sn, parse_odf
from cardd_drivers.ias_ecc.files import DIRECTORY_MAX, Files, df_of
from cardd_drivers.ias_ecc.layout import CONTACT, Side, Snapshot
from cardd_drivers.ias_ecc.objects import Application, Path
from cardd_drivers.tlv import is_complete

_EF_SN_SIZE = 12
"""Published size of EF.SN."""
_EF_DIR_SIZE = 101
"""Published size of EF.DIR. A card that wants exact lengths is asked for it at once; a longer file is read on."""
_EF_SN = Path(bytes.fromhex("3F00D003"))
_EF_DIR = Path(bytes.fromhex("3F002F00"))
_BY_WHOLE_PATH = Application(b"", "", None)
"""What a path from 3F00 is not relative to."""
_ODF = Path(bytes.fromhex("5031"))
_DIRECTORIES_MAX = 12
"""Directories that one ODF may point to; what they hold must fit into one entry of the memory."""


def read_serial(files: Files) -> str:
    """The serial number from EF.SN, in one exchange where the MF is current; by its path where that is refused.

    Raises:
        MalformedCardData: it is no CPS serial number.
        UnexpectedResponse: the card has no EF.SN.
    """
    try:
        return parse_ef_sn(files.read_short(ShortFileId.EF_SN, _EF_SN_SIZE))
    except UnexpectedResponse:
        return parse_ef_sn(files.read_file(_BY_WHOLE_PATH, _EF_SN, _EF_SN_SIZE, structured=True))


def discover(files: Files, side: Side = CONTACT) -> Snapshot:
    """Read EF.DIR, the ODF and the directories that identification needs.

    Args:
        files: the card's.
        side: whose application is looked for.

    Raises:
        MalformedCardData: one of them leads nowhere.
        UnexpectedResponse: the card lacks EF.DIR, the application or the ODF.
    """
    ef_dir = _read_ef_dir(files, side)
    application = side.application(parse_ef_dir(ef_dir))
    files.select_df(df_of(application))
    odf = files.read_file(application, _ODF, DIRECTORY_MAX, structured=True)
    pointers = parse_odf(odf)
    wanted = [(kind, path) for kind in side.directories for path in pointers[kind]]
    if len(wanted) > _DIRECTORIES_MAX:
        raise MalformedCardData(f"an ODF that points to {len(wanted)} directories")
    found = tuple((kind, read_directory(files, application, path)) for kind, path in wanted)
    return Snapshot(ef_dir, odf, found)


def read_directory(files: Files, application: Application, path: Path) -> bytes:
    """One directory; empty where the ODF points to a file that is not there.

    Raises:
        MalformedCardData, UnexpectedResponse.
    """
    try:
        return files.read_file(application, path, DIRECTORY_MAX, structured=True)
    except UnexpectedResponse as error:
        if error.sw == SW.FILE_NOT_FOUND:
            return b""
        raise


def _read_ef_dir(files: Files, side: Side) -> bytes:
    """By short identifier, no further than the application that is looked for; by path where that is refused."""
    try:
        data = files.read_short(ShortFileId.EF_DIR, _EF_DIR_SIZE)
    except UnexpectedResponse:
        return files.read_file(_BY_WHOLE_PATH, _EF_DIR, DIRECTORY_MAX, structured=True)
    enough = len(data) < _EF_DIR_SIZE or side.aid in (found.aid for found in parse_ef_dir(data))
    return data if is_complete(data) and enough else files.read_rest(data, DIRECTORY_MAX)
