"""The holder's PIN and the code that unblocks it: what reaches the card, what it costs, what memory keeps of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from cardd_drivers.apdu import Command, Secrecy
from cardd_drivers.conformance.bench import Inserted, Sent, insert
from cardd_drivers.conformance.subject import Subject
from cardd_drivers.contract import (
    CardRemoved,
    ErrorReference,
    ObjectNotFound,
    PinBlocked,
    PinFormat,
    PinIncorrect,
    PinRules,
    PinStatus,
)


def _other(secret: bytes) -> bytes:
    """A secret of the same form that is not this one."""
    return bytes(0x30 + (each - 0x30 + 1) % 10 if 0x30 <= each <= 0x39 else each ^ 0x01 for each in secret)


def _malformed(rules: PinRules, right: bytes) -> list[bytes]:
    """What can only cost a try."""
    short = right[:1] * (rules.minimum - 1)
    long = right[:1] * (rules.maximum + 1)
    return [short, long, *([b"x" + right[1:], right[:-1] + b"\xff"] if rules.digits_only else [])]


def _pin(subject: Subject) -> bytes:
    if subject.pin is None:
        pytest.skip("this card has no PIN")
    return subject.pin


def _puk(subject: Subject) -> bytes:
    if subject.puk is None:
        pytest.skip("this card has no PUK")
    return subject.puk


def _identified(subject: Subject) -> Inserted:
    inserted = insert(subject)
    inserted.card.identify()
    return inserted


def _require_full(inserted: Inserted) -> None:
    """No try is lost, as far as the card tells."""
    assert inserted.card.pin_status().tries_left in (None, inserted.subject.tries)


def _require_wiped(presented: list[Sent]) -> None:
    """What the driver gave away is marked as secret and holds nothing any more."""
    assert presented, "the secret never reached the card"
    for sent in presented:
        assert sent.command.secrecy is Secrecy.SECRET_DATA, f"{sent.command.header.hex()} shows its secret in traces"
        assert not any(sent.command.data), f"the data of {sent.command.header.hex()} was not wiped"


def _require_untold(error: BaseException, *secrets: bytes) -> None:
    told = f"{error!r} {error} {vars(error)}".lower()
    assert not any(form in told for secret in secrets for form in (secret.decode("latin-1").lower(), secret.hex()))


class PinTests:
    """A PIN is judged before the card sees it, presented once for each time it was given, and wiped."""

    def test_the_right_pin_has_the_form_that_is_told_and_is_taken_once(self, subject: Subject) -> None:
        pin, inserted = _pin(subject), _identified(subject)
        rules = inserted.card.capabilities().pin
        assert rules is not None
        assert 0 < rules.minimum <= len(pin) <= rules.maximum
        _require_full(inserted)
        given = bytearray(pin)
        inserted.card.verify_pin(given)
        assert given == pin, "the caller's to wipe, not the driver's"
        assert len(inserted.channel.presented) == 1
        _require_wiped(inserted.channel.presented)

    def test_a_pin_may_be_a_view(self, subject: Subject) -> None:
        inserted = _identified(subject)
        inserted.card.verify_pin(memoryview(bytearray(_pin(subject))))
        assert len(inserted.channel.presented) == 1

    def test_a_pin_of_another_form_never_reaches_the_card(self, subject: Subject) -> None:
        pin, inserted = _pin(subject), _identified(subject)
        rules = inserted.card.capabilities().pin
        assert rules is not None
        for wrong in _malformed(rules, pin):
            self._refuse(inserted.card.verify_pin, wrong)
            self._refuse(lambda wrong: inserted.card.change_pin(bytearray(pin), wrong), wrong)
            self._refuse(lambda wrong: inserted.card.change_pin(wrong, bytearray(pin)), wrong)
        assert inserted.channel.presented == []
        _require_full(inserted)

    def test_wrong_pins_are_counted_down_to_blocked_and_the_right_one_is_then_refused(self, subject: Subject) -> None:
        pin, inserted = _pin(subject), _identified(subject)
        for left in range(subject.tries - 1, 0, -1):
            with pytest.raises(PinIncorrect) as refused:
                inserted.card.verify_pin(bytearray(_other(pin)))
            assert (refused.value.tries_left, refused.value.reference) in {
                (left, ErrorReference.PIN),
                (None, ErrorReference.PIN),
            }
            _require_untold(refused.value, _other(pin))
            assert inserted.card.pin_status().tries_left in (None, left)
        for attempt in (_other(pin), pin):
            with pytest.raises(PinBlocked) as blocked:
                inserted.card.verify_pin(bytearray(attempt))
            assert blocked.value.reference is ErrorReference.PIN
            _require_untold(blocked.value, attempt)
        assert inserted.card.pin_status() in (PinStatus(0), PinStatus(None))
        assert len(inserted.channel.presented) <= subject.tries + 1
        _require_wiped(inserted.channel.presented)

    def test_asking_for_the_tries_costs_none(self, subject: Subject) -> None:
        _pin(subject)
        inserted = _identified(subject)
        for _ in range(subject.tries + 1):
            _require_full(inserted)
        inserted.verify()

    def test_a_changed_pin_is_the_pin(self, subject: Subject) -> None:
        pin, inserted = _pin(subject), _identified(subject)
        inserted.card.change_pin(bytearray(pin), bytearray(_other(pin)))
        _require_wiped(inserted.channel.presented)
        again = _identified(subject)
        with pytest.raises(PinIncorrect):
            again.card.verify_pin(bytearray(pin))
        again.card.verify_pin(bytearray(_other(pin)))
        with pytest.raises(PinIncorrect) as refused:
            again.card.change_pin(bytearray(pin), bytearray(pin))
        _require_untold(refused.value, pin, _other(pin))
        _require_wiped(again.channel.presented)

    def test_a_blocked_pin_is_unblocked_by_the_puk(self, subject: Subject) -> None:
        pin, puk, inserted = _pin(subject), _puk(subject), _identified(subject)
        for _ in range(subject.tries):
            with pytest.raises((PinIncorrect, PinBlocked)):
                inserted.card.verify_pin(bytearray(_other(pin)))
        inserted.card.unblock_pin(bytearray(puk), bytearray(_other(pin)))
        _require_wiped(inserted.channel.presented)
        again = _identified(subject)
        again.card.verify_pin(bytearray(_other(pin)))

    def test_a_wrong_puk_is_told_as_such(self, subject: Subject) -> None:
        pin, puk, inserted = _pin(subject), _puk(subject), _identified(subject)
        before = inserted.card.puk_status().tries_left
        with pytest.raises(PinIncorrect) as refused:
            inserted.card.unblock_pin(bytearray(_other(puk)), bytearray(pin))
        assert refused.value.reference is ErrorReference.PUK
        _require_untold(refused.value, _other(puk))
        after = inserted.card.puk_status().tries_left
        assert before is None or after is None or after == before - 1
        inserted.card.verify_pin(bytearray(pin))

    def test_a_puk_or_a_new_pin_of_another_form_never_reaches_the_card(self, subject: Subject) -> None:
        pin, puk, inserted = _pin(subject), _puk(subject), _identified(subject)
        can = inserted.card.capabilities()
        assert can.pin is not None
        assert can.puk is not None
        for wrong in _malformed(can.pin, pin):
            refused = self._refuse(lambda wrong: inserted.card.unblock_pin(bytearray(puk), wrong), wrong)
            assert refused.reference is ErrorReference.PIN
        for wrong in _malformed(can.puk, puk):
            refused = self._refuse(lambda wrong: inserted.card.unblock_pin(wrong, bytearray(pin)), wrong)
            assert refused.reference is ErrorReference.PUK
        assert inserted.channel.presented == []

    def test_a_card_without_a_pin_says_so_and_is_sent_nothing(self, subject: Subject) -> None:
        if subject.pin is not None:
            pytest.skip("this card has a PIN")
        inserted = _identified(subject)
        before = len(inserted.channel.sent)
        card, code = inserted.card, bytearray(b"1234")
        for use in (
            card.pin_status,
            partial(card.verify_pin, code),
            partial(card.change_pin, code, code),
            card.verify_pin_on_pad,
            card.change_pin_on_pad,
        ):
            with pytest.raises(ObjectNotFound):
                use()
        assert len(inserted.channel.sent) == before

    def test_a_card_without_a_puk_says_so(self, subject: Subject) -> None:
        if subject.puk is not None:
            pytest.skip("this card has a PUK")
        inserted = _identified(subject)
        with pytest.raises(ObjectNotFound):
            inserted.card.puk_status()
        with pytest.raises(ObjectNotFound):
            inserted.card.unblock_pin(bytearray(b"12345678"), bytearray(subject.pin or b"1234"))
        assert inserted.channel.presented == []

    def test_a_secret_is_wiped_when_the_card_leaves_with_it(self, subject: Subject) -> None:
        pin = _pin(subject)
        uses: list[Callable[[Inserted], None]] = [
            lambda inserted: inserted.card.verify_pin(bytearray(pin)),
            lambda inserted: inserted.card.change_pin(bytearray(pin), bytearray(pin)),
        ]
        if subject.puk is not None:
            uses.append(lambda inserted: inserted.card.unblock_pin(bytearray(subject.puk or b""), bytearray(pin)))
        for use in uses:
            self._leave_with_the_secret(subject, use)

    @staticmethod
    def _leave_with_the_secret(subject: Subject, use: Callable[[Inserted], None]) -> None:
        gone = CardRemoved()

        def leave(_number: int, _command: Command) -> None:
            if inserted.channel.presented:
                raise gone

        inserted = insert(subject, instead=leave)
        inserted.card.identify()
        with pytest.raises(CardRemoved) as refused:
            use(inserted)
        assert refused.value is gone
        assert len(inserted.channel.presented) == 1, "nothing is presented again to a card that left"
        _require_wiped(inserted.channel.presented)

    @staticmethod
    def _refuse(use: Callable[[bytearray], None], wrong: bytes) -> PinFormat:
        with pytest.raises(PinFormat) as refused:
            use(bytearray(wrong))
        if wrong:
            assert wrong.hex() not in f"{refused.value!r} {vars(refused.value)}"
        return refused.value
