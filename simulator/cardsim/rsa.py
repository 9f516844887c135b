"""The RSA of a card: raw private operation and the paddings of RFC 8017 that the card itself makes or strips."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import NoDigestInfo, Prehashed
from cryptography.hazmat.primitives.hashes import HashAlgorithm

BLOCK_TYPE_OVERHEAD = 11
"""00 BT, at least 8 bytes of padding, 00 (RFC 8017, 7.2.1 and 9.2)."""


class PaddingError(Exception):
    """The deciphered block is not padded as PKCS#1 v1.5 block type 2. Says nothing more, as the card does not."""


class RsaKey:
    """A private key as the card holds it.

    Args:
        private_key: the key; its numbers are taken once.
    """

    def __init__(self, private_key: RSAPrivateKey) -> None:
        self._key = private_key
        self._numbers = private_key.private_numbers()
        self._modulus = self._numbers.public_numbers.n
        self.size = private_key.key_size // 8
        """Bytes of the modulus."""

    def private_operation(self, block: bytes) -> bytes:
        """m^d mod n by the Chinese remainder theorem (RFC 8017, 5.1.2).

        Not the library's decryption: it hides wrong padding behind a random plaintext, where a card says 6A80 or so.

        Args:
            block: as many bytes as the modulus, a number below it.

        Raises:
            ValueError: it is not.
        """
        key, value = self._numbers, int.from_bytes(block, "big")
        if len(block) != self.size or value >= self._modulus:
            raise ValueError(f"{len(block)} bytes are no number below a modulus of {self.size} bytes")
        m1 = pow(value, key.dmp1, key.p)
        m2 = pow(value, key.dmq1, key.q)
        result = m2 + (m1 - m2) * key.iqmp % key.p * key.q
        return result.to_bytes(self.size, "big")

    def sign_pkcs1(self, data: bytes) -> bytes:
        """Pad with block type 1 and sign: RSASSA-PKCS1-v1_5 where ``data`` is a DigestInfo.

        Raises:
            ValueError: more data than a block takes.
        """
        if len(data) > self.size - BLOCK_TYPE_OVERHEAD:
            raise ValueError(f"{len(data)} bytes do not fit a block of {self.size}")
        return self._key.sign(data, PKCS1v15(), NoDigestInfo())

    def sign_pss(self, digest: bytes, algorithm: HashAlgorithm) -> bytes:
        """RSASSA-PSS, MGF1 with the same hash and a salt as long as it (RFC 8017, 8.1).

        Args:
            digest: of the message.
            algorithm: the hash that made it.
        """
        scheme = PSS(MGF1(algorithm), algorithm.digest_size)
        return self._key.sign(digest, scheme, Prehashed(algorithm))

    def decipher_pkcs1(self, cryptogram: bytes) -> bytes:
        """Decipher and strip block type 2: RSAES-PKCS1-v1_5.

        Args:
            cryptogram: as many bytes as the modulus.

        Raises:
            PaddingError: the block is not so padded, or the cryptogram is not below the modulus.
        """
        try:
            block = self.private_operation(cryptogram)
        except ValueError:
            raise PaddingError from None
        separator = block.find(b"\x00", 2)
        if block[:2] != b"\x00\x02" or separator < BLOCK_TYPE_OVERHEAD - 1:
            raise PaddingError
        return block[separator + 1 :]


RandomBytes = Callable[[int], bytes]
"""Gives so many random bytes; os.urandom, or a test's own."""
