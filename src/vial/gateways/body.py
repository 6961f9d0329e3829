"""Reading a request's body from a loop before its view runs: bounded, spooled, timed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from io import BytesIO
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

from werkzeug.exceptions import (
    BadRequest,
    ClientDisconnected,
    HTTPException,
    RequestEntityTooLarge,
    RequestTimeout,
)

from ..bodies import BrokenBody

if TYPE_CHECKING:
    from .asgi import ScopeContext

#: Bytes kept in memory; the rest of a body goes to a temporary file. Werkzeug's for uploads.
SPOOL_THRESHOLD = 512 * 1024
#: Seconds for the whole body. No server of Python's limits it by itself.
BODY_TIMEOUT = 60

Receive = Callable[[], Awaitable[dict[str, Any]]]


async def receive_body(
    ctx: ScopeContext, method: str, receive: Receive
) -> tuple[IO[bytes], int | None]:
    """The body and its length in bytes.

    What is wrong with it (413 above ``MAX_CONTENT_LENGTH``, 408 after ``BODY_TIMEOUT`` seconds,
    400 where it is shorter than announced) is raised when a view reads it, as under WSGI.
    """
    announced = ctx.content_length is not None or ctx.chunked
    # Only HTTP/2 and 3 have bodies that no header announces.
    if not announced and (method in ("GET", "HEAD") or ctx.scope.get("http_version", "1") < "2"):
        return BytesIO(), None
    config = ctx.app.config
    try:
        expected = _announced(ctx.content_length, ctx.chunked)
        async with asyncio.timeout(config.get("BODY_TIMEOUT", BODY_TIMEOUT)):
            return await _receive(receive, expected, config["MAX_CONTENT_LENGTH"])
    except HTTPException as e:
        return BrokenBody(e), None
    except TimeoutError:
        return BrokenBody(RequestTimeout()), None


def _announced(value: bytes | None, chunked: bool) -> int | None:
    if value is None or chunked:
        return None
    if not value.isdigit() or len(value) > 18:
        raise BadRequest(f"The Content-Length {value!r} is not a number of bytes.")
    return int(value)


async def _receive(
    receive: Receive, expected: int | None, limit: int | None
) -> tuple[IO[bytes], int]:
    if expected is not None and limit is not None and expected > limit:
        raise RequestEntityTooLarge()
    body: IO[bytes] = BytesIO()
    size = 0
    more = True
    try:
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnected()
            chunk = message.get("body", b"")
            size += len(chunk)
            if limit is not None and size > limit:
                raise RequestEntityTooLarge()
            if size > SPOOL_THRESHOLD and isinstance(body, BytesIO):
                body = _on_disk(body)
            body.write(chunk)
            more = message.get("more_body", False)
        if expected is not None and size != expected:
            raise ClientDisconnected(f"The body has {size} bytes, {expected} were announced.")
    except BaseException:
        body.close()
        raise
    body.seek(0)
    return body, size


def _on_disk(start: BytesIO) -> IO[bytes]:
    file = TemporaryFile()  # noqa: SIM115 - closed by the gateway, at the end of the request
    file.write(start.getvalue())
    return file


async def wait_for_disconnect(receive: Receive) -> None:
    """Return when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
