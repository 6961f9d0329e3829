"""Real servers and real clients: python-socketio's, and npm's socket.io-client under node."""

from __future__ import annotations

import asyncio
import gc
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import socketio as python_socketio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from vial import Vial, request, session
from vial.server.embedded import EmbeddedServer
from vial.socketio import SocketIO, call, disconnect, emit, join_room, send

pytestmark = [
    pytest.mark.service,
    # python-socketio's client leaves its WebSocket open when the server says goodbye first.
    pytest.mark.filterwarnings(
        "ignore:.*Connection.__del__:pytest.PytestUnraisableExceptionWarning"
    ),
]
DATA = Path(__file__).with_name("data")


def granian(app: Any, listener: socket.socket) -> tuple[Callable[[], None], Callable[[], None]]:
    server = EmbeddedServer(app, listener)
    return server.run, server.stop


def uvicorn(app: Any, listener: socket.socket) -> tuple[Callable[[], None], Callable[[], None]]:
    import uvicorn

    config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    return lambda: server.run([listener]), lambda: setattr(server, "should_exit", True)


def waitress(app: Any, listener: socket.socket) -> tuple[Callable[[], None], Callable[[], None]]:
    import waitress

    server = waitress.create_server(app, sockets=[listener], threads=8)

    def stop() -> None:
        server.task_dispatcher.shutdown(timeout=1)
        server.trigger.pull_trigger(server.close)

    return server.run, stop


@contextmanager
def serving(app: Any, kind: Callable[..., Any]) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    run, stop = kind(app, listener)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        wait_for_port(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop()
        thread.join(5)
    assert not thread.is_alive()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]  # type: ignore[no-any-return]


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as probe:
                probe.sendall(b"GET /ready HTTP/1.0\r\nHost: x\r\n\r\n")
                if probe.recv(1):
                    return
        except OSError:
            time.sleep(0.02)
    raise AssertionError(f"nothing answers on port {port}")


class Server:
    """An app to talk to, and what its handlers noted."""

    def __init__(self, **options: Any) -> None:
        self.app = Vial("live", static_folder=None)
        self.app.secret_key = "key"
        self.socketio = SocketIO(self.app, **options)
        self.ended: list[str] = []
        for name in ("say", "whoami", "ask", "ask_async", "mirror", "leave", "join"):
            self.socketio.on(name)(getattr(self, name))
        self.socketio.on("connect")(self.connect)
        self.socketio.on("disconnect")(self.ended.append)

    def connect(self, auth: Any) -> None:
        session["auth"] = auth

    def say(self, text: str | int) -> str:
        send(text, broadcast=True)
        return "said"

    def whoami(self) -> list[Any]:
        session["asked"] = session.get("asked", 0) + 1
        return [session["auth"], session["asked"], request.remote_addr, request.args["q"]]

    def ask(self) -> Any:
        return call("question", 1, timeout=5)

    async def ask_async(self) -> Any:
        return await call("question", 2, timeout=5)

    def mirror(self, data: Any) -> None:
        emit("mirror", data)

    async def join(self, room: str) -> None:
        join_room(room)
        emit("message", "joined", to=room)

    def leave(self) -> None:
        # python-socketio's client forgets to say goodbye while its last request is under way, and
        # would wait for a ping.
        self.socketio.sleep(0.2)
        disconnect()


