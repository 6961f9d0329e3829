"""Pages that load themselves again after a change, and hear of errors that have no page.

In debug mode the development server puts :class:`Live` around the application. A page asks for a
small script, the script for a stream of events, both at paths of the server's own.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import secrets
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .entrance import UNLOGGED, ASGIApp, Message, Receive, Scope, Send
from .watching import Watch, Watched

if TYPE_CHECKING:
    from ..app import Vial

SCRIPT_PATH = "/__vial__/live.js"
STREAM_PATH = "/__vial__/live"
#: Seconds between two signs of life on a stream.
_BEAT = 15.0
#: Characters of an error that a page is told.
_LONGEST = 500
_NONCE = re.compile(r"'nonce-([A-Za-z0-9+/_=-]+)'")
_END = re.compile(rb"</body\s*>\s*(?:</html\s*>)?\s*\Z", re.IGNORECASE)
_DOCUMENT = re.compile(
    rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL
)
_WIDE = ("utf-16", "utf-32", "utf16", "utf32")


class Live:
    """ASGI application around another one, which makes its pages load themselves again.

    :param app: what makes the pages.
    :param is_broken: all pages tell of an error, and nothing is lost by leaving them.
    """

    def __init__(self, app: ASGIApp, is_broken: bool = False) -> None:
        self._app = app
        self._is_broken = is_broken
        self._process = secrets.token_hex(6)
        self._changes = 0
        self._streams: dict[asyncio.Queue[str | None], asyncio.AbstractEventLoop] = {}

    @property
    def stamp(self) -> str:
        """What a page is made of, as a string that differs after each change."""
        return f"{self._process}.{self._changes}"

    def changed(self, paths: Iterable[str] = ()) -> None:
        """Have all pages load themselves again; from any thread."""
        self._changes += 1
        self._tell(_event("stamp", self.stamp))

    def report(self, title: str, text: str) -> None:
        """Show an error on all pages that are open; from any thread."""
        problem = {"title": title[:_LONGEST], "text": text[:_LONGEST]}
        self._tell(_event("problem", json.dumps(problem)))

    def stop(self) -> None:
        """End the streams: the server stops."""
        self._tell(None)

    def _tell(self, event: str | None) -> None:
        for queue, loop in list(self._streams.items()):
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(queue.put_nowait, event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer at the server's own paths, and pass everything else on."""
        path = scope.get("path")
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD", "POST"):
            await self._app(scope, receive, send)
        elif path == SCRIPT_PATH:
            scope[UNLOGGED] = True
            await _send_whole(send, b"text/javascript; charset=utf-8", _script())
        elif path == STREAM_PATH:
            scope[UNLOGGED] = True
            await self._stream(receive, send)
        else:
            addition = Addition(scope, self._tag(scope), send)
            await self._app(scope, receive, addition.send if addition.is_possible else send)

    def _tag(self, scope: Scope) -> str:
        marks = f' data-stamp="{self.stamp}"'
        marks += " data-sent" if scope["method"] == "POST" else ""
        return marks + (" data-broken" if self._is_broken else "")

    async def _stream(self, receive: Receive, send: Send) -> None:
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        leaving = asyncio.ensure_future(_until_left(receive, queue))
        self._streams[queue] = asyncio.get_running_loop()
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        event: str | None = "retry: 300\n" + _event("stamp", self.stamp)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            while event is not None:
                body = event.encode()
                await send({"type": "http.response.body", "body": body, "more_body": True})
                try:
                    event = await asyncio.wait_for(queue.get(), _BEAT)
                except TimeoutError:
                    event = ":\n\n"
            await send({"type": "http.response.body", "body": b""})
        finally:
            del self._streams[queue]
            leaving.cancel()


