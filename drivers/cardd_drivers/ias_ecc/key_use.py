"""What every use of a key has in common: the environment before it, and what its answer may be."""

from __future__ import annotations

from cardd_drivers.apdu import SW, Command, Response
from cardd_drivers.contract import AlgorithmNotSupported, DecipherFailed, KeyName, KeyNotFound, MalformedCardData
from cardd_drivers.exchange import Exchange
from cardd_drivers.ias_ecc.files import Files, df_of
from cardd_drivers.ias_ecc.objects import PrivateKey
from cardd_drivers.ias_ecc.refusal import refusal, require_success
from cardd_drivers.ias_ecc.store import Store


class KeyUse:
    """The keys of one card.

    Args:
        exchange: the way to the card.
        files: what is selected.
    """

    def __init__(self, exchange: Exchange, files: Files) -> None:
        self._exchange = exchange
        self._files = files

    def set_environment(self, store: Store, key: PrivateKey, command: Command) -> None:
        """MSE SET, each time anew: whether a card keeps its environment after an operation was never published.

        Args:
            store: whose application an empty path of the key means.
            key: which; its DF is made current.
            command: MSE SET with the key and the algorithm.

        Raises:
            KeyNotFound, AlgorithmNotSupported: the card refuses the key, or the algorithm.
        """
        self._files.select_df(df_of(store.layout.application, key.path.value))
        response = self._exchange.send(command)
        if response.sw == SW.REFERENCED_DATA_NOT_FOUND:
            raise KeyNotFound(f"the card has no key {reference_of(key):02X}")
        if response.sw == SW.WRONG_DATA:
            raise AlgorithmNotSupported(f"the card does not take this algorithm with key {reference_of(key):02X}")
        require_success(response, command)

    def signature(self, key: PrivateKey, command: Command, data: bytes) -> bytes:
        """The answer to a command that signs, as long as the modulus.

        Args:
            key: which signs.
            command: header and Le.
            data: its data field; chained where it is long.
        """
        response = self._exchange.send_chained(command, data)
        require_success(response, command)
        return _as_long_as_modulus(key, response, "signature")

    def deciphering_key(self, store: Store, key: KeyName, cryptogram: bytes) -> PrivateKey:
        """The key to decipher with.

        Raises:
            KeyNotFound: the card has none.
            AlgorithmNotSupported: it does not decipher.
            DecipherFailed: the cryptogram has not the length of its modulus.
        """
        target = store.layout.key(key)
        if target is not store.layout.key(KeyName.ENCRYPTION):
            raise AlgorithmNotSupported(f"the {key} key does not decipher")
        if len(cryptogram) != target.modulus_size:
            raise DecipherFailed
        return target

    def deciphered(self, command: Command, data: bytes) -> bytes:
        """The answer to DECIPHER.

        Whatever the card refuses the cryptogram with is one error, DecipherFailed: more would help an attacker who
        sends altered ones. Told are only words that no cryptogram can cause.
        """
        response = self._exchange.send_chained(command, data)
        if response.sw in (SW.SECURITY_STATUS_NOT_SATISFIED, SW.INS_NOT_SUPPORTED, SW.CLA_NOT_SUPPORTED):
            raise refusal(response, command)
        if response.sw != SW.SUCCESS:
            raise DecipherFailed
        return response.data


def reference_of(key: PrivateKey) -> int:
    """The number of a key for MSE SET.

    Raises:
        KeyNotFound: its directory entry has none.
    """
    if key.reference is None:
        raise KeyNotFound("the key has no reference")
    return key.reference


def _as_long_as_modulus(key: PrivateKey, response: Response, what: str) -> bytes:
    if len(response.data) != key.modulus_size:
        raise MalformedCardData(f"a {what} of {len(response.data)} bytes by a key of {key.modulus_size}")
    return response.data
