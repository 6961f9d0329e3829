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
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

import socketio  # type: ignore[import-untyped]
from engineio import packet as engine_packet  # type: ignore[import-untyped]
from socketio import packet as socket_packet

from ..gateways.forwarded import proxies_of
from .engine import Engine, Exchange
from .fanout import DEEP, Pipe
from .home import Home
from .membership import Rooms
from .order import PATIENCE, Line
from .origins import Environ, Origins
from .packets import is_event
from .payloads import Refused
from .visits import LOGIN_KEY, Change, Identity, Visit, Visits

if TYPE_CHECKING:
    from ..app import Vial
    from ..sessions import SessionMixin

CONNECTION = "vial.socketio.connection"
#: Namespaces that one client may belong to.
MAX_NAMESPACES = 100


class _Frame(engine_packet.Packet):  # type: ignore[misc]
    """A message to several clients, coded once for each transport.

    python-engineio keeps the first form only: bytes coded for a WebSocket break a poll.
    """

    data: Any

    def __init__(self, kind: int, data: str | bytes) -> None:
        super().__init__(kind, data)
        self._coded = data if isinstance(data, bytes) else f"{kind}{data}"

    def encode(self, b64: bool = False) -> str | bytes:
        if b64 and isinstance(self._coded, bytes):
            return "b" + base64.b64encode(self._coded).decode()
        return self._coded


class Connection:
    """What is kept for one client while it is connected, in the environ of its handshake."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.lock = Lock()
        #: The fork of the HTTP session that its events share.
        self.session: SessionMixin | None = None
        #: What has become of that session since.
        self.visit: Visit | None = None
        #: Where the test client wants unhandled exceptions; elsewhere they are logged.
        self.errors: list[BaseException] | None = None
        #: The namespaces that it has joined, those it was sent away from among them.
        self.joined: set[str] = set()
        #: When it must have joined its first; when the rest of an event must be here.
        self.deadline: asyncio.TimerHandle | None = None
        self.attachments: asyncio.TimerHandle | None = None

    def admit(self, namespace: str) -> None:
        self.joined.add(namespace)
        if self.deadline is not None:
            self.deadline.cancel()

    def stop(self) -> None:
        """It is gone."""
        for timer in (self.deadline, self.attachments):
            if timer is not None:
                timer.cancel()


class Manager(Rooms, socketio.AsyncManager):  # type: ignore[misc]
    """python-socketio's clients and rooms, with an emit that does not suspend."""

    server: Server
    #: Whether other processes serve clients of the same program.
    is_shared = False
    #: Set when much is waiting for every recipient of the last event: who sends more of them had
    #: better wait for this one, which has the least.
    crowded: Pipe | None = None

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
        """Send a coded event to each client of a room; None is the namespace.

        PERF: benchmarks/fanout.py. Not a task per recipient as in python-socketio: nothing here
        ever has to wait.
        """
        opening, peers = self.opening, self.server.eio.sockets
        peer = None
        for sid, eio_sid in self.get_participants(namespace, room):
            if sid in skip:
                continue
            if sid in opening:
                opening[sid].extend(frames)
            elif (peer := peers.get(eio_sid)) is not None:
                for frame in frames:
                    peer.put(frame)
        self.crowded = None
        if peer is not None and peer.depth > DEEP:  # then it is worth a look at all
            self.crowded = self._crowded(namespace, room, skip)

    def _crowded(self, namespace: str, room: Any, skip: Collection[str | None]) -> Pipe | None:
        sids = self.get_participants(namespace, room)
        found = (self.server.eio.sockets.get(eio_sid) for sid, eio_sid in sids if sid not in skip)
        least = min((p for p in found if p is not None), key=lambda p: p.depth, default=None)
        return None if least is None or least.depth <= DEEP else least.pipe

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
                if sid in self.opening:
                    self.opening[sid].extend(frames_of(packet))
                else:
                    self.server.put(eio_sid, frames_of(packet))

    def enter(self, sid: str, namespace: str, room: Any) -> None:
        """Put a client into a room; ValueError when it is not connected to the namespace."""
        if self.eio_sid_from_sid(sid, namespace) is None:
            raise ValueError(f"The client {sid!r} is not connected to the namespace {namespace!r}.")
        self.basic_enter_room(sid, namespace, room)

    def leave(self, sid: str, namespace: str, room: Any) -> None:
        """Take a client out of a room."""
        self.basic_leave_room(sid, namespace, room)

    def close(self, room: Any, namespace: str) -> None:
        """Take all clients out of a room."""
        self.basic_close_room(room, namespace)

    def disconnect_elsewhere(self, sid: str, namespace: str) -> None:
        """Disconnect a client of another process."""

    async def start(self) -> None:
        """Get to know the other processes."""

    def stop(self) -> None:
        """Leave them."""

    def let_go(self) -> None:
        """End the requests that other processes serve."""

    def tell_change(self, change: Change) -> None:
        """Tell the other processes what a page did to a session."""

    async def forward(self, exchange: Exchange) -> bool:
        """Whether another process served a request, because the client is of that one."""
        return False


