"""Data about revocation, kept current while a daemon runs."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from cryptography import x509

from cardd.pki.blocklist import BlockListUnusable, Marks
from cardd.pki.keeper import TrustKeeper, TrustSettings
from cardd.pki.revocation.finding import Revocation, RevocationMode, RevocationPolicy, RevocationSource
from cardd.pki.revocation.keeper import RevocationSettings, TrustedPlaces
from cardd.pki.trust import CertificateUse, Trust, TrustReason
from tests.unit.fetch.server import Web, serving
from tests.unit.fetch.test_answering import PATH, answering, naming, posts, responding
from tests.unit.pki import factory
from tests.unit.pki.revocation import support
from tests.unit.pki.revocation.support import DAY, NOW

__all__ = ["posts"]
PATIENCE = 20.0


@functools.cache
def leaf() -> x509.Certificate:
    return factory.holder(factory.intermediate())


class Kept:
    """A keeper over a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = folder / "source"
        self.source.mkdir()
        factory.write(folder / "trust", "root.cer", factory.root().certificate)
        factory.write(folder / "trust", "intermediate.cer", factory.intermediate().certificate)
        self.news = asyncio.Event()

    def settings(self, mode: RevocationMode = RevocationMode.GRACE, *responders: str) -> TrustSettings:
        unpinned = frozenset({factory.fingerprint(factory.root().certificate)})
        places = TrustedPlaces(self.folder / "trust", unpinned, None)
        revocation = RevocationSettings(
            RevocationPolicy(mode), self.folder / "index", (self.source,), responders, self.folder / "ocsp.socket"
        )
        return TrustSettings(places, self.folder / "blocked.toml", self.folder / "mark", revocation)

    def put(self, name: str, der: bytes) -> None:
        partial = self.source / f".{name}"
        partial.write_bytes(der)
        partial.rename(self.source / name)

    def keep(self, *responders: str, mode: RevocationMode = RevocationMode.GRACE) -> TrustKeeper:
        keeper = TrustKeeper(self.settings(mode, *responders))
        keeper.start(self.news.set)
        return keeper

    async def changed(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.news.wait()
        self.news.clear()


def judge(keeper: TrustKeeper, certificate: x509.Certificate | None = None) -> Trust:
    return keeper.store.verify(certificate or leaf(), CertificateUse.AUTHENTICATION, keeper.clock())


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    monkeypatch.setattr("cardd.pki.keeper._wall", lambda: NOW)
    monkeypatch.setattr("cardd.pki.keeper._boot", lambda: 0.0)
    return Kept(tmp_path)


@pytest.fixture
async def keeper(kept: Kept) -> AsyncIterator[TrustKeeper]:
    keeper = kept.keep()
    await keeper.ready()
    yield keeper
    await keeper.stop()


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as web:
        yield web


async def test_lists_count_as_they_come(kept: Kept, keeper: TrustKeeper) -> None:
    assert judge(keeper).reason is TrustReason.REVOCATION_UNKNOWN
    assert any("no card is trusted" in warning for warning in keeper.warnings())
    kept.put("a.crl", support.crl(factory.root()))
    await kept.changed()
    assert judge(keeper).reason is TrustReason.REVOCATION_UNKNOWN
    kept.put("b.crl", support.crl(factory.intermediate(), number=1))
    await kept.changed()
    assert judge(keeper).reason is TrustReason.OK
    assert list(keeper.warnings()) == []
    kept.put("b.crl", support.crl(factory.intermediate(), support.entry(leaf()), number=2))
    await kept.changed()
    assert judge(keeper).reason is TrustReason.REVOKED


async def test_a_restart_needs_no_source(kept: Kept, keeper: TrustKeeper) -> None:
    kept.put("a.crl", support.crl(factory.root()))
    kept.put("b.crl", support.crl(factory.intermediate()))
    await kept.changed()
    while judge(keeper).reason is not TrustReason.OK:
        await kept.changed()
    for path in kept.source.iterdir():
        path.unlink()
    again = TrustKeeper(kept.settings())
    assert judge(again).reason is TrustReason.OK
    await again.stop()


async def test_other_settings(kept: Kept, keeper: TrustKeeper) -> None:
    """Reload: another policy, and a block list that cannot be read, which changes nothing."""
    assert judge(keeper).reason is TrustReason.REVOCATION_UNKNOWN
    keeper.reload(kept.settings(RevocationMode.OFFLINE))
    assert judge(keeper).reason is TrustReason.OK
    assert judge(keeper).revocation.state is Revocation.UNKNOWN
    assert list(keeper.warnings()) == []
    (kept.folder / "blocked.toml").write_text("[[blocked]]\n")
    with pytest.raises(BlockListUnusable):
        keeper.reload(kept.settings(RevocationMode.STRICT))
    assert keeper.mode is RevocationMode.OFFLINE


async def test_the_block_list_counts_as_it_is_written(kept: Kept, keeper: TrustKeeper) -> None:
    marks = Marks(None, frozenset({"2600000011"}), "")
    assert not keeper.blocks.blocks(marks)
    (kept.folder / "blocked.toml").write_text('[[blocked]]\ncard = "2600000011"\n')
    await kept.changed()
    assert keeper.blocks.blocks(marks)


async def test_a_list_that_should_have_been_replaced_is_said(kept: Kept, keeper: TrustKeeper) -> None:
    kept.put("b.crl", support.crl(factory.intermediate(), at=NOW - 9 * DAY))
    await kept.changed()
    assert any("should have been replaced at 2026-05-30" in warning for warning in keeper.warnings())


async def test_what_the_lists_leave_open_is_asked(kept: Kept, web: Web) -> None:
    """By OCSP, for the next judgement; the answer is told as news."""
    certificate = naming(web.url(PATH))
    web.pages[PATH] = responding()
    kept.put("a.crl", support.crl(factory.root()))
    with answering(kept.folder, (web.url(PATH),)):
        keeper = kept.keep(web.url(PATH))
        await keeper.ready()
        kept.news.clear()
        assert judge(keeper, certificate).reason is TrustReason.REVOCATION_UNKNOWN
        await kept.changed()
        assert judge(keeper, certificate).reason is TrustReason.OK
        assert judge(keeper, certificate).revocation.source is RevocationSource.OCSP
        assert web.count(PATH) == 1
        await keeper.stop()


async def test_a_current_list_is_enough(kept: Kept, web: Web) -> None:
    certificate = naming(web.url(PATH))
    kept.put("a.crl", support.crl(factory.root()))
    kept.put("b.crl", support.crl(factory.intermediate()))
    with answering(kept.folder, (web.url(PATH),)):
        keeper = kept.keep(web.url(PATH))
        await keeper.ready()
        assert judge(keeper, certificate).reason is TrustReason.OK
        await keeper.stop()
    assert web.asked == []


async def test_a_program_that_fails_is_said_and_what_is_known_stays(
    kept: Kept, keeper: TrustKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.put("a.crl", support.crl(factory.root()))
    kept.put("b.crl", support.crl(factory.intermediate()))
    await kept.changed()
    while judge(keeper).reason is not TrustReason.OK:
        await kept.changed()
    monkeypatch.setattr("sys.executable", "/bin/false")
    kept.put("c.crl", b"")
    await kept.changed()
    assert any("CRLs could not be read" in warning for warning in keeper.warnings())
    assert judge(keeper).reason is TrustReason.OK
