"""PERFORM SECURITY OPERATION."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from cardsim.hashing import HashAlgorithm
from tests.unit.simulator.conftest import MakeHost
from tests.unit.simulator.host import SELECT_APPLICATION, Host
from tests.unit.simulator.test_hashing import state_after

SET_SHA256, SET_SHA1 = "002241AA03800140", "002241AA03800110"
SET_SIGN_SHA256, SET_SIGN_SHA1 = "002241B606800142840181", "002241B606800112840181"
SET_DECIPHER = "002241B80680011A840182"
CDS, CDS_WITH_HASH = "002A9E9A00", "002A9E9A20"
# What a middleware sent for this message of 312 bytes: the state after 256 bytes and their count of bits.
MESSAGE = b"bonjour judge" * 24
RECORDED_ROUND = "002A90A0649028BABD22FC6A0C44210D79022235799FBEECCFC26D8EA77672AC6485165B166A3100000000000008008038"
ALGORITHMS = pytest.mark.parametrize(
    ("algorithm", "set_hash", "set_signature", "reference"),
    [
        (HashAlgorithm.SHA1, SET_SHA1, SET_SIGN_SHA1, hashes.SHA1()),  # noqa: S303  # the card still offers it
        (HashAlgorithm.SHA256, SET_SHA256, SET_SIGN_SHA256, hashes.SHA256()),
    ],
)


def hash_command(*objects: tuple[int, bytes]) -> str:
    """PSO HASH with data objects."""
    data = b"".join(bytes([tag, len(value)]) + value for tag, value in objects)
    return f"002A90A0{len(data):02X}{data.hex()}"


def signature_of(answer: str) -> bytes:
    """The signature in a good answer."""
    assert answer.endswith("9000")
    return bytes.fromhex(answer[:-4])


@ALGORITHMS
@pytest.mark.parametrize("blocks", [0, 1, 3])
def test_hash_closed_by_the_card(
    host: Host,
    signature_key: rsa.RSAPrivateKey,
    algorithm: HashAlgorithm,
    set_hash: str,
    set_signature: str,
    reference: hashes.HashAlgorithm,
    blocks: int,
) -> None:
    """From the start or from an intermediate state; the signature verifies over the whole message."""
    before, last = b"\x5a" * 64 * blocks, b"the end of it"
    state = state_after(algorithm, before) + (8 * len(before)).to_bytes(8, "big") if blocks else b""
    host.ready()
    host.send(set_hash)
    assert host.send(hash_command((0x90, state), (0x80, last))) == "9000"
    host.send(set_signature)
    signature_key.public_key().verify(signature_of(host.send(CDS)), before + last, padding.PKCS1v15(), reference)


def test_the_round_that_a_middleware_sent(host: Host, signature_key: rsa.RSAPrivateKey) -> None:
    """As recorded; the signature is over the whole message."""
    host.ready()
    host.send(SET_SHA256)
    assert host.send(RECORDED_ROUND + MESSAGE[256:].hex()) == "9000"
    host.send(SET_SIGN_SHA256)
    signature = signature_of(host.send(CDS))
    signature_key.public_key().verify(signature, MESSAGE, padding.PKCS1v15(), hashes.SHA256())


@ALGORITHMS
def test_complete_hash_given(
    host: Host,
    signature_key: rsa.RSAPrivateKey,
    algorithm: HashAlgorithm,
    set_hash: str,
    set_signature: str,
    reference: hashes.HashAlgorithm,
) -> None:
    """With COMPUTE DIGITAL SIGNATURE, without any MSE of a hash; or before it, as tag 90 alone."""
    digest = hashlib.new(algorithm.name, b"document").digest()
    host.ready().send(set_signature)
    first = signature_of(host.ask(f"002A9E9A{len(digest):02X}{digest.hex()}"))
    signature_key.public_key().verify(first, b"document", padding.PKCS1v15(), reference)
    host.send(set_hash)
    assert host.send(hash_command((0x90, digest))) == "9000"
    assert signature_of(host.send(CDS)) == first


def test_hash_is_spent_by_the_signature(host: Host) -> None:
    """A second signature needs a second hash."""
    host.ready()
    for command in (SET_SHA256, SET_SIGN_SHA256, hash_command((0x90, b""), (0x80, b"a"))):
        assert host.send(command) == "9000"
    assert host.send(CDS)[-4:] == "9000"
    assert host.send(CDS) == "6985"


@pytest.mark.parametrize(
    "objects",
    [
        [],
        [(0x80, b"a")],
        [(0x90, b"")],
        [(0x80, b"a"), (0x90, b"")],
        [(0x90, b""), (0x80, b"")],
        [(0x90, b""), (0x80, bytes(65))],
        [(0x90, bytes(31))],
        [(0x90, bytes(8)), (0x80, b"a")],
        [(0x90, bytes(32) + (100).to_bytes(8, "big")), (0x80, b"a")],
        [(0x90, bytes(20) + (512).to_bytes(8, "big")), (0x80, b"a")],
        [(0x90, bytes(5)), (0x80, b"a")],
    ],
)
def test_rounds_that_are_none(host: Host, objects: list[tuple[int, bytes]]) -> None:
    """6A80, and no hash is kept."""
    host.ready()
    host.send(SET_SHA256)
    host.send(SET_SIGN_SHA256)
    command = hash_command(*objects) if objects else "002A90A0"
    assert host.send(command) == "6A80"
    assert host.send(CDS) == "6985"


def test_hash_conditions(host: Host) -> None:
    """6985 without an algorithm; a new MSE drops a hash; a hash of another algorithm is none."""
    host.ready()
    assert host.send(hash_command((0x90, b""), (0x80, b"a"))) == "6985"
    host.send(SET_SHA256)
    host.send(hash_command((0x90, b""), (0x80, b"a")))
    host.send(SET_SIGN_SHA1)
    assert host.send(CDS) == "6985"
    host.send(SET_SIGN_SHA256)
    host.send(hash_command((0x90, b""), (0x80, b"a")))
    host.send(SET_SHA256)
    assert host.send(CDS) == "6985"


def test_signature_conditions(host: Host) -> None:
    """6985 without template, 6982 without PIN or with the authentication key, 6700 a digest of a wrong length."""
    host.send(SELECT_APPLICATION)
    assert host.send(CDS_WITH_HASH + "11" * 32) == "6985"
    host.send(SET_SIGN_SHA256)
    assert host.send(CDS_WITH_HASH + "11" * 32) == "6982"
    host.ready()
    assert host.send("002A9E9A14" + "11" * 20) == "6700"
    host.send("002241B606800142840182")
    assert host.send(CDS_WITH_HASH + "11" * 32) == "6982"


@pytest.mark.parametrize(("each_time", "second"), [(False, "9000"), (True, "6982")])
def test_pin_for_each_signature_is_a_switch(make_host: MakeHost, each_time: bool, second: str) -> None:
    """Once for all, or once for each."""
    host = make_host(pin_for_each_signature=each_time).ready()
    host.send(SET_SIGN_SHA256)
    assert host.ask(CDS_WITH_HASH + "11" * 32)[-4:] == "9000"
    assert host.ask(CDS_WITH_HASH + "11" * 32)[-4:] == second


@pytest.mark.parametrize("plaintext", [b"secret", b"", b"k" * 245])
def test_decipher(host: Host, authentication_key: rsa.RSAPrivateKey, plaintext: bytes) -> None:
    """The card strips the padding."""
    host.ready().send(SET_DECIPHER)
    cryptogram = "81" + authentication_key.public_key().encrypt(plaintext, padding.PKCS1v15()).hex()
    assert host.send("102A8086FF" + cryptogram[:510]) == "9000"
    assert host.ask("002A808602" + cryptogram[510:]) == plaintext.hex().upper() + "9000"


def decipher(host: Host, data: str) -> str:
    """Send a cryptogram in two parts."""
    host.send("102A8086C8" + data[:400])
    return host.send(f"002A8086{len(data[400:]) // 2:02X}{data[400:]}")


def test_decipher_refusals(host: Host, signature_key: rsa.RSAPrivateKey, authentication_key: rsa.RSAPrivateKey) -> None:
    """6985 no template, 6982 no PIN, 6A80 indicator or padding, 6700 length, 6982 the signature key."""
    right = authentication_key.public_key().encrypt(b"x", padding.PKCS1v15()).hex()
    for_other_key = signature_key.public_key().encrypt(b"x", padding.PKCS1v15()).hex()
    host.send(SELECT_APPLICATION)
    assert decipher(host, "81" + right) == "6985"
    host.send(SET_DECIPHER)
    assert decipher(host, "81" + right) == "6982"
    host.ready()
    assert decipher(host, "00" + right) == "6A80"
    assert decipher(host, "81" + for_other_key) == "6A80"
    assert decipher(host, "81" + right[2:]) == "6700"
    assert decipher(host, right) == "6700"
    host.send("002241B80680011A840181")
    assert decipher(host, "81" + for_other_key) == "6982"


@pytest.mark.parametrize("command", ["002A9E9B00", "002A868001AA", "002A00A8"])
def test_other_operations(host: Host, command: str) -> None:
    """6A86."""
    assert host.send(command) == "6A86"


def test_a_card_that_forgets_the_pin_after_each_use(make_host: MakeHost) -> None:
    """Any computation with a key: the next one is refused."""
    host = make_host(pin_lost_after_use=True).ready()
    host.send("002241A406840182800102")
    assert host.ask("008800000431323334").endswith("9000")
    assert host.ask("008800000431323334") == "6982"
    assert host.send("00200001") == "63C3"
