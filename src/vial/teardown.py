"""The end of a context: what always runs, and in which order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .signals import appcontext_popped, appcontext_tearing_down, request_tearing_down

if TYPE_CHECKING:
    from blinker import NamedSignal

    from .app import Vial
    from .ctx import RequestContext


async def leave(ctx: RequestContext, error: BaseException | None) -> None:
    """Close the context, or leave that to the stream that still reads in it."""
    if ctx._streams:
        ctx._left = True
    else:
        await close(ctx, error)


async def close(ctx: RequestContext, error: BaseException | None) -> None:
    """Leave the request, and the app context unless an enclosing context owns it: every teardown
    function runs, also after one failed, and a failure is raised at the end."""
    app, plan = ctx.app, ctx.plan
    try:
        if plan.compatible:
            app.do_teardown_request(error)
        elif plan.teardown or request_tearing_down.receivers:
            await tear_down(app, plan.teardown, request_tearing_down, error, plan.is_async)
    finally:
        if ctx.made_request and not ctx._is_websocket:
            ctx.request.close()
            # The environ and the request refer to each other: leave the collector nothing.
            ctx.request.environ["werkzeug.request"] = None
        if ctx._outer is None:
            await _close_app(ctx, error)


async def _close_app(ctx: RequestContext, error: BaseException | None) -> None:
    app, plan = ctx.app, ctx.plan
    if plan.compatible:
        app.do_teardown_appcontext(error)
    elif plan.app_teardown or appcontext_tearing_down.receivers:
        await tear_down(app, plan.app_teardown, appcontext_tearing_down, error, plan.is_async)
    if appcontext_popped.receivers:
        appcontext_popped.send(app, _async_wrapper=app.ensure_sync)


async def tear_down(
    app: Vial,
    functions: tuple[Callable[..., Any], ...],
    signal: NamedSignal,
    error: BaseException | None,
    is_async: bool = False,
) -> None:
    """Run all functions and send the signal, then raise the first failure."""
    failure: Exception | None = None
    for function in functions:
        try:
            rv = function(error)
            if is_async:
                await rv
        except Exception as e:
            failure = failure or e
    signal.send(app, _async_wrapper=app.ensure_sync, exc=error)
    if failure is not None:
        app._explain(failure)
        raise failure
