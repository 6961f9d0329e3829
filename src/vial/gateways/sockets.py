"""Handling one WebSocket: its context, hooks, view, errors and end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..concurrency import run_in_pool
from ..flow import preprocess, process, raise_routing_exception
from ..globals import _cv
from ..signals import appcontext_pushed
from ..teardown import leave
from .environ import split_path
from .socket_context import SocketContext
from .socket_errors import outcome, refusal
from .watch import watch_of

if TYPE_CHECKING:
    from ..app import Vial
    from ..wrappers import Response
    from .connection import Channel


async def serve(app: Vial, channel: Channel) -> None:
    """Handle one WebSocket from its handshake to its end."""
    if app._life is not None:
        await app._life.start()
    proxies = app._proxies()
    if proxies is not None:
        channel.environ = proxies.believed(channel.environ)
        channel.is_secure = channel.environ["wsgi.url_scheme"] == "https"
    ctx = channel.context = SocketContext(app, channel)
    if proxies is not None:
        ctx.host = channel.environ.get("HTTP_HOST")
    token = _cv.set(ctx)
    try:
        if appcontext_pushed.receivers:
            ctx._pushed()
        ctx._match(split_path(channel.scope)[1], "GET")
        await _handle(ctx, channel)
    finally:
        _cv.reset(token)
        watch_of(channel.loop).remove(channel)
        await channel.finish()


async def _handle(ctx: SocketContext, channel: Channel) -> None:
    error: BaseException | None = None
    try:
        response = await outcome(ctx, _converse(ctx))
        response = await outcome(ctx, _after(ctx, response)) or response
        if response is not None and not channel.accepted:
            await _refuse(channel, response)
        if channel.accepted:
            await channel.close()
        error = ctx.failure
        if error is not None and ctx.propagates:
            raise error
    except BaseException as e:
        error = e
        raise
    finally:
        ctx.failure = None
        ignored = error is not None and ctx.app.should_ignore_error(error)
        await leave(ctx, None if ignored else error)
        error = None  # its traceback has this frame: leave the collector nothing


async def _converse(ctx: SocketContext) -> Response | None:
    """Hooks, then the view; the refusal, where the handshake was not accepted."""
    rv = await preprocess(ctx)
    if rv is None:
        if ctx.routing_exception is not None:
            raise_routing_exception(ctx)
        rv = await _view(ctx, ctx.channel)
    return refusal(ctx, rv)


async def _view(ctx: SocketContext, channel: Channel) -> Any:
    task = channel.view = asyncio.current_task()
    try:
        return await ctx.plan.view(**ctx.view_args or {})
    except asyncio.CancelledError:
        if not channel.has_cancelled or (task is not None and task.cancelling() > 1):
            raise
    finally:
        channel.view = None
        if channel.has_cancelled and task is not None:
            task.uncancel()


async def _after(ctx: SocketContext, response: Response | None) -> Response | None:
    """The after functions and the session."""
    for function in ctx.plan.after_websocket:
        rv = await function(response)
        response = response and (rv or response)
    if response is None:
        ctx.save_late()
        return None
    response._defaults = ctx.plan.headers
    return await process(ctx, response)


async def _refuse(channel: Channel, response: Response) -> None:
    body = await run_in_pool(response.get_data) if not response.is_sequence else response.data
    headers = response.get_wsgi_headers(channel.environ).to_wsgi_list()
    await channel.refuse(response.status_code, headers, body)
    response.close()
