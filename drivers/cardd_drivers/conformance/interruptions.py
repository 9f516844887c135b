"""The card leaves, is reset, falls mute, its reader fails or the caller gives up, at each command that there is."""

from __future__ import annotations

from functools import partial

import pytest

from cardd_drivers.apdu import Command
from cardd_drivers.conformance.bench import DIGEST, ENCRYPTION_PADDINGS, Inserted, insert, public_key, useful_keys
from cardd_drivers.conformance.subject import Subject
from cardd_drivers.contract import (
    Cancelled,
    CardError,
    CardMute,
    CardRemoved,
    CardReset,
    KeyName,
    ReaderFailure,
)

_OTHERS = (CardReset, CardMute, ReaderFailure, Cancelled)


def _use_it_all(inserted: Inserted) -> None:
    """A day of the card; what it cannot do is left out, by its own word."""
    card = inserted.card
    card.identify()
    can = card.capabilities()
    for key in useful_keys(can):
        card.read_certificate(key)
    for label in inserted.subject.objects:
        card.read_object(label)
    if can.pin is not None:
        card.pin_status()
        inserted.verify()
    if can.possession is not None:
        card.authenticate(can.possession, b"a challenge")
    for key, algorithms in can.signature.items():
        inserted.verified(partial(card.sign, key, min(algorithms), DIGEST))
    for deciphering in can.decipher:
        cryptogram = public_key(inserted, KeyName.ENCRYPTION).encrypt(b"a key", ENCRYPTION_PADDINGS[deciphering])
        inserted.verified(partial(card.decipher, KeyName.ENCRYPTION, deciphering, cryptogram))


class InterruptionTests:
    """An error of the channel reaches the caller as it is, and nothing more is sent."""

    def test_a_card_that_leaves_is_told_at_each_command(self, subject: Subject) -> None:
        for at in range(self._length(subject)):
            self._interrupt(subject, at, CardRemoved())

    @pytest.mark.parametrize("kind", _OTHERS)
    def test_the_other_errors_pass_as_they_are(self, subject: Subject, kind: type[CardError]) -> None:
        for at in range(_OTHERS.index(kind), self._length(subject), len(_OTHERS)):
            self._interrupt(subject, at, kind())

    @staticmethod
    def _length(subject: Subject) -> int:
        honest = insert(subject)
        _use_it_all(honest)
        return len(honest.channel.sent)

    @staticmethod
    def _interrupt(subject: Subject, at: int, error: CardError) -> None:
        def fail(number: int, _command: Command) -> None:
            if number >= at:
                raise error

        inserted = insert(subject, instead=fail)
        with pytest.raises(type(error)) as refused:
            _use_it_all(inserted)
        assert refused.value is error, f"another error than the channel's at command {at}"
        assert len(inserted.channel.sent) == at + 1, f"the driver goes on after {error!r} at command {at}"
        assert all(not any(sent.command.data) for sent in inserted.channel.presented), "a secret was not wiped"
