"""Bodies that are received while a view reads them: of routes with ``stream=True``, and those
above the app's limit, for views that raise the limit of their request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from io import BytesIO, RawIOBase
from typing import IO, Any

from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge, RequestTimeout

from ..concurrency import running_loop

Receive = Callable[[], Awaitable[dict[str, Any]]]


async def next_piece(receive: Receive) -> tuple[bytes, bool]:
    """The next piece of a body, and whether there are more."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnected()
    return message.get("body", b""), message.get("more_body", False)


class LateBody(RawIOBase):
    """A body that is received while it is read, and has no end of its own.

    It is the request that answers 413 at its limit (``request.max_content_length``, Flask 3.1).
    Code on a loop iterates it with ``async for``; where it reads what is above the limit, or a
    response is on its way, it is 413 as well.

    :param seconds: for all of it, or for each piece where it is a ``stream``.
    """

    def __init__(
        self, start: IO[bytes], receive: Receive, seconds: float | None, stream: bool = False
    ) -> None:
        self._start = start
        self._receive = receive
        self._seconds = seconds
        self.is_stream = stream
        self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        self._has_more = True
        self._ended = asyncio.Event()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        data = self._start.read(len(buffer))
        while not data and self._has_more:
            self._start = BytesIO(self._wait())
            data = self._start.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    async def fill(self) -> None:
        """Wait until there is something to read, or nothing more comes."""
        data = self._start.read()
        while not data and self._has_more and self._loop is not None:
            data = await self._next()
        self._start = BytesIO(data)

    async def end(self) -> None:
        """Return when all of it was received."""
        if self._has_more:
            await self._ended.wait()

    def _wait(self) -> bytes:
        if self._loop is None or running_loop() is not None:
            if self.is_stream:
                raise RuntimeError(
                    "This body is still on its way, and reading it would block the event loop:"
                    " use 'async for chunk in request.stream', or drop stream=True of the route."
                )
            raise RequestEntityTooLarge()
        return asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()

    async def _next(self) -> bytes:
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._seconds):
                data, self._has_more = await next_piece(self._receive)
        except TimeoutError:
            raise RequestTimeout() from None
        if not self._has_more:
            self._ended.set()
        if self._seconds is not None and not self.is_stream:
            self._seconds -= asyncio.get_running_loop().time() - began
        return data

    def stop(self) -> bool:
        """Receive no more, unless a view may still read it; whether there is more."""
        if not self.is_stream:
            self._loop = None
        return self._has_more

    def close(self) -> None:
        self._start.close()
        super().close()
