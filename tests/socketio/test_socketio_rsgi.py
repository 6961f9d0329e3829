"""Socket.IO by RSGI without a server; test_fanout_live.py has a real one."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from socketio_wire import run, until

from vial import Vial
from vial.socketio import SocketIO


class Headers(dict[str, str]):
    def get_all(self, name: str) -> list[str]:
        return [self[name]] if name in self else []


def scope_of(proto: str, path: str, query: str = "", method: str = "GET", **headers: str) -> Any:
    return SimpleNamespace(
        proto=proto,
        http_version="1.1",
        scheme="http",
        method=method,
        path=path,
        query_string=query,
        authority=None,
        client="10.0.0.1:1234",
        server="127.0.0.1:80",
        headers=Headers({"host": "here.test", **headers}),
    )


class Http:
    """The server's half of a request without a body, whose client stays."""

    status = 0
    body = b""

    async def __aiter__(self) -> Any:
        yield b""

    async def client_disconnect(self) -> None:
        await asyncio.Event().wait()

    def response_bytes(self, status: int, headers: Any, body: bytes) -> None:
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        assert lengths == [str(len(body))]
        self.status, self.body = status, body

    response_empty = response_str = response_bytes


class Socket:
    """The server's half of a WebSocket; sends end at once."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.closed: int | None = None
        self.messages: asyncio.Queue[Any] = asyncio.Queue()

    async def accept(self) -> Socket:
        return self

    async def receive(self) -> Any:
        data = await self.messages.get()
        kind = 0 if data is None else 2 if isinstance(data, str) else 1
        return SimpleNamespace(kind=kind, data=data)

    def send_str(self, text: str) -> Any:
        text.encode()  # granian takes UTF-8 only
        return self._send(text)

    def send_bytes(self, data: bytes) -> Any:
        return self._send(data)

    def _send(self, frame: Any) -> Any:
        assert self.closed is None
        self.sent.append(frame)
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def close(self, status: int | None = None) -> None:
        if self.closed is None:
            self.closed = status


WEBSOCKET = "EIO=4&transport=websocket"


def test_a_websocket_talks_and_ends(app: Vial, socketio: SocketIO) -> None:
    ended: list[str] = []
    socketio.on("disconnect")(ended.append)

    @socketio.on("swap")
    async def swap(text: str, data: bytes) -> Any:
        return data, text + "\ud800"

    async def scenario() -> None:
        socket = Socket()
        task = asyncio.ensure_future(app.rsgi_app(scope_of("ws", "/socket.io/", WEBSOCKET), socket))
        await until(lambda: socket.sent)
        assert socket.sent[0].startswith('0{"')
        for frame in ("40", '451-1["swap","a",{"_placeholder":true,"num":0}]', b"\xff"):
            await socket.messages.put(frame)
        await until(lambda: len(socket.sent) == 4)
        assert socket.sent[1].startswith('40{"sid"')
        assert socket.sent[2:] == ['461-1[{"_placeholder":true,"num":0},"a\\ud800"]', b"\xff"]
        await socket.messages.put(None)
        await asyncio.wait_for(task, 5)
        assert socket.closed == 1000

    run(scenario)
    assert ended == ["transport close"]


def test_what_is_no_unicode_is_replaced(app: Vial, socketio: SocketIO) -> None:
    async def scenario() -> None:
        socket = Socket()
        task = asyncio.ensure_future(app.rsgi_app(scope_of("ws", "/socket.io/", WEBSOCKET), socket))
        await socket.messages.put("40")
        await until(lambda: len(socket.sent) == 2)
        peer = next(iter(socketio.async_server.eio.sockets.values()))
        assert peer.pipe is not None
        peer.pipe.put("\ud800!")
        assert socket.sent[-1] == "?!"
        await socket.messages.put(None)
        await asyncio.wait_for(task, 5)

    run(scenario)


def test_a_foreign_page_is_refused_before_it_is_accepted(app: Vial, socketio: SocketIO) -> None:
    async def scenario() -> None:
        socket = Socket()
        scope = scope_of("ws", "/socket.io/", WEBSOCKET, origin="http://evil.test")
        await app.rsgi_app(scope, socket)
        assert (socket.closed, socket.sent) == (403, [])

    run(scenario)


def test_requests_under_the_path_are_taken_and_others_are_not(
    app: Vial, socketio: SocketIO
) -> None:
    app.get("/socket.iot")(lambda: "a page")

    async def scenario() -> None:
        ours, theirs = Http(), Http()
        await app.rsgi_app(scope_of("http", "/socket.io/", "EIO=4&transport=polling"), ours)
        assert ours.status == 200 and ours.body.startswith(b'0{"')
        await app.rsgi_app(scope_of("http", "/socket.iot"), theirs)
        assert (theirs.status, theirs.body) == (200, b"a page")

    run(scenario)


def test_background_tasks_begin_with_the_first_request_of_any_kind(
    app: Vial, socketio: SocketIO
) -> None:
    async def scenario() -> None:
        ran = asyncio.Event()

        async def task() -> None:
            ran.set()

        socketio.start_background_task(task)
        await app.rsgi_app(scope_of("http", "/"), Http())
        await asyncio.wait_for(ran.wait(), 5)

    run(scenario)
