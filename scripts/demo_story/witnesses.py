"""Programs that know nothing of cardd and judge what it did."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scripts.demo_story.stage import Outcome, Stage

OPENSC_MODULES = ("/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so", "/usr/lib/opensc-pkcs11.so")

AUTHENTICATION_KEY = "e828bd080f8025000001ff001002"
"""The key that OpenSC can use on this card, by its id in the card's directory."""


class OpenSsl:
    """openssl, with the card's certificates.

    Args:
        stage: where files go.
        certificates: DER by key name.
    """

    def __init__(self, stage: Stage, certificates: Mapping[str, bytes]) -> None:
        self._stage = stage
        for key, der in certificates.items():
            self._path(key, "cer").write_bytes(der)
            self._run("x509", "-inform", "der", "-in", self._path(key, "cer"), "-out", self._path(key, "pem"))
            public = self._run("x509", "-in", self._path(key, "pem"), "-noout", "-pubkey")
            self._path(key, "pub").write_bytes(public.output)

    def verifies(self, document: Path, signature: Path) -> bool:
        """Whether `openssl dgst` accepts the signature with the signature certificate's key."""
        key = self._path("signature", "pub")
        return self._run("dgst", "-sha256", "-verify", key, "-signature", signature, document).status == 0

    def verifies_chain(self) -> bool:
        """Whether `openssl verify` accepts the signature certificate under the fictional root."""
        bundle = self._stage.folder / "authorities.pem"
        pems = [
            self._run("x509", "-inform", "der", "-in", path).output
            for path in sorted((self._stage.folder / "authorities").glob("*.cer"))
        ]
        bundle.write_bytes(b"".join(pems))
        return self._run("verify", "-CAfile", bundle, self._path("signature", "pem")).status == 0

    def encrypt(self, message: bytes) -> Path:
        """A file with the message, encrypted by `openssl pkeyutl` (PKCS #1 v1.5) for the card."""
        plain, cryptogram = self._stage.folder / "plain.bin", self._stage.folder / "message.bin"
        plain.write_bytes(message)
        key = self._path("encryption", "pub")
        self._run("pkeyutl", "-encrypt", "-pubin", "-inkey", key, "-in", plain, "-out", cryptogram)
        plain.unlink()
        return cryptogram

    def _path(self, key: str, suffix: str) -> Path:
        return self._stage.folder / f"{key}.{suffix}"

    def _run(self, *arguments: str | Path) -> Outcome:
        return self._stage.run(["openssl", *map(str, arguments)])


def borrow_with_pkcs11_tool(stage: Stage, pin: str) -> Outcome:
    """What another program gets that knows the PIN and wants a signature from the card."""
    module = next((path for path in OPENSC_MODULES if Path(path).exists()), "opensc-pkcs11.so")
    data = stage.folder / "borrowed.bin"
    data.write_bytes(b"borrowed")
    command = [
        "pkcs11-tool",
        "--module",
        module,
        "--login",
        "--pin",
        "env:CARD_PIN",
        "--sign",
        "--mechanism",
        "RSA-PKCS",
    ]
    files = ["--id", AUTHENTICATION_KEY, "--input-file", str(data), "--output-file", str(data.with_suffix(".sig"))]
    return stage.run([*command, *files], environment={"CARD_PIN": pin})
