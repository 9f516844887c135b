"""Public keys of devices and daemons: P-256, named by their thumbprint."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from joserfc.jwk import ECKey

from cardd.tokens.errors import KeyRefused
from cardd.tokens.strict import JsonObject, NotStrict, base64url, base64url_bytes, json_object

_COORDINATE: Final = 32
_MAX_KEY_BYTES: Final = 2048
_PUBLIC_MEMBERS: Final = frozenset({"kty", "crv", "x", "y", "use", "alg", "kid", "key_ops"})
# RFC 9278, 3.
_URN: Final = "urn:ietf:params:oauth:jwk-thumbprint:sha-256:"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A P-256 public key.

    Args:
        key: itself.
        thumbprint: SHA-256 JWK thumbprint (RFC 7638), base64url, 43 characters.
    """

    key: ec.EllipticCurvePublicKey = field(repr=False)
    thumbprint: str

    @classmethod
    def of(cls, key: ec.EllipticCurvePublicKey) -> PublicKey:
        """Name a key.

        Raises:
            KeyRefused: it is on another curve.
        """
        if not isinstance(key.curve, ec.SECP256R1):
            raise KeyRefused(reason="it is not on the curve P-256")
        return cls(key, ECKey.import_key(key).thumbprint())

    @classmethod
    def from_spki(cls, der: bytes) -> PublicKey:
        """Read a SubjectPublicKeyInfo (RFC 5480), in DER.

        Raises:
            KeyRefused: it is none, or no key on P-256.
        """
        if len(der) > _MAX_KEY_BYTES:
            raise KeyRefused(reason=f"it has more than {_MAX_KEY_BYTES} bytes")
        try:
            key = load_der_public_key(der)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise KeyRefused(reason="it is no SubjectPublicKeyInfo in DER") from None
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise KeyRefused(reason="it is no elliptic curve key")
        return cls.of(key)

    @classmethod
    def from_jwk_text(cls, text: str) -> PublicKey:
        """Read a JWK (RFC 7517) in JSON.

        Raises:
            KeyRefused: it is none, no key on P-256, or a private key.
        """
        data = text.encode("utf-8", "surrogatepass")
        if len(data) > _MAX_KEY_BYTES:
            raise KeyRefused(reason=f"it has more than {_MAX_KEY_BYTES} bytes")
        try:
            return cls.from_jwk(json_object(data))
        except NotStrict as error:
            raise KeyRefused(reason=f"it is {error}") from error

    @classmethod
    def from_jwk(cls, jwk: JsonObject) -> PublicKey:
        """Read a parsed JWK (RFC 7518, 6.2.1).

        Raises:
            KeyRefused: as `from_jwk_text`.
        """
        if "d" in jwk:
            raise KeyRefused(reason="it holds the private half, which must never leave the device")
        if jwk.get("kty") != "EC" or jwk.get("crv") != "P-256":
            raise KeyRefused(reason="it is no JWK of a key on the curve P-256")
        if not _PUBLIC_MEMBERS.issuperset(jwk):
            raise KeyRefused(reason="it has members that no public key has")
        x, y = _coordinate(jwk, "x"), _coordinate(jwk, "y")
        try:
            return cls.of(ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key())
        except ValueError:
            raise KeyRefused(reason="its point is not on the curve") from None

    @property
    def jwk(self) -> dict[str, str]:
        """The key as a JWK, required members alone."""
        numbers = self.key.public_numbers()
        x, y = (base64url(one.to_bytes(_COORDINATE, "big")) for one in (numbers.x, numbers.y))
        return {"crv": "P-256", "kty": "EC", "x": x, "y": y}

    @property
    def spki(self) -> bytes:
        """The key as a SubjectPublicKeyInfo in DER."""
        return self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def urn(self) -> str:
        """The thumbprint as a URI: a daemon's name in `iss` and `aud`."""
        return _URN + self.thumbprint


def _coordinate(jwk: JsonObject, name: str) -> int:
    value = jwk.get(name)
    try:
        data = base64url_bytes(value) if isinstance(value, str) else b""
    except NotStrict:
        data = b""
    if len(data) != _COORDINATE:
        raise KeyRefused(reason=f"its {name} is not {_COORDINATE} bytes in base64url")
    return int.from_bytes(data, "big")
