"""Who the card is, what it has and what it can."""

from __future__ import annotations

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from cardd_drivers.conformance.bench import KeptMemory, insert, useful_keys
from cardd_drivers.conformance.subject import Subject
from cardd_drivers.contract import Capabilities, DecipherAlgorithm, KeyName, Match, ObjectNotFound, SignatureAlgorithm


class RecognitionTests:
    """A driver recognises its card, names it, and says the truth of it."""

    def test_the_driver_has_a_name_and_knows_the_cards_atr(self, subject: Subject) -> None:
        assert isinstance(subject.driver.name, str)
        assert subject.driver.name
        assert subject.driver.matches(subject.insert().atr) > Match.NO

    def test_any_atr_is_judged(self, subject: Subject) -> None:
        atr = subject.insert().atr

        @settings(deadline=None)
        @given(st.one_of(st.binary(max_size=40), st.integers(0, len(atr)).map(lambda length: atr[:length])))
        def judge(other: bytes) -> None:
            assert subject.driver.matches(other) in Match

        judge()

    def test_the_probe_finds_the_card_without_a_pin(self, subject: Subject) -> None:
        inserted = insert(subject)
        assert subject.driver.probe(inserted.channel) is True
        assert inserted.channel.presented == []

    def test_opening_sends_nothing(self, subject: Subject) -> None:
        assert insert(subject).channel.sent == []

    def test_the_card_is_named_as_it_is_on_every_insertion_and_every_channel(self, subject: Subject) -> None:
        memory = KeptMemory()
        for _ in range(2):
            inserted = insert(subject, memory)
            assert inserted.card.identify() == subject.identity
            assert inserted.card.identify() == subject.identity
            again = subject.driver.open(inserted.channel, memory)
            assert again.identify() == subject.identity, "on a second channel to the same insertion"
            assert inserted.channel.presented == []

    def test_capabilities_are_of_the_contract_and_cost_nothing(self, subject: Subject) -> None:
        inserted = insert(subject)
        inserted.card.identify()
        before = len(inserted.channel.sent)
        can = inserted.card.capabilities()
        assert len(inserted.channel.sent) == before
        assert isinstance(can, Capabilities)
        assert set(can.signature) <= set(KeyName)
        assert all(algorithms <= set(SignatureAlgorithm) for algorithms in can.signature.values())
        assert can.decipher <= set(DecipherAlgorithm)
        assert (can.pin is not None, can.puk is not None) == (subject.pin is not None, subject.puk is not None)

    def test_each_key_that_can_do_something_has_its_certificate(self, subject: Subject) -> None:
        card = insert(subject).card
        card.identify()
        can = card.capabilities()
        assert can.possession is None or can.possession in KeyName
        for key in useful_keys(can):
            der = card.read_certificate(key)
            assert isinstance(der, bytes)
            x509.load_der_x509_certificate(der)

    def test_data_objects_are_read_as_they_are(self, subject: Subject) -> None:
        inserted = insert(subject)
        for label, content in subject.objects.items():
            assert inserted.card.read_object(label) == content
        with pytest.raises(ObjectNotFound):
            inserted.card.read_object("no such object")
        assert inserted.channel.presented == []
