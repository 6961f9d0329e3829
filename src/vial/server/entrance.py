"""What stands between granian and the app: it counts requests, logs them and can end them all.

It wraps an ASGI application and is one itself. Only the development server puts it there.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, TextIO, TypeAlias

from .stopping import ForcedStop

Message: TypeAlias = dict[str, Any]
Scope: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Key of a scope whose request is not logged, because it is the server's own.
UNLOGGED = "vial.unlogged"
#: The name that Werkzeug's server logs under, so that a program which silences that logger, as
#: many Flask programs do, silences this server too.
ACCESS_LOGGER = "werkzeug"


class Entrance:
    """ASGI application that hands every request to ``app`` and knows which are in flight.

    :param app: an ASGI application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._stopping = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._websockets: set[Send] = set()
        self._log = access_log()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket. Ended by :meth:`cancel`, it returns without an error."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if scope["type"] == "websocket":
                await self._websocket(scope, receive, send)
            elif self._log is None:
                await self._app(scope, receive, send)
            else:
                await self._logged(scope, receive, send, self._log)
        except ForcedStop:
            pass
        except asyncio.CancelledError:
            if not self._stopping:
                raise
        finally:
            self._tasks.discard(task)

    async def _logged(
        self, scope: Scope, receive: Receive, send: Send, log: Callable[[Scope, int], None]
    ) -> None:
        status = 500  # what the client gets when the app ends without an answer

        def note_status(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            return send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            if UNLOGGED not in scope:
                log(scope, status)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        accepted = False

        def note_accept(message: Message) -> Awaitable[None]:
            nonlocal accepted
            if not accepted and message["type"] == "websocket.accept":
                accepted = True
                self._websockets.add(send)
            return send(message)

        try:
            await self._app(scope, receive, note_accept)
        finally:
            self._websockets.discard(send)
            if self._log is not None:
                self._log(scope, 101 if accepted else 403)

    async def close_websockets(self) -> None:
        """Send close code 1001, "going away" (RFC 6455, 7.4.1), on every open WebSocket."""
        self._stopping = True
        closing = [asyncio.ensure_future(_close(send)) for send in self._websockets]
        if closing:
            # The client may never answer the close frame.
            await asyncio.wait(closing, timeout=0.1)

    async def cancel(self) -> None:
        """End every request in flight and give each one turn of the loop to clean up."""
        self._stopping = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=0.1)


async def _close(send: Send) -> None:
    await send({"type": "websocket.close", "code": 1001, "reason": "server is stopping"})


def access_log() -> Callable[[Scope, int], None] | None:
    """A function that logs one request as Werkzeug's server does, or None when nobody listens."""
    logger = logging.getLogger(ACCESS_LOGGER)
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    if not logger.isEnabledFor(logging.INFO):
        return None
    if not logger.hasHandlers():
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(ByStatus(handler.stream))
        logger.addHandler(handler)

    def log(scope: Scope, status: int) -> None:
        logger.info(
            '%s - - [%s] "%s %s HTTP/%s" %d -',
            _safe((scope.get("client") or "-")[0]),
            time.strftime("%d/%b/%Y %H:%M:%S"),
            _safe(scope.get("method", "GET")),
            _target(scope),
            _safe(scope["http_version"]),
            status,
            extra={"status": status},
        )

    return log


class ByStatus(logging.Formatter):
    """Colours a line by the status of its response, on a terminal, unless NO_COLOR is set."""

    _COLOURS: ClassVar = {1: "36", 3: "36", 4: "33", 5: "1;31"}

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
        self._is_plain = plain or not stream.isatty()

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        colour = self._COLOURS.get(getattr(record, "status", 200) // 100)
        return line if self._is_plain or colour is None else f"\x1b[{colour}m{line}\x1b[0m"


def _target(scope: Scope) -> str:
    # raw_path is what came over the wire, percent-encoded, so no control character of a hostile
    # path reaches the terminal (CVE-2020-7694 was that in another server).
    path = scope.get("raw_path") or scope["path"].encode("unicode_escape")
    query = scope["query_string"]
    target: bytes = path + b"?" + query if query else path
    return _safe(target.decode("latin-1"))


def _safe(text: str) -> str:
    """What a client has sent, without what a terminal obeys or what ends a field of the line."""
    return ascii(text)[1:-1].replace('"', "%22")
