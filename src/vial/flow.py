"""A gateway makes a context, matching gives ``(plan, view_args)``, :func:`run` makes a response.

The only file that knows the order of events. Everything is written once, as ``async def``. A plan
holds the functions of one endpoint for one lane: on the sync lane all of them return values (async
ones were wrapped to wait for the process's loop) and :func:`drive` runs the coroutine to its end
without a loop; on the loop lane all of them return awaitables (sync ones were wrapped to run in
the worker pool).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from types import coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from werkzeug.exceptions import BadRequestKeyError, HTTPException, InternalServerError
from werkzeug.routing import RoutingException

from .signals import (
    appcontext_popped,
    appcontext_tearing_down,
    got_request_exception,
    request_finished,
    request_started,
    request_tearing_down,
)

if TYPE_CHECKING:
    from blinker import NamedSignal

    from .app import Vial
    from .ctx import RequestContext
    from .wrappers import Response

T = TypeVar("T")
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
    #: Makes a user's function fit: it then returns a value, or where ``is_async`` an awaitable.
    lane: Callable[[Function], Function]
    is_async: bool = False
    #: The app overrides a step of this file: go through its methods, as Flask does.
    compatible: bool = False
    #: A session interface that is not ours may want to see every request.
    opens_session: bool = False
    #: Headers of every response, unless it has its own.
    headers: tuple[tuple[str, str], ...] = ()
    #: The same endpoint for a gateway that has a loop; ``None`` where nothing is async.
    on_loop: Any = None


@coroutine
def _driver() -> Generator[Any, Any, None]:
    result = None
    while True:
        result = yield from (yield result)


_drivers: list[Any] = []


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine of the sync lane, which never has to wait, and return its result.

    PERF: benchmarks/dispatch.py, hello. ``coroutine.send(None)`` gives its result as a
    ``StopIteration``; a generator that awaits one coroutine after the other gives it as a value,
    for half the cost. One is taken per call and put back, so threads and nested calls do not meet.
    """
    try:
        driver = _drivers.pop()
    except IndexError:
        driver = _driver()
        driver.send(None)
    result = driver.send(coroutine)  # an exception ends the driver, and it is not put back
    if driver.gi_yieldfrom is None:
        _drivers.append(driver)
        return result  # type: ignore[no-any-return]
    coroutine.close()
    raise RuntimeError(
        "A request of sync functions tried to wait on an event loop. A function that is not"
        " declared 'async def' must return a value, not an awaitable."
    )


async def run(ctx: RequestContext) -> Response:
    """Handle one request, whose context is current and matched, to the end of its teardown."""
    # PERF: benchmarks/dispatch.py, hello: a step that has nothing to do is not called.
    app, plan = ctx.app, ctx.plan
    error: BaseException | None = None
    if not app._got_first_request:
        app._got_first_request = True
    try:
        if plan.opens_session:
            ctx.session  # noqa: B018
        if plan.compatible:
            return app.full_dispatch_request()
        try:
            if request_started.receivers:
                request_started.send(app, _async_wrapper=app.ensure_sync)
            rv = await preprocess(ctx) if plan.before or plan.preprocess else None
            if rv is None:
                rv = dispatch(ctx)
                if plan.is_async:
                    rv = await rv
        except Exception as e:
            rv = await user_exception(ctx, e)
        return await finalize(ctx, rv)
    except Exception as e:
        error = e
        return app.handle_exception(e) if plan.compatible else await unhandled(ctx, e)
    except BaseException as e:
        error = e
        raise
    finally:
        if (
            plan.teardown
            or plan.app_teardown
            or plan.compatible
            or "request" in ctx.__dict__
            or ctx._streams
            or request_tearing_down.receivers
            or appcontext_tearing_down.receivers
            or appcontext_popped.receivers
        ):
            await leave(ctx, error)


