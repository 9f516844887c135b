"""The token: minted while the card is in, good after it has left, verified as a stranger would, then revoked."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from pathlib import Path

from jwcrypto import jwk, jws
from jwcrypto.common import base64url_decode
from scripts.demo_story.stage import Outcome, Stage
from scripts.demo_story.terminal import Terminal


def mint(stage: Stage, terminal: Terminal) -> None:
    """While the card's session is open."""
    with terminal.step("A token is minted for a device that stays when the card goes"):
        key, public = stage.folder / "device.pem", stage.folder / "device.pub"
        stage.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key)])
        stage.run(["openssl", "ec", "-in", str(key), "-pubout", "-out", str(public)])
        token = ["token", "mint", "--device", str(public), "--lifetime", "30m", "--output", str(_token(stage))]
        outcome = stage.cardctl(*token)
        _tell(terminal, outcome)
        terminal.check("the card signed it", outcome.status == 0)


def live_on(stage: Stage, terminal: Terminal) -> None:
    """After the card has left."""
    with terminal.step("The token is still good on its own terms"):
        _verify_as_a_stranger(stage, terminal)
        root = stage.folder / "authorities" / "fort-root.cer"
        verify = ["token", "verify", "--root", str(root)]
        outcome = stage.cardctl(*verify, str(_token(stage)))
        _tell(terminal, outcome)
        terminal.check("cardctl verifies it with the file and the root alone, without cardd", outcome.status == 0)
        forged = stage.folder / "forged"
        forged.write_text(_altered(_token(stage).read_text()))
        terminal.check("and refuses it once a character is altered", stage.cardctl(*verify, str(forged)).status != 0)
        redeem = ["token", "redeem", str(_token(stage)), "--key", str(stage.folder / "device.pem")]
        outcome = stage.cardctl(*redeem)
        _tell(terminal, outcome)
        terminal.check("the device's key opens a session with it, no card in", outcome.status == 0)
        (session,) = stage.cardctl("--json", "status").json()["sessions"]
        terminal.check("of level token", session["level"] == "token")
    with terminal.step("The token is revoked"):
        identifier = _identifier(stage)
        outcome = stage.cardctl("token", "revoke", identifier, "--reason", "the device was lost")
        _tell(terminal, outcome)
        terminal.check("its session ended at once", stage.cardctl("--json", "status").json()["sessions"] == [])
        outcome = stage.cardctl(*redeem)
        _tell(terminal, outcome)
        terminal.check("and nobody redeems it again", outcome.status != 0)


def _verify_as_a_stranger(stage: Stage, terminal: Terminal) -> None:
    """With nothing of cardd's: another JOSE library (jwcrypto) for the signature, openssl for the chain."""
    token = _token(stage).read_text().strip()
    header = json.loads(base64url_decode(token.split(".")[0]))
    signer, *above = [stage.folder / f"x5c-{number}.pem" for number in range(len(header["x5c"]))]
    for path, der in zip((signer, *above), header["x5c"], strict=True):
        stage.run(["openssl", "x509", "-inform", "der", "-out", str(path)], stdin=base64.b64decode(der))
    signed = jws.JWS()
    signed.deserialize(token, jwk.JWK.from_pem(signer.read_bytes()), alg="RS256")
    claims = json.loads(signed.payload)
    terminal.say(f"{claims['sub']}, {claims['acr']}, until {datetime.fromtimestamp(claims['exp'], UTC):%H:%M} UTC")
    terminal.check("jwcrypto verifies the card's signature on it", claims["jti"] == _identifier(stage))
    root = stage.folder / "root.pem"
    stage.run(["openssl", "x509", "-in", str(stage.folder / "authorities" / "fort-root.cer"), "-out", str(root)])
    between = [argument for path in above for argument in ("-untrusted", str(path))]
    outcome = stage.run(["openssl", "verify", "-CAfile", str(root), *between, str(signer)])
    terminal.check("openssl verifies the signer's certificate up to the fictional root", outcome.status == 0)


def _token(stage: Stage) -> Path:
    return stage.folder / "token"


def _identifier(stage: Stage) -> str:
    listed = stage.cardctl("--json", "token", "list").json()
    return str(next(iter(listed["tokens"]))["token_id"])


def _altered(token: str) -> str:
    """The same token with one character of its claims changed."""
    head, claims, signature = token.strip().split(".")
    middle = len(claims) // 2
    return ".".join((head, claims[:middle] + ("A" if claims[middle] != "A" else "B") + claims[middle + 1 :], signature))


def _tell(terminal: Terminal, outcome: Outcome) -> None:
    said = (outcome.output.decode() + outcome.errors).strip()
    for line in said.splitlines()[:6]:
        terminal.say(re.sub(r"[A-Za-z0-9_-]{60,}", "…", line))
