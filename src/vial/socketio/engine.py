"""The transport below Socket.IO: python-engineio's server, with its door guarded.

Engine.IO protocol 4 (https://socket.io/docs/v4/engine-io-protocol/). What is done here and not by
python-engineio 4.15: the origin check for every request, bounds on bodies and frames before they
are parsed, the status codes of the protocol, and the end of a session that breaks the rules.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, TypeAlias
from urllib.parse import parse_qs

import engineio  # type: ignore[import-untyped]
from engineio import packet

from .exchange import AsgiExchange, TooLarge, WsgiExchange

Environ: TypeAlias = dict[str, Any]
Answer: TypeAlias = dict[str, Any]
#: What ``cors_allowed_origins`` may be.
AllowedOrigins: TypeAlias = "str | Iterable[str] | Callable[..., bool] | None"

Exchange: TypeAlias = AsgiExchange | WsgiExchange
EXCHANGE = "vial.socketio.exchange"
SEPARATOR = "\x1e"
_CONTROL_FRAME = 6  # "2probe" is the longest that is not a message
_PACKET_TYPES = frozenset("0123456")  # of both protocols


class Origins:
    """Which pages may connect: those of this server, and those that the program names.

    :param allowed: ``None`` for none but its own, ``"*"`` for all, an origin or several
        (``"https://example.com"``), or a function of the origin (and the environ, if it takes
        two) that tells.
    """

    def __init__(self, allowed: AllowedOrigins) -> None:
        self._judge = _of_two(allowed) if callable(allowed) else None
        names = [] if allowed is None or callable(allowed) else allowed
        self._names = {n.lower() for n in ([names] if isinstance(names, str) else names)}
        self.all = "*" in self._names

    def allow(self, environ: Environ) -> bool:
        """Whether a request may be answered. One without ``Origin`` is not from a foreign page."""
        origin = environ.get("HTTP_ORIGIN")
        if origin is None or self.all:
            return True
        if origin.lower() in self._names or origin.lower() in _own_origins(environ):
            return True
        return self._judge is not None and bool(self._judge(origin, environ))

    def headers(self, environ: Environ) -> list[tuple[str, str]]:
        """CORS headers for an allowed request (Fetch standard, CORS protocol)."""
        origin = environ.get("HTTP_ORIGIN")
        if origin is None:
            return []
        if self.all:
            # Never together with credentials: any site could then act as the visitor.
            headers = [("Access-Control-Allow-Origin", "*")]
        else:
            headers = [
                ("Access-Control-Allow-Origin", origin),
                ("Access-Control-Allow-Credentials", "true"),
                ("Vary", "Origin"),
            ]
        if environ["REQUEST_METHOD"] == "OPTIONS":
            headers.append(("Access-Control-Allow-Methods", "OPTIONS, GET, POST"))
            if "HTTP_ACCESS_CONTROL_REQUEST_HEADERS" in environ:
                headers.append(("Access-Control-Allow-Headers", "content-type"))
        return headers


def _of_two(judge: Callable[..., bool]) -> Callable[[str, Environ], bool]:
    try:
        inspect.signature(judge).bind("origin", {})
    except TypeError:
        return lambda origin, environ: judge(origin)
    return judge


def _own_origins(environ: Environ) -> set[str]:
    """A page that was loaded over https may talk to what looks like http: a proxy took the TLS
    off. Forwarded headers are not looked at, anyone can send those."""
    host = environ.get("HTTP_HOST", "").lower()
    schemes = {environ["wsgi.url_scheme"], "https"}
    return {f"{scheme}://{_without_default_port(scheme, host)}" for scheme in schemes}


def _without_default_port(scheme: str, host: str) -> str:
    return host.removesuffix(":443" if scheme == "https" else ":80")


class WebSocket:
    """One WebSocket connection, as python-engineio wants to see it."""

    def __init__(self, handler: Callable[..., Any], engine: Engine) -> None:
        self._handler = handler
        self._limit = engine.max_http_buffer_size
        self._exchange: AsgiExchange

    async def __call__(self, environ: Environ) -> str:
        self._exchange = environ[EXCHANGE]
        await self._exchange.accept()
        try:
            await self._handler(self)
        finally:
            await self.close()
        return ""  # not an answer: there is nothing left to send

    async def wait(self) -> str | bytes:
        """The next frame.

        :raises OSError: when the connection is over, or was ended here for a frame that is too
            large (close code 1009) or not of the protocol (1002).
        """
        data = await self._exchange.receive()
        code = _fault(data, self._limit)
        if code:
            await self.close(code)
            raise OSError(f"closed with {code}")
        return data

    async def send(self, frame: str | bytes) -> None:
        await self._exchange.send(frame)

    async def close(self, code: int = 1000) -> None:
        with suppress(Exception):  # it may be closed already, and servers differ in what they raise
            await self._exchange.close(code)


def _fault(data: str | bytes, limit: int) -> int | None:
    size = len(data)
    # A character is at most four bytes: most texts need not be encoded to be measured.
    if size > limit or (size * 4 > limit and isinstance(data, str) and len(data.encode()) > limit):
        return 1009
    return None if isinstance(data, bytes) or _is_frame(data) else 1002


def _is_frame(text: str) -> bool:
    """A text that python-engineio can parse without harm: it hands anything else to a JSON parser
    outside of its error handling."""
    if text[:1] == "4":
        return text[1:2] in _PACKET_TYPES
    return text[:1] in _PACKET_TYPES and len(text) <= _CONTROL_FRAME


def _refusal(status: str, message: str) -> Answer:
    headers = [("Content-Type", "text/plain; charset=utf-8")]
    return {"status": status, "headers": headers, "response": message.encode()}


async def _as_it_is(environ: Environ) -> Environ:
    return environ


async def _respond(
    status: str, headers: list[tuple[str, str]], body: bytes, environ: Environ
) -> None:
    await environ[EXCHANGE].reply(int(status[:3]), headers, body)


class Engine(engineio.AsyncServer):  # type: ignore[misc]
    """Serves exchanges, see :mod:`vial.socketio.exchange`."""

    service_task_handle: asyncio.Task[None] | None

    def __init__(self, origins: Origins, **options: Any) -> None:
        # An empty list turns the check of python-engineio off, which trusts forwarded headers.
        super().__init__(async_mode="asgi", cors_allowed_origins=[], **options)
        self._origins = origins
        self._async = {
            "asyncio": True,
            "translate_request": _as_it_is,
            "make_response": _respond,
            "websocket": WebSocket,
        }
        self._can_upgrade = True
        self._polling: set[str] = set()

    async def handle_request(self, exchange: Exchange) -> None:
        """Answer one HTTP request, or serve one WebSocket to its end."""
        environ = exchange.environ
        environ[EXCHANGE] = exchange
        try:
            answer = await self._answer(environ, exchange)
            if answer is not None:
                await self._make_response(answer, environ)
        finally:
            # The environ lives as long as the client; the exchange is over.
            environ.pop(EXCHANGE, None)

    async def _answer(self, environ: Environ, exchange: Exchange) -> Answer | None:
        if not self._origins.allow(environ):
            return self._foreign(environ["HTTP_ORIGIN"])
        query = parse_qs(environ.get("QUERY_STRING", ""))
        method = environ["REQUEST_METHOD"]
        if method == "OPTIONS":
            return self._ok()
        if "transport" not in query or "j" in query or method not in ("GET", "POST"):
            # "j" asks for JSONP, which no origin check could guard and protocol 4 has not.
            return _refusal("400 BAD REQUEST", "Bad handshake method or transport")
        sid = query.get("sid", [None])[0]
        if method == "POST":
            return await self._post(sid, exchange)
        if sid is not None and query["transport"] == ["polling"]:
            await self._poll(sid, exchange)
            return None
        await super().handle_request(environ)
        self._end_upgrade(sid)
        return None

    def _foreign(self, origin: str) -> Answer:
        self._log_error_once(
            f"A page of {origin!r} was refused. If it may connect, name it:"
            f" SocketIO(app, cors_allowed_origins=[{origin!r}]).",
            "bad-origin",
        )
        return _refusal("403 FORBIDDEN", "Origin not allowed")

    async def _post(self, sid: str | None, exchange: Exchange) -> Answer:
        socket = self.sockets.get(sid)
        if socket is None or socket.closed or socket.upgraded or not socket.connected:
            return _refusal("400 BAD REQUEST", "Unknown session")
        try:
            async with asyncio.timeout(self.ping_interval + self.ping_timeout):
                body = await exchange.read(self.max_http_buffer_size)
            packets = [packet.Packet(encoded_packet=p) for p in body.decode().split(SEPARATOR)]
            for pkt in packets:
                if not socket.closed:
                    await socket.receive(pkt)
            if socket.closed:
                socket.queue.put_nowait(packet.Packet(packet.NOOP))  # ends a poll that waits
        except TooLarge:
            await self.drop(socket.sid)
            return _refusal("413 CONTENT TOO LARGE", "Too large")
        except Exception as e:
            self.logger.info("client %s broke the protocol: %s", sid, type(e).__name__)
            await self.drop(socket.sid)
            return _refusal("400 BAD REQUEST", "Not a payload of Engine.IO packets")
        return self._ok()

    async def _poll(self, sid: str, exchange: Exchange) -> None:
        environ = exchange.environ
        if sid in self._polling:
            # Messages would be split between the two.
            await self.drop(sid)
            await self._make_response(_refusal("400 BAD REQUEST", "Overlapping poll"), environ)
            return
        self._polling.add(sid)
        poll = asyncio.ensure_future(super().handle_request(environ))
        gone = asyncio.ensure_future(exchange.gone())
        try:
            await asyncio.wait({poll, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._polling.discard(sid)
            gone.cancel()
            if poll.cancel():  # the client is gone, and what was to be sent with it
                await asyncio.gather(poll, return_exceptions=True)
                await self.drop(sid)
        if not gone.done():
            poll.result()

    def _end_upgrade(self, sid: str | None) -> None:
        # python-engineio leaves a session whose WebSocket probe failed without a transport.
        socket = self.sockets.get(sid)
        if socket is not None and not socket.upgraded:
            socket.upgrading = False

    async def drop(self, sid: str) -> None:
        """End a session at once; its disconnect handlers run."""
        socket = self.sockets.get(sid)
        if socket is not None and not socket.closed:
            await socket.close(wait=False, reason=self.reason.TRANSPORT_ERROR)
            socket.queue.put_nowait(None)  # ends the poll, or the writer of the WebSocket

    def forget_loop(self) -> None:
        """The server moves to another loop: the monitor of its clients starts anew there."""
        monitor = self.service_task_handle
        if monitor is not None:
            with suppress(RuntimeError):  # that loop is closed, and the monitor ended with it
                monitor.get_loop().call_soon_threadsafe(monitor.cancel)
            self.service_task_handle = self.service_task_event = None
            self.start_service_task = True

    # Steps of python-engineio that do something else here.

    def _log_error_once(self, message: str, message_key: str) -> None:
        if message_key in ("bad-origin", "bad-version"):
            super()._log_error_once(message, message_key)
        else:
            # An old session after a restart, a probe by a robot: nothing the program can mend.
            self.logger.info(message)

    async def _handle_connect(
        self, environ: Environ, transport: str, jsonp_index: int | None = None
    ) -> Any:
        # Read back below, before anything else can run.
        self._can_upgrade = environ[EXCHANGE].can_upgrade
        return await super()._handle_connect(environ, transport, jsonp_index)

    def _upgrades(self, sid: str, transport: str) -> list[str]:
        upgrades: list[str] = super()._upgrades(sid, transport)
        return upgrades if self._can_upgrade else []

    def _ok(self, packets: Any = None, headers: Any = None, jsonp_index: Any = None) -> Answer:
        answer: Answer = super()._ok(packets, headers, jsonp_index)
        return answer if packets is not None else {**answer, "response": b"ok"}

    def _cors_headers(self, environ: Environ) -> list[tuple[str, str]]:
        return self._origins.headers(environ) if self._origins.allow(environ) else []
