"""WebSockets for tests: the app is called by ASGI, without a server.

``with client.websocket("/ws") as ws: …`` in sync tests, where the app runs on the loop that async
views run on, and ``async with`` in async ones, where it runs on the test's own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Iterable
from contextvars import Context
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from werkzeug.datastructures import EnvironHeaders, Headers
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.wrappers import Request

from .concurrency import run_on_loop, running_loop
from .websockets import Disconnected

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from .testing import FlaskClient

__all__ = ["Disconnected", "WebSocketRefused", "WebSocketSession"]

#: Seconds after which a test fails that waits for the app.
TIMEOUT = 10.0

Event = dict[str, Any]


class WebSocketRefused(Exception):
    """The app did not accept the WebSocket.

    :param response: what it answered instead.
    """

    def __init__(self, response: Any) -> None:
        super().__init__(f"The WebSocket was refused: {response.status}")
        self.response = response


class WebSocketSession:
    """The client's side of one WebSocket. Made by ``client.websocket()``.

    In an ``async with`` block the methods are awaited.
    """

    def __init__(
        self, client: FlaskClient, environ: WSGIEnvironment, subprotocols: Iterable[str]
    ) -> None:
        self._client = client
        self._environ = environ
        self._scope = scope_of(environ, list(subprotocols))
        self._inbox: deque[Event] = deque()
        #: Whether the app accepted it, and with which subprotocol and headers.
        self.accepted = False
        self.subprotocol: str | None = None
        self.headers = Headers()
        #: How it ended, once it did.
        self.close_code: int | None = None
        self.close_reason = ""

    # -- the client's side -------------------------------------------------------------------

    def send(self, data: str | bytes) -> Any:
        """Send a message: text or bytes."""
        return self._done(self._send(data))

    def send_json(self, value: Any) -> Any:
        """Send a value as JSON text."""
        return self.send(self._client.application.json.dumps(value))

    def receive(self, timeout: float = TIMEOUT) -> Any:
        """The next message from the app.

        :raises Disconnected: when the app has closed the WebSocket.
        :raises TimeoutError: when nothing came in that many seconds.
        """
        return self._done(self._receive(timeout))

    def receive_json(self, timeout: float = TIMEOUT) -> Any:
        """The value of the next message, which is JSON."""
        return self._done(self._receive_json(timeout))

    def close(self, code: int = 1000, reason: str = "") -> Any:
        """Leave, and wait until the view and what follows it has ended."""
        return self._done(self._close(code, reason))

    def __enter__(self) -> Self:
        if running_loop() is not None:
            raise RuntimeError("In an async test it is 'async with client.websocket(...)'.")
        run_on_loop(self._open())
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        run_on_loop(self._leave(exc_value))

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self._leave(exc_value)

    def _done(self, work: Coroutine[Any, Any, Any]) -> Any:
        return work if running_loop() is not None else run_on_loop(work)

    async def _send(self, data: str | bytes) -> None:
        if self.close_code is not None:
            raise Disconnected(self.close_code, self.close_reason)
        key = "text" if isinstance(data, str) else "bytes"
        self._to_app.put_nowait({"type": "websocket.receive", key: data})

    async def _receive(self, timeout: float) -> str | bytes:
        event = await self._next(timeout)
        if event is None:
            assert self.close_code is not None
            raise Disconnected(self.close_code, self.close_reason)
        text: str | None = event.get("text")
        return event["bytes"] if text is None else text

    async def _receive_json(self, timeout: float) -> Any:
        return self._client.application.json.loads(await self._receive(timeout))

    async def _close(self, code: int, reason: str) -> None:
        if self.close_code is None:
            self.close_code, self.close_reason = code, reason
            self._leaves(code, reason)
        done, _ = await asyncio.wait({self._task}, timeout=TIMEOUT)
        if not done:
            raise TimeoutError(f"The view did not end in {TIMEOUT} seconds after its client left.")
        self._task.result()

    async def _leave(self, error: BaseException | None) -> None:
        try:
            await self._close(1000, "")
        except Exception:
            if error is None:
                raise

    # -- the server's side -------------------------------------------------------------------

    async def _open(self) -> None:
        app = self._client.application
        self._to_app: asyncio.Queue[Event] = asyncio.Queue()
        self._news = asyncio.Event()
        self._to_app.put_nowait({"type": "websocket.connect"})
        serving: Coroutine[Any, Any, None] = app.asgi_app(self._scope, self._to, self._from)
        # As a server calls it: the contexts of the test are not those of the app.
        self._task = asyncio.get_running_loop().create_task(serving, context=Context())
        self._task.add_done_callback(lambda task: self._news.set())
        event = await self._next(TIMEOUT)
        if event is None or event["type"] != "websocket.accept":
            await self._refused(event)
            return
        self.accepted = True
        self.subprotocol = event.get("subprotocol")
        self._keep(event)

    async def _to(self) -> Event:
        event = await self._to_app.get()
        if event["type"] == "websocket.disconnect":
            self._to_app.put_nowait(event)  # whoever asks again is told again
        return event

    async def _from(self, event: Event) -> None:
        if self.close_code is not None:
            raise OSError("The client has left.")
        if event["type"] == "websocket.close":
            code: int = event.get("code") or 1000
            self.close_code, self.close_reason = code, event.get("reason") or ""
            self._leaves(code, "")
        else:
            self._inbox.append(event)
        self._news.set()

    def _leaves(self, code: int, reason: str) -> None:
        leaving = {"type": "websocket.disconnect", "code": code, "reason": reason}
        self._to_app.put_nowait(leaving)

    async def _next(self, timeout: float) -> Event | None:
        """What the app sent; ``None`` when it has closed."""
        try:
            async with asyncio.timeout(timeout):
                while not self._inbox:
                    if self.close_code is not None or self._task.done():
                        await asyncio.shield(self._task)  # its error says more than a close code
                        return None
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise TimeoutError(f"The app sent nothing in {timeout} seconds.") from None
        return self._inbox.popleft()

    async def _refused(self, start: Event | None) -> None:
        await self._close(1006, "")
        if start is None:  # without an answer by HTTP
            start = {"status": 403, "headers": []}
        self._keep(start)
        status = f"{start['status']} {HTTP_STATUS_CODES.get(start['status'], '').upper()}"
        body = b"".join(event["body"] for event in self._inbox)
        request = Request(self._environ)
        response = self._client.response_wrapper([body], status, self.headers, request=request)
        response.json_module = cast(Any, self._client.application.json)
        raise WebSocketRefused(response)

    def _keep(self, event: Event) -> None:
        pairs = event.get("headers", ())
        self.headers.extend((k.decode("latin-1"), v.decode("latin-1")) for k, v in pairs)
        self._client._keep_cookies(self._environ, self.headers)


def scope_of(environ: WSGIEnvironment, subprotocols: list[str]) -> dict[str, Any]:
    """The ASGI scope of a handshake that was made up as a WSGI environ."""
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    if subprotocols:
        headers["Sec-WebSocket-Protocol"] = ", ".join(subprotocols)
    pairs = [*EnvironHeaders(environ), *headers.items()]
    path = f"{environ['SCRIPT_NAME']}{environ['PATH_INFO']}".encode("latin-1")
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "wss" if environ["wsgi.url_scheme"] in ("https", "wss") else "ws",
        "path": path.decode("utf-8", "replace"),
        "root_path": environ["SCRIPT_NAME"],
        "query_string": environ["QUERY_STRING"].encode("latin-1"),
        "headers": [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in pairs],
        "client": (environ.get("REMOTE_ADDR", "127.0.0.1"), 0),
        "server": (environ["SERVER_NAME"], int(environ["SERVER_PORT"])),
        "subprotocols": subprotocols,
        "extensions": {"websocket.http.response": {}},
    }
