"""Sending a response as ASGI messages: at once where it is whole, chunk by chunk where not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Response as ResponseBase

from ..concurrency import run_in_pool
from ..wrappers import Response
from .body import wait_for_disconnect

if TYPE_CHECKING:
    from ..ctx import RequestContext

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

#: Seconds that a client may take for one chunk; a slow reader must not keep a view for ever.
RESPONSE_TIMEOUT = 60

_END: Any = object()


async def respond(
    ctx: RequestContext, response: Response, method: str, receive: Receive, send: Send
) -> None:
    """Send a response, then close it."""
    plain = response.plain() if isinstance(response, Response) else None
    if plain is not None:
        await send(_start(response.status_code, plain[0]))
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else plain[1]})
        return
    try:
        # Streams, files, changed headers: Werkzeug's rules for lengths and bodiless answers.
        headers = response.get_wsgi_headers(ctx.environ).to_wsgi_list()
        await send(_start(response.status_code, headers))
        if method == "HEAD" or response.status_code in (204, 304):
            await send({"type": "http.response.body", "body": b""})
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
    is_async = hasattr(response.response, "__aiter__")
    chunks = (_from_async if is_async else _from_sync)(response)
    try:
        async for chunk in chunks:
            if not isinstance(chunk, (bytes, bytearray, memoryview)):  # granian would leave it out
                raise TypeError(f"A streamed body is made of text and bytes, not of {chunk!r}.")
            async with asyncio.timeout(timeout):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
    finally:
        await chunks.aclose()
    await send({"type": "http.response.body", "body": b""})


async def _from_async(response: Response) -> AsyncGenerator[bytes, None]:
    try:
        async for item in response.response:
            yield item.encode() if isinstance(item, str) else item
    finally:
        await _close_async(response)


async def _from_sync(response: Response) -> AsyncGenerator[bytes, None]:
    # All steps in one context, as in the thread of a WSGI server: "with app.app_context(): yield".
    inside = copy_context().run
    iterator = iter(response.iter_encoded())
    try:
        while (chunk := await _in_pool(inside, next, iterator, _END)) is not _END:
            yield chunk
    finally:
        body, response.response = response.response, ()
        if hasattr(body, "close"):
            await _in_pool(inside, body.close)


async def _close(response: Response) -> None:
    try:
        await _close_async(response)
    finally:
        # PERF: the way to a thread and back costs more than most responses.
        if hasattr(response.response, "close") or response._on_close or _closes_itself(response):
            await _in_pool(response.close)


async def _close_async(response: Response) -> None:
    """Close an async body, here and not on the loop that ``Response.close`` would use."""
    body: Any = response.response
    if hasattr(body, "aclose"):
        response.response = ()
        await body.aclose()


def _closes_itself(response: Response) -> bool:
    return type(response).close not in (Response.close, ResponseBase.close)


async def _in_pool(function: Callable[..., Any], *args: Any) -> Any:
    # A thread cannot be cancelled, and a generator not be closed while one is inside it.
    call = asyncio.ensure_future(run_in_pool(function, *args))
    try:
        return await asyncio.shield(call)
    except asyncio.CancelledError:
        await asyncio.wait({call})
        raise
