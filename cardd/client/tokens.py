"""Tokens: redeemed where no card is, listed, revoked. (A card's session mints them: `Session.mint_token`.)"""

from __future__ import annotations

import fcntl
import os
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from cardd.bus.descriptors import OwnedFd
from cardd.bus.names import MANAGER, ROOT
from cardd.bus.transport import RemoteMethod
from cardd.client.core import Core, Link
from cardd.client.errors import DaemonNotRunning
from cardd.client.objects import Session, open_session
from cardd.client.values import RegisteredToken, token_from
from cardd.client.wrapping import Option, Options

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey  # slow to import

_NO_OPTIONS: Options = {}
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK


class Tokens:
    """What the daemon does with tokens; `CarddClient.tokens` is one."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def challenge(self) -> bytes:
        """Ask for what a token's device signs: 32 bytes, for this user, once, for 30 seconds."""
        challenge: bytes = await self._call("GetChallenge", "a{sv}", "ay", _NO_OPTIONS)
        return challenge

    async def daemon_key(self) -> bytes:
        """Ask for the daemon's own public key: SubjectPublicKeyInfo in DER.

        Its thumbprint names the daemon in proofs; a server that lets token sessions in knows it.
        """
        key: bytes = await self._call("GetKey", "a{sv}", "ay", _NO_OPTIONS)
        return key

    async def redeem(self, token: str, proof: str) -> Session:
        """Open a session with a token; it lasts until the token expires or is revoked, or until it is ended.

        Args:
            token: its text; it goes to the daemon by descriptor.
            proof: the device's answer to a `challenge` (docs/tokens.md).

        Raises:
            TokenExpired, TokenRevoked, TokenUnknown, TokenAltered, ChainRefused, ProofWrong, ProofReplayed,
            ChallengeUnknown and others of `cardd.tokens.errors`.
        """
        link = await self._manager()
        with OwnedFd(_sealed(token)) as holding:
            method = RemoteMethod(MANAGER, "RedeemToken", "ha{sv}", "o")
            path = await link.call(method, holding, {"proof": proof}, gone=DaemonNotRunning)
        return await open_session(Link(self._core, link.owner, path))

    async def redeem_with(self, token: str, key: EllipticCurvePrivateKey) -> Session:
        """Open a session with a token whose device is a key at hand.

        Args:
            token: its text.
            key: the device's, on P-256.

        Raises:
            KeyRefused: the key is on another curve.
            CarddError: as `redeem`.
        """
        from cardd.tokens.keys import PublicKey  # noqa: PLC0415  # the JOSE library is slow to import
        from cardd.tokens.proof import prove  # noqa: PLC0415  # as above

        daemon = PublicKey.from_spki(await self.daemon_key()).urn
        proof = prove(key, token, daemon=daemon, challenge=await self.challenge())
        return await self.redeem(token, proof)

    async def page(self, *, limit: int = 50, after: str | None = None, everyone: bool = False) -> list[RegisteredToken]:
        """List tokens in the order in which they were minted.

        Args:
            limit: 1 to 64.
            after: id of the last one of the page before; None begins. An empty page is the end.
            everyone: those of all users (polkit's org.cardd1.manage-tokens), not only this user's.

        Raises:
            InvalidArgument, TokenUnknown, NotAuthorized, RegistryUnavailable.
        """
        options: dict[str, Option] = {"limit": limit}
        if after is not None:
            options["after"] = after
        if everyone:
            options["all"] = True
        rows = await self._call("ListTokens", "a{sv}", "aa{sv}", options)
        return [token_from(row) for row in rows]

    async def all(self, *, everyone: bool = False) -> AsyncIterator[RegisteredToken]:
        """List tokens, page after page; raises as `page`."""
        page = await self.page(everyone=everyone)
        while page:
            for one in page:
                yield one
            page = await self.page(after=page[-1].token_id, everyone=everyone)

    async def get(self, token_id: str) -> RegisteredToken:
        """Ask for one token.

        Raises:
            TokenUnknown, NotAuthorized, RegistryUnavailable.
        """
        (row,) = await self._call("ListTokens", "a{sv}", "aa{sv}", {"id": token_id})
        return token_from(row)

    async def revoke(self, token_id: str, reason: str) -> None:
        """Revoke a token, for ever; what it opened has ended when this returns.

        Args:
            token_id: its id (`jti`).
            reason: for people, 1 to 200 printable characters.

        Raises:
            TokenUnknown, NotAuthorized, InvalidArgument, RegistryUnavailable.
        """
        await self._call("RevokeToken", "ssa{sv}", "", token_id, reason, _NO_OPTIONS)

    async def _manager(self) -> Link:
        return Link(self._core, await self._core.connection.ensure_owner(), ROOT)

    async def _call(self, member: str, takes: str, returns: str, *values: object) -> Any:
        method = RemoteMethod(MANAGER, member, takes, returns)
        return await (await self._manager()).call(method, *values, gone=DaemonNotRunning)


def _sealed(text: str) -> int:
    """A memfd that holds a text and changes no more; the caller closes it."""
    descriptor = os.memfd_create("token", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with open(descriptor, "wb", closefd=False) as writing:
            writing.write(text.encode("utf-8", "surrogatepass"))
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
