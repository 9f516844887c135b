"""MANAGE SECURITY ENVIRONMENT and PERFORM SECURITY OPERATION of the CPS4."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from tests.unit.simulator.host import Host
from tests.unit.simulator.ias_ecc.cps4.conftest import SELECT_APPLET, SELECT_APPLICATION, VERIFY_PIN, MakeCps4

SHA1, SHA256 = hashes.SHA1(), hashes.SHA256()  # noqa: S303  # what the card offers
DIGESTS = {"sha1": hashlib.sha1(b"m").digest(), "sha256": hashlib.sha256(b"m").digest()}  # noqa: S324  # the same
ENVIRONMENT_RAW = "012241B803830120"


def signed(host: Host, digest: bytes) -> str:
    return host.send(f"012A9E9A{len(digest):02X}{digest.hex()}00")


def raw(host: Host, block: bytes) -> str:
    assert host.send(f"112A8086FF{block[:255].hex()}") == "9000"
    return host.send(f"012A808601{block[255:].hex()}00")


@pytest.mark.parametrize("key", ["A0", "A1"])
@pytest.mark.parametrize(
    ("reference", "scheme", "algorithm"),
    [
        ("0A", padding.PKCS1v15(), SHA1),
        ("15", padding.PSS(padding.MGF1(SHA1), 20), SHA1),
        ("28", padding.PKCS1v15(), SHA256),
        ("2C", padding.PSS(padding.MGF1(SHA256), 32), SHA256),
    ],
)
def test_the_four_algorithms_by_both_keys(
    ready: Host,
    signature_key: rsa.RSAPrivateKey,
    authentication_key: rsa.RSAPrivateKey,
    reference: str,
    scheme: padding.PSS | padding.PKCS1v15,
    algorithm: hashes.SHA1 | hashes.SHA256,
    key: str,
) -> None:
    digest = DIGESTS[algorithm.name]
    assert ready.send(f"012281B6049102{reference}{key}") == "9000"
    answer = signed(ready, digest)
    public = (authentication_key if key == "A0" else signature_key).public_key()
    public.verify(bytes.fromhex(answer[:-4]), digest, scheme, Prehashed(algorithm))
    assert answer[-4:] == "9000"


def test_the_raw_operation_is_the_private_key_and_nothing_else(
    ready: Host, authentication_key: rsa.RSAPrivateKey
) -> None:
    numbers = authentication_key.public_key().public_numbers()
    block = bytes(range(256))
    assert ready.send(ENVIRONMENT_RAW) == "9000"
    answer = raw(ready, block)
    assert pow(int(answer[:-4], 16), numbers.e, numbers.n) == int.from_bytes(block, "big")
    assert (len(answer), answer[-4:]) == (2 * 258, "9000")


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("012241B603910228", "6A86"),  # the form of P1=81 with P1=41
        ("0122F3B60491022CA1", "6A86"),
        ("012281B8038301A0", "6A86"),
        ("012241A406840182800102", "6A86"),  # a CPS3's
        ("012281B604910229A1", "6A80"),  # no such algorithm
        ("012281B60491022821", "6A88"),  # not marked local
        ("012281B604910228A2", "6A88"),  # no such key
        ("012241B8038301A0", "6A88"),  # marked local
        ("012241B803830122", "6A88"),
        ("012241B803840120", "6A80"),  # another tag
        ("012241B80483022020", "6A80"),  # two bytes
        ("012241B806830120800102", "6A80"),  # with an algorithm
        ("012241B8038301", "6700"),
        ("012241B8028302", "6A80"),  # a length past the end
    ],
)
def test_environments_that_are_refused(ready: Host, command: str, answer: str) -> None:
    assert ready.send(command) == answer


def test_keys_are_in_the_application_s_df_and_want_the_pin(host: Host) -> None:
    assert host.send(ENVIRONMENT_RAW) == "6A88"
    assert host.send(SELECT_APPLICATION) == host.send(ENVIRONMENT_RAW) == host.send("012281B604910228A1") == "9000"
    assert signed(host, DIGESTS["sha256"]) == raw(host, bytes(256)) == "6982"
    assert host.send(VERIFY_PIN) == "9000"
    assert signed(host, DIGESTS["sha256"])[-4:] == raw(host, bytes(256))[-4:] == "9000"


def test_operations_that_are_refused(ready: Host) -> None:
    assert signed(ready, DIGESTS["sha256"]) == raw(ready, bytes(256)) == "6985", "no environment"
    assert ready.send("012281B604910228A1") == ready.send(ENVIRONMENT_RAW) == "9000"
    assert signed(ready, DIGESTS["sha1"]) == "6700"
    assert ready.send("012A9E9A00") == "6700", "no hash is kept"
    assert raw(ready, b"\xff" * 256) == "6A80", "not below the modulus"
    assert ready.send("012A80860100") == "6700"
    assert ready.send(f"112A8086FF81{'00' * 254}") == "9000"
    assert ready.send("012A808602000000") == "6700", "a padding indicator is one byte too many"
    assert ready.send("012A90A00880" + "06" + "000000000000") == "6A86", "no HASH"


@pytest.mark.parametrize("command", ["0188000001AA00", "01CB3FFF0A4D087006BF810102A08000"])
def test_what_the_library_never_asks_a_cps4_is_unknown(ready: Host, command: str) -> None:
    assert ready.send(command) == "6D00"


def test_the_signature_key_does_not_decipher(ready: Host) -> None:
    assert ready.send("012241B803830121") == "9000"
    assert raw(ready, bytes(256)) == "6982"


def test_another_df_loses_the_environment(ready: Host) -> None:
    assert ready.send(ENVIRONMENT_RAW) == "9000"
    assert ready.send("01A40000023F00") == ready.send(SELECT_APPLICATION) == "9000"
    assert raw(ready, bytes(256)) == "6985"


def test_a_pin_for_each_signature(make_cps4: MakeCps4) -> None:
    host = make_cps4(pin_for_each_signature=True)
    for command in (SELECT_APPLET, VERIFY_PIN, SELECT_APPLICATION, "012281B604910228A1"):
        assert host.send(command) == "9000"
    assert signed(host, DIGESTS["sha256"])[-4:] == "9000"
    assert signed(host, DIGESTS["sha256"]) == "6982"
