"""WebSockets under real servers."""

from __future__ import annotations

import base64
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from .running import APP, COMMANDS, HERE, Server, start

pytestmark = pytest.mark.service

SITE = "cases.socket_site"
SERVERS = ["granian-asgi", "granian-rsgi", "uvicorn", "hypercorn", "vial"]
#: Seconds that anything may take on a busy machine.
SOON = 30.0


@contextmanager
def running(name: str, folder: Path) -> Iterator[Server]:
    interface, command = COMMANDS[name]
    with pytest.MonkeyPatch.context() as patch:
        command = command.replace(APP, f"{SITE}:app").replace("cases.site%", f"{SITE}%")
        patch.setitem(COMMANDS, name, (interface, command))
        server = start(name, folder)
    try:
        yield server
    finally:
        server.stop()
    errors = server.log.split("Traceback (most recent call last)")[1:]
    expected = ("the view failed", "RuntimeError: granian")
    assert [e for e in errors if "/vial/" in e and not any(x in e for x in expected)] == []


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Server]:
    with running(request.param, tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def says_more(server: Server) -> bool:
    """Whether it can say more than a status: RSGI has no headers, subprotocols and close codes."""
    return server.interface == "asgi"


def opened(server: Server, path: str = "/", **options: Any) -> ClientConnection:
    options.setdefault("compression", None)
    options.update(max_size=None, max_queue=None)
    url = f"ws://{HERE}:{server.port}{path}"
    return connect(url, open_timeout=SOON, close_timeout=SOON, **options)


def refusal(server: Server, path: str = "/", **options: Any) -> Any:
    with pytest.raises(InvalidStatus) as refused, opened(server, path, **options):
        pass
    return refused.value.response


def closed(ws: ClientConnection) -> tuple[int, str]:
    """How the server closes."""
    with pytest.raises(ConnectionClosed) as end:
        while True:
            ws.recv(SOON)
    received = end.value.rcvd
    return (1006, "") if received is None else (received.code, received.reason)


def state(server: Server) -> dict[str, Any]:
    return json.loads(server.ask("/state").text)  # type: ignore[no-any-return]


def wait_for(server: Server, what: str, condition: Callable[[dict[str, Any]], object]) -> None:
    end = time.monotonic() + SOON
    while not condition(now := state(server)):
        assert time.monotonic() < end, f"{what}: {now}\n{server.log}"
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def nothing_stays_open(server: Server) -> Iterator[None]:
    yield
    wait_for(
        server,
        "WebSockets, tasks and threads are left",
        lambda now: now["open"] == 0 and now["threads"] == 0,
    )


# -- talking ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/sync", "/impatient"])
def test_messages_go_both_ways(server: Server, path: str) -> None:
    with opened(server, path) as ws:
        for message in ("text", "é€😀", "", b"\x00\xff", b"", "x" * 100_000, b"x" * 2**20):
            ws.send(message)
            assert ws.recv(SOON) == message


def test_no_message_is_lost_to_a_view_that_loses_its_patience(server: Server) -> None:
    sent = [str(number) for number in range(300)]
    with opened(server, "/impatient") as ws:
        for message in sent:
            ws.send(message)
            time.sleep(0.0005)
        assert [ws.recv(SOON) for _ in sent] == sent


def test_the_handshake_is_a_request(server: Server) -> None:
    headers = {"X-Test": "1", "Cookie": "a=b"}
    path = "/facts/x%20y/%C3%A9?q=1"
    asked = ["one", "two"] if server.interface == "asgi" else None
    with opened(server, path, additional_headers=headers, subprotocols=asked) as ws:
        assert json.loads(ws.recv(SOON)) == {
            "rest": "x y/é",
            "path": "/facts/x y/é",
            "args": {"q": "1"},
            "scheme": "ws",
            "x": "1",
            "cookies": {"a": "b"},
            "asked": asked or [],
            "url": f"ws://{HERE}:{server.port}/facts/x%20y/é?q=1",
            "link": f"ws://{HERE}:{server.port}/facts/a%20b",
            "session": {},
        }


def test_a_subprotocol_is_agreed_on_where_the_interface_can(
    server: Server, says_more: bool
) -> None:
    if says_more:
        with opened(server, "/choose", subprotocols=["a", "b"]) as ws:
            assert ws.subprotocol == "b"
    else:
        assert refusal(server, "/choose", subprotocols=["a", "b"]).status_code == 500
        assert "vial serve --interface asgi" in server.log


def test_headers_and_cookies_come_with_the_acceptance_where_the_server_can(server: Server) -> None:
    if server.name not in ("uvicorn", "hypercorn"):
        assert refusal(server, "/headers").status_code == 500
        assert "granian 2.8 sends no headers" in server.log
        with opened(server, "/session"):
            pass
        wait_for(server, "a warning", lambda now: "A session was changed while" in server.log)
        return
    with opened(server, "/session") as ws:
        assert ws.response is not None
        assert "session=" in ws.response.headers["Set-Cookie"]
    with opened(server, "/headers") as ws:
        assert ws.response is not None
        assert ws.response.headers["X-A"] == "b"
        cookie = ws.response.headers["Set-Cookie"].partition(";")[0]
    with opened(server, "/facts/x", additional_headers={"Cookie": cookie}) as ws:
        assert json.loads(ws.recv(SOON))["session"] == {"chosen": 1}


# -- refusing and closing ---------------------------------------------------------------------


def test_a_refusal_is_an_answer_by_http(server: Server, says_more: bool) -> None:
    for path, status in (("/refuse/401", 401), ("/refuse/418", 418), ("/nowhere", 404)):
        answer = refusal(server, path)
        assert answer.status_code == status
        if says_more:
            assert b"<h1>" in answer.body
            assert answer.headers.get_all("Content-Length") == [str(len(answer.body))]
            assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_a_page_of_another_site_is_refused(server: Server) -> None:
    assert refusal(server, origin="http://evil.example").status_code == 403
    with opened(server, origin=f"http://{HERE}:{server.port}") as ws:  # type: ignore[arg-type]
        ws.send("x")
        assert ws.recv(SOON) == "x"


def test_close_codes_arrive_where_the_interface_has_them(server: Server, says_more: bool) -> None:
    for path, code, reason in (
        ("/close/1000", 1000, "as asked"),
        ("/close/4001", 4001, "as asked"),
        ("/fail", 1011, ""),
    ):
        with opened(server, path) as ws:
            assert closed(ws) == ((code, reason) if says_more else (1005, ""))


@pytest.mark.parametrize("path", ["/", "/sync"])
def test_a_message_that_is_too_big_closes(server: Server, says_more: bool, path: str) -> None:
    with opened(server, path) as ws:
        ws.send(b"x" * (2**20 + 1))
        code = 1009 if says_more else 1005
        assert closed(ws) == (code, "the message is too big" if says_more else "")


# -- clients that leave -----------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/sync", "/sleep", "/push"])
@pytest.mark.parametrize("vanishes", [False, True], ids=["closes", "vanishes"])
def test_a_view_whose_client_leaves_is_torn_down_once(
    server: Server, path: str, vanishes: bool
) -> None:
    before = len(state(server)["ended"])
    if vanishes:
        with raw(server, path) as client:
            client.sendall(frame(1, b"x"))
            if path != "/sleep":
                client.recv(10)
    else:
        with opened(server, path) as ws:
            ws.send("x")
            if path != "/sleep":
                ws.recv(SOON)
    wait_for(server, "the view ends", lambda now: len(now["ended"]) > before)
    time.sleep(0.05)
    assert state(server)["ended"][before:] == [f"{path} NoneType"]


def test_the_connection_ends_with_the_websocket(server: Server) -> None:
    with raw(server) as client:
        client.sendall(frame(8, struct.pack(">H", 1000)))
        received = b""
        while data := client.recv(1000):  # until the server has closed the connection
            received += data
        assert received[:4] == b"\x88\x02" + struct.pack(">H", 1000)


def test_tasks_do_not_pile_up(server: Server) -> None:
    with opened(server):
        pass
    before = state(server)["tasks"]
    for path in ("/", "/sleep", "/push", "/sync") * 5:
        with raw(server, path):
            pass
    wait_for(server, "tasks end", lambda now: now["tasks"] <= before)


def test_a_client_that_does_not_read_is_dropped_and_others_are_served(server: Server) -> None:
    before = len(state(server)["ended"])
    resident = state(server)["resident"]
    with raw(server, "/flood"), opened(server) as other:
        end = time.monotonic() + SOON
        while len(state(server)["ended"]) == before:
            other.send("x")
            assert other.recv(SOON) == "x"
            assert time.monotonic() < end, server.log
    assert state(server)["ended"][before:][:1] == ["/flood NoneType"]
    assert state(server)["resident"] - resident < 20 * 2**20


def test_many_tasks_may_send_on_one_websocket_in_their_order(server: Server) -> None:
    with opened(server, "/crowd") as ws:
        numbers = [int(ws.recv(SOON)[:6]) for _ in range(50)]
        assert ws.recv(SOON) == "all"
    assert numbers == sorted(numbers)


def test_a_client_that_sends_what_nobody_reads_is_dropped(server: Server) -> None:
    before = len(state(server)["ended"])
    with opened(server, "/sleep") as ws:
        for _ in range(70):
            ws.send("x")
        wait_for(server, "the view ends", lambda now: len(now["ended"]) > before)


# -- frames that break the protocol -----------------------------------------------------------


def frame(opcode: int, data: bytes, *, fin: bool = True, mask: bool = True, rsv: int = 0) -> bytes:
    head = bytes([fin << 7 | rsv << 4 | opcode])
    size = len(data)
    length = bytes([mask << 7 | size]) if size < 126 else struct.pack(">BH", mask << 7 | 126, size)
    return head + length + (b"\0\0\0\0" if mask else b"") + data


@contextmanager
def raw(server: Server, path: str = "/") -> Iterator[socket.socket]:
    """A connection after its handshake."""
    key = base64.b64encode(b"sixteen bytes...").decode()
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {HERE}:{server.port}",
        *("Upgrade: websocket", "Connection: Upgrade"),
        *(f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"),
    ]
    request = "\r\n".join([*lines, "", ""]).encode()
    with server.connect(request, timeout=SOON) as client:
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += client.recv(1)
        assert answer.startswith(b"HTTP/1.1 101 ")
        yield client


@pytest.mark.parametrize(
    "bad",
    [
        frame(1, b"x", mask=False),
        frame(1, b"x", rsv=2),
        frame(3, b"x"),
        frame(11, b"x"),
        frame(9, b"x" * 126),
        frame(9, b"x", fin=False),
        frame(0, b"x"),
        frame(1, b"\xff"),
        frame(8, b"\x03"),
        frame(8, struct.pack(">H", 1005)),
        frame(8, struct.pack(">H", 999)),
    ],
    ids=lambda data: data[:6].hex(),
)
def test_a_broken_frame_ends_the_connection(server: Server, bad: bytes) -> None:
    with raw(server) as client:
        client.sendall(bad)
        received = b""
        try:
            while data := client.recv(1000):
                received += data
        except ConnectionResetError:
            pass
        assert received[:1] in (b"", b"\x88")  # nothing, or a close frame
        if len(received) > 2:
            assert struct.unpack(">H", received[2:4])[0] in (1002, 1007)


def test_tiny_fragments_cost_little(server: Server) -> None:
    resident = state(server)["resident"]
    with raw(server) as client:
        client.sendall(frame(2, b"x", fin=False))
        try:
            for _ in range(131):
                client.sendall(frame(0, b"x", fin=False) * 1000)
            client.sendall(frame(9, b"still there?"))
            client.recv(100)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has had enough
        assert state(server)["resident"] - resident < 40 * 2**20


def test_a_message_that_inflates_over_the_limit_is_refused(server: Server) -> None:
    resident = state(server)["resident"]
    for size in (2**20 + 1, 17 * 2**20):
        with opened(server, compression="deflate") as ws:
            if not ws.protocol.extensions:
                return  # granian does not compress
            with pytest.raises(ConnectionClosed):
                ws.send(b"\0" * size)
                assert closed(ws)[0] == 1009
                raise ConnectionClosed(None, None)
    if server.name != "hypercorn":  # which inflates first and then looks at its own limit
        assert state(server)["resident"] - resident < 40 * 2**20


# -- all at once ------------------------------------------------------------------------------


def test_many_websockets_at_once(server: Server) -> None:
    failures: list[Any] = []

    def talk(path: str) -> None:
        try:
            with opened(server, path) as ws:
                for number in range(20):
                    ws.send(f"{path} {number}")
                    assert ws.recv(SOON) == f"{path} {number}"
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=talk, args=(path,)) for path in ("/", "/sync") * 20]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
