"""A Socket.IO client for tests: everything but the network is real."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypedDict

from engineio import packet as engine_packet  # type: ignore[import-untyped]
from socketio import packet as socket_packet  # type: ignore[import-untyped]

from .packets import Packet
from .peer import Peer
from .protocol import CONNECTION, Connection

if TYPE_CHECKING:
    from ..app import Vial
    from .origins import Environ
    from .server import SocketIO


class Received(TypedDict):
    """One event that arrived. ``args`` is a list, but for ``message`` and ``json`` the argument."""

    name: str
    args: Any
    namespace: str


class _Socket(Peer):
    """A session without a transport: what is sent stays in its queue."""

    needs_loop = False

    def _overflow(self) -> None:
        """A test reads when it likes."""


class SocketIOTestClient:
    """Connects, and sends and receives events, in the calling thread; made by
    :meth:`SocketIO.test_client`.

    Each call returns when the handlers it caused have ended, and raises what they raised if no
    error handler took it.

    :param namespace: to connect to, ``"/"`` by default.
    :param query_string: of the handshake.
    :param headers: of the handshake.
    :param auth: the authentication data for the connect handler.
    :param flask_test_client: an HTTP test client whose cookies, and so whose session, to send.
    """

    #: Seconds to wait for handlers.
    timeout = 10.0

    def __init__(
        self,
        app: Vial,
        socketio: SocketIO,
        namespace: str | None = None,
        query_string: str | None = None,
        headers: Any = None,
        auth: Any = None,
        flask_test_client: Any = None,
    ) -> None:
        self.app = app
        self.socketio = socketio
        self.flask_test_client = flask_test_client
        self.eio_sid = uuid.uuid4().hex
        self._server = socketio.async_server
        theirs = self._server.packet_class
        # Another JSON is the server's affair; another format concerns both.
        self._packet = socket_packet.Packet if issubclass(theirs, Packet) else theirs
        self._socket: _Socket | None = None
        self._connected: set[str] = set()
        self._received: list[Received] = []
        self._acks: dict[int, Any] = {}
        self._last_id = 0
        self._partial: socket_packet.Packet | None = None
        self._errors: list[BaseException] = []
        self.connect(namespace, query_string, headers, auth)

    def is_connected(self, namespace: str | None = None) -> bool:
        """Whether the server has accepted this client in a namespace."""
        self._collect()
        return (namespace or "/") in self._connected

    def connect(
        self,
        namespace: str | None = None,
        query_string: str | None = None,
        headers: Any = None,
        auth: Any = None,
    ) -> None:
        """Connect to a namespace, one more or after a :meth:`disconnect`."""
        environ = self._handshake(query_string, headers)
        packet = self._packet(socket_packet.CONNECT, auth, namespace or "/")
        self._run(self._open, environ)
        self._send(packet)

    def disconnect(self, namespace: str | None = None) -> None:
        """Leave a namespace.

        :raises RuntimeError: when not connected to it.
        """
        self._must_be_connected(namespace)
        self._connected.discard(namespace or "/")
        self._send(self._packet(socket_packet.DISCONNECT, namespace=namespace or "/"))

    def emit(
        self, event: str, *args: Any, callback: bool = False, namespace: str | None = None
    ) -> Any:
        """Send an event.

        :param callback: ask for the acknowledgement and return it: the value, or a list of
            several, or an empty list for none.
        :raises RuntimeError: when not connected.
        """
        self._must_be_connected(namespace)
        self._last_id += 1
        packet = self._packet(data=[event, *args], namespace=namespace or "/")
        packet.id = self._last_id if callback else None
        self._send(packet)
        answer = self._acks.pop(self._last_id, None)
        return answer[0] if answer is not None and len(answer) == 1 else answer

    def send(
        self, data: Any, json: bool = False, callback: bool = False, namespace: str | None = None
    ) -> Any:
        """:meth:`emit` the event ``"message"``, or ``"json"`` for ``json=True``."""
        name = "json" if json else "message"
        return self.emit(name, data, callback=callback, namespace=namespace)

    def get_received(self, namespace: str | None = None) -> list[Received]:
        """The events that arrived in a namespace since the last call.

        :raises RuntimeError: when not connected.
        """
        self._must_be_connected(namespace)
        namespace = namespace or "/"
        taken = [event for event in self._received if event["namespace"] == namespace]
        self._received = [event for event in self._received if event["namespace"] != namespace]
        return taken

    def _must_be_connected(self, namespace: str | None) -> None:
        if not self.is_connected(namespace):
            raise RuntimeError(f"not connected to the namespace {namespace or '/'!r}")

    # What is sent

    def _handshake(self, query_string: str | None, headers: Any) -> Environ:
        query = (query_string or "").removeprefix("?")
        context = self.app.test_request_context("/socket.io/", query_string=query, headers=headers)
        environ: Environ = context.environ
        if self.flask_test_client is not None:
            environ.update(self.flask_test_client.environ_base)
            self.flask_test_client._add_cookies_to_wsgi(environ)
        return environ

    async def _open(self, environ: Environ) -> None:
        server = self._server
        known = server.environ.get(self.eio_sid)
        if known is not None and self._connected:
            # The same transport: one session for all of its namespaces.
            environ[CONNECTION] = known[CONNECTION]
            server.environ[self.eio_sid] = environ
            return
        if known is not None:
            await self._hang_up()
        self.eio_sid = uuid.uuid4().hex
        self._socket = server.eio.sockets[self.eio_sid] = _Socket(server.eio, self.eio_sid)
        self._socket.connected = True
        await server._handle_eio_connect(self.eio_sid, environ)
        connection: Connection = environ[CONNECTION]
        connection.errors = self._errors

    async def _hang_up(self) -> None:
        if self._socket is not None:
            await self._socket.abort()

    def _send(self, packet: socket_packet.Packet) -> None:
        self._run(self._inject, packet)
        self._collect()
        if self._errors:
            error = self._errors[0]
            self._errors.clear()
            raise error

    async def _inject(self, packet: socket_packet.Packet) -> None:
        assert self._socket is not None
        before = set(self._server.tasks)
        encoded = packet.encode()
        for part in encoded if isinstance(encoded, list) else [encoded]:
            await self._socket.receive(engine_packet.MESSAGE, part)
        while tasks := self._server.tasks - before:
            _, late = await asyncio.wait(tasks, timeout=self.timeout)
            if late:
                raise TimeoutError(
                    f"A handler is still running after {self.timeout:g} seconds. If it is meant to,"
                    " let it call socketio.start_background_task()."
                )

    def _run(self, step: Callable[..., Awaitable[None]], *args: Any) -> None:
        self._server.home.run(self._on_loop(step, *args))

    async def _on_loop(self, step: Callable[..., Awaitable[None]], *args: Any) -> None:
        self._server.settle()
        await step(*args)

    # What is received

    def _collect(self) -> None:
        if self._socket is None:
            return
        self._server.home.run(self._settled(self._socket))
        for packet in self._socket.take_now():
            if packet.packet_type == engine_packet.MESSAGE:
                self._take(packet.data)
        if self._socket.closed:
            self._connected.clear()

    async def _settled(self, socket: _Socket) -> None:
        # What this thread posted has had its turn before this coroutine: what it emitted has
        # arrived. What that started has its turn now.
        await asyncio.sleep(0)
        if socket.closed and self._connected and self._server.tasks:
            await asyncio.wait(self._server.tasks, timeout=self.timeout)

    def _take(self, data: str | bytes) -> None:
        packet = self._partial
        if packet is None:
            packet = self._packet(encoded_packet=data)
            complete = packet.attachment_count == 0
        else:
            complete = packet.add_attachment(data)
        self._partial = None if complete else packet
        if complete:
            self._sort(packet)

    def _sort(self, packet: Any) -> None:
        namespace = packet.namespace or "/"
        match packet.packet_type:
            case socket_packet.CONNECT:
                self._connected.add(namespace)
            case socket_packet.DISCONNECT | socket_packet.CONNECT_ERROR:
                self._connected.discard(namespace)
            case socket_packet.ACK | socket_packet.BINARY_ACK:
                self._acks[packet.id] = packet.data
            case _:
                name, *args = packet.data
                value = args[0] if args and name in ("message", "json") else args
                self._received.append({"name": name, "args": value, "namespace": namespace})
