"""python-socketio's server, fitted to one :class:`~vial.socketio.home.Home`.

Socket.IO protocol 5 (https://socket.io/docs/v4/socket-io-protocol/). python-socketio 5.18 keeps
the clients, namespaces and rooms, and codes the packets. What is done here instead: events of a
client begin in order, an emit goes straight to the queues of its recipients, and a client that
breaks the protocol is cut off, without a traceback.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Collection, Coroutine, Iterable
from threading import Lock
from typing import TYPE_CHECKING, Any

import socketio  # type: ignore[import-untyped]
from engineio import packet as engine_packet  # type: ignore[import-untyped]
from socketio import packet as socket_packet

from .engine import Engine, Environ, Exchange, Origins
from .home import Home
from .order import PATIENCE, Line

if TYPE_CHECKING:
    from ..app import Vial
    from ..sessions import SessionMixin

CONNECTION = "vial.socketio.connection"
#: Binary parts of one event; the bound of socket.io-parser (CVE-2026-33151).
MAX_ATTACHMENTS = 10
#: Names that a client may not send as an event (socket.io-parser).
RESERVED = frozenset(
    ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")
)


class Packet(socket_packet.Packet):  # type: ignore[misc]
    """A Socket.IO packet with a bound on what a client may announce."""

    def decode(self, encoded_packet: Any) -> int:
        if not isinstance(encoded_packet, str):
            raise ValueError("binary data that belongs to no event")
        count: int = super().decode(encoded_packet)
        if count > MAX_ATTACHMENTS:
            raise ValueError(f"more than {MAX_ATTACHMENTS} binary attachments")
        return count


class _Frame(engine_packet.Packet):  # type: ignore[misc]
    """A message to several clients, coded once for each transport.

    python-engineio keeps the first form only: bytes coded for a WebSocket break a poll.
    """

    data: Any

    def encode(self, b64: bool = False) -> Any:
        if not self.binary:
            return super().encode()
        return "b" + base64.b64encode(self.data).decode() if b64 else self.data


class Connection:
    """What is kept for one client while it is connected, in the environ of its handshake."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.lock = Lock()
        #: The fork of the HTTP session that its events share.
        self.session: SessionMixin | None = None
        #: Where the test client wants unhandled exceptions; elsewhere they are logged.
        self.errors: list[BaseException] | None = None


class Manager(socketio.AsyncManager):  # type: ignore[misc]
    """python-socketio's clients and rooms, with an emit that does not suspend."""

    server: Server

    async def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: Any = None,
        skip_sid: Any = None,
        callback: Callable[..., Any] | None = None,
        to: Any = None,
        **kwargs: Any,
    ) -> None:
        packet = self.server.event_packet(event, data, namespace)
        skip = skip_sid if isinstance(skip_sid, list | tuple | set) else (skip_sid,)
        room = room if to is None else to
        if callback is None:
            self.deliver(frames_of(packet), namespace, room, skip)
        else:
            self.deliver_asking(packet, room, skip, callback)

    def deliver(
        self, frames: list[_Frame], namespace: str, room: Any, skip: Collection[str | None]
    ) -> None:
        """Put a coded event into the queue of each client of a room; None is the namespace.

        Not a task per recipient as in python-socketio: nothing here ever has to wait.
        """
        for sid, eio_sid in self.get_participants(namespace, room):
            if sid not in skip:
                self.server.put(eio_sid, frames)

    def deliver_asking(
        self,
        packet: socket_packet.Packet,
        room: Any,
        skip: Collection[str | None],
        callback: Callable[..., Any],
    ) -> None:
        """As :meth:`deliver`, for an event that each recipient is to acknowledge."""
        for sid, eio_sid in self.get_participants(packet.namespace, room):
            if sid not in skip:
                packet.id = self._generate_ack_id(sid, callback)
                self.server.put(eio_sid, frames_of(packet))


