"""Handlers as methods of a class."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from socketio.base_namespace import BaseServerNamespace  # type: ignore[import-untyped]

from ..callables import is_async
from ..concurrency import run_in_pool
from .context import Event, Handler, guarded, perform, perform_here, run_event
from .plain import SENT, Sent

if TYPE_CHECKING:
    from .server import SocketIO


class Namespace(BaseServerNamespace):  # type: ignore[misc]
    """The handlers of one namespace: a method ``on_<event>`` handles ``<event>``.

    Methods may be sync or async. Register an instance with :meth:`SocketIO.on_namespace`.

    :param namespace: ``"/"`` by default; ``"*"`` for every one without handlers of its own.
    """

    socketio: SocketIO

    def __init__(self, namespace: str | None = None) -> None:
        super().__init__(namespace)
        self._handlers: dict[str, Handler] = {}

    def is_asyncio_based(self) -> Any:
        return True

    def trigger_event(self, event: str, *args: Any) -> Any:
        """Call the method for an event, and return or raise what it does.

        Override it to dispatch in another way; ``args`` are the client's sid, for ``connect`` the
        environ, and those of the event. An override that is ``async def`` awaits this one.
        """
        call = self.event_for(event, args)
        here = self.socketio.async_server.home.is_here()
        if call is None:
            return SENT if here else None
        return (perform if here else perform_here)(self.socketio, call)

    def event_for(self, event: str, args: Sequence[Any]) -> Event | None:
        """The call of the method for an event, if there is one."""
        namespace = self.namespace
        if namespace == "*":
            namespace, *args = args
        handler = self._handler(event)
        return None if handler is None else Event.of(handler, event, namespace, args)

    def _handler(self, event: str) -> Handler | None:
        method = getattr(self, f"on_{event or ''}", None)
        if method is None:
            return None
        handler = self._handlers.get(event)
        if handler is None or handler.function != method:
            handler = self._handlers[event] = Handler(method)
            error = getattr(self, "error", None)
            handler.on_error = None if error is None else Handler(error)
        return handler

    def emit(
        self,
        event: str,
        data: Any = None,
        room: Any = None,
        include_self: bool = True,
        namespace: str | None = None,
        callback: Any = None,
        *,
        to: Any = None,
        skip_sid: Any = None,
    ) -> Sent:
        """:meth:`SocketIO.emit` to this namespace."""
        return self.socketio.emit(
            event,
            data,
            to=room if to is None else to,
            include_self=include_self,
            skip_sid=skip_sid,
            namespace=namespace or self.namespace,
            callback=callback,
        )

    def send(
        self,
        data: Any,
        room: Any = None,
        include_self: bool = True,
        namespace: str | None = None,
        callback: Any = None,
        **kwargs: Any,
    ) -> Sent:
        """:meth:`SocketIO.send` to this namespace."""
        return self.emit("message", data, room, include_self, namespace, callback, **kwargs)

    def close_room(self, room: Any, namespace: str | None = None) -> None:
        """:meth:`SocketIO.close_room` in this namespace."""
        self.socketio.close_room(room, namespace or self.namespace)

    def enter_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """Put a client into a room."""
        self.socketio.server.enter_room(sid, room, namespace or self.namespace)

    def leave_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """Take a client out of a room."""
        self.socketio.server.leave_room(sid, room, namespace or self.namespace)

    def rooms(self, sid: str, namespace: str | None = None) -> list[Any]:
        """The rooms a client is in, the one named by its own sid among them."""
        return self.socketio.server.rooms(sid, namespace or self.namespace)

    def disconnect(self, sid: str, namespace: str | None = None) -> Sent:
        """Disconnect a client from this namespace."""
        return self.socketio.server.disconnect(sid, namespace or self.namespace)

    def call(
        self,
        event: str,
        data: Any = None,
        to: str | None = None,
        sid: str | None = None,
        namespace: str | None = None,
        timeout: float | None = None,
        ignore_queue: bool = False,
    ) -> Any:
        """Send an event to one client of this namespace and return its answer; see
        :func:`vial.socketio.call`."""
        seconds = 60 if timeout is None else timeout
        return self.socketio.server.call(
            event, data, to, sid, namespace or self.namespace, seconds, ignore_queue
        )

    def get_session(self, sid: str, namespace: str | None = None) -> dict[str, Any]:
        """:meth:`~vial.socketio.plain.PlainServer.get_session` in this namespace."""
        return self.socketio.server.get_session(sid, namespace or self.namespace)

    def save_session(self, sid: str, session: dict[str, Any], namespace: str | None = None) -> None:
        """:meth:`~vial.socketio.plain.PlainServer.save_session` in this namespace."""
        self.socketio.server.save_session(sid, session, namespace or self.namespace)

    def session(
        self, sid: str, namespace: str | None = None
    ) -> AbstractContextManager[dict[str, Any]]:
        """:meth:`~vial.socketio.plain.PlainServer.session` in this namespace."""
        return self.socketio.server.session(sid, namespace or self.namespace)


class Dispatcher(BaseServerNamespace):  # type: ignore[misc]
    """What python-socketio calls for the events of a :class:`Namespace`."""

    def __init__(self, target: Namespace) -> None:
        super().__init__(target.namespace)
        self._target = target
        dispatch = type(target).trigger_event
        self._is_own = dispatch is not Namespace.trigger_event
        self._is_async = is_async(dispatch)

    def is_asyncio_based(self) -> Any:
        return True

    async def trigger_event(self, event: str, *args: Any) -> Any:
        target = self._target
        socketio = target.socketio
        if not self._is_own:
            call = target.event_for(event, args)
            not_handled = socketio.async_server.not_handled
            return not_handled if call is None else await run_event(socketio, call)
        namespace, sid = args[:2] if self.namespace == "*" else (self.namespace, args[0])
        return await guarded(socketio, event, sid, namespace, lambda: self._dispatch(event, args))

    async def _dispatch(self, event: str, args: Sequence[Any]) -> Any:
        target = self._target
        if self._is_async:
            return await target.trigger_event(event, *args)
        return await run_in_pool(target.trigger_event, event, *args)