class Client:
    """python-socketio's own client, connected."""

    def __init__(self) -> None:
        self.sio = python_socketio.AsyncClient(reconnection=False)
        self.got: asyncio.Queue[Any] = asyncio.Queue()
        self.sio.on("message", self.got.put)
        self.sio.on("mirror", self.got.put)
        self.sio.on("question", lambda number: number * 21)
        self.sio.on("disconnect", lambda reason: self.got.put_nowait("gone"))

    async def connect(self, url: str, transport: str, **options: Any) -> None:
        transports = ["polling", "websocket"] if transport == "upgrade" else [transport]
        await self.sio.connect(f"{url}?q=7", transports=transports, **options)

    async def next(self) -> Any:
        return await asyncio.wait_for(self.got.get(), 5)

    async def close(self) -> None:
        await self.sio.disconnect()
        polls = self.sio.eio.read_loop_task  # the client may have begun one as it was disconnected
        if polls is not None:
            polls.cancel()
            await asyncio.gather(polls, return_exceptions=True)
        if self.sio.eio.http is not None:
            await self.sio.eio.http.close()
        await asyncio.sleep(0.05)  # aiohttp closes its connections behind the caller's back
        gc.collect()  # and warns of the others when they are collected: here, not in another test


def scenario(main: Callable[..., Awaitable[None]], *args: Any) -> None:
    asyncio.run(asyncio.wait_for(main(*args), 20))  # type: ignore[arg-type]


