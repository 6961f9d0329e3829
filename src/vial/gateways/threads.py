"""Sync views of WebSockets: each in a thread of its own, for as long as its WebSocket is open.

Not in the worker pool, whose threads would all be taken by forty open WebSockets.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial, update_wrapper
from typing import Any

from werkzeug.exceptions import ServiceUnavailable

from ..globals import _cv
from .disconnected import Disconnected

Outcome = tuple[Any, BaseException | None]

#: WebSockets with sync views that may be open in a process (config ``WEBSOCKET_THREADS``); more are
#: answered 503.
MAX_THREADS = 1000
_threads = 0


def in_thread(view: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Make an async view of a sync one.

    Cancelled, it waits for the thread, whose next call of the WebSocket raises; what comes next
    (teardown functions) must not run beside it.
    """

    async def run(**kwargs: Any) -> Any:
        global _threads
        ctx: Any = _cv.get()
        limit = ctx.app.config.get("WEBSOCKET_THREADS", MAX_THREADS)
        if limit is not None and _threads >= limit:
            ctx.app.logger.error(
                "%d WebSockets with sync views are open: more are refused (WEBSOCKET_THREADS)."
                " An async view needs no thread.",
                _threads,
            )
            raise ServiceUnavailable
        ctx.channel.view = None  # it cannot be cancelled
        _threads += 1
        ended = _start(view, kwargs)
        try:
            await asyncio.shield(ended)
        except asyncio.CancelledError:
            ctx.channel.end(Disconnected(1001, "the server is stopping"))
            await asyncio.wait({ended})
            raise
        finally:
            _threads -= 1
        result, error = ended.result()
        try:
            if error is not None:
                raise error
            return result
        finally:
            del ended, error  # its traceback has this frame: leave the collector nothing

    return update_wrapper(run, view)


def _start(view: Callable[..., Any], kwargs: dict[str, Any]) -> asyncio.Future[Outcome]:
    ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    name = f"vial-websocket-{getattr(view, '__name__', 'view')}"
    args = ended, copy_context(), partial(view, **kwargs)
    threading.Thread(target=_work, args=args, name=name, daemon=True).start()
    return ended


def _work(ended: asyncio.Future[Outcome], context: Context, view: Callable[[], Any]) -> None:
    outcome: Outcome
    try:
        outcome = context.run(view), None
    except BaseException as e:
        outcome = None, e
    with suppress(RuntimeError):  # the loop has ended
        ended.get_loop().call_soon_threadsafe(ended.set_result, outcome)
    # An error's traceback has this frame, which has the future that has the error.
    del ended, outcome
