"""ASGI 3: async views on the server's loop, sync ones in Vial's worker pool."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import IO, TYPE_CHECKING, Any

from ..concurrency import run_in_pool
from ..ctx import RequestContext
from ..driver import drive
from ..flow import run
from ..globals import _cv
from ..lazy import lazy
from ..wrappers import Response
from .body import receive_body, wait_for_disconnect
from .environ import from_scope, split_path

if TYPE_CHECKING:
    from ..app import Vial

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class ScopeContext(RequestContext):
    """A request that came as an ASGI scope; its WSGI environ is made when something asks."""

    def __init__(self, app: Vial, scope: Scope) -> None:
        self.app = app
        self.scope = scope
        self.host = self.content_length = None
        self.sends_cookies = self.chunked = False
        for name, value in scope["headers"]:
            if name == b"host":
                self.host = value.decode("latin-1")
            elif name == b"cookie":
                self.sends_cookies = True
            elif name == b"content-length":
                self.content_length = value
            elif name == b"transfer-encoding":
                self.chunked = True

    #: Set by the gateway, once it read it.
    body: tuple[IO[bytes], int | None]

    @lazy
    def environ(self) -> dict[str, Any]:  # type: ignore[override]
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
    token = _cv.set(ctx)
    try:
        ctx._match(split_path(scope)[1], method)
        on_loop = ctx.plan.on_loop
        if on_loop is None:
            response = await run_in_pool(_run_sync, ctx)
        else:
            ctx.plan = on_loop
            response = await run(ctx)
    finally:
        _cv.reset(token)
    await _respond(ctx, response, method, receive, send)


def _run_sync(ctx: ScopeContext) -> Response:
    return drive(run(ctx))


async def _respond(
    ctx: ScopeContext, response: Response, method: str, receive: Receive, send: Send
) -> None:
    plain = response.plain() if isinstance(response, Response) else None
    if plain is not None:
        await send(_start(response.status_code, plain[0]))
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else plain[1]})
        return
    headers = response.get_wsgi_headers(ctx.environ).to_wsgi_list()
    try:
        await send(_start(response.status_code, headers))
        if method == "HEAD" or response.status_code in (204, 304):
            await send({"type": "http.response.body"})
        elif response.is_sequence:
            await send({"type": "http.response.body", "body": b"".join(response.iter_encoded())})
        else:
            await _stream(ctx, response, receive, send)
    finally:
        await _close(response)


def _start(status: int, headers: list[tuple[str, str]]) -> dict[str, Any]:
    encoded = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in headers]
    return {"type": "http.response.start", "status": status, "headers": encoded}


async def _stream(ctx: ScopeContext, response: Response, receive: Receive, send: Send) -> None:
    """Send chunk by chunk; stop, and let the generator clean up, when the client left."""
    sending = asyncio.ensure_future(_send_chunks(ctx, response, send))
    leaving = asyncio.ensure_future(wait_for_disconnect(receive))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        if not sending.done():
            sending.cancel()
        await asyncio.wait({sending, leaving})
    if not sending.cancelled():
        sending.result()


async def _send_chunks(ctx: ScopeContext, response: Response, send: Send) -> None:
    timeout = ctx.app.config.get("RESPONSE_TIMEOUT", 60)
    async for chunk in _chunks(response):
        async with asyncio.timeout(timeout):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body"})


async def _chunks(response: Response) -> AsyncIterator[bytes]:
    body: Any = response.response
    if hasattr(body, "__aiter__"):
        async for item in body:
            yield item.encode() if isinstance(item, str) else item
        return
    iterator = iter(response.iter_encoded())
    while (chunk := await _in_pool(next, iterator, None)) is not None:
        yield chunk


async def _close(response: Response) -> None:
    end = getattr(response.response, "aclose", None)
    if end is not None:
        await end()
    await run_in_pool(response.close)


async def _in_pool(function: Callable[..., Any], *args: Any) -> Any:
    # A thread cannot be cancelled, and a generator not be closed while one is inside it.
    call = asyncio.ensure_future(run_in_pool(function, *args))
    try:
        return await asyncio.shield(call)
    except asyncio.CancelledError:
        await asyncio.wait({call})
        raise


async def _refuse_websocket(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close", "code": 1000})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
