from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from cardd.tokens.errors import KeyRefused
from cardd.tokens.keys import PublicKey
from tests.unit.pki.factory import rsa_key
from tests.unit.tokens import second_library
from tests.unit.tokens.support import Device

DEVICE = Device()


def test_the_thumbprint_is_that_of_another_library() -> None:
    other = second_library.jwk.JWK.from_json(json.dumps(DEVICE.public.jwk))
    assert DEVICE.public.thumbprint == other.thumbprint()
    assert DEVICE.public.urn == f"urn:ietf:params:oauth:jwk-thumbprint:sha-256:{other.thumbprint()}"


def test_all_forms_name_one_key() -> None:
    from_text = PublicKey.from_jwk_text(json.dumps({**DEVICE.public.jwk, "kid": "mine", "use": "sig"}))
    assert PublicKey.from_spki(DEVICE.public.spki).thumbprint == from_text.thumbprint == DEVICE.public.thumbprint


@given(st.binary(max_size=120))
def test_any_bytes_are_no_key(data: bytes) -> None:
    with pytest.raises(KeyRefused):
        PublicKey.from_spki(data)


@given(st.text(max_size=60))
def test_any_text_is_no_key(text: str) -> None:
    with pytest.raises(KeyRefused):
        PublicKey.from_jwk_text(text)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kty": "RSA"}, "P-256"),
        ({"crv": "P-384"}, "P-256"),
        ({"x": "AAAA"}, "32 bytes"),
        ({"y": DEVICE.public.jwk["y"] + "="}, "32 bytes"),
        ({"x": DEVICE.public.jwk["y"]}, "not on the curve"),
        ({"x": None}, "32 bytes"),
        ({"k": "AAAA"}, "members"),
    ],
)
def test_a_jwk_that_is_refused(change: dict[str, object], reason: str) -> None:
    with pytest.raises(KeyRefused, match=reason):
        PublicKey.from_jwk({**DEVICE.public.jwk, **change})


def test_a_private_key_is_refused_and_not_repeated() -> None:
    secret = "A" * 43
    with pytest.raises(KeyRefused, match="private half") as caught:
        PublicKey.from_jwk({**DEVICE.public.jwk, "d": secret})
    assert secret not in repr(caught.value)


def test_other_kinds_of_keys_are_refused() -> None:
    for key in (
        ec.generate_private_key(ec.SECP384R1()).public_key(),
        ed25519.Ed25519PrivateKey.generate().public_key(),
        rsa_key("holder").public_key(),
    ):
        with pytest.raises(KeyRefused):
            PublicKey.from_spki(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def test_a_huge_key_is_not_parsed() -> None:
    with pytest.raises(KeyRefused, match="2048 bytes"):
        PublicKey.from_spki(bytes(1 << 20))
    with pytest.raises(KeyRefused, match="2048 bytes"):
        PublicKey.from_jwk_text(" " * (1 << 20))