def frames_of(packet: socket_packet.Packet) -> list[_Frame]:
    """What goes over the wire for a packet: itself, then its binary attachments.

    :raises TypeError: for data that is neither JSON nor bytes.
    """
    encoded = packet.encode()
    parts = encoded if isinstance(encoded, list) else [encoded]
    return [_Frame(engine_packet.MESSAGE, part) for part in parts]


class Server(socketio.AsyncServer):  # type: ignore[misc]
    """What ``socketio.server`` is: python-socketio's ``AsyncServer`` on one loop.

    Its coroutines must run on that loop; :class:`~vial.socketio.SocketIO` has the same
    methods for any thread.

    :param app: whose logger is told of exceptions.
    :param patience: see :class:`~vial.socketio.order.Line`.
    """

    eio: Engine
    manager: Manager
    packet_class: Any

    #: Seconds in which a client must connect to a namespace (Socket.IO's ``connectTimeout``).
    connect_timeout = 45.0

    def __init__(
        self,
        app: Vial,
        origins: Origins,
        *,
        patience: float | None = PATIENCE,
        **options: Any,
    ) -> None:
        self.app = app
        self.home = Home()
        self.tasks: set[asyncio.Task[Any]] = set()
        self._leaving: dict[str, Environ] = {}
        self._patience = patience
        super().__init__(client_manager=Manager(), origins=origins, **options)

    def _engineio_server_class(self) -> type[Engine]:
        return Engine

    def settle(self) -> None:
        """Live on the running loop from now on; see :meth:`Home.settle`."""
        if self.home.settle(self._is_busy):
            self.eio.forget_loop()

    def _is_busy(self) -> bool:
        sockets = self.eio.sockets.values()
        return any(getattr(s, "needs_loop", True) and not s.closed for s in sockets)

    def event_packet(self, event: str, data: Any, namespace: str) -> socket_packet.Packet:
        """A packet for one event; a tuple is several arguments, None is no argument."""
        args = data if isinstance(data, tuple) else () if data is None else (data,)
        return self.packet_class(data=[event, *args], namespace=namespace)

    def enter(self, sid: str, namespace: str, room: Any) -> None:
        """Put a client into a room; ValueError when it is not connected to the namespace."""
        if self.manager.eio_sid_from_sid(sid, namespace) is None:
            raise ValueError(f"The client {sid!r} is not connected to the namespace {namespace!r}.")
        self.manager.basic_enter_room(sid, namespace, room)

    def put(self, eio_sid: str, frames: Iterable[_Frame]) -> None:
        """Queue frames for one client, which may just have gone."""
        socket = self.eio.sockets.get(eio_sid)
        if socket is not None and not socket.closed:
            for frame in frames:
                socket.queue.put_nowait(frame)

    def connection(self, sid: str, namespace: str) -> tuple[Environ, Connection] | None:
        """The handshake and the record of a client; None when it is gone."""
        environ = self._leaving.get(sid) or self.get_environ(sid, namespace)
        return None if environ is None else (environ, environ[CONNECTION])

    def report(self, error: Exception, event: str | None, sid: str, namespace: str) -> None:
        """Log what a handler raised and no error handler took; the connection lives on."""
        found = self.connection(sid, namespace)
        if found is not None and found[1].errors is not None:
            found[1].errors.append(error)
            return
        what = "an acknowledgement" if event is None else f"the event {event!r}"
        self.app.logger.error(
            "Exception in the Socket.IO handler of %s from client %s in namespace %r",
            what,
            sid,
            namespace,
            exc_info=error,
        )

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def handle_request(self, exchange: Exchange) -> None:
        await self.eio.handle_request(exchange)

    # Steps of python-socketio that do something else, or something more, here.

    async def _handle_eio_connect(self, eio_sid: str, environ: Environ) -> None:
        environ[CONNECTION] = Connection(Line(self.spawn, self._patience))
        await super()._handle_eio_connect(eio_sid, environ)
        loop = asyncio.get_running_loop()
        loop.call_later(self.connect_timeout, self._expect_namespace, eio_sid)

    def _expect_namespace(self, eio_sid: str) -> None:
        namespaces = self.manager.get_namespaces()
        is_member = any(self.manager.sid_from_eio_sid(eio_sid, n) for n in namespaces)
        if eio_sid in self.eio.sockets and not is_member:
            self.spawn(self.eio.drop(eio_sid))

    async def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        try:
            waiting = self._binary_packet.get(eio_sid)
            if waiting is not None and isinstance(data, str):
                raise ValueError("text where a binary attachment was announced")
            await super()._handle_eio_message(eio_sid, data)
            if waiting is None and eio_sid in self._binary_packet:
                self._expect_attachments(eio_sid)
        except Exception as e:
            # Also what a parser raises: RecursionError for a deeply nested list.
            self.logger.info("client %s broke the protocol: %s", eio_sid, type(e).__name__)
            await self.eio.drop(eio_sid)

    def _expect_attachments(self, eio_sid: str) -> None:
        announced = self._binary_packet[eio_sid]

        def check() -> None:
            if self._binary_packet.get(eio_sid) is announced:
                self.spawn(self.eio.drop(eio_sid))

        loop = asyncio.get_running_loop()
        loop.call_later(self.eio.ping_interval + self.eio.ping_timeout, check)

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        self._binary_packet.pop(eio_sid, None)
        await super()._handle_eio_disconnect(eio_sid, reason)

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        namespace = namespace or "/"
        if not self._serves(namespace):
            refusal = {"message": "Invalid namespace"}
            await self._send_packet(
                eio_sid,
                self.packet_class(socket_packet.CONNECT_ERROR, refusal, namespace=namespace),
            )
            return
        environ = self.environ[eio_sid]
        await super()._handle_connect(eio_sid, namespace, data)
        if eio_sid not in self.environ:
            # It left while the connect handler ran: python-socketio would keep it for ever.
            self.environ[eio_sid] = environ
            await self._handle_eio_disconnect(eio_sid, self.reason.TRANSPORT_CLOSE)

    def _serves(self, namespace: str) -> bool:
        registered = (self.handlers, self.namespace_handlers, self.namespaces)
        return self.namespaces == "*" or any(namespace in names for names in registered)

    async def _handle_event(
        self, eio_sid: str, namespace: str | None, id: int | None, data: Any
    ) -> None:
        namespace = namespace or "/"
        if not _is_event(data):
            raise ValueError("not an event")
        sid: Any = self.manager.sid_from_eio_sid(eio_sid, namespace)
        if not self.manager.is_connected(sid, namespace):
            return  # it was disconnected from here while the event was on its way
        connection: Connection = self.environ[eio_sid][CONNECTION]
        connection.line.put(lambda: self._run_event(eio_sid, sid, namespace, id, data))

    async def _run_event(
        self, eio_sid: str, sid: str, namespace: str, id: int | None, data: list[Any]
    ) -> None:
        result = await self._trigger_event(data[0], namespace, sid, *data[1:])
        if id is None or result is self.not_handled:
            return
        args = list(result) if isinstance(result, tuple) else [] if result is None else [result]
        try:
            ack = self.packet_class(socket_packet.ACK, args, namespace=namespace, id=id)
            self.put(eio_sid, frames_of(ack))
        except Exception as e:  # what the handler returned is no JSON
            self.report(e, data[0], sid, namespace)

    async def _trigger_event(self, event: str, namespace: str, *args: Any) -> Any:
        if event != "disconnect":
            return await super()._trigger_event(event, namespace, *args)
        environ = self.get_environ(args[0], namespace)
        if environ is None:
            return self.not_handled
        # The transport may end while the handler waits for its turn, and take the environ along.
        self._leaving[args[0]] = environ
        try:
            await environ[CONNECTION].line.turn()
            return await super()._trigger_event(event, namespace, *args)
        finally:
            del self._leaving[args[0]]


def _is_event(data: Any) -> bool:
    return (
        isinstance(data, list)
        and bool(data)
        and isinstance(data[0], str)
        and data[0] not in RESERVED
    )
