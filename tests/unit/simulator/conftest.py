"""A CPS3 without PKI: fixed contents, real keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from cardsim.behaviour import Behaviour
from cardsim.card import CardProtocol
from cardsim.ias_ecc.system import IasEccCard
from cardsim.layouts import cps3
from cardsim.layouts.build import master_file
from cardsim.layouts.content import CardContent, DataObject, KeyPair
from cardsim.rsa import RsaKey
from tests.unit.simulator.host import Host

MakeHost = Callable[..., Host]


@pytest.fixture(scope="session")
def signature_key() -> rsa.RSAPrivateKey:
    """The signature key of the test card."""
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="session")
def authentication_key() -> rsa.RSAPrivateKey:
    """The authentication key of the test card."""
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def content(signature_key: rsa.RSAPrivateKey, authentication_key: rsa.RSAPrivateKey) -> CardContent:
    """The contents of the published card; its certificates are 700 and 600 counted bytes."""
    counted = bytes(range(256)) * 3
    return CardContent(
        serial="99213845",
        label="CPS3v3-2600971845",
        pin="1234",
        puk="12345678",
        pin_tries_left=3,
        puk_tries_left=10,
        signature=KeyPair(RsaKey(signature_key), counted[:700]),
        authentication=KeyPair(RsaKey(authentication_key), counted[:600]),
        data_objects=(
            DataObject("CPS_DATA", 0xD107, bytes(128), writable=True),
            DataObject("CPS_INFO_PS", 0xD104, b"info"),
            DataObject("CPS_ACTIVITY_01_PS", 0xD120, b"activity", private=True),
        ),
    )


@pytest.fixture
def make_host(content: CardContent) -> MakeHost:
    """Makes a host with a card; keyword arguments change the behaviour, ``protocol`` and ``content_changes``."""

    def make(
        *,
        protocol: CardProtocol = CardProtocol.T0,
        content_changes: dict[str, object] | None = None,
        **behaviour: object,
    ) -> Host:
        changed = dataclasses.replace(content, **(content_changes or {}))  # type: ignore[arg-type]  # tests name fields
        switches = dataclasses.replace(Behaviour(), **behaviour)  # type: ignore[arg-type]  # tests name fields
        return Host(IasEccCard(master_file(cps3.LAYOUT, changed), atr=cps3.ATR, protocol=protocol, behaviour=switches))

    return make


@pytest.fixture
def host(make_host: MakeHost) -> Host:
    """A host with the standard card, T=0."""
    return make_host()
