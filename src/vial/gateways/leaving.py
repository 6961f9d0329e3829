"""Ending the work for a client that has left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ..driver import go_on


async def until_left(driver: Any, waits_for: Any, left: Callable[[], Any]) -> Any:
    """Await work that was begun (see :mod:`vial.driver`), cancelling it when the client left;
    then its result is ``None``.

    :param left: makes an awaitable that ends when the client has left.
    """
    task = asyncio.current_task()
    has_left = is_over = False

    def cancel(leaving: asyncio.Future[Any]) -> None:
        nonlocal has_left
        failed = leaving.cancelled() or leaving.exception() is not None
        if task is not None and not is_over and not failed:
            has_left = True
            task.cancel()

    leaving = asyncio.ensure_future(left())
    leaving.add_done_callback(cancel)
    try:
        return await go_on(driver, waits_for)
    except asyncio.CancelledError:
        if not has_left or task is None or task.cancelling() > 1:
            raise
        return None
    finally:
        is_over = True
        leaving.cancel()
        if has_left and task is not None:
            task.uncancel()
