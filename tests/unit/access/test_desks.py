"""Who is away from his desk."""

from __future__ import annotations

from cardd.access.desks import Away, Desks


def test_each_reason_is_over_by_its_own_news() -> None:
    desks = Desks()
    assert not desks.is_away("7")
    desks.leave("7", Away.LOCKED)
    desks.leave("7", Away.SWITCHED)
    desks.leave("7", Away.SWITCHED)
    assert desks.is_away("7")
    assert not desks.is_away("8")
    desks.come_back("7", Away.SWITCHED)
    assert desks.is_away("7"), "in front, and locked"
    desks.come_back("7", Away.LOCKED)
    desks.come_back("7", Away.LOCKED)
    assert not desks.is_away("7")


def test_of_no_login_session_nobody_is_away() -> None:
    desks = Desks()
    desks.leave("7", Away.LOCKED)
    assert not desks.is_away(None)


def test_when_nobody_tells_any_more_nobody_is_away() -> None:
    desks = Desks()
    desks.leave("7", Away.LOCKED)
    desks.forget_all()
    assert not desks.is_away("7")
