"""Sending a response as ASGI messages: at once where it is whole, chunk by chunk where not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from ..concurrency import run_in_pool
from ..wrappers import Response
from .body import wait_for_disconnect

if TYPE_CHECKING:
    from ..ctx import RequestContext

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

#: Seconds that a client may take for one chunk; a slow reader must not keep a view for ever.
RESPONSE_TIMEOUT = 60


async def respond(
    ctx: RequestContext, response: Response, method: str, receive: Receive, send: Send
) -> None:
    plain = response.plain() if isinstance(response, Response) else None
    if plain is not None:
        await send(_start(response.status_code, plain[0]))
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else plain[1]})
        return
    # Streams, files, changed headers: Werkzeug's rules for lengths, locations and bodiless answers.
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


async def _stream(ctx: RequestContext, response: Response, receive: Receive, send: Send) -> None:
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


async def _send_chunks(ctx: RequestContext, response: Response, send: Send) -> None:
    timeout = ctx.app.config.get("RESPONSE_TIMEOUT", RESPONSE_TIMEOUT)
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
