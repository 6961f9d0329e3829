"""Ending the work for a client that has left."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..driver import go_on

if TYPE_CHECKING:
    from .loop import LoopContext


def leaving(ctx: LoopContext) -> asyncio.Future[Any]:
    """Done when the client has left; cancelled at the end of the request.

    One for all of the request: where a first ``receive()`` was cancelled, granian's ASGI may tell
    the next one that the client has left although it is there (2.8.7).
    """
    if ctx.leaving is None:
        ctx.leaving = asyncio.ensure_future(ctx.outlet.left())
    return ctx.leaving  # type: ignore[no-any-return]


async def until_left(ctx: LoopContext, driver: Any, waits_for: Any) -> Any:
    """Await work that was begun (see :mod:`vial.driver`), cancelling it when the client left;
    then its result is ``None``."""
    task = asyncio.current_task()
    has_left = is_over = False

    def cancel(leaving: asyncio.Future[None]) -> None:
        nonlocal has_left
        failed = leaving.cancelled() or leaving.exception() is not None
        if task is not None and not is_over and not failed:
            has_left = True
            task.cancel()

    leaves = leaving(ctx)
    leaves.add_done_callback(cancel)
    try:
        return await go_on(driver, waits_for)
    except asyncio.CancelledError:
        if not has_left or task is None or task.cancelling() > 1:
            raise
        return None
    finally:
        is_over = True
        leaves.remove_done_callback(cancel)
        if has_left and task is not None:
            task.uncancel()
