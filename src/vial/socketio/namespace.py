"""Handlers as methods of a class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from socketio.base_namespace import BaseServerNamespace  # type: ignore[import-untyped]

from .context import Event, Handler, run_event

if TYPE_CHECKING:
    from .plain import Sent
    from .server import SocketIO


class Namespace(BaseServerNamespace):  # type: ignore[misc]
    """The handlers of one namespace: a method ``on_<event>`` handles ``<event>``.

    Methods may be sync or async. Register an instance with :meth:`SocketIO.on_namespace`.

    :param namespace: ``"/"`` by default; ``"*"`` for every one without handlers of its own.
    """

    server: Any
    socketio: SocketIO

    def __init__(self, namespace: str | None = None) -> None:
        super().__init__(namespace)
        self._handlers = {
            name.removeprefix("on_"): Handler(getattr(self, name))
            for name in dir(self)
            if name.startswith("on_") and callable(getattr(self, name))
        }

    def is_asyncio_based(self) -> Any:
        return True

    async def trigger_event(self, event: str, *args: Any) -> Any:
        """Call the method for an event. Override it to dispatch in another way."""
        namespace = self.namespace
        if namespace == "*":
            namespace, *args = args  # type: ignore[assignment]
        handler = self._handlers.get(event)
        if handler is None:
            return self.server.not_handled
        return await run_event(self.socketio, Event.of(handler, event, namespace, args))

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
