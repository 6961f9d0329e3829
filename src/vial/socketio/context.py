"""What a handler sees: ``request``, ``session``, ``g`` and ``current_app``, made from the
handshake of the client that sent the event.

``before_request`` and ``after_request`` functions do not run for events; teardown functions do.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, NamedTuple

from socketio.exceptions import ConnectionRefusedError  # type: ignore[import-untyped]

from ..callables import is_async
from ..concurrency import run_in_pool
from ..ctx import RequestContext
from ..driver import drive
from ..sessions import SessionMixin
from ..teardown import close
from .plain import SENT

if TYPE_CHECKING:
    from .engine import Environ
    from .protocol import Connection
    from .server import SocketIO


class Handler:
    """A function of the program, and what has to be known to call it; found out at setup."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        # A plain wrapper of an async function returns its coroutine, and must be awaited too.
        self.is_async = is_async(function) or is_async(inspect.unwrap(function))
        self.takes_one = _takes_one(function)

    def call(self, event: Event) -> Any:
        args = event.args
        if event.message in ("connect", "disconnect") and not self.takes_one:
            # The authentication data and the reason are for those that want them.
            args = ()
        return self.function(*args)


def _takes_one(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    except ValueError:
        return True  # something without a signature, made in C
    return True


class Event(NamedTuple):
    """One call of one handler. ``message`` is None for the acknowledgement of an emit."""

    handler: Handler
    message: str | None
    namespace: str
    sid: str
    args: tuple[Any, ...]

    @classmethod
    def of(cls, handler: Handler, message: str, namespace: str, args: Sequence[Any]) -> Event:
        """From what python-socketio calls a handler with: the sid, then the arguments."""
        sid, *rest = args
        if message == "connect":
            rest = rest[1:]  # the environ, which is in the request
        return cls(handler, message, namespace, sid, tuple(rest))


class ManagedSession(dict[str, Any], SessionMixin):
    """The session of one connection: begins as a copy of the HTTP session of the handshake, and
    is never written back to it."""


async def run_event(socketio: SocketIO, event: Event) -> Any:
    """Run a handler, a sync one in the worker pool, and return its result.

    :raises ConnectionRefusedError: from a connect handler, also in place of any other exception:
        a check that fails to work must not let anybody in.
    """
    server = socketio.async_server
    found = server.connection(event.sid, event.namespace)
    if found is None:
        return server.not_handled  # the client is gone, and its handshake with it
    try:
        if event.handler.is_async:
            result = await _perform(socketio, event, *found)
        else:
            result = await run_in_pool(_performed, socketio, event, *found)
        return None if result is SENT else result  # "return emit(...)" says nothing
    except Exception as e:
        connecting = event.message == "connect"
        if connecting and isinstance(e, ConnectionRefusedError):
            raise
        server.report(e, event.message, event.sid, event.namespace)
        if connecting:
            raise ConnectionRefusedError() from e
        return server.not_handled


def _performed(socketio: SocketIO, event: Event, *found: Any) -> Any:
    # Made here: one that is cancelled while it waits for a thread leaves no coroutine behind.
    return drive(_perform(socketio, event, *found))


async def _perform(
    socketio: SocketIO, event: Event, environ: Environ, connection: Connection
) -> Any:
    ctx = _context(socketio, environ, connection)
    ctx.push()
    error: BaseException | None = None
    try:
        about = {"message": event.message, "args": event.args}
        vars(ctx.request).update(sid=event.sid, namespace=event.namespace, event=about)
        result = await _result(socketio, event)
        if not socketio.manage_session:
            _save_session(ctx)
        return result
    except BaseException as e:
        error = e
        raise
    finally:
        await _leave(ctx, error, event.handler.is_async)


async def _leave(ctx: RequestContext, error: BaseException | None, is_async: bool) -> None:
    plan = ctx.plan.on_loop if is_async else None
    if plan is None:
        ctx.pop(error)
        return
    # Some teardown function is async, and this loop is the one that must run it.
    ctx.plan = plan
    try:
        await close(ctx, error)
    finally:
        ctx._leave()


async def _result(socketio: SocketIO, event: Event) -> Any:
    try:
        result = event.handler.call(event)
        return await result if event.handler.is_async else result
    except Exception as e:
        return await _recovered(socketio, event, e)


async def _recovered(socketio: SocketIO, event: Event, error: Exception) -> Any:
    handler = socketio.error_handler(event.namespace)
    if handler is None or isinstance(error, ConnectionRefusedError):
        raise error
    result = handler.function(error)
    if handler.is_async:
        if event.handler.is_async:
            result = await result
        else:  # in the worker pool
            result = socketio.async_server.home.run(result, copy_context())
    if event.message == "connect":
        raise ConnectionRefusedError() from error
    return result


def _context(socketio: SocketIO, environ: Environ, connection: Connection) -> RequestContext:
    app = socketio.async_server.app
    if not socketio.manage_session:
        return app.request_context(environ)
    with connection.lock:
        if connection.session is None:
            connection.session = ManagedSession(app.request_context(environ).session)
    return RequestContext(app, environ, session=connection.session)


def _save_session(ctx: RequestContext) -> None:
    """For a session that is kept on a server: one in a cookie stays as the handshake had it."""
    if ctx.opened_session and ctx.session.modified:
        app = ctx.app
        app.session_interface.save_session(app, ctx.session, app.response_class())
