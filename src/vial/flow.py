"""A gateway makes a context, matching gives ``(plan, view_args)``, :func:`run` makes a response.

The only file that knows the order of events, written once, as ``async def``. On the sync lane all
functions of a plan return values (async ones wait for the process's loop) and ``driver.drive`` runs
the coroutine without a loop; on the loop lane all return awaitables (sync ones run in the pool).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, NoReturn

from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.routing import RoutingException

from .signals import appcontext_popped as _left
from .signals import (
    appcontext_tearing_down,
    got_request_exception,
    request_finished,
    request_started,
    request_tearing_down,
    session_saved,
)
from .teardown import leave

if TYPE_CHECKING:
    from .ctx import RequestContext
    from .wrappers import Response

Function = Callable[..., Any]


@dataclass(slots=True)
class Plan:
    """What happens for one endpoint, decided before its first request."""

    view: Function
    blueprints: tuple[str, ...]  # innermost first
    preprocess: tuple[Function, ...]
    before: tuple[Function, ...]
    after: tuple[Function, ...]
    teardown: tuple[Function, ...]
    app_teardown: tuple[Function, ...]
    processors: tuple[Function, ...]  # of the template context; never async
    prepares: bool  # whether preprocess() has anything to do
    tears_down: bool
    lane: Callable[[Function], Function]  # makes functions return a value, or an awaitable
    is_async: bool = False
    compatible: bool = False  # the app overrides a step: go through its methods, as Flask does
    catches: bool = False  # the same for its errors
    builds: tuple[str, ...] = ()  # of the context, for classes that want to see every request
    headers: tuple[tuple[str, str], ...] = ()  # of every response, unless it has its own
    on_loop: Any = None  # the plan for a gateway that has a loop, where anything is async


async def run(ctx: RequestContext) -> Response:
    """Handle one request, whose context is current and matched, to the end of its teardown."""
    # PERF: benchmarks/dispatch.py, hello: a step that has nothing to do is not called.
    app, plan = ctx.app, ctx.plan
    error: BaseException | None = None
    try:
        try:
            rv = None
            if plan.prepares or request_started.receivers:
                if plan.builds or request_started.receivers:
                    app._begin(ctx)
                rv = await preprocess(ctx)
                plan = ctx.plan  # another one, where a hook gave the request another rule
            if rv is None:
                if ctx.routing_exception is not None:
                    raise_routing_exception(ctx)
                rv = plan.view(**ctx.view_args)  # type: ignore[arg-type]
                if plan.is_async:
                    rv = await rv
        except Exception as e:
            own = app._own_user_exception if plan.catches else user_exception
            rv = await own(ctx, e)
            if rv is UNHANDLED:
                raise
        response = app.response_class(rv) if type(rv) is str else app.make_response(rv)
        response._defaults = plan.headers
        if plan.after or ctx.sends_cookies or ctx.opened_session or ctx.after_functions:
            response = await process(ctx, response)
        if request_finished.receivers:
            request_finished.send(app, _async_wrapper=app.ensure_sync, response=response)
        return response
    except BaseException as e:
        error = e
        if not isinstance(e, Exception):  # a cancelled task, a worker that is told to exit
            raise
        return await (app._own_unhandled if plan.catches else unhandled)(ctx, e)
    finally:
        heard = request_tearing_down.receivers or appcontext_tearing_down.receivers
        if plan.tears_down or ctx.made_request or ctx._streams or heard or _left.receivers:
            ignored = error is not None and app.should_ignore_error(error)
            await leave(ctx, None if ignored else error)
        error = None  # its traceback has this frame: leave the collector nothing


def raise_routing_exception(ctx: RequestContext) -> NoReturn:
    """Raise why no rule matched."""
    if ctx.app.debug or ctx.plan.catches:
        ctx.app.raise_routing_exception(ctx.request)
    raise ctx.routing_exception  # type: ignore[misc]


async def preprocess(ctx: RequestContext) -> Any:
    """URL value preprocessors, then before functions; a value other than ``None`` answers."""
    ctx.app._start()
    plan, rv = ctx.plan, None
    for function in plan.preprocess:
        function(*ctx._matched())
    for function in plan.before:
        rv = function()
        if plan.is_async:
            rv = await rv
        if rv is not None:
            break
    if ctx.made_request or not ctx.app._plans:
        ctx._follow_request()
    return rv


async def user_exception(ctx: RequestContext, e: Exception) -> Any:
    """What the handlers make of an exception, or :data:`UNHANDLED`."""
    app = ctx.app
    if app.debug or app.config["TRAP_BAD_REQUEST_ERRORS"]:
        app._explain(e)
    if not isinstance(e, HTTPException) or app.trap_http_exception(e):
        return await _handled(ctx, e)
    return app.handle_http_exception(e) if ctx.plan.catches else await http_exception(ctx, e)


async def http_exception(ctx: RequestContext, e: HTTPException) -> Any:
    """What the handlers make of an HTTP error; itself if none, a redirect or a response."""
    if e.code is None or isinstance(e, RoutingException):
        return e
    rv = await _handled(ctx, e)
    e.__traceback__ = None  # its frames have the context, which may have the exception
    return e if rv is UNHANDLED else rv


UNHANDLED = object()  # no handler was registered for an exception


async def _handled(ctx: RequestContext, e: Exception) -> Any:
    handler = ctx.app._find_error_handler(e, ctx.plan.blueprints)
    if handler is None:
        return UNHANDLED
    rv = ctx.plan.lane(handler)(e)
    return await rv if ctx.plan.is_async else rv


async def unhandled(ctx: RequestContext, e: Exception) -> Response:
    """Log an exception that nothing handled and answer 500, or raise it in tests and debug mode."""
    app = ctx.app
    app._explain(e)
    got_request_exception.send(app, _async_wrapper=app.ensure_sync, exception=e)
    if app._propagates():
        raise e
    app.log_exception(sys.exc_info())
    server_error = InternalServerError(original_exception=e)
    rv = await _handled(ctx, server_error)
    rv = server_error if rv is UNHANDLED else rv
    if ctx.plan.compatible:
        return app.finalize_request(rv, from_error_handler=True)
    return await finalize(ctx, rv, from_error_handler=True)


async def finalize(ctx: RequestContext, rv: Any, from_error_handler: bool = False) -> Response:
    """Make the response and :func:`process` it; while an error is handled another is logged."""
    app, by_methods = ctx.app, ctx.plan.compatible
    response = app.make_response(rv)
    response._defaults = ctx.plan.headers
    try:
        response = app.process_response(response) if by_methods else await process(ctx, response)
        if request_finished.receivers:
            request_finished.send(app, _async_wrapper=app.ensure_sync, response=response)
    except Exception:
        if not from_error_handler:
            raise
        app.logger.exception("Request finalizing failed with an error while handling an error")
    return response


async def process(ctx: RequestContext, response: Response) -> Response:
    """Run the after functions, last registered first, and save the session if it was opened."""
    app, plan = ctx.app, ctx.plan
    for function in chain(map(plan.lane, ctx.after_functions), plan.after):
        rv = function(response)
        response = app._checked_response(function, await rv if plan.is_async else rv)
    is_used = ctx.opened_session or (ctx.sends_cookies and app._refreshes_session(ctx))
    if is_used and not app.session_interface.is_null_session(ctx._session):
        app.session_interface.save_session(app, ctx._session, response)
        session_saved.send(app, response=response)
    return response
