"""What only the command line can fail with, beside the failures of the daemon and of the client."""

from __future__ import annotations

from cardd.client.errors import ClientError
from cardd.errors import N_


class NoReader(ClientError):
    """No reader is plugged in."""

    short_name = "NoReader"
    sentence = N_("No card reader is plugged in; plug one in, and run `cardctl doctor` if it is not seen.")


class NoCard(ClientError):
    """No card is in a reader."""

    short_name = "NoCard"
    sentence = N_("No card is in the reader; insert one, its chip first.")


class SeveralCards(ClientError):
    """Fields: choices (object paths)."""

    short_name = "SeveralCards"
    sentence = N_("Several cards are inserted; choose one with --card: {choices}.")


class SeveralReaders(ClientError):
    """Fields: choices (PC/SC names)."""

    short_name = "SeveralReaders"
    sentence = N_("Several readers have a card in them; choose one with --reader: {choices}.")


class ReaderNotFound(ClientError):
    """Fields: reader, choices (PC/SC names)."""

    short_name = "ReaderNotFound"
    sentence = N_("There is no reader {reader}; there are: {choices}.")


class CardHeld(ClientError):
    """Fields: holder (which program, where that can be known)."""

    short_name = "CardHeld"
    sentence = N_(
        "Another program holds the card ({holder}). Where it is cardd, end the session (`cardctl logout`); where cardd "
        'keeps every card (hold = "insertion"), stop it for as long as this takes (`sudo systemctl stop cardd`).'
    )


class NoSession(ClientError):
    """No session is open that the command could use."""

    short_name = "NoSession"
    sentence = N_("No session is open; open one with `cardctl login`.")


class NoTerminal(ClientError):
    """There is no terminal to ask on."""

    short_name = "NoTerminal"
    sentence = N_("There is no terminal to ask on; give the code by --pin-fd.")


class FileUnusable(ClientError):
    """Fields: file, reason."""

    short_name = "FileUnusable"
    sentence = N_("The file {file} cannot be used: {reason}.")


class ConfigurationUnusable(ClientError):
    """Fields: problem (with file and line)."""

    short_name = "ConfigurationUnusable"
    sentence = N_("cardd's configuration cannot be used: {problem}.")


class NothingToExport(ClientError):
    """Nothing that is asked for is sealed, and only the running daemon can seal."""

    short_name = "NothingToExport"
    sentence = N_("Nothing of that is sealed, so nothing can be proved; have the running cardd export it.")


class TimestampRefused(ClientError):
    """Fields: authority (its address, or the file that it answered with), reason."""

    short_name = "TimestampRefused"
    sentence = N_("The timestamp of {authority} does not hold: {reason}.")


class TrustRefused(ClientError):
    """Fields: count. Some certificates were refused; each was named before."""

    short_name = "TrustRefused"
    sentence = N_("Certificates refused: {count}. Nothing was added for them.")


class Unforeseen(ClientError):
    """Fields: kind."""

    short_name = "Unforeseen"
    sentence = N_("Something unforeseen went wrong ({kind}); set CARDCTL_DEBUG=1 to see where, and report it.")
