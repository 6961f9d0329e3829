"""One request to the Socket.IO path, from an ASGI or a WSGI server.

Also the two middlewares that :meth:`SocketIO.init_app` puts around ``app.asgi_app`` and
``app.wsgi_app``: they take the requests under the Socket.IO path and pass all others on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeAlias

from ..concurrency import run_in_pool
from ..gateways.body import wait_for_disconnect
from ..gateways.environ import from_scope, split_path
from ..gateways.held import Hold
from .fanout import Sending, begun

if TYPE_CHECKING:
    from .protocol import Server

Environ: TypeAlias = dict[str, Any]
Scope: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[dict[str, Any]]]
Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
WSGIApp: TypeAlias = Callable[..., Iterable[bytes]]
HeaderList: TypeAlias = list[tuple[str, str]]

_SCHEMES = {"ws": "http", "wss": "https"}


class TooLarge(Exception):
    """A body is over the limit."""


class AsgiExchange:
    """A request or WebSocket of an ASGI server (ASGI 3.0, HTTP & WebSocket 2.4)."""

    can_upgrade = True
    #: Where granian's call for the next frame is awaited.
    _waiting: Hold | None = None

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.environ = environ_of(scope)
        self._scope = scope
        self._receive = receive
        self._send = send

    async def read(self, limit: int) -> bytes:
        """The whole body.

        :raises TooLarge: before more than ``limit`` bytes are kept.
        :raises OSError: when it was cut short.
        """
        if int(self.environ.get("CONTENT_LENGTH") or 0) > limit:
            raise TooLarge
        body = bytearray()
        more = True
        while more:
            event = await self._receive()
            if event["type"] != "http.request":
                raise OSError("the client left in the middle of its request")
            body += event.get("body", b"")
            if len(body) > limit:
                raise TooLarge
            more = event.get("more_body", False)
        return bytes(body)

    async def reply(self, status: int, headers: HeaderList, body: bytes) -> None:
        if self._scope["type"] == "websocket":
            await self._refuse(status, headers, body)
            return
        await self._answer("http.response", status, headers, body)

    async def _refuse(self, status: int, headers: HeaderList, body: bytes) -> None:
        await self._receive()  # websocket.connect
        if "websocket.http.response" in (self._scope.get("extensions") or {}):
            await self._answer("websocket.http.response", status, headers, body)
        else:
            await self._send({"type": "websocket.close"})  # servers make it a 403

    async def _answer(self, kind: str, status: int, headers: HeaderList, body: bytes) -> None:
        headers = [*headers, ("Content-Length", str(len(body)))]
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await self._send({"type": f"{kind}.start", "status": status, "headers": raw})
        await self._send({"type": f"{kind}.body", "body": body})

    async def gone(self) -> None:
        """Return when the client has left."""
        await wait_for_disconnect(self._receive)

    async def accept(self) -> None:
        await self._receive()  # websocket.connect
        await self._send({"type": "websocket.accept"})

    async def receive(self) -> str | bytes:
        call: Any = self._receive()
        if hasattr(call, "add_done_callback"):  # granian's
            call = self._waiting = Hold(call)
        event = await call
        if event["type"] != "websocket.receive":
            raise OSError("the WebSocket is closed")
        data: str | bytes | None = event.get("bytes")
        return event.get("text") or "" if data is None else data

    def start(self, frame: str | bytes) -> Sending:
        """Begin to send a frame."""
        key = "text" if isinstance(frame, str) else "bytes"
        return begun(self._send({"type": "websocket.send", key: frame}))

    async def send(self, frame: str | bytes) -> None:
        key = "text" if isinstance(frame, str) else "bytes"
        await self._send({"type": "websocket.send", key: frame})

    async def close(self, code: int) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.call.done():
            waiting.send_away(OSError("the WebSocket is closed"))
            waiting.call.cancel()  # granian 2.8 would wait for it
        await self._send({"type": "websocket.close", "code": code})
        if waiting is not None and code != 1001:  # as AsgiChannel, which says why
            with suppress(RuntimeError):
                await Hold(self._receive())


class WsgiExchange:
    """The same for a WSGI server, whose thread waits for the answer. There are no WebSockets."""

    can_upgrade = False

    def __init__(self, environ: Environ) -> None:
        self._input = environ["wsgi.input"]
        # The environ outlives the request: as the client's, for its events.
        self.environ = {**environ, "wsgi.input": BytesIO()}
        self.environ.pop("HTTP_UPGRADE", None)
        self.answer: tuple[int, HeaderList, bytes] = (500, [], b"")

    async def read(self, limit: int) -> bytes:
        length = int(self.environ.get("CONTENT_LENGTH") or 0)
        if length > limit:
            raise TooLarge
        body: bytes = await run_in_pool(self._input.read, length)
        if len(body) != length:
            raise OSError("the body is shorter than its Content-Length")
        return body

    async def reply(self, status: int, headers: HeaderList, body: bytes) -> None:
        self.answer = (status, [*headers, ("Content-Length", str(len(body)))], body)

    async def gone(self) -> None:
        await asyncio.Event().wait()  # WSGI does not tell


def environ_of(scope: Scope) -> Environ:
    """The WSGI environ (PEP 3333) of an ASGI scope, for ``app.request_context()``."""
    environ = from_scope(scope, BytesIO(), None)
    scheme = environ["wsgi.url_scheme"]
    environ["wsgi.url_scheme"] = _SCHEMES.get(scheme, scheme)
    # Only the server knows whether this is a WebSocket: over HTTP/2 no header says it.
    environ.pop("HTTP_UPGRADE", None)
    if scope["type"] == "websocket":
        environ.update(HTTP_UPGRADE="websocket", HTTP_CONNECTION="upgrade")
    return environ


class AsgiMiddleware:
    """Wraps ``app.asgi_app``."""

    def __init__(self, server: Server, app: ASGIApp, path: str) -> None:
        self._server = server
        self._app = app
        self._prefix = f"/{path}/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self._server.settle()
        elif f"{split_path(scope)[1]}/".startswith(self._prefix):
            self._server.settle()
            await self._server.handle_request(AsgiExchange(scope, receive, send))
            return
        await self._app(scope, receive, send)


class WsgiMiddleware:
    """Wraps ``app.wsgi_app``: long polling, on the process's long-lived loop."""

    def __init__(self, server: Server, app: WSGIApp, path: str) -> None:
        self._server = server
        #: Where pages go; behind the other entrances they need no way through this one.
        self.vial_passes_to = app
        self._prefix = f"/{path}/"

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not f"{environ.get('PATH_INFO', '')}/".startswith(self._prefix):
            return self.vial_passes_to(environ, start_response)
        exchange = WsgiExchange(environ)
        self._server.home.run(self._serve(exchange))
        status, headers, body = exchange.answer
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return [body]

    async def _serve(self, exchange: WsgiExchange) -> None:
        self._server.settle()
        await self._server.handle_request(exchange)
