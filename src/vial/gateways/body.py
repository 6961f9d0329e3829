"""Reading a request's body from a loop before its view runs: bounded, spooled, timed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from io import BytesIO
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, cast

from werkzeug.exceptions import (
    BadRequest,
    ClientDisconnected,
    HTTPException,
    RequestTimeout,
)

from ..bodies import BrokenBody
from .over_limit import LateBody, next_piece

if TYPE_CHECKING:
    from ..app import Vial
    from .loop import LoopContext

#: Bytes kept in memory; the rest of a body goes to a temporary file. Werkzeug's for uploads.
SPOOL_THRESHOLD = 512 * 1024
#: Seconds for the whole body. No server of Python's limits it by itself.
BODY_TIMEOUT = 60

Receive = Callable[[], Awaitable[dict[str, Any]]]


async def receive_body(ctx: LoopContext) -> tuple[IO[bytes], int | None]:
    """The body and its length in bytes.

    What is wrong with it (408 after ``BODY_TIMEOUT`` seconds, 400 where it is shorter than
    announced) is raised when a view reads it, as under WSGI. What is above
    ``MAX_CONTENT_LENGTH`` is left with the server.
    """
    config, receive = ctx.app.config, ctx.outlet.receive
    seconds = config.get("BODY_TIMEOUT", BODY_TIMEOUT)
    limit = config["MAX_CONTENT_LENGTH"]
    try:
        expected = _announced(ctx.content_length, ctx.chunked)
        if expected is not None and limit is not None and expected > limit:
            return cast(IO[bytes], LateBody(BytesIO(), receive, seconds)), None
        async with asyncio.timeout(seconds):
            body, size, more = await _receive(receive, expected, limit)
    except HTTPException as e:
        return BrokenBody(e), None
    except TimeoutError:
        return BrokenBody(RequestTimeout()), None
    return (cast(IO[bytes], LateBody(body, receive, seconds)), None) if more else (body, size)


async def open_body(ctx: LoopContext) -> tuple[IO[bytes], int | None]:
    """The body for a route that reads it as it comes (``stream=True``); ``BODY_TIMEOUT`` is for
    each piece."""
    try:
        _announced(ctx.content_length, ctx.chunked)
    except HTTPException as e:
        return BrokenBody(e), None
    seconds = ctx.app.config.get("BODY_TIMEOUT", BODY_TIMEOUT)
    return cast(IO[bytes], LateBody(BytesIO(), ctx.outlet.receive, seconds, stream=True)), None


def _announced(value: str | None, chunked: bool) -> int | None:
    if value is None or chunked:
        return None
    if not (value.isascii() and value.isdigit()) or len(value) > 18:
        raise BadRequest(f"The Content-Length {value!r} is not a number of bytes.")
    return int(value)


async def _receive(
    receive: Receive, expected: int | None, limit: int | None
) -> tuple[IO[bytes], int, bool]:
    """The body, how much of it was received, and whether there is more, above the limit."""
    body: IO[bytes] = BytesIO()
    size = 0
    more = True
    try:
        while more and (limit is None or size <= limit):
            chunk, more = await next_piece(receive)
            size += len(chunk)
            if size > SPOOL_THRESHOLD and isinstance(body, BytesIO):
                body = _on_disk(body)
            body.write(chunk)
        if expected is not None and size != expected:
            raise ClientDisconnected(f"The body has {size} bytes, {expected} were announced.")
    except BaseException:
        body.close()
        raise
    body.seek(0)
    return body, size, more


def _on_disk(start: BytesIO) -> IO[bytes]:
    file = TemporaryFile()  # noqa: SIM115 - closed by the gateway, at the end of the request
    file.write(start.getvalue())
    return file


def abandon(body: IO[bytes]) -> bool:
    """Receive no more of a body; whether a part of it was not received, and would be taken for
    the next request."""
    if isinstance(body, LateBody):
        return body.stop()
    return isinstance(body, BrokenBody)


async def wait_for_disconnect(receive: Receive) -> None:
    """Return when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        await asyncio.sleep(0)  # some harnesses give a request again and again, and never wait


def is_stream(app: Vial, path: str, method: str) -> bool:
    """Whether the route is one with ``stream=True``; unknown where Werkzeug does the matching,
    which wants a request."""
    try:
        rule, _ = (app._matcher or app._make_matcher()).match(path, method, _no_adapter)
    except (HTTPException, LookupError):
        return False
    return getattr(rule, "stream", False)


def _no_adapter() -> Any:
    raise LookupError
