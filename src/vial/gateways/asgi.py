"""ASGI 3: async views on the server's loop, sync ones in Vial's worker pool."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any

from ..bodies import BrokenBody
from ..concurrency import run_in_pool
from ..ctx import RequestContext
from ..driver import drive
from ..flow import run
from ..globals import _cv
from ..lazy import lazy
from ..wrappers import Response
from .body import receive_body
from .environ import from_scope, split_path
from .sending import respond

if TYPE_CHECKING:
    from ..app import Vial

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class ScopeContext(RequestContext):
    """A request that came as an ASGI scope; its WSGI environ is made when something asks."""

    def __init__(self, app: Vial, scope: Scope) -> None:
        super().__init__(app, {})
        del self.environ  # the lazy one shows
        self.scope = scope
        self.content_length: bytes | None = None
        self.chunked = False
        for name, value in scope["headers"]:
            if name == b"host":
                # A comma is in no host name: two of them are a 400 (RFC 9112 §3.2).
                self.host = value.decode("latin-1") if self.host is None else ","
            elif name == b"cookie":
                self.sends_cookies = True
            elif name == b"content-length":
                self.content_length = value
            elif name == b"transfer-encoding":
                self.chunked = True

    #: Set by the gateway, once it read it.
    body: tuple[IO[bytes], int | None]

    @lazy
    def environ(self) -> dict[str, Any]:
        return from_scope(self.scope, *self.body)


async def handle(app: Vial, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one connection scope: an HTTP request, a WebSocket, or the server's lifespan."""
    if scope["type"] == "http":
        await _http(app, scope, receive, send)
    elif scope["type"] == "websocket":
        await _refuse_websocket(receive, send)
    elif scope["type"] == "lifespan":
        await _lifespan(receive, send)
    else:
        raise ValueError(f"An ASGI scope of type {scope['type']!r} is not one that Vial serves.")


async def _http(app: Vial, scope: Scope, receive: Receive, send: Send) -> None:
    ctx = ScopeContext(app, scope)
    method = scope["method"]
    ctx.body = await receive_body(ctx, method, receive)
    try:
        response = await _answer(ctx, split_path(scope)[1], method)
        if isinstance(ctx.body[0], BrokenBody) and scope.get("http_version", "1.1") < "2":
            response.headers["Connection"] = "close"  # the rest of the body is no next request
        await respond(ctx, response, method, receive, send)
    finally:
        if not isinstance(ctx.body[0], BytesIO):
            ctx.body[0].close()  # a temporary file


async def _answer(ctx: ScopeContext, path: str, method: str) -> Response:
    wsgi_app = ctx.app._own_wsgi_app()
    if wsgi_app is not None:
        from_app: Any = ctx.app.response_class.from_app
        return await run_in_pool(from_app, wsgi_app, ctx.environ)
    token = _cv.set(ctx)
    try:
        ctx._pushed()
        ctx._match(path, method)
        on_loop = ctx.plan.on_loop
        if on_loop is None:
            return await run_in_pool(_run_sync, ctx)
        ctx.plan = on_loop
        return await run(ctx)
    finally:
        _cv.reset(token)


def _run_sync(ctx: ScopeContext) -> Response:
    return drive(run(ctx))


async def _refuse_websocket(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close", "code": 1000})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