def frames_of(packet: socket_packet.Packet) -> list[_Frame]:
    """What goes over the wire for a packet: itself, then its binary attachments.

    :raises TypeError: for data that is neither JSON nor bytes.
    """
    encoded = packet.encode()
    return frames_from(encoded if isinstance(encoded, list) else [encoded])


def frames_from(parts: list[str | bytes]) -> list[_Frame]:
    """Frames with these contents."""
    return [_Frame(engine_packet.MESSAGE, part) for part in parts]


class Server(socketio.AsyncServer):  # type: ignore[misc]
    """What ``socketio.server`` is: python-socketio's ``AsyncServer`` on one loop.

    Its coroutines must run on that loop; :class:`~vial.socketio.SocketIO` has the same
    methods for any thread.

    :param app: whose logger is told of exceptions; None for a server that never serves.
    :param patience: see :class:`~vial.socketio.order.Line`.
    :param manager: keeps clients and rooms; one that knows of other processes, or a plain one.
    :param identity: tells from a session who is logged in.
    """

    eio: Engine
    manager: Manager
    packet_class: Any

    #: Seconds in which a client must connect to a namespace (Socket.IO's ``connectTimeout``).
    connect_timeout = 45.0

    def __init__(
        self,
        app: Vial | None,
        origins: Origins,
        *,
        patience: float | None = PATIENCE,
        manager: Manager | None = None,
        identity: Identity = LOGIN_KEY,
        **options: Any,
    ) -> None:
        self.app: Vial = app  # type: ignore[assignment]
        self.home = Home()
        self.tasks: set[asyncio.Task[Any]] = set()
        self._leaving: dict[str, Environ] = {}
        self._patience = patience
        self.visits = Visits(self, identity)
        super().__init__(client_manager=manager or Manager(), origins=origins, **options)
        if self.manager.is_shared:
            self.visits.publish = partial(self.home.post, self.manager.tell_change)

    def _engineio_server_class(self) -> type[Engine]:
        return Engine

    def settle(self) -> None:
        """Live on the running loop from now on; see :meth:`Home.settle`."""
        if self.home.settle(self._is_busy):
            self.eio.forget_loop()

    async def join(self) -> None:
        """Live on the running loop, and be known to the other processes, from now on."""
        self.settle()
        await self.manager.start()

    async def part(self) -> None:
        """Be unknown to them again."""
        self.manager.stop()

    def dismiss(self) -> None:
        """End all sessions, for a worker that stops: the clients connect anew, elsewhere."""
        self.manager.let_go()
        for socket in list(self.eio.sockets.values()):
            self.spawn(socket.close(wait=False))

    def _is_busy(self) -> bool:
        sockets = self.eio.sockets.values()
        return any(getattr(s, "needs_loop", True) and not s.closed for s in sockets)

    def event_packet(self, event: str, data: Any, namespace: str) -> socket_packet.Packet:
        """A packet for one event; a tuple is several arguments, None is no argument."""
        args = data if isinstance(data, tuple) else () if data is None else (data,)
        return self.packet_class(data=[event, *args], namespace=namespace)

    def put(self, eio_sid: str, frames: Iterable[_Frame]) -> None:
        """Queue frames for one client, which may just have gone."""
        socket = self.eio.sockets.get(eio_sid)
        if socket is not None:
            for frame in frames:
                socket.put(frame)

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
        proxies = proxies_of(self.app.config.get("TRUSTED_PROXIES"))
        if proxies is not None:
            exchange.environ = proxies.believed(exchange.environ)
        if not (self.manager.is_shared and await self.manager.forward(exchange)):
            await self.eio.handle_request(exchange)

    # Steps of python-socketio that do something else, or something more, here.

    async def _handle_eio_connect(self, eio_sid: str, environ: Environ) -> None:
        connection = Connection(Line(self.spawn, self._patience))
        connection.visit = self.visits.opened(eio_sid, environ)
        environ[CONNECTION] = connection
        await super()._handle_eio_connect(eio_sid, environ)
        loop = asyncio.get_running_loop()
        connection.deadline = loop.call_later(self.connect_timeout, self._expire, eio_sid)

    def _expire(self, eio_sid: str) -> None:
        self.spawn(self.eio.drop(eio_sid))

    async def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        try:
            connection: Connection = self.environ[eio_sid][CONNECTION]
            packet = self._assemble(connection, eio_sid, data)
            if packet is not None:
                await self._dispatch(connection, eio_sid, packet)
        except Exception as e:
            # Also what a parser raises: RecursionError for a deeply nested list.
            self.logger.info("client %s broke the protocol: %s", eio_sid, type(e).__name__)
            await self.eio.drop(eio_sid)

    def _assemble(
        self, connection: Connection, eio_sid: str, data: str | bytes
    ) -> socket_packet.Packet | None:
        """The packet that is complete with this message, if one is."""
        packet = self._binary_packet.get(eio_sid)
        if packet is None:
            packet = self.packet_class(encoded_packet=data)
            if packet.attachment_count == 0:
                return packet
            if (packet.namespace or "/") not in connection.joined:
                raise ValueError("attachments announced before a CONNECT")
            self._binary_packet[eio_sid] = packet
            seconds = self.eio.ping_interval + self.eio.ping_timeout
            loop = asyncio.get_running_loop()
            connection.attachments = loop.call_later(seconds, self._expire, eio_sid)
            return None
        if isinstance(data, str):
            raise ValueError("text where an attachment was announced")
        if not packet.add_attachment(data):
            return None
        del self._binary_packet[eio_sid]
        connection.attachments.cancel()  # type: ignore[union-attr]
        return packet

    async def _dispatch(
        self, connection: Connection, eio_sid: str, packet: socket_packet.Packet
    ) -> None:
        namespace, kind = packet.namespace or "/", packet.packet_type
        if kind == socket_packet.CONNECT:
            await self._handle_connect(eio_sid, namespace, packet.data)
            return
        if namespace not in connection.joined:
            raise ValueError("something before a CONNECT")
        if kind in (socket_packet.EVENT, socket_packet.BINARY_EVENT):
            await self._handle_event(eio_sid, namespace, packet.id, packet.data)
        elif kind in (socket_packet.ACK, socket_packet.BINARY_ACK):
            await self._handle_ack(eio_sid, namespace, packet.id, packet.data)
        elif kind == socket_packet.DISCONNECT and packet.data is None:
            await self._handle_disconnect(eio_sid, namespace, self.reason.CLIENT_DISCONNECT)
        else:
            raise ValueError("a packet that only servers send")

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        self._binary_packet.pop(eio_sid, None)
        if eio_sid in self.environ:
            connection: Connection = self.environ[eio_sid][CONNECTION]
            connection.stop()
            if connection.visit is not None:
                self.visits.closed(connection.visit)
        await super()._handle_eio_disconnect(eio_sid, reason)

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        namespace = namespace or "/"
        await self._leave_first(eio_sid, namespace)
        if not self._serves(namespace):
            refusal = {"message": "Invalid namespace"}
            await self._send_packet(
                eio_sid,
                self.packet_class(socket_packet.CONNECT_ERROR, refusal, namespace=namespace),
            )
            return
        environ = self.environ[eio_sid]
        connection: Connection = environ[CONNECTION]
        if len(connection.joined) >= MAX_NAMESPACES:
            raise ValueError("too many namespaces")
        await super()._handle_connect(eio_sid, namespace, data)
        if self.manager.sid_from_eio_sid(eio_sid, namespace) is not None:
            connection.admit(namespace)
            self.eio.welcome(eio_sid)
        if eio_sid not in self.environ:
            # It left while the connect handler ran: python-socketio would keep it for ever.
            self.environ[eio_sid] = environ
            await self._handle_eio_disconnect(eio_sid, self.reason.TRANSPORT_CLOSE)

    async def _leave_first(self, eio_sid: str, namespace: str) -> None:
        """A client that was sent away may come back at once: after its disconnect handler."""
        while (sid := self.manager.sid_from_eio_sid(eio_sid, namespace)) is not None:
            if sid not in self.manager.pending_disconnect.get(namespace, ()):
                raise ValueError("a second CONNECT")
            await asyncio.sleep(0.01)

    def _serves(self, namespace: str) -> bool:
        registered = (self.handlers, self.namespace_handlers, self.namespaces)
        return self.namespaces == "*" or any(namespace in names for names in registered)

    async def _handle_event(
        self, eio_sid: str, namespace: str | None, id: int | None, data: Any
    ) -> None:
        namespace = namespace or "/"
        connection: Connection = self.environ[eio_sid][CONNECTION]
        if not is_event(data):
            raise ValueError("not an event")
        sid: Any = self.manager.sid_from_eio_sid(eio_sid, namespace)
        if not self.manager.is_connected(sid, namespace):
            return  # it was disconnected from here while the event was on its way
        await connection.line.room()
        connection.line.put(lambda: self._run_event(eio_sid, sid, namespace, id, data))

    async def _handle_ack(
        self, eio_sid: str, namespace: str | None, id: int | None, data: Any
    ) -> None:
        # Python-socketio keeps its counter of ids as the callback with the number 0.
        if not isinstance(data, list) or not id:
            raise ValueError("not an acknowledgement")
        await super()._handle_ack(eio_sid, namespace, id, data)

    async def _run_event(
        self, eio_sid: str, sid: str, namespace: str, id: int | None, data: list[Any]
    ) -> None:
        result = await self._trigger_event(data[0], namespace, sid, *data[1:])
        if id is None or result is self.not_handled:
            if isinstance(result, Refused):
                what = self.event_packet("error", {**result, "event": data[0]}, namespace)
                self.put(eio_sid, frames_of(what))
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
