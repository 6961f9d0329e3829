"""The server's methods as plain calls, for every thread, every loop and every handler."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from .protocol import Server, frames_of


class Sent:
    """What a plain call returns: nothing, which an async handler may nevertheless ``await``."""

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


SENT = Sent()


class PlainServer:
    """What ``socketio.server`` is: python-socketio's server, whose methods need no ``await``.

    Calls take effect in the order in which a thread or task makes them. What is sent goes out
    without waiting for the client; what is asked (``rooms``, ``enter_room``) is done at the
    return. Any other attribute is that of :class:`socketio.AsyncServer`.
    """

    def __init__(self, server: Server) -> None:
        self._server = server

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def emit(
        self,
        event: str,
        data: Any = None,
        to: Any = None,
        room: Any = None,
        skip_sid: Any = None,
        namespace: str | None = None,
        callback: Callable[..., Any] | None = None,
        ignore_queue: bool = False,
    ) -> Sent:
        """Send an event to a client, a room, several rooms or, with ``to=None``, to all.

        :param data: a tuple is several arguments.
        :param skip_sid: a client to leave out, or a list of them.
        :raises TypeError: for data that is neither JSON nor bytes.
        """
        server = self._server
        namespace = namespace or "/"
        to = room if to is None else to
        skip = skip_sid if isinstance(skip_sid, list | tuple | set) else (skip_sid,)
        packet = server.event_packet(event, data, namespace)
        frames = frames_of(packet)  # here, so that the caller gets the error
        if callback is None:
            server.home.post(server.manager.deliver, frames, namespace, to, skip)
        else:
            server.home.post(server.manager.deliver_asking, packet, to, skip, callback)
        return SENT

    def send(self, data: Any, *args: Any, **kwargs: Any) -> Sent:
        """:meth:`emit` the event ``"message"``."""
        return self.emit("message", data, *args, **kwargs)

    def call(
        self,
        event: str,
        data: Any = None,
        to: str | None = None,
        sid: str | None = None,
        namespace: str | None = None,
        timeout: float = 60,
        ignore_queue: bool = False,
    ) -> Any:
        """Send an event to one client and return what it answers: in a thread the answer, on the
        server's loop (an ``async`` handler) something to ``await``.

        :param timeout: seconds.
        :raises socketio.exceptions.TimeoutError: without an answer in time.
        """
        ask: Callable[..., Any] = self._server.call
        answer = ask(event, data, to=to, sid=sid, namespace=namespace, timeout=timeout)
        return answer if self._server.home.is_here() else self._server.home.run(answer)

    def enter_room(self, sid: str, room: Any, namespace: str | None = None) -> Sent:
        """Put a client into a room, which exists from then on.

        :raises ValueError: when the client is not connected to the namespace, or the room is
            the private one of another client.
        """
        self._server.home.ask(self._server.enter, sid, namespace or "/", room)
        return SENT

    def leave_room(self, sid: str, room: Any, namespace: str | None = None) -> Sent:
        """Take a client out of a room."""
        self._server.home.ask(self._server.manager.basic_leave_room, sid, namespace or "/", room)
        return SENT

    def close_room(self, room: Any, namespace: str | None = None) -> Sent:
        """Take all clients out of a room."""
        self._server.home.ask(self._server.manager.basic_close_room, room, namespace or "/")
        return SENT

    def rooms(self, sid: str, namespace: str | None = None) -> list[Any]:
        """The rooms a client is in, the one named by its own sid among them."""
        rooms: list[Any] = self._server.home.ask(
            self._server.manager.get_rooms, sid, namespace or "/"
        )
        return rooms

    def disconnect(
        self, sid: str, namespace: str | None = None, ignore_queue: bool = False
    ) -> Sent:
        """Disconnect a client from a namespace. Its disconnect handler runs next: after the
        handler that makes this call."""
        self._server.home.post(self._disconnect, sid, namespace)
        return SENT

    def _disconnect(self, sid: str, namespace: str | None) -> None:
        if self._server.home.is_here():  # else there is no loop yet, and nobody connected
            self._server.spawn(self._server.disconnect(sid, namespace))
