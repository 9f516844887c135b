"""INTERNAL AUTHENTICATE."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from cardsim.hashing import HashAlgorithm
from tests.unit.simulator.conftest import MakeHost
from tests.unit.simulator.host import SELECT_APPLICATION, Host

SET = "002241A406800102840182"


def test_signature_over_a_digest_info(host: Host, authentication_key: rsa.RSAPrivateKey) -> None:
    """It verifies as RSASSA-PKCS1-v1_5 under the authentication key."""
    data = HashAlgorithm.SHA256.digest_info(hashlib.sha256(b"challenge").digest())
    host.ready().send(SET)
    answer = host.ask(f"00880000{len(data):02X}{data.hex()}")
    assert answer.endswith("9000")
    signature = bytes.fromhex(answer[:-4])
    authentication_key.public_key().verify(signature, b"challenge", padding.PKCS1v15(), hashes.SHA256())


def test_any_bytes_up_to_forty_percent(host: Host, authentication_key: rsa.RSAPrivateKey) -> None:
    """102 of 256; one more is 6700, as none is."""
    host.ready().send(SET)
    signature = bytes.fromhex(host.ask("0088000066" + "78" * 102)[:-4])
    numbers = authentication_key.public_key().public_numbers()
    block = pow(int.from_bytes(signature, "big"), numbers.e, numbers.n).to_bytes(256, "big")
    assert block == b"\x00\x01" + b"\xff" * 151 + b"\x00" + b"\x78" * 102
    assert host.send("0088000067" + "78" * 103) == "6700"
    assert host.send("00880000") == "6700"


def test_conditions(host: Host) -> None:
    """6985 without template, 6982 without PIN, 6982 with the key that signs documents, 6A86."""
    host.send(SELECT_APPLICATION)
    assert host.send("0088000003010203") == "6985"
    host.send(SET)
    assert host.send("0088000003010203") == "6982"
    host.ready()
    assert host.send("0088010003010203") == "6A86"
    host.send("002241A406800102840181")
    assert host.send("0088000003010203") == "6982"


def test_puk_does_not_open_keys(host: Host) -> None:
    """The key's rule names SE 1, which names the PIN."""
    host.send("00200002083132333435363738")
    host.send(SELECT_APPLICATION)
    host.send(SET)
    assert host.send("0088000003010203") == "6982"


@pytest.mark.parametrize(("lost", "second"), [(False, "9000"), (True, "6985")])
def test_environment_after_use_is_a_switch(make_host: MakeHost, lost: bool, second: str) -> None:
    """Kept or lost."""
    host = make_host(environment_lost_after_use=lost).ready()
    host.send(SET)
    assert host.ask("0088000003010203")[-4:] == "9000"
    assert host.ask("0088000003010203")[-4:] == second
