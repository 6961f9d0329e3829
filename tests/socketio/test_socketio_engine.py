"""Engine.IO: handshake, limits, origins; over a made-up ASGI server."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from socketio_wire import Polling, WebSocket, http, logged, run, scope, until

from vial import Vial, request
from vial.socketio import SocketIO, emit, send

OPEN = "EIO=4&transport=polling"


@pytest.fixture
def ended(socketio: SocketIO) -> list[str]:
    """Reasons that the disconnect handler got."""
    reasons: list[str] = []
    socketio.on("disconnect")(reasons.append)
    return reasons


def test_a_handshake_opens_a_session(app: Vial, socketio: SocketIO) -> None:
    async def scenario() -> None:
        reply = await http(app)
        assert reply.status == 200 and reply.text[0] == "0"
        opened = json.loads(reply.text[1:])
        assert opened.pop("sid")
        assert opened == {
            "upgrades": ["websocket"],
            "pingInterval": 25000,
            "pingTimeout": 20000,
            "maxPayload": 1_000_000,
        }

    run(scenario)


@pytest.mark.parametrize(
    ("method", "query"),
    [
        ("GET", "transport=polling"),
        ("GET", "EIO=3&transport=polling"),
        ("GET", "EIO=4"),
        ("GET", "EIO=4&transport=pigeon"),
        ("GET", "EIO=4&transport=websocket"),
        ("GET", f"{OPEN}&sid=unknown"),
        ("GET", f"{OPEN}&j=1"),  # JSONP
        ("POST", OPEN),
        ("POST", f"{OPEN}&sid=unknown"),
        ("PUT", OPEN),
    ],
)
def test_a_bad_handshake_is_400(app: Vial, socketio: SocketIO, method: str, query: str) -> None:
    async def scenario() -> None:
        assert (await http(app, method, query, "x")).status == 400

    run(scenario)


def test_messages_go_both_ways_by_polling(app: Vial, socketio: SocketIO) -> None:
    socketio.on("message")(lambda *args: send([*args], broadcast=True))

    async def scenario() -> None:
        client = await Polling.open(app)
        frames = [f'42["message",{n}]' for n in range(40)]  # python-engineio takes 16
        reply = await client.post("\x1e".join(frames))
        assert (reply.status, reply.text) == (200, "ok")
        got: list[str] = []
        while len(got) < 40:
            got += (await client.poll()).text.split("\x1e")
        assert got == [f'42["message",[{n}]]' for n in range(40)]

    run(scenario)


def test_bytes_reach_clients_of_both_transports(app: Vial, socketio: SocketIO) -> None:
    async def scenario() -> None:
        websocket, polling = await WebSocket.open(app), await Polling.open(app)
        socketio.emit("x", {"bytes": b"\x01\x02"})
        head = '451-["x",{"bytes":{"_placeholder":true,"num":0}}]'
        assert [await websocket.receive(), await websocket.receive()] == [head, b"\x01\x02"]
        encoded = base64.b64encode(b"\x01\x02").decode()
        assert (await polling.poll()).text == f"{head}\x1eb{encoded}"

    run(scenario)


def test_a_session_moves_from_polling_to_websocket(app: Vial, socketio: SocketIO) -> None:
    socketio.on("message")(lambda text: send(text))

    async def scenario() -> None:
        polling = await Polling.open(app)
        poll = asyncio.ensure_future(polling.poll())
        await asyncio.sleep(0)
        websocket = WebSocket(app, f"EIO=4&transport=websocket&sid={polling.sid}")
        assert (await websocket.message())["type"] == "websocket.accept"
        await websocket.send("2probe")
        assert await websocket.receive() == "3probe"
        assert (await poll).text == "6"
        await websocket.send("5", '42["message","moved"]')
        assert await websocket.receive() == '42["message","moved"]'
        assert (await polling.poll()).status == 400
        again = WebSocket(app, f"EIO=4&transport=websocket&sid={polling.sid}")
        assert (await again.message())["type"] == "websocket.close"

    run(scenario)


def test_a_session_goes_on_polling_after_a_probe_that_failed(app: Vial, socketio: SocketIO) -> None:
    async def scenario() -> None:
        polling = await Polling.open(app)
        websocket = WebSocket(app, f"EIO=4&transport=websocket&sid={polling.sid}")
        await websocket.message()
        await websocket.leave()
        socketio.send("still here")
        assert (await polling.poll()).text == '42["message","still here"]'

    run(scenario)


def test_the_environ_of_a_websocket_is_that_of_a_request(app: Vial, socketio: SocketIO) -> None:
    seen: list[Any] = []

    @socketio.on("connect")
    def connect() -> None:
        environ = request.environ
        seen.append((request.url, request.remote_addr, request.cookies.to_dict(), request.method))
        seen.append((environ["SCRIPT_NAME"], environ["PATH_INFO"], "HTTP_X_EVIL" in environ))

    async def scenario() -> None:
        await WebSocket.open(
            app,
            scheme="wss",
            root_path="/möunt",
            path="/möunt/socket.io/",
            headers={"cookie": "a=1; b=2", "x_evil": "1"},
        )

    run(scenario)
    query = "EIO=4&transport=websocket"
    url = f"https://here.test/möunt/socket.io/?{query}"
    assert seen[0] == (url, "10.0.0.1", {"a": "1", "b": "2"}, "GET")
    assert seen[1] == ("/mÃ¶unt", "/socket.io/", False)


def test_pages_of_the_app_itself_may_connect(app: Vial, socketio: SocketIO) -> None:
    async def scenario() -> None:
        for scheme, host, origin in [
            ("http", "here.test", "http://here.test"),
            ("http", "here.test:80", "http://here.test"),
            ("http", "here.test:5000", "http://here.test:5000"),
            ("http", "HERE.test", "http://here.TEST"),
            ("https", "here.test", "https://here.test"),
            ("http", "here.test", "https://here.test"),  # a proxy took the TLS off
        ]:
            headers = {"host": host, "origin": origin}
            assert (await http(app, headers=headers, scheme=scheme)).status == 200, origin
            secure = {"http": "ws", "https": "wss"}[scheme]
            await WebSocket.open(app, headers=headers, scheme=secure)

    run(scenario)


FOREIGN = [
    ("http", "http://evil.test"),
    ("http", "http://here.test.evil.test"),
    ("http", "http://sub.here.test"),
    ("http", "http://here.test:8080"),
    ("http", "null"),
    ("http", ""),
    ("https", "http://here.test"),
]


@pytest.mark.parametrize(("scheme", "origin"), FOREIGN)
def test_pages_of_other_sites_may_not_connect(
    app: Vial, socketio: SocketIO, scheme: str, origin: str
) -> None:
    async def scenario() -> None:
        headers = {"origin": origin, "x-forwarded-host": "evil.test", "x-forwarded-proto": "http"}
        reply = await http(app, headers=headers, scheme=scheme)
        assert reply.status == 403
        assert "access-control-allow-origin" not in reply.headers
        websocket = WebSocket(app, headers=headers, scheme={"http": "ws"}.get(scheme, "wss"))
        assert (await websocket.message())["type"] == "websocket.close"
        client = await Polling.open(app)
        reply = await client.post('42["message","x"]', headers=headers, scheme=scheme)
        assert reply.status == 403

    run(scenario)


def test_a_refused_websocket_gets_a_status_where_the_server_can_send_one(
    app: Vial, socketio: SocketIO
) -> None:
    async def scenario() -> None:
        websocket = WebSocket(
            app,
            headers={"origin": "http://evil.test"},
            extensions={"websocket.http.response": {}},
        )
        start = await websocket.message()
        assert (start["type"], start["status"]) == ("websocket.http.response.start", 403)

    run(scenario)


@pytest.mark.parametrize(
    ("allowed", "status"),
    [
        (None, 403),
        ([], 403),
        ("http://other.test", 403),
        ("http://page.test", 200),
        (["http://other.test", "http://PAGE.test"], 200),
        ("*", 200),
        (["*"], 200),
        (lambda origin: origin == "http://page.test", 200),
        (lambda origin, environ: environ["REQUEST_METHOD"] == "GET", 200),
        (lambda origin: False, 403),
    ],
)
def test_other_origins_can_be_allowed(app: Vial, allowed: Any, status: int) -> None:
    SocketIO(app, cors_allowed_origins=allowed)

    async def scenario() -> None:
        reply = await http(app, headers={"origin": "http://page.test"})
        assert reply.status == status
        own = await http(app, headers={"origin": "http://here.test"})
        assert own.status == 200

    run(scenario)


def test_an_allowed_origin_is_told_so(app: Vial) -> None:
    SocketIO(app, cors_allowed_origins="http://page.test")

    async def scenario() -> None:
        headers = {"origin": "http://page.test", "access-control-request-headers": "content-type"}
        reply = await http(app, "OPTIONS", headers=headers)
        assert reply.status == 200
        assert reply.headers["access-control-allow-origin"] == "http://page.test"
        assert reply.headers["access-control-allow-credentials"] == "true"
        assert reply.headers["access-control-allow-methods"] == "OPTIONS, GET, POST"
        assert reply.headers["access-control-allow-headers"] == "content-type"
        assert reply.headers["vary"] == "Origin"

    run(scenario)


def test_all_origins_are_allowed_without_credentials(app: Vial) -> None:
    SocketIO(app, cors_allowed_origins="*")

    async def scenario() -> None:
        reply = await http(app, headers={"origin": "null"})
        assert reply.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in reply.headers

    run(scenario)


def test_a_refused_origin_is_explained_in_the_log_once_and_on_one_line(
    app: Vial, socketio: SocketIO, caplog: Any
) -> None:
    async def scenario() -> None:
        for _ in range(3):
            await http(app, headers={"origin": "http://evil.test\x1b[31m"})

    run(scenario)
    (record,) = logged(caplog)
    assert "cors_allowed_origins=['http://evil.test" in record.getMessage()
    assert record.getMessage().isprintable()


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_over_the_limit_is_413_and_ends_the_session(
    app: Vial, ended: list[str], announced: bool
) -> None:
    socketio = SocketIO(app, max_http_buffer_size=100)
    socketio.on("disconnect")(ended.append)

    async def scenario() -> None:
        client = await Polling.open(app)
        assert (await client.post('42["message","' + "x" * 84 + '"]')).status == 200
        if announced:
            reply = await client.post("", headers={"content-length": "101"})  # no byte is read
        else:
            reply = await client.post([b"4" * 60, b"4" * 60, b"4" * 60])
        assert reply.status == 413
        assert (await client.poll()).status == 400

    run(scenario)


def test_a_frame_over_the_limit_is_closed_with_1009(app: Vial) -> None:
    socketio = SocketIO(app, max_http_buffer_size=100)
    got: list[Any] = []
    ended: list[str] = []
    socketio.on("message")(got.append)
    socketio.on("disconnect")(ended.append)

    async def scenario() -> None:
        for frame in (
            '42["message","%s"]' % ("x" * 100),
            '42["message","%s"]' % ("é" * 50),
            b"x" * 101,
        ):
            client = await WebSocket.open(app)
            await client.send('42["message","fits"]', frame)
            assert await client.end() == 1009

    run(scenario)
    assert got == ["fits"] * 3
    assert ended == ["transport error"] * 3


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "x",
        "9",
        "4",
        "4x",
        "4[[[[[[[[[[",
        "b!!!",
        "2probe and more",
        "4" + "[" * 9000,
        "3" * 9000,
    ],
)
def test_a_frame_that_is_no_packet_closes_the_websocket(
    app: Vial, socketio: SocketIO, ended: list[str], caplog: Any, frame: str
) -> None:
    async def scenario() -> None:
        client = await WebSocket.open(app)
        await client.send(frame)
        assert await client.end() in (1000, 1002)

    run(scenario)
    assert len(ended) == 1
    assert logged(caplog) == []


@pytest.mark.parametrize(
    "body",
    ["", "x", "4\x1e", "b!", "b123", "0{}", '2["message"]', "4" + "[" * 9000, "42[", "45-[]"],
)
def test_a_body_that_is_no_payload_ends_the_session_without_a_storm_in_the_log(
    app: Vial, socketio: SocketIO, ended: list[str], caplog: Any, body: str
) -> None:
    async def scenario() -> None:
        client = await Polling.open(app)
        await client.post(body, headers={"content-length": str(len(body))})
        assert (await client.poll()).status == 400
        assert (await client.post('42["message"]')).status == 400

    run(scenario)
    assert ended == ["transport error"]
    assert logged(caplog) == []


def test_a_body_cut_short_ends_the_session(app: Vial, socketio: SocketIO, ended: Any) -> None:
    async def scenario() -> None:
        client = await Polling.open(app)
        events = [{"type": "http.request", "body": b"42", "more_body": True}]
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return events.pop() if events else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await app(scope("http", client.query, None, method="POST"), receive, send)
        assert sent[0]["status"] == 400
        assert ended == ["transport error"]

    run(scenario)


def test_a_poll_that_waits_ends_with_its_session(app: Vial, socketio: SocketIO) -> None:
    async def scenario() -> None:
        client = await Polling.open(app)
        poll = asyncio.ensure_future(client.poll())
        await asyncio.sleep(0.01)
        assert (await client.post("1")).text == "ok"
        assert (await poll).text == "6"
        assert (await client.poll()).status == 400

    run(scenario)


def test_a_length_that_is_no_number_ends_the_session(
    app: Vial, socketio: SocketIO, ended: list[str]
) -> None:
    async def scenario() -> None:
        client = await Polling.open(app)
        assert (await client.post("", headers={"content-length": "many"})).status == 400
        assert ended == ["transport error"]

    run(scenario)


def test_two_polls_at_once_end_the_session(app: Vial, socketio: SocketIO, ended: Any) -> None:
    async def scenario() -> None:
        client = await Polling.open(app)
        first = asyncio.ensure_future(client.poll())
        await asyncio.sleep(0)
        assert (await client.poll()).status == 400
        await first
        assert ended == ["transport error"]

    run(scenario)


def test_a_client_that_leaves_during_a_poll_is_noticed_at_once(
    app: Vial, socketio: SocketIO, ended: list[str]
) -> None:
    async def scenario() -> None:
        client = await Polling.open(app)
        left = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            raise OSError("gone")

        poll = asyncio.ensure_future(
            app(scope("http", client.query, None, method="GET"), receive, send)
        )
        await asyncio.sleep(0.01)
        assert ended == []
        left.set()
        await poll
        assert ended == ["transport error"]

    run(scenario)


def test_a_client_that_does_not_answer_pings_is_gone(app: Vial) -> None:
    socketio = SocketIO(app, ping_interval=0.01, ping_timeout=0.05)
    ended: list[str] = []
    socketio.on("disconnect")(ended.append)

    async def scenario() -> None:
        client = await WebSocket.open(app)
        assert await client.receive() == "2"
        await client.send("3", "3", "3")  # more answers than pings make no more pings
        assert await client.receive() == "2"
        await until(lambda: ended)
        assert ended[0] in ("ping timeout", "transport close")  # whichever is noticed first
        await client.leave()
        assert len(ended) == 1

    run(scenario)


def test_pongs_start_at_most_one_ping_task(app: Vial, socketio: SocketIO) -> None:
    async def scenario() -> None:
        client = await WebSocket.open(app)
        before = len(asyncio.all_tasks())
        await client.send(*["3"] * 500)
        await client.send('420["none"]', "41")
        await client.leave()
        assert len(asyncio.all_tasks()) <= before

    run(scenario)


def test_a_client_that_never_joins_a_namespace_is_dropped(app: Vial, socketio: SocketIO) -> None:
    socketio.async_server.connect_timeout = 0.02

    async def scenario() -> None:
        member = await WebSocket.open(app)
        stranger = await WebSocket.open(app, connect=False)
        assert await stranger.end() == 1000
        socketio.send("x")
        assert await member.receive() == '42["message","x"]'

    run(scenario)


def test_a_closed_session_leaves_nothing_behind(app: Vial, socketio: SocketIO) -> None:
    server = socketio.async_server
    socketio.on("message")(lambda: emit("hello"))

    async def scenario() -> None:
        for _ in range(20):
            client = await WebSocket.open(app)
            await client.send('42["message"]')
            await client.leave()
            polling = await Polling.open(app)
            await polling.post("1")
            assert (await polling.poll()).status == 400
        assert server.manager.rooms == {} and server.environ == {} and server.tasks == set()
        assert all(socket.closed for socket in server.eio.sockets.values())

    run(scenario)
