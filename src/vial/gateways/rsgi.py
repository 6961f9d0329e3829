"""RSGI 1.5: granian's own protocol, the shortest way between a loop and a client.

What granian 2.8 does with a request before Vial sees it: the path is percent-decoded, with U+FFFD
for what is no UTF-8 (``request.environ`` has no ``RAW_URI``); a header that is not ASCII is left
out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any

from ..lazy import lazy
from . import sockets
from .channel import RsgiChannel
from .environ import as_asgi as as_asgi
from .loop import LoopContext, serve
from .outlet import ClientLeft, Outlet

if TYPE_CHECKING:
    from ..app import Vial


class RsgiContext(LoopContext):
    """A request that came as a RSGI scope."""

    def __init__(self, app: Vial, scope: Any, protocol: Any) -> None:
        super().__init__(app, None)
        self._scope = scope
        self._protocol = protocol
        headers = scope.headers
        hosts = headers.get_all("host")
        # A comma is in no host name: two of them are a 400 (RFC 9112 §3.2).
        self.host = scope.authority if not hosts else hosts[0] if len(hosts) == 1 else ","
        self.sends_cookies = "cookie" in headers
        self.content_length = headers.get("content-length")
        self.chunked = "transfer-encoding" in headers

    @lazy
    def http_version(self) -> str:
        return self._scope.http_version  # type: ignore[no-any-return]

    @lazy
    def outlet(self) -> RsgiOutlet:
        return RsgiOutlet(self._protocol, self.http_version < "2")

    def send_whole(
        self, status: int, headers: list[tuple[str, str]], body: bytes, is_ascii: bool = False
    ) -> None:
        if not is_ascii:
            headers = _encoded(headers)
        if body:
            self._protocol.response_bytes(status, headers, body)
        else:
            self._protocol.response_empty(status, headers)

    @lazy
    def scope(self) -> dict[str, Any]:
        return as_asgi(self._scope)


class RsgiOutlet(Outlet):
    """Sends a response by a RSGI HTTP protocol."""

    _transport: Any
    _pieces: AsyncIterator[bytes] | None = None
    _last: bytes | None = None
    _ended = False

    def __init__(self, protocol: Any, is_http1: bool) -> None:
        self._protocol = protocol
        self._is_http1 = is_http1

    async def receive(self) -> dict[str, Any]:
        if self._ended:
            await self._protocol.client_disconnect()
            return {"type": "http.disconnect"}
        if self._pieces is None:
            self._pieces = aiter(self._protocol)
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            self._ended = True
            return {"type": "http.request", "body": b"", "more_body": False}
        # The last piece is an empty one. Where the body is broken granian gives one more, and
        # nothing else tells (seen with every cut and malformed chunk, 2.8.7).
        if self._last == b"" and self._is_http1:
            self._ended = True
            return {"type": "http.disconnect"}
        self._last = piece
        return {"type": "http.request", "body": piece, "more_body": True}

    async def begin(self, status: int, headers: list[tuple[str, str]]) -> None:
        self._transport = self._protocol.response_stream(status, _encoded(headers))

    async def chunk(self, data: bytes) -> None:
        try:
            await self._transport.send_bytes(bytes(data))
        except RuntimeError as e:  # granian's RSGIProtocolClosed
            raise ClientLeft from e

    async def end(self) -> None:
        # The response ends when nothing refers to this; a task may keep the request for long.
        del self._transport

    async def left(self) -> None:
        await self._protocol.client_disconnect()


def _encoded(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Headers whose UTF-8 is what their latin-1 was meant to be: granian encodes as UTF-8."""
    return [(name, v if v.isascii() else _as_utf8(v)) for name, v in headers]


def _as_utf8(value: str) -> str:
    try:
        return value.encode("latin-1").decode()
    except UnicodeDecodeError:
        return value


def handle(app: Vial, scope: Any, protocol: Any) -> Coroutine[Any, Any, None]:
    """Serve an HTTP request or a WebSocket."""
    if scope.proto == "http":
        return serve(RsgiContext(app, scope, protocol), scope.path, scope.method)
    return _websocket(app, scope, protocol)


async def _websocket(app: Vial, scope: Any, protocol: Any) -> None:
    await sockets.serve(app, RsgiChannel(app, scope, protocol))