async def _until_left(receive: Receive, queue: asyncio.Queue[str | None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    queue.put_nowait(None)


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"


@cache
def _script() -> bytes:
    return Path(__file__).with_name("live.js").read_bytes()


async def _send_whole(send: Send, content_type: bytes, body: bytes) -> None:
    headers = [
        (b"content-type", content_type),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-cache"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Addition:
    """Adds the script to one response, if that is a whole page of HTML.

    A browser says that it opens a page (Fetch Metadata, ``Sec-Fetch-Dest``). Where nothing is
    said, only a document with a beginning is a page: what a script fetches is left alone.
    """

    def __init__(self, scope: Scope, marks: str, send: Send) -> None:
        self._opens = _header(scope["headers"], b"sec-fetch-dest")
        self.is_possible = self._opens in ("", "document")
        self._is_head = scope["method"] == "HEAD"
        self._marks = marks
        self._send = send
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        """Send one message of the application, the first one together with the second."""
        if message["type"] == "http.response.start" and _is_page(message):
            self._start = message
            return
        if self._start is not None:
            start, self._start = self._start, None
            if message["type"] == "http.response.body" and not message.get("more_body"):
                start, message = self._extended(start, message)
            await self._send(start)
        await self._send(message)

    def _extended(self, start: Message, message: Message) -> tuple[Message, Message]:
        body = bytes(message.get("body", b""))
        if self._is_head:  # how long the page would be is not known
            return {**start, "headers": _without(start["headers"], b"content-length")}, message
        if not self._opens and not _DOCUMENT.match(body):
            return start, message
        nonce = _nonce(start["headers"])
        own = f' nonce="{escape(nonce)}"' if nonce else ""
        tag = f'<script src="{SCRIPT_PATH}"{self._marks}{own}></script>'.encode()
        end = _END.search(body)
        at = len(body) if end is None else end.start()
        body = body[:at] + tag + body[at:]
        # The body is not the one that was tagged, and a page of before would have an old stamp.
        headers = _without(start["headers"], b"content-length", b"etag", b"last-modified")
        headers.append((b"content-length", b"%d" % len(body)))
        return {**start, "headers": headers}, {**message, "body": body}


def _header(headers: Any, name: bytes) -> str:
    return ", ".join(value.decode("latin-1") for key, value in headers if key.lower() == name)


def _without(headers: Any, *names: bytes) -> list[tuple[bytes, bytes]]:
    return [(key, value) for key, value in headers if key.lower() not in names]


def _is_page(start: Message) -> bool:
    headers = start.get("headers", ())
    content_type = _header(headers, b"content-type").lower()
    return (
        start["status"] not in (204, 205, 206, 304)
        and content_type.partition(";")[0].strip() == "text/html"
        and not any(charset in content_type for charset in _WIDE)
        and _header(headers, b"content-encoding") in ("", "identity")
        and not _header(headers, b"content-disposition").lower().startswith("attachment")
    )


def _nonce(headers: Any) -> str | None:
    """The nonce that the page's policy wants to see on a script."""
    directives: dict[str, str] = {}
    for part in _header(headers, b"content-security-policy").replace(",", ";").split(";"):
        name, _, value = part.strip().partition(" ")
        directives.setdefault(name.lower(), value)
    for name in ("script-src-elem", "script-src", "default-src"):
        if name in directives:
            found = _NONCE.search(directives[name])
            return found[1] if found else None
    return None


class Problems(logging.Handler):
    """Shows logged exceptions on the pages that are open: those of WebSocket and Socket.IO handlers
    and of background work have no page of their own."""

    def __init__(self, live: Live) -> None:
        super().__init__(logging.ERROR)
        self._live = live

    def emit(self, record: logging.LogRecord) -> None:
        """Report the exception of a record, once, however many loggers are told of it."""
        error = record.exc_info[1] if record.exc_info else None
        if error is None or getattr(error, "_shown_on_page", False):
            return
        error._shown_on_page = True  # type: ignore[attr-defined]
        lines = traceback.format_exception_only(error)
        self._live.report(record.getMessage(), lines[-1].strip() or type(error).__name__)


@contextmanager
def live_pages(app: Vial, entrance: ASGIApp) -> Iterator[Live]:
    """Inside, pages of an app load themselves again when a template or a static file changes, and
    show what the app's loggers are told of errors.

    :param entrance: the app as an ASGI application, or what stands around it.
    """
    live = Live(entrance)
    watch = Watch(Watched(trees=page_folders(app)), live.changed)
    handler = Problems(live)
    loggers = (app.logger, logging.getLogger("vial.socketio"))
    for logger in loggers:
        logger.addHandler(handler)
    watch.start()
    try:
        yield live
    finally:
        watch.stop()
        for logger in loggers:
            logger.removeHandler(handler)


def page_folders(app: Vial) -> set[str]:
    """The folders with templates and static files of an app and its blueprints."""
    found: set[str] = set()
    for owner in (app, *app.iter_blueprints()):
        if owner.has_static_folder:
            found.add(str(owner.static_folder))
        found |= _search_path(owner.jinja_loader)
    return {folder for folder in found if os.path.isdir(folder)}


def _search_path(loader: Any) -> set[str]:
    inner: Iterable[Any] = getattr(loader, "loaders", ())
    return {str(path) for path in getattr(loader, "searchpath", ())}.union(
        *(_search_path(other) for other in inner)
    )
