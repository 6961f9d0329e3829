"""What a handler sees: ``request``, ``session``, ``g`` and ``current_app``, made from the
handshake of the client that sent the event.

``before_request`` and ``after_request`` functions do not run for events; teardown functions do.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, NamedTuple

from socketio.exceptions import ConnectionRefusedError  # type: ignore[import-untyped]

from ..callables import is_async
from ..concurrency import run_in_pool
from ..ctx import RequestContext
from ..driver import drive
from ..globals import without_context
from ..sessions import SecureCookieSession, SessionMixin
from ..teardown import close
from .payloads import Arguments, InvalidArguments, Refused
from .plain import Sent

if TYPE_CHECKING:
    from ..app import Vial
    from .origins import Environ
    from .protocol import Connection
    from .server import SocketIO
    from .visits import Visit


class Handler:
    """A function of the program, and what has to be known to call it; found out at setup."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        # A plain wrapper of an async function returns its coroutine, and must be awaited too.
        self.is_async = is_async(function) or is_async(inspect.unwrap(function))
        self.takes_one = _takes_one(function)
        self.arguments = Arguments(function)
        #: What takes its errors where the namespace has no error handler.
        self.on_error: Handler | None = None

    def call(self, event: Event, typed: bool) -> Any:
        args = event.args
        if event.message in ("connect", "disconnect") and not self.takes_one:
            # The authentication data and the reason are for those that want them.
            args = ()
        return self.function(*self.arguments.of(args, typed))


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
    """Run a handler, a sync one in the worker pool, and return what the client is to be told.

    :raises ConnectionRefusedError: from a connect handler, also in place of any other exception:
        a check that fails to work must not let anybody in.
    """
    about = (event.message, event.sid, event.namespace)
    return await guarded(socketio, *about, lambda: perform(socketio, event))


async def perform(socketio: SocketIO, event: Event) -> Any:
    """:func:`run_event` where the caller takes the exceptions; on the server's loop."""
    found = socketio.async_server.connection(event.sid, event.namespace)
    if found is None:
        return None
    if event.handler.is_async:
        return await _perform(socketio, event, *found)
    return await run_in_pool(_performed, socketio, event, *found)


def perform_here(socketio: SocketIO, event: Event) -> Any:
    """The same in a thread, which a sync handler stays in."""
    server = socketio.async_server
    found = server.connection(event.sid, event.namespace)
    if found is None:
        return None
    if event.handler.is_async:
        return server.home.run(_perform(socketio, event, *found))
    return _performed(socketio, event, *found)


async def guarded(
    socketio: SocketIO,
    message: str | None,
    sid: str,
    namespace: str,
    work: Callable[[], Awaitable[Any]],
) -> Any:
    """Do what an event asks for, and return what the client is to be told. What goes wrong is
    logged, and the client learns of it only what it did wrong itself."""
    server = socketio.async_server
    found = server.connection(sid, namespace)
    if found is None:
        return server.not_handled  # the client is gone, and its handshake with it
    visit = found[1].visit
    try:
        if message != "disconnect" and visit is not None and not server.visits.admits(visit):
            return _not_let_in(message, server.not_handled)
        result = await work()
        return None if isinstance(result, Sent) else result  # "return emit(...)" says nothing
    except InvalidArguments as e:
        server.app.logger.info("Client %s sent invalid arguments of %r: %s", sid, message, e)
        if message == "connect":
            raise ConnectionRefusedError(e.answer["error"], e.answer) from e
        return Refused(e.answer)
    except Exception as e:
        if message == "connect" and isinstance(e, ConnectionRefusedError):
            raise
        server.report(e, message, sid, namespace)
        return _not_let_in(message, server.not_handled, e)


def _not_let_in(message: str | None, answer: Any, error: Exception | None = None) -> Any:
    if message == "connect":
        raise ConnectionRefusedError() from error
    return answer


def _performed(socketio: SocketIO, event: Event, *found: Any) -> Any:
    # Made here: one that is cancelled while it waits for a thread leaves no coroutine behind.
    return drive(_perform(socketio, event, *found))


async def _perform(
    socketio: SocketIO, event: Event, environ: Environ, connection: Connection
) -> Any:
    ctx = _context(socketio, environ, connection)
    with without_context():  # the task may come from a page of somebody else
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
        result = event.handler.call(event, socketio.validates)
        return await result if event.handler.is_async else result
    except Exception as e:
        return await _recovered(socketio, event, e)


async def _recovered(socketio: SocketIO, event: Event, error: Exception) -> Any:
    handler = socketio.error_handler(event.namespace) or event.handler.on_error
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
        return _live_context(app, environ, connection.visit)
    with connection.lock:
        if connection.session is None:
            connection.session = _fork(app.request_context(environ).session, connection.visit)
    return RequestContext(app, environ, session=connection.session)


def _fork(session: SessionMixin, visit: Visit | None) -> ManagedSession:
    fork = ManagedSession(session)
    if visit is not None:
        visit.origin, visit.fork = dict(session), fork
        visit.strip(fork)  # after it is known: a page may be taking something out right now
    return fork


def _live_context(app: Vial, environ: Environ, visit: Visit | None) -> RequestContext:
    ctx = app.request_context(environ)
    if visit is not None and visit.gone:
        session = ctx.session
        if isinstance(session, SecureCookieSession):  # it is that of the handshake
            visit.strip(session)
            session.modified = False
    return ctx


def _save_session(ctx: RequestContext) -> None:
    """For a session that is kept on a server: one in a cookie stays as the handshake had it."""
    if ctx.opened_session and ctx.session.modified:
        app = ctx.app
        app.session_interface.save_session(app, ctx.session, app.response_class())
