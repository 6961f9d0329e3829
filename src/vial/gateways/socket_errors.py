"""What becomes of an exception in the view or a hook of a WebSocket."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import Forbidden, HTTPException, InternalServerError

from ..flow import UNHANDLED, user_exception
from ..signals import got_request_exception
from .disconnected import Disconnected

if TYPE_CHECKING:
    from ..wrappers import Response
    from .socket_context import SocketContext


async def outcome(
    ctx: SocketContext, work: Coroutine[Any, Any, Response | None]
) -> Response | None:
    """What the work gives, or what there is to say of its failure."""
    try:
        return await work
    except Exception as e:
        if ctx.channel.error is not None and _is_the_end(e):
            return refusal(ctx, None)
        return await _failed(ctx, e)


def refusal(ctx: SocketContext, rv: Any) -> Response | None:
    """The answer to a handshake that was not accepted."""
    if ctx.channel.accepted:
        return None
    return ctx.app.make_response(Forbidden() if rv is None else rv)


async def _failed(ctx: SocketContext, e: Exception) -> Response | None:
    """Let the handlers see an exception, or log it, and tell the client."""
    try:
        rv = await user_exception(ctx, e)
    except Exception as raised:
        rv, e = UNHANDLED, raised
    if rv is UNHANDLED:
        rv = await _unhandled(ctx, e)
    ours = isinstance(e, HTTPException) and e.code is not None and e.code < 500
    if ctx.channel.accepted:
        await ctx.channel.close(1008 if ours else 1011, e.name if ours else "")  # type: ignore[attr-defined]
    return refusal(ctx, rv)


async def _unhandled(ctx: SocketContext, e: Exception) -> Any:
    app = ctx.app
    app._explain(e)
    got_request_exception.send(app, _async_wrapper=app.ensure_sync, exception=e)
    ctx.failure = e
    if not ctx.propagates:
        app.log_exception((type(e), e, e.__traceback__))
    return await user_exception(ctx, InternalServerError(original_exception=e))


def _is_the_end(e: Exception) -> bool:
    """Whether an exception, or a group of a ``TaskGroup``, says only that the client has left."""
    if isinstance(e, ExceptionGroup):
        return all(map(_is_the_end, e.exceptions))
    return isinstance(e, Disconnected)
