"""What the card's keys make is right under the card's own certificates, and is made for nobody without the PIN."""

from __future__ import annotations

import hashlib
from functools import partial

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding

from cardd_drivers.conformance.bench import DIGEST, ENCRYPTION_PADDINGS, Inserted, insert, public_key, useful_keys
from cardd_drivers.conformance.subject import Subject
from cardd_drivers.contract import (
    AlgorithmNotSupported,
    DecipherAlgorithm,
    DecipherFailed,
    KeyName,
    KeyNotFound,
    ObjectNotFound,
    SecurityStatusNotSatisfied,
    SignatureAlgorithm,
)

_SHA256 = hashes.SHA256()
_SIGNATURE_PADDINGS: dict[SignatureAlgorithm, AsymmetricPadding] = {
    SignatureAlgorithm.RS256: padding.PKCS1v15(),
    SignatureAlgorithm.PS256: padding.PSS(padding.MGF1(_SHA256), _SHA256.digest_size),
}
_MESSAGES = (b"\x00", b"a content key of 32 bytes, or so", b"\x00\x01\x02" * 30)


def _wrongly_padded(key: rsa.RSAPublicKey) -> bytes:
    """A cryptogram whose block is padded as a signature's is (RFC 8017 9.2): no padding for encryption begins so."""
    numbers, size = key.public_numbers(), key.key_size // 8
    block = b"\x00\x01" + b"\xff" * (size - 3 - len(DIGEST)) + b"\x00" + DIGEST
    return pow(int.from_bytes(block, "big"), numbers.e, numbers.n).to_bytes(size, "big")


def _verified(subject: Subject) -> Inserted:
    inserted = insert(subject)
    inserted.card.identify()
    inserted.verify()
    return inserted


class KeyTests:
    """Signatures verify, cryptograms open, and what a card cannot do is said in the words of the contract."""

    def test_every_signature_that_is_told_of_verifies(self, subject: Subject) -> None:
        inserted = _verified(subject)
        for key, algorithms in inserted.card.capabilities().signature.items():
            for algorithm in algorithms:
                for text in (b"one", b"another"):
                    digest = hashlib.sha256(text).digest()
                    made = inserted.verified(partial(inserted.card.sign, key, algorithm, digest))
                    checked = (made, digest, _SIGNATURE_PADDINGS[algorithm], utils.Prehashed(_SHA256))
                    public_key(inserted, key).verify(*checked)

    @pytest.mark.parametrize("length", [0, 1, 32, 5_000])
    def test_a_challenge_is_signed(self, subject: Subject, length: int) -> None:
        inserted, challenge = _verified(subject), bytes(range(256)) * 20
        if KeyName.AUTHENTICATION not in inserted.card.capabilities().signature:
            pytest.skip("this card has no authentication key")
        authenticate = partial(inserted.card.authenticate, KeyName.AUTHENTICATION, challenge[:length])
        made = inserted.verified(authenticate)
        public_key(inserted, KeyName.AUTHENTICATION).verify(made, challenge[:length], padding.PKCS1v15(), _SHA256)

    def test_possession_is_proved_without_a_pin(self, subject: Subject) -> None:
        inserted, challenge = insert(subject), b"a challenge"
        inserted.card.identify()
        key = inserted.card.capabilities().possession
        if key is None:
            pytest.skip("this card has no key for it")
        made = inserted.card.authenticate(key, challenge)
        public_key(inserted, key).verify(made, challenge, padding.PKCS1v15(), _SHA256)
        assert inserted.channel.presented == []

    @pytest.mark.parametrize("algorithm", DecipherAlgorithm)
    def test_a_cryptogram_opens_to_what_was_encrypted(self, subject: Subject, algorithm: DecipherAlgorithm) -> None:
        inserted = _verified(subject)
        if algorithm not in inserted.card.capabilities().decipher:
            pytest.skip("this card does not decipher so")
        public = public_key(inserted, KeyName.ENCRYPTION)
        for message in _MESSAGES:
            cryptogram = public.encrypt(message, ENCRYPTION_PADDINGS[algorithm])
            opened = inserted.verified(partial(inserted.card.decipher, KeyName.ENCRYPTION, algorithm, cryptogram))
            assert isinstance(opened, bytearray), "its owner has to wipe it"
            assert opened == message

    @pytest.mark.parametrize("algorithm", DecipherAlgorithm)
    def test_a_cryptogram_that_is_none_is_refused_without_a_reason(
        self, subject: Subject, algorithm: DecipherAlgorithm
    ) -> None:
        inserted = _verified(subject)
        if algorithm not in inserted.card.capabilities().decipher:
            pytest.skip("this card does not decipher so")
        public = public_key(inserted, KeyName.ENCRYPTION)
        size = public.key_size // 8
        for cryptogram in (_wrongly_padded(public), b"", bytes(size - 1), bytes(size + 1)):
            decipher = partial(inserted.card.decipher, KeyName.ENCRYPTION, algorithm, cryptogram)
            with pytest.raises(DecipherFailed) as refused:
                inserted.verified(decipher)
            assert refused.value.args == (), "a reason would serve as an oracle"

    def test_what_is_not_told_of_is_not_done(self, subject: Subject) -> None:
        inserted = _verified(subject)
        can = inserted.card.capabilities()
        for key in KeyName:
            for signing in set(SignatureAlgorithm) - can.signature.get(key, frozenset()):
                with pytest.raises((AlgorithmNotSupported, KeyNotFound)):
                    inserted.card.sign(key, signing, DIGEST)
            if not (can.decipher and key in self._names_of_the_deciphering_key(inserted)):
                for deciphering in DecipherAlgorithm:
                    with pytest.raises((AlgorithmNotSupported, KeyNotFound)):
                        inserted.card.decipher(key, deciphering, bytes(256))
            if key not in useful_keys(can):
                with pytest.raises(ObjectNotFound):
                    inserted.card.read_certificate(key)

    @staticmethod
    def _names_of_the_deciphering_key(inserted: Inserted) -> set[KeyName]:
        """One key may have two uses, and then deciphers under both names."""
        names = {KeyName.ENCRYPTION, *inserted.card.capabilities().signature}
        certificate = inserted.card.read_certificate(KeyName.ENCRYPTION)
        return {name for name in names if inserted.card.read_certificate(name) == certificate}

    def test_no_key_works_without_the_pin(self, subject: Subject) -> None:
        if subject.pin is None:
            pytest.skip("this card has no PIN")
        inserted = insert(subject)
        inserted.card.identify()
        for key, algorithms in inserted.card.capabilities().signature.items():
            for algorithm in algorithms:
                with pytest.raises(SecurityStatusNotSatisfied):
                    inserted.card.sign(key, algorithm, DIGEST)
        assert inserted.channel.presented == []

    @pytest.mark.parametrize("size", [0, 20, 31, 33, 64])
    def test_what_is_no_digest_of_sha_256_is_not_signed(self, subject: Subject, size: int) -> None:
        inserted = _verified(subject)
        before = len(inserted.channel.sent)
        for key, algorithms in inserted.card.capabilities().signature.items():
            for algorithm in algorithms:
                with pytest.raises(ValueError, match=r".+"):
                    inserted.card.sign(key, algorithm, bytes(size))
        assert len(inserted.channel.sent) == before
