"""One request to the Socket.IO path, from granian by RSGI; and the middleware for it.

As :mod:`vial.socketio.exchange` has them for ASGI and WSGI.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from ..gateways.rsgi import RsgiOutlet, as_asgi
from .exchange import AsgiExchange, HeaderList, environ_of
from .fanout import Sending

if TYPE_CHECKING:
    from .protocol import Server

RSGIApp: TypeAlias = Callable[[Any, Any], Awaitable[None]]

#: The kinds of messages of a WebSocket (RSGI 1.5).
_CLOSE = 0


class RsgiExchange(AsgiExchange):
    """A request or WebSocket of a RSGI server.

    :param protocol: the RSGI HTTP or WebSocket protocol.
    """

    _transport: Any

    def __init__(self, scope: Any, protocol: Any) -> None:
        self._is_websocket = scope.proto == "ws"
        kind = "websocket" if self._is_websocket else "http"
        self.environ = environ_of({**as_asgi(scope), "type": kind})
        if not self._is_websocket:
            self._receive = RsgiOutlet(protocol, scope.http_version < "2").receive
        self._protocol = protocol

    async def reply(self, status: int, headers: HeaderList, body: bytes) -> None:
        if self._is_websocket:
            self._protocol.close(status)  # it was not accepted: an answer without a body
            return
        headers = [*headers, ("content-length", str(len(body)))]
        self._protocol.response_bytes(status, headers, body)

    async def accept(self) -> None:
        self._transport = await self._protocol.accept()

    async def receive(self) -> str | bytes:
        try:
            message = await self._transport.receive()
        except RuntimeError as e:  # granian's ProtocolClosed
            raise OSError("the WebSocket is closed") from e
        if message.kind == _CLOSE:
            raise OSError("the WebSocket is closed")
        data: str | bytes = message.data
        return data

    def start(self, frame: str | bytes) -> Sending:
        """Begin to send a frame."""
        if isinstance(frame, bytes):
            return self._transport.send_bytes(frame)  # type: ignore[no-any-return]
        try:
            return self._transport.send_str(frame)  # type: ignore[no-any-return]
        except UnicodeEncodeError:  # a lone surrogate is no UTF-8
            return self._transport.send_str(frame.encode(errors="replace").decode())  # type: ignore[no-any-return]

    async def send(self, frame: str | bytes) -> None:
        await self.start(frame)  # type: ignore[misc]

    async def close(self, code: int) -> None:
        self._protocol.close(code)


class RsgiMiddleware:
    """Wraps ``app.rsgi_app``."""

    def __init__(self, server: Server, app: RSGIApp, path: str) -> None:
        self._server = server
        self._app = app
        self._prefix = f"/{path}/"

    async def __call__(self, scope: Any, protocol: Any) -> None:
        is_ours = f"{scope.path}/".startswith(self._prefix)
        # The first request of any kind: background tasks wait for it. RSGI has no lifespan.
        if is_ours or self._server.home.loop is None:
            self._server.settle()
        if is_ours:
            await self._server.handle_request(RsgiExchange(scope, protocol))
        else:
            await self._app(scope, protocol)
