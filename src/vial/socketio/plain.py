"""The server's methods as plain calls, for every thread, every loop and every handler."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

from .fanout import Pipe
from .protocol import Manager, Server, frames_of


class Sent:
    """What a plain call returns: nothing, which an async handler may nevertheless ``await``.

    Then a loop that sends more than its clients can take is slowed down to what they do take.
    """

    def __init__(self, crowded: Pipe | None = None) -> None:
        self._crowded = crowded

    def __await__(self) -> Generator[Any, None, None]:
        if self._crowded is not None:
            yield from self._crowded.room().__await__()


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

        When much is waiting for every recipient a thread waits until it is less; on the loop,
        ``await`` what is returned does.

        :param data: a tuple is several arguments.
        :param skip_sid: a client to leave out, or a list of them.
        :param ignore_queue: only to clients of this process.
        :raises TypeError: for data that is neither JSON nor bytes.
        """
        server, manager = self._server, self._server.manager
        namespace = namespace or "/"
        to = room if to is None else to
        skip = skip_sid if isinstance(skip_sid, list | tuple | set) else (skip_sid,)
        packet = server.event_packet(event, data, namespace)
        frames = frames_of(packet)  # here, so that the caller gets the error
        if callback is None:
            deliver = Manager.deliver if ignore_queue else type(manager).deliver
            server.home.post(deliver, manager, frames, namespace, to, skip)
        else:
            ask = Manager.deliver_asking if ignore_queue else type(manager).deliver_asking
            server.home.post(ask, manager, packet, to, skip, callback)
        return SENT if manager.crowded is None else self._slowed(manager.crowded)

    def _slowed(self, crowded: Pipe) -> Sent:
        home = self._server.home
        if home.is_here():
            return Sent(crowded)
        if home.may_block():
            home.run(crowded.room())
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
        self._server.home.ask(self._server.manager.enter, sid, namespace or "/", room)
        return SENT

    def leave_room(self, sid: str, room: Any, namespace: str | None = None) -> Sent:
        """Take a client out of a room."""
        self._server.home.ask(self._server.manager.leave, sid, namespace or "/", room)
        return SENT

    def close_room(self, room: Any, namespace: str | None = None) -> Sent:
        """Take all clients out of a room."""
        self._server.home.ask(self._server.manager.close, room, namespace or "/")
        return SENT

    def rooms(self, sid: str, namespace: str | None = None) -> list[Any]:
        """The rooms a client is in, the one named by its own sid among them."""
        rooms: list[Any] = self._server.home.ask(
            self._server.manager.get_rooms, sid, namespace or "/"
        )
        return rooms

    def get_session(self, sid: str, namespace: str | None = None) -> dict[str, Any]:
        """What python-socketio keeps for a client beside the HTTP session: a dict of the
        program's own.

        :raises ValueError: when the client is not connected to the namespace.
        """
        return self._server.home.ask(self._session, sid, namespace or "/")

    def save_session(self, sid: str, session: dict[str, Any], namespace: str | None = None) -> None:
        """Replace it."""
        self._server.home.ask(self._session, sid, namespace or "/", session)

    @contextmanager
    def session(self, sid: str, namespace: str | None = None) -> Iterator[dict[str, Any]]:
        """It, saved at the end of the ``with``."""
        session = self.get_session(sid, namespace)
        yield session
        self.save_session(sid, session, namespace)

    def _session(
        self, sid: str, namespace: str, session: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        server = self._server
        eio_sid: Any = server.manager.eio_sid_from_sid(sid, namespace)
        peer = server.eio.sockets.get(eio_sid)
        if peer is None:
            raise ValueError(f"The client {sid!r} is not connected to the namespace {namespace!r}.")
        if session is not None:
            peer.session[namespace] = session
        kept: dict[str, Any] = peer.session.setdefault(namespace, {})
        return kept

    def disconnect(
        self, sid: str, namespace: str | None = None, ignore_queue: bool = False
    ) -> Sent:
        """Disconnect a client from a namespace. Its disconnect handler runs next: after the
        handler that makes this call."""
        self._server.home.post(self._disconnect, sid, namespace)
        return SENT

    def _disconnect(self, sid: str, namespace: str | None) -> None:
        if self._server.home.is_here():
            self._server.spawn(self._server.disconnect(sid, namespace))
        else:  # there is no loop yet, and nobody connected
            self._server.manager.disconnect_elsewhere(sid, namespace or "/")
