"""How the CPS3's keys are used: INTERNAL AUTHENTICATE, COMPUTE DIGITAL SIGNATURE, DECIPHER; the card pads."""

from __future__ import annotations

from cardd_drivers.contract import (
    AlgorithmNotSupported,
    DecipherAlgorithm,
    KeyName,
    MalformedCardData,
    SignatureAlgorithm,
)
from cardd_drivers.ias_ecc import commands
from cardd_drivers.ias_ecc.commands import AlgorithmReference, Template
from cardd_drivers.ias_ecc.key_use import KeyUse, reference_of
from cardd_drivers.ias_ecc.objects import PrivateKey
from cardd_drivers.ias_ecc.store import Store
from cardd_drivers.rsa_padding import PKCS1_DECIPHER_OVERHEAD, remove_pkcs1, sha256_digest_info


class Cps3Keys:
    """`Keys` of the CPS3.

    Args:
        use: the keys of one card.
    """

    def __init__(self, use: KeyUse) -> None:
        self._use = use

    def signs(self, store: Store, key: KeyName) -> frozenset[SignatureAlgorithm]:
        """RS256; PS256 by the signature key, once TokenInfo was read and lists it (the first PS256 signature reads)."""
        listed = key is KeyName.SIGNATURE and store.known_pss_reference() is not None
        return frozenset({SignatureAlgorithm.RS256, *({SignatureAlgorithm.PS256} if listed else ())})

    def deciphers(self) -> frozenset[DecipherAlgorithm]:
        """RSAES-PKCS1-v1_5, whose padding the card strips."""
        return frozenset({DecipherAlgorithm.RSA1_5})

    def sign(self, store: Store, key: KeyName, algorithm: SignatureAlgorithm, digest: bytes) -> bytes:
        """INTERNAL AUTHENTICATE with the authentication key, else COMPUTE DIGITAL SIGNATURE."""
        target = store.layout.key(key)
        if key is KeyName.SIGNATURE:
            self._set_environment(store, target, Template.DIGITAL_SIGNATURE, _signature_algorithm(store, algorithm))
            return self._use.signature(target, commands.compute_digital_signature(), digest)
        if key is not KeyName.AUTHENTICATION or algorithm is not SignatureAlgorithm.RS256:
            raise AlgorithmNotSupported(f"the {key} key does not sign with {algorithm}")
        self._set_environment(store, target, Template.AUTHENTICATION, AlgorithmReference.RSA_PKCS1)
        return self._use.signature(target, commands.internal_authenticate(), sha256_digest_info(digest))

    def decipher(self, store: Store, key: KeyName, algorithm: DecipherAlgorithm, cryptogram: bytes) -> bytearray:
        """PSO DECIPHER; the card strips the padding.

        Whether a real one does was never published: a block as long as the modulus, which no stripped plaintext can be,
        is stripped here.
        """
        if algorithm not in self.deciphers():
            raise AlgorithmNotSupported(f"the card does not decipher with {algorithm}")
        target = self._use.deciphering_key(store, key, cryptogram)
        self._set_environment(store, target, Template.CONFIDENTIALITY, AlgorithmReference.RSA_PKCS1_DECIPHER)
        plaintext = self._use.deciphered(commands.decipher(), commands.padded_cryptogram(cryptogram))
        if len(plaintext) == target.modulus_size:
            return remove_pkcs1(plaintext)
        if len(plaintext) > target.modulus_size - PKCS1_DECIPHER_OVERHEAD:
            raise MalformedCardData("a plaintext longer than its padding leaves room for")
        return bytearray(plaintext)

    def _set_environment(self, store: Store, key: PrivateKey, template: Template, algorithm: int) -> None:
        self._use.set_environment(store, key, commands.mse_set(template, reference_of(key), algorithm))


def _signature_algorithm(store: Store, algorithm: SignatureAlgorithm) -> int:
    if algorithm is SignatureAlgorithm.RS256:
        return AlgorithmReference.RSA_PKCS1_SHA256
    reference = store.pss_reference()
    if reference is None:
        raise AlgorithmNotSupported("the card's list of algorithms has no RSASSA-PSS")
    return reference
