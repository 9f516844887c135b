"""An application of a user's: reads what to do from standard input, a line of JSON each, and tells what came of it.

Run in the machine by the installed Python, inside the login session that is tested; nothing of the tests is imported.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_der_x509_certificate

from cardd.client import Agent, CarddClient, ConsentRequest, PinRequest, Session
from cardd.errors import CarddError

PIN = b"1234"
SECRET = b"for the doctor"
DIGEST = hashlib.sha256(b"a prescription").digest()


class Answering(Agent):
    """An agent that knows the PIN, agrees, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def request_pin(self, request: PinRequest) -> bytearray:
        """Give the PIN."""
        self.asked.append(f"pin:{request.purpose}")
        return bytearray(PIN)

    async def confirm(self, request: ConsentRequest) -> bool:
        """Agree."""
        self.asked.append(f"consent:{request.key}")
        return True


class Program:
    """What the application can do; each method is an action's name, with "_" for "-"."""

    def __init__(self, client: CarddClient) -> None:
        self._client = client
        self._agent = Answering()
        self._opened: Session | None = None
        self._children: dict[str, asyncio.subprocess.Process] = {}

    async def tell(self) -> Any:
        """Who it is, to itself and to cardd."""
        seen = await self._client.access.who_am_i()
        return {"session": os.environ.get("XDG_SESSION_ID"), "seen": dict(seen)}

    async def agent(self) -> Any:
        """Be an agent."""
        await self._client.register_agent(self._agent)

    async def asked(self) -> Any:
        """What the agent was asked since the last time."""
        found, self._agent.asked = self._agent.asked, []
        return found

    async def start(self, name: str) -> Any:
        """Start another application in the same login session."""
        pipe = asyncio.subprocess.PIPE
        self._children[name] = await asyncio.create_subprocess_exec(sys.executable, __file__, stdin=pipe, stdout=pipe)

    async def relay(self, name: str, request: list[str]) -> Any:
        """Have the other one do something."""
        child = self._children[name]
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps(request).encode() + b"\n")
        return json.loads(await child.stdout.readline())

    async def read_holder(self) -> Any:
        """Whose card it is."""
        card = await self._client.wait_for_card()
        await card.get_holder()

    async def authenticate(self) -> Any:
        """Open the session, the PIN at hand."""
        card = await self._client.wait_for_card()
        self._opened = await card.authenticate(pin=bytearray(PIN))

    async def why_ended(self) -> Any:
        """Wait for the end of the session that was opened last; why it came."""
        assert self._opened is not None
        async with asyncio.timeout(30):
            return await self._opened.wait_ended()

    async def authenticate_by_agent(self) -> Any:
        """Open the session; somebody asks the user."""
        card = await self._client.wait_for_card()
        await card.authenticate()

    async def sign(self) -> Any:
        """Sign a digest with the key that the rules as shipped ask about."""
        signature = await (await self._session()).sign("signature", "RS256", DIGEST)
        assert len(signature) == 256

    async def encrypt(self) -> Any:
        """Encrypt for the card's holder, as anybody could."""
        certificates = await (await self._client.wait_for_card()).get_certificates()
        key = load_der_x509_certificate(certificates["authentication"]).public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        return key.encrypt(SECRET, padding.PKCS1v15()).hex()

    async def decrypt(self, cryptogram: str) -> Any:
        """Decrypt what `encrypt` gave."""
        plain = await (await self._session()).decrypt("encryption", "RSA1_5", bytes.fromhex(cryptogram))
        assert bytes(plain) == SECRET

    async def mint_token(self) -> Any:
        """Have a token minted for a new device."""
        device = ec.generate_private_key(ec.SECP256R1()).public_key()
        spki = device.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        await (await self._session()).mint_token(spki)

    async def read_journal(self) -> Any:
        """Verify the journal, which reads all of it."""
        await self._client.journal.verify()

    async def manage_tokens(self) -> Any:
        """List everyone's tokens."""
        await self._client.tokens.page(everyone=True)

    async def configure(self) -> Any:
        """Have the configuration read again."""
        await self._client.reload()

    async def logout(self) -> Any:
        """End the session."""
        await (await self._session()).end()

    async def _session(self) -> Session:
        (session,) = await self._client.sessions()
        return session


async def outcome(work: Callable[..., Awaitable[Any]], arguments: list[Any]) -> Any:
    """What a call gave: "yes", a value, or the name of its error."""
    try:
        found = await work(*arguments)
    except CarddError as error:
        return {"error": error.short_name, "text": str(error)}
    return {"value": found}


async def main() -> None:
    """Serve until standard input ends."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with await CarddClient.connect() as client:
        program = Program(client)
        while line := await lines.readline():
            action, *arguments = json.loads(line)
            done = await outcome(getattr(program, action.replace("-", "_")), arguments)
            print(json.dumps(done), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
