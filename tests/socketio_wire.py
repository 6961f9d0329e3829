"""An ASGI server without a network: requests and WebSockets to an app, on the running loop."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, NamedTuple

Headers = dict[str, str]


def logged(caplog: Any) -> list[logging.LogRecord]:
    """What the app and the battery logged. Others may speak of a test long over: asyncio does when
    the garbage collector finds a task."""
    ours = {"chat", "vial", "socketio", "engineio"}
    return [record for record in caplog.records if record.name.partition(".")[0] in ours]


class Reply(NamedTuple):
    status: int
    headers: Headers
    text: str


def scope(kind: str, query: str, headers: Headers | None, **more: Any) -> dict[str, Any]:
    headers = {"host": "here.test", **(headers or {})}
    return {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http" if kind == "http" else "ws",
        "path": "/socket.io/",
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
        "client": ("10.0.0.1", 1234),
        "server": ("here.test", 80),
        **more,
    }


async def http(
    app: Any,
    method: str = "GET",
    query: str = "EIO=4&transport=polling",
    body: str | list[bytes] = "",
    headers: Headers | None = None,
    **more: Any,
) -> Reply:
    """One request; a list as body arrives in chunks without a Content-Length."""
    chunks = [body.encode()] if isinstance(body, str) else list(body)
    if isinstance(body, str) and body:
        headers = {"content-length": str(len(chunks[0])), **(headers or {})}
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not chunks:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope("http", query, headers, method=method, **more), receive, send)
    names = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return Reply(sent[0]["status"], names, b"".join(m["body"] for m in sent[1:]).decode())


class Polling:
    """A client that polls."""

    def __init__(self, app: Any, sid: str) -> None:
        self.app = app
        self.sid = sid
        self.query = f"EIO=4&transport=polling&sid={sid}"

    @classmethod
    async def open(cls, app: Any, connect: bool = True) -> Polling:
        reply = await http(app)
        assert reply.status == 200, reply
        client = cls(app, json.loads(reply.text[1:])["sid"])
        if connect:
            assert (await client.post("40")).text == "ok"
            assert (await client.poll()).text.startswith("40{")
        return client

    def poll(self) -> Coroutine[Any, Any, Reply]:
        return http(self.app, query=self.query)

    def post(self, body: str | list[bytes], **kwargs: Any) -> Coroutine[Any, Any, Reply]:
        return http(self.app, "POST", self.query, body, **kwargs)


class WebSocket:
    """A client over WebSocket; `closed` is the close code, or None."""

    def __init__(self, app: Any, query: str = "EIO=4&transport=websocket", **more: Any) -> None:
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._to_app.put_nowait({"type": "websocket.connect"})
        headers = more.pop("headers", None)
        self.closed: int | None = None
        self.task = asyncio.ensure_future(
            app(scope("websocket", query, headers, **more), self._to_app.get, self._from_app.put)
        )

    @classmethod
    async def open(cls, app: Any, connect: bool = True, **more: Any) -> WebSocket:
        client = cls(app, **more)
        assert (await client.message())["type"] == "websocket.accept"
        assert (await client.receive())[0] == "0"
        if connect:
            await client.send("40")
            assert (await client.receive()).startswith("40{")
        return client

    async def message(self) -> dict[str, Any]:
        message = await asyncio.wait_for(self._from_app.get(), 5)
        if message["type"] == "websocket.close":
            self.closed = message.get("code", 1000)
            self._to_app.put_nowait({"type": "websocket.disconnect", "code": self.closed})
        return message

    async def receive(self) -> Any:
        message = await self.message()
        return message.get("text") if message.get("bytes") is None else message["bytes"]

    async def send(self, *frames: str | bytes) -> None:
        for frame in frames:
            key = "text" if isinstance(frame, str) else "bytes"
            self._to_app.put_nowait({"type": "websocket.receive", key: frame})

    async def leave(self) -> None:
        self._to_app.put_nowait({"type": "websocket.disconnect", "code": 1006})
        await asyncio.wait_for(self.task, 5)

    async def end(self) -> int | None:
        """The close code, once the server has closed."""
        while self.closed is None:
            await self.message()
        await asyncio.wait_for(self.task, 5)
        return self.closed


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario on a loop of its own."""

    async def main() -> None:
        await asyncio.wait_for(scenario(), 10)  # type: ignore[arg-type]

    asyncio.run(main())


async def until(condition: Callable[[], Any]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0.002)
    assert condition()
