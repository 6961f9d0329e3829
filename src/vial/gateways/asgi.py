"""ASGI 3: async views on the server's loop, sync ones in Vial's worker pool."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..lazy import lazy
from . import sockets
from .body import abandon, wait_for_disconnect
from .channel import AsgiChannel
from .environ import split_path
from .loop import LoopContext, serve
from .outlet import Outlet
from .over_limit import LateBody

if TYPE_CHECKING:
    from ..app import Vial

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class ScopeContext(LoopContext):
    """A request that came as an ASGI scope."""

    def __init__(self, app: Vial, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(app, None)
        self.scope = scope
        self._receive = receive
        self._send = send
        self.host = self.content_length = None
        self.sends_cookies = self.chunked = False
        self.http_version = scope.get("http_version", "1.1")
        for name, value in scope["headers"]:
            if name == b"host":
                # A comma is in no host name: two of them are a 400 (RFC 9112 §3.2).
                self.host = value.decode("latin-1") if self.host is None else ","
            elif name == b"cookie":
                self.sends_cookies = True
            elif name == b"content-length":
                self.content_length = value.decode("latin-1")
            elif name == b"transfer-encoding":
                self.chunked = True

    @lazy
    def outlet(self) -> AsgiOutlet:
        return AsgiOutlet(self, self._receive, self._send)

    async def send_whole(
        self, status: int, headers: list[tuple[str, str]], body: bytes, is_ascii: bool = False
    ) -> None:
        await self._send(_start(self, status, headers, _pair if is_ascii else _encoded))
        await self._send({"type": "http.response.body", "body": body})


class AsgiOutlet(Outlet):
    """Sends a response as ASGI messages."""

    def __init__(self, ctx: LoopContext, receive: Receive, send: Send) -> None:
        self._ctx = ctx
        self.receive = receive  # type: ignore[method-assign, assignment]
        self._send = send

    async def begin(self, status: int, headers: list[tuple[str, str]]) -> None:
        await self._send(_start(self._ctx, status, headers))

    async def chunk(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})

    async def left(self) -> None:
        body = self._ctx.body[0]
        if isinstance(body, LateBody) and body.is_stream:
            await body.end()  # the view reads from the same place
        await wait_for_disconnect(self.receive)


def _encoded(name: str, value: str) -> tuple[bytes, bytes]:
    return name.lower().encode("latin-1"), value.encode("latin-1")


_pair = lru_cache(1024)(_encoded)


def _start(
    ctx: LoopContext, status: int, headers: list[tuple[str, str]], encode: Any = _encoded
) -> dict[str, Any]:
    encoded = [encode(name, value) for name, value in headers]
    if ctx.is_open and abandon(ctx.body[0]) and ctx.http_version < "2":
        encoded.append((b"connection", b"close"))  # the rest of the body is no next request
    return {"type": "http.response.start", "status": status, "headers": encoded}


async def handle(app: Vial, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one connection scope: an HTTP request, a WebSocket, or the server's lifespan."""
    if scope["type"] == "http":
        ctx = ScopeContext(app, scope, receive, send)
        await serve(ctx, split_path(scope)[1], scope["method"])
    elif scope["type"] == "websocket":
        await sockets.serve(app, AsgiChannel(app, scope, receive, send))
    elif scope["type"] == "lifespan":
        await _lifespan(app, receive, send)
    else:
        raise ValueError(f"An ASGI scope of type {scope['type']!r} is not one that Vial serves.")


async def _lifespan(app: Vial, receive: Receive, send: Send) -> None:
    """Run what the app registered for the start and the end of a worker."""
    await receive()
    try:
        await app._start_life()
    except Exception as e:
        app.logger.exception("A function of on_startup failed")
        await send({"type": "lifespan.startup.failed", "message": f"{type(e).__name__}: {e}"})
        return
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await app._stop_life()
    await send({"type": "lifespan.shutdown.complete"})
