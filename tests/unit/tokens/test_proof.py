from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from cardd.tokens.challenges import Challenges
from cardd.tokens.errors import KeyRefused
from cardd.tokens.proof import prove
from cardd.tokens.redeem import Redeemer
from tests.unit.tokens.support import AT_NOON, CALLER, DAEMON, Device, authenticated, minter, open_registry, verifier


async def test_a_key_at_hand_proves_itself(tmp_path: Path) -> None:
    registry = await open_registry(tmp_path)
    device, challenges = Device(), Challenges(lambda: 0.0)
    minted = await minter(registry).mint(authenticated(), device.request())
    redeemer = Redeemer(
        daemon=DAEMON,
        audiences=frozenset({DAEMON}),
        verifier=verifier(),
        registry=registry,
        challenges=challenges,
        clock=AT_NOON,
    )
    proof = prove(device.key, minted.token, daemon=DAEMON, challenge=challenges.give(CALLER))
    redemption = await redeemer.redeem(minted.token, proof, CALLER)
    assert redemption.holder.thumbprint == device.public.thumbprint
    await registry.close()


def test_a_key_on_another_curve_proves_nothing() -> None:
    with pytest.raises(KeyRefused):
        prove(ec.generate_private_key(ec.SECP384R1()), "token", daemon=DAEMON, challenge=b"c")
