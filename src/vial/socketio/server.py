"""The Socket.IO server of an app: Flask-SocketIO's class, on asyncio."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ..callables import is_async
from ..concurrency import run_in_pool
from ..ctx import has_request_context
from ..globals import request
from . import options as _options
from .context import Event, Handler, run_event
from .exchange import AsgiMiddleware, WsgiMiddleware
from .home import Running
from .namespace import Dispatcher, Namespace
from .plain import PlainServer, Sent
from .protocol import Server
from .rsgi import RsgiMiddleware
from .testing import SocketIOTestClient

if TYPE_CHECKING:
    from ..app import Vial

F = TypeVar("F", bound=Callable[..., Any])


class SocketIO:
    """A Socket.IO server beside an app's pages, on the same port.

    Names and arguments are Flask-SocketIO's (5.x). Handlers may be sync, and then run in a
    worker thread, or async, and then run on the server's loop; nothing of what they call
    needs an ``await`` but :meth:`call` and :meth:`sleep`, and those only in async ones.

    :param app: the app; without it call :meth:`init_app` later.
    :param cors_allowed_origins: pages of other sites that may connect: ``"*"``, an origin, a
        list of them, or a function of the origin. Pages of the app itself always may.
    :param manage_session: give each connection a copy of the HTTP session, which keeps what
        handlers put into it. False: the app's session, which then must be kept on the server for
        a change to last.
    :param session_identity: what of a session tells who is logged in: a key, several, or a
        function of the session (``"_user_id"``, where Flask-Login keeps it). A page that changes
        it ends the transports of the visitor, who comes back as whoever he is now.
    :param validate: compare what clients send with the annotations of handlers, and answer what
        does not fit with what is wrong. None: in an app of Vial, not in one of Flask mode.
    :param path: where the server is found; ``resource`` is another name of it.
    :param async_handlers: False: never begin an event before the one before it has ended.
    :param max_http_buffer_size: most bytes of one message, polled or over WebSocket (1,000,000).
    :param ping_interval: seconds between pings (25); ``ping_timeout``: seconds for the answer (20).
    :param message_queue: the address of a Redis server (``redis://``) through which processes, on
        one machine or several, send to each other's clients. Without an app: this one only sends.
    :param message_queue_key: what its messages are signed with; the app's ``SECRET_KEY``.
    :param kwargs: further options of Flask-SocketIO: ``logger``, ``engineio_logger``, ``json``,
        ``serializer``, ``namespaces``, ``always_connect``, ``transports``, ``allow_upgrades``,
        ``http_compression``, ``compression_threshold``, ``cookie``, ``monitor_clients``,
        ``channel``, ``cors_credentials``. ``async_mode`` is ignored: there is one way to run,
        asyncio.
    :raises TypeError: for an option that does not exist.
    """

    reason = Server.reason

    def __init__(self, app: Vial | None = None, **kwargs: Any) -> None:
        self.manage_session = True
        self.server_options: dict[str, Any] = {}
        self.async_mode = "asgi"
        #: Whether what clients send is compared with the annotations of handlers.
        self.validates = False
        self._async_server: Server | None = None
        self._handlers: list[tuple[str, Callable[..., Any], str]] = []
        self._namespaces: list[Namespace] = []
        self._error_handlers: dict[str, Handler] = {}
        self._default_error_handler: Handler | None = None
        self._serving = False
        if app is None:
            _options.check(kwargs)
            self.server_options.update(kwargs)
        else:
            self.init_app(app, **kwargs)

    def init_app(self, app: Vial, **kwargs: Any) -> None:
        """Attach to an app: its requests under the Socket.IO path come here from now on."""
        _options.check(kwargs)
        self.server_options.update(kwargs)
        self.manage_session = self.server_options.get("manage_session", self.manage_session)
        self.validates = _options.validates(app, self.server_options)
        server = _options.make_server(app, self.server_options)
        self._async_server = server
        self._plain_server = PlainServer(server)
        for event, handler, namespace in self._handlers:
            server.on(event, handler, namespace=namespace)
        for handlers in self._namespaces:
            server.register_namespace(Dispatcher(handlers))
        path = _options.path_of(self.server_options)
        app.on_stopping(server.dismiss)
        if server.manager.is_shared:
            app.on_startup(server.join)
            app.on_shutdown(server.part)
        app.extensions["socketio"] = self
        app.asgi_app = AsgiMiddleware(server, app.asgi_app, path)  # type: ignore[method-assign]
        app.rsgi_app = RsgiMiddleware(server, app.rsgi_app, path)  # type: ignore[method-assign]
        app.wsgi_app = WsgiMiddleware(server, app.wsgi_app, path)

    @property
    def async_server(self) -> Server:
        """python-socketio's server; its coroutines run on the loop it lives on."""
        if self._async_server is None:
            if not self.server_options.get("message_queue"):
                raise RuntimeError(
                    "This SocketIO has no app yet: pass one, SocketIO(app), or call init_app(app)."
                )
            # A process that only sends, through the queue.
            self._async_server = _options.make_server(None, self.server_options)
            self._plain_server = PlainServer(self._async_server)
        return self._async_server

    @property
    def server(self) -> PlainServer:
        """The same with plain calls, for everywhere."""
        return self.async_server and self._plain_server

    # Registering

    def on(self, message: str, namespace: str | None = None) -> Callable[[F], F]:
        """Decorate the handler of an event.

        It gets the event's arguments; what it returns is the acknowledgement. ``"connect"`` gets
        the client's authentication data and may return False or raise
        :class:`ConnectionRefusedError`; ``"disconnect"`` gets the reason; each only if it takes an
        argument. ``"*"`` gets all events without a handler, with their name first.

        :param namespace: ``"/"`` by default; ``"*"`` for every one that has no handlers.
        """
        namespace = namespace or "/"

        def decorator(function: F) -> F:
            handler = self._handler(function, message, namespace)
            self._handlers.append((message, handler, namespace))
            if self._async_server is not None:
                self._async_server.on(message, handler, namespace=namespace)
            return function

        return decorator

    def _handler(
        self, function: Callable[..., Any], message: str, namespace: str
    ) -> Callable[..., Any]:
        handler = Handler(function)

        async def handle(*args: Any) -> Any:
            rest = list(args)
            event = rest.pop(0) if message == "*" else message
            real_namespace = rest.pop(0) if namespace == "*" else namespace
            if message == "*":
                rest.insert(1, event)  # after the sid: the handler's first argument
            return await run_event(self, Event.of(handler, event, real_namespace, rest))

        return handle

    @overload
    def event(self, function: F, /) -> F: ...
    @overload
    def event(self, namespace: str | None = None) -> Callable[[F], F]: ...
    def event(self, *args: Any, **kwargs: Any) -> Any:
        """Decorate the handler of the event that has the function's name."""
        if args and callable(args[0]):
            return self.on(args[0].__name__)(args[0])
        return lambda function: self.on(function.__name__, *args, **kwargs)(function)

    def on_event(
        self, message: str, handler: Callable[..., Any], namespace: str | None = None
    ) -> None:
        """Register a handler, as :meth:`on` does."""
        self.on(message, namespace)(handler)

    def on_namespace(self, namespace_handler: Namespace) -> None:
        """Register the handlers of a namespace that are written as a class.

        :raises ValueError: when it is not an instance of :class:`Namespace`.
        """
        if not isinstance(namespace_handler, Namespace):
            raise ValueError(f"{namespace_handler!r} is not an instance of a Namespace class.")
        namespace_handler.socketio = self
        self._namespaces.append(namespace_handler)
        if self._async_server is not None:
            self._async_server.register_namespace(Dispatcher(namespace_handler))

    def on_error(self, namespace: str | None = None) -> Callable[[F], F]:
        """Decorate a function that gets what handlers of a namespace raise; what it returns is
        the acknowledgement."""

        def decorator(function: F) -> F:
            self._error_handlers[namespace or "/"] = Handler(_checked(function))
            return function

        return decorator

    def on_error_default(self, exception_handler: F) -> F:
        """Decorate the error handler of namespaces that have none."""
        self._default_error_handler = Handler(_checked(exception_handler))
        return exception_handler

    def error_handler(self, namespace: str) -> Handler | None:
        """The error handler of a namespace."""
        return self._error_handlers.get(namespace, self._default_error_handler)

    # Sending, from anywhere

    def emit(
        self,
        event: str,
        *args: Any,
        namespace: str | None = None,
        to: Any = None,
        room: Any = None,
        include_self: bool = True,
        skip_sid: Any = None,
        callback: Callable[..., Any] | None = None,
        ignore_queue: bool = False,
    ) -> Sent:
        """Send an event to everyone in a namespace, or to a room or a client; from any thread.

        Arguments as those of :func:`vial.socketio.emit`.
        """
        if not include_self and not skip_sid:
            skip_sid = request.sid  # type: ignore[attr-defined]
        namespace = namespace or "/"
        if callback is not None:
            callback = self._acknowledged(callback, namespace)
        return self.server.emit(
            event,
            args[0] if len(args) == 1 else args,
            to=room if to is None else to,
            skip_sid=skip_sid,
            namespace=namespace,
            callback=callback,
            ignore_queue=ignore_queue,
        )

    def send(
        self,
        data: Any,
        json: bool = False,
        namespace: str | None = None,
        to: Any = None,
        callback: Callable[..., Any] | None = None,
        include_self: bool = True,
        skip_sid: Any = None,
        **kwargs: Any,
    ) -> Sent:
        """:meth:`emit` the event ``"message"``, or ``"json"`` for ``json=True``."""
        return self.emit(
            "json" if json else "message",
            data,
            namespace=namespace,
            to=to,
            callback=callback,
            include_self=include_self,
            skip_sid=skip_sid,
            **kwargs,
        )

    def call(
        self,
        event: str,
        *args: Any,
        namespace: str | None = None,
        to: Any = None,
        room: Any = None,
        timeout: float = 60,
        ignore_queue: bool = False,
    ) -> Any:
        """Send an event to one client and return its answer; see :func:`vial.socketio.call`."""
        data = args[0] if len(args) == 1 else args
        to = room if to is None else to
        return self.server.call(event, data, to=to, namespace=namespace, timeout=timeout)

    def close_room(self, room: Any, namespace: str | None = None) -> Sent:
        """Take everyone out of a room."""
        return self.server.close_room(room, namespace)

    def _acknowledged(self, callback: Callable[..., Any], namespace: str) -> Callable[..., None]:
        """The callback as python-socketio is to call it, on the loop. What an event's handler
        asked for is answered in the context of that client, like another event of it."""
        handler = Handler(callback)
        sid = getattr(request, "sid", None) if has_request_context() else None
        if sid is not None:
            namespace = request.namespace  # type: ignore[attr-defined]

        async def run(*args: Any) -> None:
            if sid is not None:
                await run_event(self, Event(handler, None, namespace, sid, args))
            elif handler.is_async:
                await callback(*args)
            else:
                await run_in_pool(callback, *args)

        def start(*args: Any) -> None:
            self.async_server.spawn(run(*args))

        return start

    # Running

    def run(
        self, app: Vial, host: str | None = None, port: int | None = None, **kwargs: Any
    ) -> None:
        """Serve the app, its Socket.IO server with it, until Ctrl-C.

        :param host: 127.0.0.1 by default; ``port``: 5000.
        :param kwargs: those of ``app.run()``: ``debug``, ``use_reloader``, ``ssl_context``, ...;
            ``reloader_options`` is a dict of more of them, ``certfile`` and ``keyfile`` make an
            ``ssl_context``. ``log_output`` and ``allow_unsafe_werkzeug`` have no effect.
        """
        options = _options.of_run(kwargs)
        self._serving = True
        try:
            app.run(host=host, port=port, **options)
        finally:
            self._serving = False

    def stop(self) -> None:
        """Stop the server that :meth:`run` started, from a handler or view."""
        if not self._serving:
            raise RuntimeError(
                "stop() ends the server that socketio.run() started, and it started none here."
            )
        os.kill(os.getpid(), signal.SIGINT)

    def start_background_task(
        self, target: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> threading.Thread | Running:
        """Run a function beside the server: a sync one in a thread of its own, an async one on
        the server's loop, once there is one. ``join()`` the result to wait for its end."""
        if is_async(target):

            async def run() -> None:
                await target(*args, **kwargs)

            return self.async_server.home.start(run)
        thread = threading.Thread(target=target, args=args, kwargs=kwargs, daemon=True)
        thread.start()
        return thread

    def sleep(self, seconds: float = 0) -> Any:
        """Wait: in a thread (a sync handler, a background task) a plain call, on a loop something
        to ``await``."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return time.sleep(seconds)
        return asyncio.sleep(seconds)

    def test_client(
        self,
        app: Vial,
        namespace: str | None = None,
        query_string: str | None = None,
        headers: Any = None,
        auth: Any = None,
        flask_test_client: Any = None,
    ) -> SocketIOTestClient:
        """A client for tests, connected without a server; see :class:`SocketIOTestClient`."""
        return SocketIOTestClient(
            app, self, namespace, query_string, headers, auth, flask_test_client
        )


def _checked(function: F) -> F:
    if not callable(function):
        raise ValueError(f"An error handler must be callable, {function!r} is not.")
    return function
