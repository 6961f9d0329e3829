"""The middlewares around the app: what is Socket.IO's and what is the app's, in ASGI and WSGI."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from typing import Any
from wsgiref.validate import validator

import pytest
from socketio_wire import Polling, WebSocket, http, run, until

from vial import Vial, request
from vial.socketio import SocketIO, send
from vial.socketio.exchange import AsgiExchange


@pytest.mark.parametrize(
    ("options", "ours", "theirs"),
    [
        ({}, ["/socket.io/", "/socket.io", "/socket.io/x"], ["/socket.iox/", "/x/socket.io/"]),
        ({"path": "/live/"}, ["/live/", "/live"], ["/socket.io/"]),
        ({"resource": "a/b"}, ["/a/b/"], ["/a/", "/socket.io/"]),
    ],
)
def test_only_requests_under_the_path_are_taken(
    app: Vial, options: Any, ours: list[str], theirs: list[str]
) -> None:
    SocketIO(app, **options)
    app.add_url_rule("/<path:path>", "view", lambda path: "the app")
    client = app.test_client()
    query = {"EIO": "4", "transport": "polling"}

    async def scenario() -> None:
        for path in ours:
            assert (await http(app, path=path)).text.startswith('0{"sid"'), path
        for path in theirs:
            assert (await http(app, path=path)).text == "the app", path
        mounted = await http(app, path=f"/mount{ours[0]}", root_path="/mount")
        assert mounted.text.startswith('0{"sid"')

    run(scenario)
    for path in ours:
        assert client.get(path, query_string=query).text.startswith('0{"sid"'), path
    for path in theirs:
        assert client.get(path, query_string=query).text == "the app", path


def test_the_lifespan_is_the_apps(app: Vial, socketio: SocketIO) -> None:
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async def scenario() -> None:
        await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)

    run(scenario)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


class WsgiClient:
    """Polls a WSGI application through the validator of the standard library."""

    def __init__(self, app: Any) -> None:
        self._app = validator(app)
        reply = self.request("GET")[1]
        opened = json.loads(reply[1:])
        self.upgrades = opened["upgrades"]
        self.sid = opened["sid"]
        assert self.request("POST", "40")[1] == "ok"
        assert self.request("GET")[1].startswith("40{")

    def request(self, method: str, body: str = "", **headers: str) -> tuple[str, str]:
        sid = getattr(self, "sid", None)
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": "/socket.io/",
            "QUERY_STRING": "EIO=4&transport=polling" + (f"&sid={sid}" if sid else ""),
            "SERVER_NAME": "here.test",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "here.test",
            "REMOTE_ADDR": "10.0.0.1",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body.encode()),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **headers,
        }
        started: list[Any] = []
        parts = self._app(environ, lambda status, headers, exc_info=None: started.append(status))
        body = b"".join(parts).decode()
        parts.close()
        return started[0], body


def test_clients_poll_a_wsgi_server(app: Vial, socketio: SocketIO, lane: Any) -> None:
    @socketio.on("message")
    @lane
    def message(text: str) -> str:
        send([text, request.remote_addr], broadcast=True)
        return "done"

    one, two = WsgiClient(app), WsgiClient(app)
    assert one.upgrades == []
    assert one.request("POST", '421["message","hello"]') == ("200 OK", "ok")
    event = '42["message",["hello","10.0.0.1"]]'
    assert two.request("GET") == ("200 OK", event)
    replies = one.request("GET")[1]
    while "431" not in replies:
        replies += "\x1e" + one.request("GET")[1]
    assert replies == f'{event}\x1e431["done"]'


def test_a_wsgi_poll_waits_for_the_next_event(app: Vial, socketio: SocketIO) -> None:
    client = WsgiClient(app)
    threading.Timer(0.02, socketio.send, ["late"]).start()
    assert client.request("GET") == ("200 OK", '42["message","late"]')


def test_a_wsgi_request_is_held_to_the_same_rules(app: Vial) -> None:
    SocketIO(app, max_http_buffer_size=20)
    client = WsgiClient(app)
    foreign = client.request("GET", HTTP_ORIGIN="http://evil.test")
    assert foreign[0] == "403 Forbidden" and "Origin not allowed" in foreign[1]
    assert client.request("POST", "4" * 21)[0].startswith("413 ")
    client = WsgiClient(app)
    assert client.request("POST", "42", CONTENT_LENGTH="9")[0] == "400 Bad Request"


def test_a_websocket_is_not_tried_under_wsgi(app: Vial, socketio: SocketIO) -> None:
    client = WsgiClient(app)
    query = f"EIO=4&transport=websocket&sid={client.sid}"
    headers = {"HTTP_UPGRADE": "websocket", "HTTP_CONNECTION": "Upgrade"}
    status, _ = client.request("GET", QUERY_STRING=query, **headers)
    assert status == "400 Bad Request"
    socketio.send("still here")
    assert client.request("GET") == ("200 OK", '42["message","still here"]')


def test_wsgi_and_asgi_clients_do_not_share_a_process(app: Vial, socketio: SocketIO) -> None:
    WsgiClient(app)

    async def scenario() -> None:
        with pytest.raises(RuntimeError, match="through another event loop of this process"):
            await http(app)

    run(scenario)


def test_clients_whose_loop_has_ended_are_gone_when_the_next_one_begins(
    app: Vial, socketio: SocketIO
) -> None:
    ended: list[str] = []
    server = socketio.async_server

    @socketio.on("disconnect")
    def disconnect() -> None:
        ended.append(request.sid)  # type: ignore[attr-defined]

    async def leave_one_behind() -> None:
        await Polling.open(app)
        assert len(server.eio.sockets) == 1

    async def scenario() -> None:
        client = await WebSocket.open(app)
        await until(lambda: ended)
        assert len(server.eio.sockets) == 1
        await client.leave()

    run(leave_one_behind)
    run(scenario)
    assert len(ended) == 2 and server.eio.sockets == {}


def test_a_server_moves_to_another_loop_when_nobody_is_connected(
    app: Vial, socketio: SocketIO
) -> None:
    socketio.on("message")(send)
    tested = socketio.test_client(app)

    async def scenario() -> None:
        client = await WebSocket.open(app)
        await client.send('42["message","x"]')
        assert await client.receive() == '42["message","x"]'

    run(scenario)
    run(scenario)
    tested.send("y")
    assert tested.get_received()[-1]["args"] == "y"


def test_pages_beside_socketio_run_on_the_servers_loop(app: Vial, socketio: SocketIO) -> None:
    @app.get("/loop")
    async def loop() -> str:
        return str(id(asyncio.get_running_loop()))

    async def scenario() -> None:
        reply = await http(app, query="", path="/loop")
        assert reply.text == str(id(asyncio.get_running_loop()))

    run(scenario)


def test_a_close_does_not_wait_for_a_frame_that_is_awaited() -> None:
    """As granian 2.8 does: its calls are futures, and it closes when none waits for a frame."""

    async def scenario() -> None:
        waiting: list[asyncio.Future[Any]] = []
        sent: list[Any] = []

        def receive() -> Any:
            waiting.append(asyncio.get_running_loop().create_future())
            if sent:
                waiting[-1].set_result({"type": "websocket.disconnect"})
            return waiting[-1]

        async def send_message(message: Any) -> None:
            await asyncio.wait([call for call in waiting if not call.done()] or [until_now()])
            sent.append(message)

        async def nothing() -> None:
            pass

        def until_now() -> asyncio.Future[None]:
            return asyncio.ensure_future(nothing())

        scope = {"type": "websocket", "path": "/", "headers": [], "query_string": b""}
        exchange = AsgiExchange(scope, receive, send_message)
        reading = asyncio.ensure_future(exchange.receive())
        await until_now()
        async with asyncio.timeout(30):
            await exchange.close(1000)
            with pytest.raises(OSError, match="the WebSocket is closed"):
                await reading
        assert sent == [{"type": "websocket.close", "code": 1000}]

    run(scenario)
