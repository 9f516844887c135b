"""Refusals of this room that a client sees."""

from __future__ import annotations

from cardd.errors import CarddError


class ConsentRefused(CarddError):
    """The holder was asked and said no. Fields: job (the number that was shown)."""

    short_name = "ConsentRefused"
    sentence = "The card's holder refused this signature (job {job})."


class ConsentNotAnswered(CarddError):
    """The holder was asked and did not answer. Fields: job."""

    short_name = "ConsentNotAnswered"
    sentence = "The card's holder did not answer in time (job {job}); ask again."


class NoSuchJob(CarddError):
    """A job number that was never given to this connection, has been used, or is too old. Fields: job."""

    short_name = "NoSuchJob"
    sentence = "There is no open job {job} of this application; ask for a new number."
