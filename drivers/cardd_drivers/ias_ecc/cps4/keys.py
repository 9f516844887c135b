"""How the CPS4's keys are used: COMPUTE DIGITAL SIGNATURE by the signature key, a raw RSA operation by the other.

The authentication key signs and deciphers by one command, DECIPHER on a block as long as the modulus. So whoever is
given its result unchecked could have anything signed under the name of a decryption: `decipher` gives out nothing but
what was rightly padded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from cardd_drivers.apdu import Secrecy
from cardd_drivers.contract import (
    AlgorithmNotSupported,
    DecipherAlgorithm,
    KeyName,
    MalformedCardData,
    SignatureAlgorithm,
)
from cardd_drivers.ias_ecc import commands
from cardd_drivers.ias_ecc.cps4 import commands as cps4_commands
from cardd_drivers.ias_ecc.cps4.commands import AlgorithmReference
from cardd_drivers.ias_ecc.key_use import KeyUse, reference_of
from cardd_drivers.ias_ecc.objects import PrivateKey
from cardd_drivers.ias_ecc.store import Store
from cardd_drivers.rsa_padding import encode_pkcs1, encode_pss, remove_oaep, remove_pkcs1

_BY_THE_CARD: Mapping[SignatureAlgorithm, AlgorithmReference] = MappingProxyType(
    {
        SignatureAlgorithm.RS256: AlgorithmReference.RSA_PKCS1_SHA256,
        # GUESS: with a salt of 32 bytes, as PS256 wants it; a signature of a real card would settle it.
        SignatureAlgorithm.PS256: AlgorithmReference.RSA_PSS_SHA256,
    }
)
_REMOVE: Mapping[DecipherAlgorithm, Callable[[bytes], bytearray]] = MappingProxyType(
    {DecipherAlgorithm.RSA1_5: remove_pkcs1, DecipherAlgorithm.RSA_OAEP_256: remove_oaep}
)


class Cps4Keys:
    """`Keys` of the CPS4.

    Args:
        use: the keys of one card.
    """

    def __init__(self, use: KeyUse) -> None:
        self._use = use

    def signs(self, store: Store, key: KeyName) -> frozenset[SignatureAlgorithm]:
        """RS256 and PS256, by both keys that sign."""
        return frozenset(_BY_THE_CARD)

    def deciphers(self) -> frozenset[DecipherAlgorithm]:
        """RSAES-PKCS1-v1_5 and RSAES-OAEP, whose paddings are removed here."""
        return frozenset(_REMOVE)

    def sign(self, store: Store, key: KeyName, algorithm: SignatureAlgorithm, digest: bytes) -> bytes:
        """The signature key pads by itself; for the authentication key it is done here."""
        target = store.layout.key(key)
        if key is KeyName.SIGNATURE:
            environment = cps4_commands.mse_set_signature(reference_of(target), _BY_THE_CARD[algorithm])
            self._use.set_environment(store, target, environment)
            return self._use.signature(target, commands.compute_digital_signature(), digest)
        if key is not KeyName.AUTHENTICATION:
            raise AlgorithmNotSupported(f"the {key} key does not sign with {algorithm}")
        block = _encoded(target, algorithm, digest)
        self._set_environment(store, target)
        return self._use.signature(target, cps4_commands.raw_rsa(Secrecy.PUBLIC), block)

    def decipher(self, store: Store, key: KeyName, algorithm: DecipherAlgorithm, cryptogram: bytes) -> bytearray:
        """The raw operation, then the padding removed without telling in which way it may be wrong."""
        target = self._use.deciphering_key(store, key, cryptogram)
        self._set_environment(store, target)
        block = self._use.deciphered(cps4_commands.raw_rsa(Secrecy.SECRET_RESPONSE), cryptogram)
        if len(block) != target.modulus_size:
            raise MalformedCardData(f"a raw RSA result of {len(block)} bytes by a key of {target.modulus_size}")
        return _REMOVE[algorithm](block)

    def _set_environment(self, store: Store, key: PrivateKey) -> None:
        self._use.set_environment(store, key, cps4_commands.mse_set_confidentiality(reference_of(key)))


def _encoded(key: PrivateKey, algorithm: SignatureAlgorithm, digest: bytes) -> bytes:
    """The block to sign.

    Raises:
        AlgorithmNotSupported: the key is too short for it.
    """
    try:
        if algorithm is SignatureAlgorithm.RS256:
            return encode_pkcs1(digest, key.modulus_size)
        return encode_pss(digest, key.modulus_bits)
    except ValueError as error:
        raise AlgorithmNotSupported(str(error)) from error
