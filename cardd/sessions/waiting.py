"""Waiting for something outside the card, for as long as what it is for lasts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def settled_before(work: Awaitable[T], end: asyncio.Future[None]) -> asyncio.Future[T]:
    """Wait until work is done or the end has come; work that is not done then, or whose waiter leaves, is cancelled.

    Returns:
        The work as it stands: not done where the end came first.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait((task, end), return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not task.done():
            task.cancel()
    return task