async def preprocess(ctx: RequestContext) -> Any:
    """URL value preprocessors, then before functions; a value other than ``None`` answers."""
    plan, args = ctx.plan, ctx.view_args
    endpoint = None if ctx.url_rule is None else ctx.url_rule.endpoint
    for function in plan.preprocess:
        function(endpoint, args)
    for function in plan.before:
        rv = function()
        if plan.is_async:
            rv = await rv
        if rv is not None:
            return rv
    if "request" in ctx.__dict__:
        ctx.view_args = ctx.request.view_args  # a hook may have replaced the dict
    return None


def dispatch(ctx: RequestContext) -> Any:
    """Call the view, or raise why there is none; on the loop lane the result is to be awaited."""
    error = ctx.routing_exception
    if error is not None:
        if ctx.app.debug:
            ctx.app.raise_routing_exception(ctx.request)
        raise error
    return ctx.plan.view(**ctx.view_args)  # type: ignore[arg-type]


async def user_exception(ctx: RequestContext, e: Exception) -> Any:
    """What the handlers make of an exception; raises it again where there is none for it."""
    app = ctx.app
    if isinstance(e, BadRequestKeyError) and (app.debug or app.config["TRAP_BAD_REQUEST_ERRORS"]):
        e.show_exception = True
    if isinstance(e, HTTPException) and not app.trap_http_exception(e):
        if ctx.plan.compatible:
            return app.handle_http_exception(e)
        return await http_exception(ctx, e)
    return await _handled(ctx, e, default=_RERAISE)


async def http_exception(ctx: RequestContext, e: HTTPException) -> Any:
    """What the handlers make of an HTTP error; the error itself where there is none for it."""
    # A proxy exception has no code, and routing exceptions are redirects: never handled.
    if e.code is None or isinstance(e, RoutingException):
        return e
    return await _handled(ctx, e, default=e)


_RERAISE = object()


async def _handled(ctx: RequestContext, e: Exception, default: Any) -> Any:
    handler = ctx.app._find_error_handler(e, ctx.plan.blueprints)
    if handler is None:
        if default is _RERAISE:
            raise e
        return default
    rv = ctx.plan.lane(handler)(e)
    return await rv if ctx.plan.is_async else rv


async def unhandled(ctx: RequestContext, e: Exception) -> Response:
    """Signal and log an exception that nothing handled, and answer 500; or raise it again where
    ``PROPAGATE_EXCEPTIONS`` (by default in tests and debug mode) says so."""
    app = ctx.app
    exc_info = sys.exc_info()
    got_request_exception.send(app, _async_wrapper=app.ensure_sync, exception=e)
    propagate = app.config["PROPAGATE_EXCEPTIONS"]
    if app.testing or app.debug if propagate is None else propagate:
        raise e
    app.log_exception(exc_info)  # type: ignore[arg-type]
    server_error = InternalServerError(original_exception=e)
    rv = await _handled(ctx, server_error, default=server_error)
    if ctx.plan.compatible:
        return app.finalize_request(rv, from_error_handler=True)
    return await finalize(ctx, rv, from_error_handler=True)


async def finalize(ctx: RequestContext, rv: Any, from_error_handler: bool = False) -> Response:
    """Make the response, run the after functions, save the session, send ``request_finished``."""
    app, plan = ctx.app, ctx.plan
    response = app.make_response(rv)
    if plan.headers:
        response.set_defaults(plan.headers)
    try:
        if plan.compatible:
            response = app.process_response(response)
        elif plan.after or ctx.sends_cookies or "session" in ctx.__dict__ or ctx.after_functions:
            response = await process(ctx, response)
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
    for function in (*map(plan.lane, ctx.after_functions), *plan.after):
        rv = function(response)
        response = app._checked_response(function, await rv if plan.is_async else rv)
    if "session" in ctx.__dict__ or (ctx.sends_cookies and app._refreshes_session(ctx)):
        if not app.session_interface.is_null_session(ctx.session):
            app.session_interface.save_session(app, ctx.session, response)
    return response


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
        if "request" in ctx.__dict__:
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
    functions: tuple[Function, ...],
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
        raise failure
