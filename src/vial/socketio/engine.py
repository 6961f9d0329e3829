"""The transport below Socket.IO: Engine.IO protocol 4, over polling and WebSocket.

https://socket.io/docs/v4/engine-io-protocol/. python-engineio 4.15 gives the names that
python-socketio calls. The protocol is spoken here: upstream fails 12 of the 25 official tests, and
its queues and tasks have no bounds.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from typing import Any, TypeAlias, cast
from urllib.parse import parse_qs

import engineio  # type: ignore[import-untyped]
from engineio import packet

from .exchange import AsgiExchange, HeaderList, TooLarge, WsgiExchange
from .fanout import Rounds
from .origins import Environ, Origins
from .peer import Peer
from .wire import SEPARATOR, Socket, Wire, read_packet, serve, upgrade

Exchange: TypeAlias = AsgiExchange | WsgiExchange
Query: TypeAlias = dict[str, list[str]]

#: Clients that may have shaken hands and not yet joined a namespace; the oldest makes room.
MAX_STRANGERS = 3_500
#: Packets of one body that are handled before others have their turn.
_BATCH = 100
#: Seconds that a poll waits for the end of an upgrade; engine.io looks after it as often.
_UPGRADE_POLL = 0.1


class Refused(Exception):
    """A request is answered with an error, said as engine.io says it.

    :param code: what clients know it by; see "connection_error" in engine.io's documentation.
    :param detail: what to do.
    """

    def __init__(
        self, code: int | None, message: str, detail: str | None = None, status: int = 400
    ) -> None:
        super().__init__(message)
        self.status = status
        said = {"code": code, "message": message, "detail": detail}
        self.body = json.dumps({k: v for k, v in said.items() if v is not None}).encode()


UNKNOWN_TRANSPORT = (0, "Transport unknown")
UNKNOWN_SESSION = (1, "Session ID unknown")
BAD_METHOD = (2, "Bad handshake method")
BAD_REQUEST = (3, "Bad request")
FORBIDDEN = (4, "Forbidden")
OTHER_VERSION = (5, "Unsupported protocol version")


class Engine(engineio.AsyncServer):  # type: ignore[misc]
    """Serves exchanges, see :mod:`vial.socketio.exchange`.

    :param max_send_queue: bytes that may wait for a client, with
        :data:`~vial.socketio.peer.OVERHEAD` for each packet.
    :param max_message_rate: messages a second that are taken from a client; None for all.
    :param max_clients: sessions at a time; None for no bound.
    """

    sockets: dict[str, Peer]

    def __init__(
        self,
        origins: Origins,
        *,
        max_send_queue: int = 1_048_576,
        max_message_rate: float | None = 5_000,
        max_clients: int | None = 20_000,
        **options: Any,
    ) -> None:
        # An empty list turns the check of python-engineio off, which trusts forwarded headers.
        super().__init__(async_mode="asgi", cors_allowed_origins=[], **options)
        self.max_send_queue = max_send_queue
        self.max_message_rate = max_message_rate
        self.max_clients = max_clients
        self._origins = origins
        #: Whether a client that does not answer pings is gone. There is no service task here.
        self.monitors_clients = options.get("monitor_clients") is not False
        self.start_service_task = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self.rounds = Rounds()
        self._strangers: dict[str, None] = {}  # oldest first

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Make a task of a coroutine, and keep it from the garbage collector."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def handle_request(self, exchange: Exchange) -> None:
        """Answer one HTTP request, or serve one WebSocket to its end."""
        try:
            await self._route(exchange, exchange.environ)
        except Refused as e:
            await self._reply(exchange, e.status, "application/json", e.body)

    async def _route(self, exchange: Exchange, environ: Environ) -> None:
        if not self._origins.allow(environ):
            raise self._foreign(environ["HTTP_ORIGIN"])
        method = environ["REQUEST_METHOD"]
        if method == "OPTIONS":
            await self._ok(exchange)
            return
        query = parse_qs(environ.get("QUERY_STRING", ""))
        is_websocket = environ.get("HTTP_UPGRADE") == "websocket"
        self._check(query, method, is_websocket)
        peer = self._peer(query)
        if is_websocket:
            await self._websocket(peer, exchange)
        elif peer is None:
            await self._open_polling(exchange)
        elif method == "POST":
            await self._post(peer, exchange)
        else:
            await self._poll(peer, exchange)

    def _check(self, query: Query, method: str, is_websocket: bool) -> None:
        transport = query.get("transport", [""])[0]
        if transport not in ("polling", "websocket") or transport not in self.transports:
            raise Refused(*UNKNOWN_TRANSPORT)
        if query.get("EIO") != ["4"]:
            raise self._other_version(query.get("EIO", [""])[0])
        if method != "GET" and (method != "POST" or "sid" not in query):
            raise Refused(*BAD_METHOD)
        if "j" in query:
            raise Refused(*BAD_REQUEST, "JSONP is no part of protocol 4")
        if is_websocket != (transport == "websocket"):
            raise Refused(*BAD_REQUEST, "transport=websocket is for a WebSocket, and only that")

    def _peer(self, query: Query) -> Peer | None:
        """Whose request it is; None for a new client."""
        if "sid" not in query:
            return None
        peer = self.sockets.get(query["sid"][0])
        if peer is None or not peer.connected:
            raise Refused(*UNKNOWN_SESSION)
        if peer.upgraded:
            raise Refused(*BAD_REQUEST, "The session has moved to a WebSocket")
        return peer

    def _foreign(self, origin: str) -> Refused:
        self._log_error_once(
            f"A page of {origin!r} was refused. If it may connect, name it:"
            f" SocketIO(app, cors_allowed_origins=[{origin!r}]).",
            "bad-origin",
        )
        return Refused(*FORBIDDEN, "Origin not allowed", status=403)

    def _other_version(self, version: str) -> Refused:
        self._log_error_once(
            f"A client of another protocol version was refused (EIO={version!r}). This server"
            " speaks Engine.IO 4, as versions 3 and 4 of socket.io-client do.",
            "bad-version",
        )
        return Refused(
            *OTHER_VERSION,
            "This server speaks Engine.IO protocol 4 (EIO=4), which carries Socket.IO protocol 5."
            " Connect with version 3 or 4 of socket.io-client, or a client that is compatible.",
        )

    # Handshake

    async def _open(self, exchange: Exchange, upgrades: list[str]) -> Peer:
        self._make_room()
        peer = Peer(self, self.generate_id())
        self.sockets[peer.sid] = peer
        await self._trigger_event("connect", peer.sid, exchange.environ)
        interval = self.ping_interval + self.ping_interval_grace_period
        handshake = {
            "sid": peer.sid,
            "upgrades": upgrades,
            "pingInterval": round(interval * 1000),
            "pingTimeout": round(self.ping_timeout * 1000),
            "maxPayload": self.max_http_buffer_size,
        }
        peer.put(packet.Packet(packet.OPEN, handshake))
        peer.connected = True
        self._strangers[peer.sid] = None
        peer.beat()
        return peer

    def _make_room(self) -> None:
        if self.max_clients is not None and len(self.sockets) >= self.max_clients:
            self._log_error_once(
                f"There are {self.max_clients} clients, and more are refused. If there may be"
                " more: SocketIO(app, max_clients=...).",
                "max-clients",
            )
            raise Refused(None, "Too many clients", status=503)
        if len(self._strangers) >= MAX_STRANGERS:
            self.sockets[next(iter(self._strangers))].drop()

    def welcome(self, sid: str) -> None:
        """The client has joined a namespace: from now on it need not make room for others."""
        self._strangers.pop(sid, None)

    def forget(self, sid: str) -> None:
        """The session is over."""
        self.welcome(sid)
        self.sockets.pop(sid, None)

    async def _open_polling(self, exchange: Exchange) -> None:
        may_upgrade = self.allow_upgrades and exchange.can_upgrade
        upgrades = ["websocket"] if may_upgrade and "websocket" in self.transports else []
        peer = await self._open(exchange, upgrades)
        await self._send(exchange, peer.take_now(), self._cookies(peer.sid))

    def _cookies(self, sid: str) -> HeaderList:
        if not self.cookie:
            return []
        cookie = self.cookie
        if not isinstance(cookie, dict):
            cookie = {"name": cookie, "path": "/", "SameSite": "Lax"}
        return [("Set-Cookie", self._generate_sid_cookie(sid, cookie))]

    # Polling

    async def _post(self, peer: Peer, exchange: Exchange) -> None:
        if peer.posting:
            # Packets of the two would overtake each other.
            await peer.abort()
            raise Refused(*BAD_REQUEST, "A second POST before the first was answered")
        peer.posting = True
        try:
            await self._receive(peer, exchange)
        except TooLarge:
            await peer.abort()
            raise Refused(*BAD_REQUEST, "The body is over maxPayload", status=413) from None
        except Exception as e:
            self.logger.info("client %s broke the protocol: %s", peer.sid, type(e).__name__)
            await peer.abort()
            raise Refused(*BAD_REQUEST, "Not a payload of Engine.IO packets") from None
        finally:
            peer.posting = False
        await self._ok(exchange)

    async def _receive(self, peer: Peer, exchange: Exchange) -> None:
        if exchange.environ.get("CONTENT_TYPE", "").startswith("application/octet-stream"):
            raise ValueError("protocol 4 polls bytes as base64, which is text")
        async with asyncio.timeout(self.ping_interval + self.ping_timeout):
            body = await exchange.read(self.max_http_buffer_size)
        packets = [read_packet(text) for text in body.decode().split(SEPARATOR)]
        for number, (kind, data) in enumerate(packets, 1):
            if peer.closed:
                break
            await peer.receive(kind, data)
            if number % _BATCH == 0:
                await asyncio.sleep(0)

    async def _poll(self, peer: Peer, exchange: Exchange) -> None:
        if peer.polling:
            # Messages would be split between the two.
            await peer.abort()
            raise Refused(*BAD_REQUEST, "A second GET before the first was answered")
        peer.polling = True
        try:
            await peer.moved(_UPGRADE_POLL)
            if peer.upgraded:
                raise Refused(*BAD_REQUEST, "The session has moved to a WebSocket")
            packets = await self._packets(peer, exchange)
        except asyncio.CancelledError:  # how a server may say that the client has left
            peer.drop()
            raise
        finally:
            peer.polling = False
        if packets is None:
            await peer.abort()
        else:
            await self._send(exchange, packets or [packet.Packet(packet.NOOP)], [])

    async def _packets(self, peer: Peer, exchange: Exchange) -> list[Any] | None:
        """What to answer a poll with; None when the client has left."""
        taking = asyncio.ensure_future(peer.take())
        gone = asyncio.ensure_future(exchange.gone())
        try:
            await asyncio.wait({taking, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (taking, gone):
                task.cancel()
            await asyncio.wait({taking, gone})
        return None if taking.cancelled() else taking.result()

    # WebSocket

    async def _websocket(self, peer: Peer | None, exchange: Exchange) -> None:
        # Only a server that has WebSockets calls something one.
        wire = Wire(cast(Socket, exchange), self.max_http_buffer_size)
        if peer is None:
            peer = await self._open(exchange, [])
            peer.upgraded = True
            with suppress(OSError):  # the client left before it was accepted
                await wire.accept()
        elif peer.probing or not self.allow_upgrades:
            raise Refused(*BAD_REQUEST, "The session has a WebSocket, or may have none")
        elif not await upgrade(peer, wire):
            return
        await serve(peer, wire)

    # The end

    async def drop(self, sid: str) -> None:
        """End a session at once; its disconnect handlers run."""
        peer = self.sockets.get(sid)
        if peer is not None:
            await peer.abort()

    async def disconnect(self, sid: str | None = None) -> None:
        """End a session, or all."""
        for peer in list(self.sockets.values()) if sid is None else [self.sockets.get(sid)]:
            if peer is not None:
                await peer.close()

    def forget_loop(self) -> None:
        """The server moves to another loop, and the one it leaves took the transports along."""
        self.rounds = Rounds()
        for peer in [p for p in self.sockets.values() if p.needs_loop]:
            peer.disown()
            peer.drop()

    # Answers

    async def _send(self, exchange: Exchange, packets: list[Any], headers: HeaderList) -> None:
        body = SEPARATOR.join(pkt.encode(b64=True) for pkt in packets).encode()
        encoding = self._encoding(exchange.environ, body)
        if encoding is not None:
            body = getattr(self, f"_{encoding}")(body)
            headers = [*headers, ("Content-Encoding", encoding), ("Vary", "Accept-Encoding")]
        await self._reply(exchange, 200, "text/plain; charset=UTF-8", body, headers)

    def _encoding(self, environ: Environ, body: bytes) -> str | None:
        if not self.http_compression or len(body) < self.compression_threshold:
            return None
        accepted = environ.get("HTTP_ACCEPT_ENCODING", "").split(",")
        names = [name.partition(";")[0].strip() for name in accepted]
        return next((name for name in names if name in self.compression_methods), None)

    async def _ok(self, exchange: Exchange) -> None:
        await self._reply(exchange, 200, "text/plain; charset=UTF-8", b"ok")

    async def _reply(
        self,
        exchange: Exchange,
        status: int,
        kind: str,
        body: bytes,
        more: Iterable[tuple[str, str]] = (),
    ) -> None:
        headers = [("Content-Type", kind), ("Cache-Control", "no-store"), *more]
        if self._origins.allow(exchange.environ):
            headers += self._origins.headers(exchange.environ)
        await exchange.reply(status, headers, body)

    # A step of python-engineio that does less here: its handlers are python-socketio's.

    async def _trigger_event(self, event: str, *args: Any, run_async: bool = False) -> Any:
        handler = self.handlers.get(event)
        if handler is None:
            return None
        try:
            return await handler(*args)
        except Exception:
            if event == "connect":
                raise
            self.logger.exception("%s handler error", event)