@pytest.fixture(params=[granian, uvicorn], ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize("transport", ["polling", "websocket", "upgrade"])
def test_the_python_client_talks(kind: Any, transport: str) -> None:
    server = Server()
    with serving(server.app, kind) as url:
        scenario(talk, url, transport)
    # The client says goodbye, and may have cut the line before it is sent.
    ends = sorted(server.ended, reverse=True)
    assert ends in (
        ["transport close", "server disconnect"],
        ["server disconnect", "client disconnect"],
    )


def test_the_python_client_polls_a_wsgi_server() -> None:
    server = Server()
    with serving(server.app, waitress) as url:
        scenario(talk, url, "polling")
    assert server.ended[0] == "server disconnect" and len(server.ended) == 2


async def talk(url: str, transport: str) -> None:
    one, two = Client(), Client()
    await one.connect(url, transport, auth={"name": "one"})
    await two.connect(url, transport)
    assert await one.sio.call("whoami") == [{"name": "one"}, 1, "127.0.0.1", "7"]
    assert await one.sio.call("whoami") == [{"name": "one"}, 2, "127.0.0.1", "7"]
    for number in range(12):  # a payload of more than 16 is too much for this client
        await one.sio.emit("say", number)
    assert [await two.next() for _ in range(12)] == list(range(12))
    assert [await one.next() for _ in range(12)] == list(range(12))
    assert await two.sio.call("say", "text") == "said"
    assert (await one.next(), await two.next()) == ("text", "text")
    await one.sio.emit("mirror", {"bytes": [b"\x00\xff", "ü"]})
    assert await one.next() == {"bytes": [b"\x00\xff", "ü"]}
    assert [await one.sio.call("ask"), await one.sio.call("ask_async")] == [21, 42]
    await two.sio.emit("join", "tea")
    assert await two.next() == "joined"
    await two.sio.emit("leave")
    assert await two.next() == "gone"
    await one.close()
    await two.close()


def fetch(url: str, body: str | None = None, **headers: str) -> tuple[int, str]:
    """One request to the Socket.IO path; `url` ends with the query."""
    data = None if body is None else body.encode()
    try:
        with urlopen(Request(url, data, headers), timeout=5) as reply:
            return reply.status, reply.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def open_polling(url: str) -> str:
    """The URL of a new session that polls and is connected."""
    address = f"{url}/socket.io/?EIO=4&transport=polling"
    session_url = f"{address}&sid={json.loads(fetch(address)[1][1:])['sid']}"
    assert fetch(session_url, "40") == (200, "ok")
    assert fetch(session_url)[1].startswith("40{")
    return session_url


def test_a_page_of_another_site_is_refused(kind: Any) -> None:
    query = "/socket.io/?EIO=4&transport="

    async def knock(url: str) -> None:
        address = f"{url.replace('http', 'ws')}{query}websocket"
        with pytest.raises(InvalidStatus) as refused:
            await connect(address, origin="http://evil.test")  # type: ignore[arg-type]
        assert refused.value.response.status_code == 403
        async with connect(address, origin=url) as websocket:  # type: ignore[arg-type]
            assert (await websocket.recv())[0] == "0"

    with serving(Server().app, kind) as url:
        assert fetch(f"{url}{query}polling", Origin="http://evil.test")[0] == 403
        assert fetch(f"{url}{query}polling", Origin=url)[0] == 200
        scenario(knock, url)


def await_end(server: Server) -> None:
    deadline = time.monotonic() + 3
    while not server.ended and time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_message_over_the_limit_is_closed_with_1009(kind: Any) -> None:
    server = Server(max_http_buffer_size=1000)

    async def flood(url: str) -> None:
        address = f"{url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket"
        async with connect(address) as websocket:
            assert (await websocket.recv())[0] == "0"
            await websocket.send("40")
            await websocket.recv()
            await websocket.send('42["say","' + "x" * 1000 + '"]')
            with pytest.raises(ConnectionClosed) as closed:
                await websocket.recv()
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009

    with serving(server.app, kind) as url:
        scenario(flood, url)
        await_end(server)
    assert server.ended == ["transport error"]


def test_a_polled_message_over_the_limit_is_413(kind: Any) -> None:
    server = Server(max_http_buffer_size=1000)
    with serving(server.app, kind) as url:
        session_url = open_polling(url)
        assert fetch(session_url, "4" * 1001)[0] == 413
        assert fetch(session_url)[0] == 400
    assert server.ended == ["transport error"]


def test_a_client_that_vanishes_while_it_polls_is_noticed_at_once(kind: Any) -> None:
    server = Server()
    with serving(server.app, kind) as url:
        session_url = open_polling(url)
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as raw:
            target = session_url.removeprefix(url)
            raw.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            time.sleep(0.2)
            assert server.ended == []
        await_end(server)
        assert server.ended == ["transport error"]


STOPPING = """
import sys
from vial import Vial
from vial.socketio import SocketIO

app = Vial("stopping", static_folder=None)
socketio = SocketIO(app)
socketio.on("connect")(socketio.stop)
socketio.run(app, port=int(sys.argv[1]))
print("after run()")
"""


def test_a_handler_can_stop_the_server_that_run_started() -> None:
    port = free_port()
    command = [sys.executable, "-c", STOPPING, str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_for_port(port)
        address = f"http://127.0.0.1:{port}/socket.io/?EIO=4&transport=polling"
        session_url = f"{address}&sid={json.loads(fetch(address)[1][1:])['sid']}"
        with suppress(OSError, HTTPException):  # it may not get round to answering
            fetch(session_url, "40")
        out, err = process.communicate(timeout=5)
    assert process.returncode == 0 and b"after run()" in out
    assert b"Traceback" not in err


# The program of a tutorial for Flask-SocketIO, as it was published, and the client of its pages.


@contextmanager
def program(folder: Path) -> Iterator[str]:
    shutil.copy(DATA / "main.txt", folder / "main.py")
    (folder / "templates").mkdir()
    (folder / "templates" / "index.html").write_text("<h1>Hello</h1>")
    port = free_port()
    command = [sys.executable, "-m", "vial", "run", "main.py", "--port", str(port)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            wait_for_port(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(5)


@pytest.mark.parametrize(
    ("transports", "used"),
    [("polling", "polling"), ("websocket", "websocket"), ("polling,websocket", "websocket")],
)
def test_the_npm_client_talks_to_a_program_written_for_flask_socketio(
    npm_client: Path, tmp_path: Path, transports: str, used: str
) -> None:
    with program(tmp_path) as url:
        command = ["node", str(DATA / "talk.cjs"), str(npm_client), url, transports]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["used"] == [used, used]
    for texts in result["received"]:
        for name in ("ada", "bob"):
            assert [t for t in texts if t.startswith(name)] == [f"{name} {n}" for n in range(10)]
        assert "náïve ☃ <b>" in texts
    log = (tmp_path / "log").read_text()
    assert "Mensagem: ada 9" in log and "Traceback" not in log
