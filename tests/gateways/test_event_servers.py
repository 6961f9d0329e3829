"""Event streams under the real servers."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from .running import Server, start

pytestmark = pytest.mark.slow

#: Seconds that anything may take on a busy machine.
SOON = 20.0
SERVERS = ["granian-asgi", "granian-rsgi", "granian-wsgi", "gunicorn-threads", "uvicorn"]

keys = (f"key-{number}" for number in count())


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Server]:
    server = start(request.param, tmp_path_factory.mktemp("server"), "cases.event_site:app")
    try:
        yield server
    finally:
        server.stop()
    assert "Traceback" not in server.log


@pytest.fixture(params=["sync", "async"])
def lane(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Reader:
    """A client that reads a stream as it comes."""

    def __init__(self, server: Server, target: str, *headers: str) -> None:
        lines = [f"GET {target} HTTP/1.1", "Host: localhost", *headers, "", ""]
        self.socket = server.connect("\r\n".join(lines).encode(), timeout=SOON)
        self.received = b""

    def until(self, *wanted: bytes) -> None:
        """Read until all of this came, or fail."""
        while not all(part in self.received for part in wanted):
            data = self.socket.recv(65536)
            assert data, f"closed after {self.received!r}"
            self.received += data

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def state(server: Server, key: str) -> Any:
    return json.loads(server.ask(f"/steps/{key}").body)


def soon(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + SOON
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return value


def release(server: Server, key: str) -> None:
    assert server.ask(f"/release/{key}", "POST").status == 200


def test_the_headers_and_each_event_arrive_when_they_are_made(server: Server, lane: str) -> None:
    key = next(keys)
    reader = Reader(server, f"/{lane}/events/{key}")
    reader.until(b"\r\n\r\n", b":\n\n")
    head = reader.received.lower()
    assert head.startswith(b"http/1.1 200 ")
    assert b"\r\ncontent-type: text/event-stream; charset=utf-8\r\n" in head
    assert b"\r\ncache-control: no-cache\r\n" in head
    assert b"\r\nx-accel-buffering: no\r\n" in head
    assert b"data" not in reader.received
    for number in (1, 2, 3):
        release(server, key)
        reader.until(b'id: %d\ndata: {"n": %d}\n\n' % (number, number))
    assert soon(lambda: len(state(server, key)["steps"]) == 2)
    reader.close()


def test_a_browser_that_comes_back_goes_on_where_it_was(server: Server, lane: str) -> None:
    key = next(keys)
    release(server, key)
    reader = Reader(server, f"/{lane}/events/{key}", "Last-Event-ID: 41")
    reader.until(b"id: 42\n")
    reader.close()
    assert soon(lambda: len(state(server, key)["steps"]) == 2)


def test_a_client_that_leaves_while_nothing_happens_ends_the_generator(
    server: Server, lane: str
) -> None:
    key = next(keys)
    reader = Reader(server, f"/{lane}/events/{key}")
    reader.until(b"\r\n\r\n", b":\n\n")
    assert soon(lambda: state(server, key)["steps"] == ["began"])
    reader.close()
    assert soon(lambda: len(state(server, key)["steps"]) == 2), state(server, key)
    assert state(server, key)["steps"] == ["began", f"closed at /{lane}/events/{key}"]
    assert soon(lambda: state(server, key)["threads"] == 0)


def test_a_stream_ends_although_a_task_goes_on_in_its_context(server: Server) -> None:
    reader = Reader(server, "/kept", "Connection: close")
    reader.until(b"data: all\n\n")
    while reader.socket.recv(65536):  # a time-out is an error
        pass
    reader.socket.close()


def test_many_clients_come_and_go(server: Server, lane: str) -> None:
    key = next(keys)
    count = 5 if server.interface == "wsgi" else 30
    readers = []
    for _ in range(count):
        readers.append(Reader(server, f"/{lane}/events/{key}"))
        if server.interface == "wsgi":
            # Of two requests at the same time granian 2.8.7 may begin the second one only when a
            # thread is free again: it takes the one that just woke for idle (src/blocking.rs).
            readers[-1].until(b":\n\n")
    for reader in readers:
        reader.until(b":\n\n")
    for reader in readers:
        reader.close()
    assert soon(lambda: len(state(server, key)["steps"]) % 2 == 0 and not live(server, key))
    assert soon(lambda: state(server, key)["threads"] == 0)


def live(server: Server, key: str) -> int:
    steps = state(server, key)["steps"]
    return 2 * steps.count("began") - len(steps)  # type: ignore[no-any-return]
