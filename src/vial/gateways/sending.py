"""Sending a response from a loop: at once where it is whole, chunk by chunk where it is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Response as ResponseBase

from ..concurrency import run_in_pool
from ..wrappers import Response
from .calling import called, in_request
from .leaving import leaving
from .outlet import ClientLeft, Outlet

if TYPE_CHECKING:
    from werkzeug.datastructures import Headers

    from .loop import LoopContext

#: Seconds that a client may take for one chunk; a slow reader must not keep a view for ever.
RESPONSE_TIMEOUT = 60

_END: Any = object()

#: Runs a piece of a response in a thread.
step = partial(run_in_pool, to_end=True, begun=True)


def respond(ctx: LoopContext, response: Response, method: str) -> Awaitable[None] | None:
    """Send a response, then close it; what to wait for, if anything."""
    if isinstance(response, Response) and not response._called:
        plain = response.plain()
        if plain is not None:
            headers, body = plain
            is_ascii = response._headers is None  # nobody added any
            return ctx.send_whole(
                response._status_code, headers, b"" if method == "HEAD" else body, is_ascii
            )
    return _respond(ctx, response, method)


async def _respond(ctx: LoopContext, response: Response, method: str) -> None:
    if not isinstance(response, Response) or response._called:
        response = await in_request(ctx, called, response, ctx.environ)
    try:
        await _send(ctx, response, method)
    finally:
        await _close(response)


async def _send(ctx: LoopContext, response: Response, method: str) -> None:
    # Streams, files, changed headers: Werkzeug's rules for lengths and bodiless answers.
    headers = (await _headers(ctx, response)).to_wsgi_list()
    status, body = response.status_code, b""
    if method != "HEAD" and status not in (204, 304):
        if not response.is_sequence:
            await ctx.outlet.begin(status, headers)
            await _stream(ctx, response, ctx.outlet)
            return
        body = b"".join(response.iter_encoded())
    sending = ctx.send_whole(status, headers, body)
    if sending is not None:
        await sending


async def _headers(ctx: LoopContext, response: Response) -> Headers:
    if response._asks_request:
        return await in_request(ctx, response.get_wsgi_headers, ctx.environ)
    return response.get_wsgi_headers(ctx.environ)


async def _stream(ctx: LoopContext, response: Response, outlet: Outlet) -> None:
    """Send chunk by chunk; stop, and let the generator clean up, when the client left."""
    sending = asyncio.ensure_future(_send_chunks(ctx, response, outlet))
    try:
        await asyncio.wait({sending, leaving(ctx)}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not sending.done():
            sending.cancel()
        await asyncio.wait({sending})
    if not sending.cancelled():
        with suppress(ClientLeft):
            sending.result()


async def _send_chunks(ctx: LoopContext, response: Response, outlet: Outlet) -> None:
    timeout = ctx.app.config.get("RESPONSE_TIMEOUT", RESPONSE_TIMEOUT)
    is_async = hasattr(response.response, "__aiter__")
    chunks = (_from_async if is_async else _from_sync)(response)
    try:
        async for chunk in chunks:
            if not isinstance(chunk, (bytes, bytearray, memoryview)):  # granian would leave it out
                raise TypeError(f"A streamed body is made of text and bytes, not of {chunk!r}.")
            async with asyncio.timeout(timeout):
                await outlet.chunk(chunk)
    finally:
        await chunks.aclose()
    await outlet.end()


async def _from_async(response: Response) -> AsyncGenerator[bytes, None]:
    try:
        async for item in response.response:
            yield item.encode() if isinstance(item, str) else item
    finally:
        await _close_async(response)


async def _from_sync(response: Response) -> AsyncGenerator[bytes, None]:
    # All steps in one context, as in the thread of a WSGI server: "with app.app_context(): yield".
    inside: Callable[..., Any] = copy_context().run
    iterator = iter(response.iter_encoded())
    try:
        while (chunk := await step(inside, next, iterator, _END)) is not _END:
            yield chunk
    finally:
        body, response.response = response.response, ()
        if hasattr(body, "close"):
            await step(inside, body.close)


async def _close(response: Response) -> None:
    try:
        await _close_async(response)
    finally:
        # PERF: the way to a thread and back costs more than most responses.
        if hasattr(response.response, "close") or response._on_close or _closes_itself(response):
            await step(response.close)


async def _close_async(response: Response) -> None:
    """Close an async body, here and not on the loop that ``Response.close`` would use."""
    body: Any = response.response
    if hasattr(body, "aclose"):
        response.response = ()
        await body.aclose()


def _closes_itself(response: Response) -> bool:
    return type(response).close not in (Response.close, ResponseBase.close)
