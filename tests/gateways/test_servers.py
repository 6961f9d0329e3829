"""The gateways under the real servers: each is started once and asked all of this."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from cases.entrances import Wsgi
from cases.gateways import JSON, LARGE, MULTIPART, URLENCODED, multipart
from cases.site import LANES, make_site

from .running import COMMANDS, ServedSiteCases, Server, receive, with_site

pytestmark = pytest.mark.service

keys = (f"key-{number}" for number in count())


@pytest.fixture(scope="module", params=COMMANDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Server]:
    with with_site(request.param, tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def ask(server: Server) -> Any:
    return server.ask


@pytest.fixture(params=LANES)
def lane(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestSite(ServedSiteCases):
    """All of them."""


FORM = multipart(("a", None, b"1"), ("file", "x.bin", LARGE))
REQUESTS: list[dict[str, Any]] = [
    {"target": f"{lane}{page}", "method": method, **options}
    for lane in LANES
    for page, method, options in (
        ("/hello", "GET", {}),
        ("/hello", "HEAD", {}),
        ("/hello", "OPTIONS", {}),
        ("/hello", "DELETE", {}),
        ("/nowhere", "GET", {}),
        ("/nowhere", "HEAD", {}),
        ("/count", "GET", {}),
        ("/json-list", "GET", {}),
        ("/away", "GET", {}),
        ("/stream", "GET", {}),
        ("/stream", "HEAD", {}),
        ("/stream-async", "GET", {}),
        ("/stream-context/n?q=v", "GET", {}),
        ("/status/204", "GET", {}),
        ("/status/304", "GET", {}),
        ("/abort/418", "GET", {}),
        ("/crash", "GET", {}),
        ("/form", "POST", {"headers": [URLENCODED], "body": b"a=1&b=%C3%A9"}),
        ("/form", "POST", {"headers": [MULTIPART], "body": FORM}),
        ("/json", "POST", {"headers": [JSON], "body": b'{"a": [1]}'}),
        ("/json", "POST", {"headers": [JSON], "body": b"{"}),
        ("/data", "POST", {"body": LARGE}),
    )
]


@pytest.fixture(scope="module")
def expected() -> list[Any]:
    """The answers of the app in process."""
    site = make_site()
    return [comparable(Wsgi().ask(site, **request)) for request in REQUESTS]


def comparable(answer: Any) -> Any:
    headers = [
        (name, sorted(value.split(", ")) if name == "allow" else value)
        for name, value in answer.headers
        if name != "set-cookie"
    ]
    return answer.status, sorted(headers), answer.body


def test_every_server_answers_as_the_app_does_in_process(
    server: Server, expected: list[Any]
) -> None:
    for request, answer in zip(REQUESTS, expected, strict=True):
        assert comparable(server.ask(**request)) == answer, request["target"]


def test_a_crash_is_logged_once(server: Server, lane: str) -> None:
    line = f"Exception on {lane}/crash [GET]"
    before = server.log.count(line)
    assert server.ask(f"{lane}/crash").status == 500
    assert server.log.count(line) == before + 1


# Bodies that break.


def head(target: str, *headers: str) -> bytes:
    lines = [f"POST {target} HTTP/1.1", "Host: localhost", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode()


def seen(server: Server, key: str, seconds: float = 3) -> Any:
    """What the view saw of the body; None where it was not called in that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        view_saw = json.loads(server.ask(f"/seen/{key}").body)["seen"]
        if view_saw is not None:
            return view_saw
        time.sleep(0.01)
    return None


def none_was_whole(server: Server, sent: dict[str, Any]) -> None:
    """No view saw a body of these keys but as an error; it may not have been called at all."""
    time.sleep(0.15)
    for key, what in sent.items():
        assert seen(server, key, 0.001) in (None, "error 400", "error 411"), what


CHUNKED = "Transfer-Encoding: chunked"


def test_a_whole_body_is_seen(server: Server, lane: str) -> None:
    key = next(keys)
    answer = server.talk(head(f"{lane}/whole/{key}", "Content-Length: 5") + b"hello")
    assert answer.endswith(b"whole: 5") and seen(server, key) == 5


CHUNKS = b"5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\n\r\n"


def test_a_whole_chunked_body_is_seen(server: Server, lane: str) -> None:
    server.needs("chunks")
    key = next(keys)
    answer = server.talk(head(f"{lane}/whole/{key}", CHUNKED) + CHUNKS)
    assert answer.endswith(b"whole: 8") and seen(server, key) == 8


def test_where_chunks_cannot_be_trusted_a_length_is_asked_for(server: Server, lane: str) -> None:
    if server.name != "granian-wsgi":
        pytest.skip(f"{server.name} tells when a chunked body is cut off")
    key = next(keys)
    answer = server.talk(head(f"{lane}/whole/{key}", CHUNKED) + CHUNKS)
    assert answer.startswith(b"HTTP/1.1 411 ") and seen(server, key) == "error 411"


def test_a_truncated_body_is_never_seen(server: Server, lane: str) -> None:
    sent = {next(keys): part for part in (b"", b"x" * 10, b"x" * 70_000)}
    for key, part in sent.items():
        leave_after(server, head(f"{lane}/whole/{key}", "Content-Length: 100000") + part)
    none_was_whole(server, sent)


def test_a_chunked_body_that_is_cut_off_is_never_seen(server: Server, lane: str) -> None:
    parts = (b"", b"5\r\nhel", b"5\r\nhello\r\n", b"5\r\nhello\r\n0\r\n")
    sent = {next(keys): part for part in parts}
    for key, part in sent.items():
        leave_after(server, head(f"{lane}/whole/{key}", CHUNKED) + part)
    none_was_whole(server, sent)


def leave_after(server: Server, sent: bytes) -> None:
    client = server.connect(sent)
    time.sleep(0.02)
    client.close()


def test_a_malformed_chunk_is_refused(server: Server, lane: str) -> None:
    sent = {
        next(keys): chunk for chunk in (b"ZZ\r\nhello\r\n", b"-5\r\nhello\r\n", b"5\r\nhelloXX")
    }
    for key, chunk in sent.items():
        body = b"3\r\nabc\r\n" + chunk + b"0\r\n\r\n"
        answer = server.talk(head(f"{lane}/whole/{key}", CHUNKED) + body)
        assert answer[:13] in (b"HTTP/1.1 400 ", b"HTTP/1.1 411 ", b""), chunk
    none_was_whole(server, sent)


def test_a_length_that_is_none_is_refused(server: Server, lane: str) -> None:
    sent = {next(keys): length for length in ("-1", "+5", "5_0", "0x5", "5, 6")}
    for key, length in sent.items():
        request = head(f"{lane}/whole/{key}", f"Content-Length: {length}") + b"hello"
        assert server.talk(request)[:13] in (b"HTTP/1.1 400 ", b"HTTP/1.0 400 ", b""), length
    none_was_whole(server, sent)


def test_a_body_over_the_limit_is_refused_before_it_is_sent(server: Server, lane: str) -> None:
    server.needs("early answers")
    key = next(keys)
    sent = head(f"{lane}/whole/{key}", "Content-Length: 20000000") + b"x" * 10_000
    assert server.talk(sent).startswith(b"HTTP/1.1 413 ")
    assert seen(server, key) == "error 413"


def test_a_slow_body_is_408(server: Server, lane: str) -> None:
    if server.interface == "wsgi":
        pytest.skip("under WSGI only the server could do it, and none does")
    key = next(keys)
    began = time.monotonic()
    client = server.connect(head(f"{lane}/whole/{key}", "Content-Length: 9") + b"x")
    assert client.recv(65536).startswith(b"HTTP/1.1 408 ")
    assert 0.9 < time.monotonic() - began < 3
    while client.recv(65536):  # and the connection ends: what follows is no request
        pass
    client.close()
    assert seen(server, key) == "error 408"


def test_a_client_may_wait_to_be_asked_for_its_body(server: Server, lane: str) -> None:
    key = next(keys)
    expect = ("Content-Length: 5", "Expect: 100-continue")
    with server.connect(head(f"{lane}/whole/{key}", *expect)) as client:
        assert client.recv(65536).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"hello")
        answer = b""
        while not answer.endswith(b"whole: 5"):
            answer += client.recv(65536) or pytest.fail(f"closed after {answer!r}")


# Connections.


@pytest.mark.parametrize(
    "first",
    [
        b"POST /sync/unread HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /",
        b"HEAD /sync/stream HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /sync/status/204 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /sync/status/304 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=["unread body", "head", "204", "304"],
)
def test_the_next_request_of_a_connection_begins_where_the_first_ended(
    server: Server, first: bytes
) -> None:
    with server.connect(first) as client:
        assert receive(client).startswith(b"HTTP/1.1 ")
        try:
            client.sendall(b"GET /sync/hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
            second = receive(client)
        except OSError:
            second = b""
    # Or it is closed, as it may be.
    assert second == b"" or (second.startswith(b"HTTP/1.1 200 ") and second.endswith(b"Hello"))


def test_http_1_0_needs_no_host(server: Server, lane: str) -> None:
    assert server.talk(f"GET {lane}/hello HTTP/1.0\r\n\r\n".encode()).endswith(b"\r\n\r\nHello")


def test_http_1_0_gets_no_chunks(server: Server, lane: str) -> None:
    server.needs("streams for HTTP/1.0")
    answer = server.talk(f"GET {lane}/stream HTTP/1.0\r\n\r\n".encode())
    assert answer.endswith("\r\n\r\nabé".encode())


def test_options_of_the_server_itself_is_no_error_of_ours(server: Server) -> None:
    asked = b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert server.talk(asked)[9:10] in (b"2", b"4")


def test_two_hosts_are_refused(server: Server, lane: str) -> None:
    request = f"GET {lane}/hello HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n"
    assert b" 400 " in server.talk(request.encode())[:13]


def test_a_header_with_underscores_is_not_one_with_hyphens(server: Server, lane: str) -> None:
    server.needs("underscores")
    answer = server.ask(f"{lane}/facts/x", headers=[("X_Test", "spoofed")])
    assert json.loads(answer.body)["x"] is None


def test_a_client_that_leaves_ends_the_stream(server: Server, lane: str) -> None:
    key = next(keys)
    client = server.connect(
        f"GET {lane}/endless/{key} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    )
    assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
    client.close()
    assert seen(server, key) == "closed"
    assert server.ask(f"{lane}/hello").text == "Hello"


def test_an_async_view_ends_when_its_client_leaves(server: Server) -> None:
    if server.interface == "wsgi":
        pytest.skip("a WSGI server does not tell that a client left")
    key = next(keys)
    before = server.ask("/seen/ends").text
    client = server.connect(f"GET /wait/{key} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    wait_for(server, key, "waits")
    client.close()
    wait_for(server, key, "cancelled")
    wait_until(lambda: server.ask("/seen/ends").text != before)


def test_background_work_runs_after_the_response(server: Server) -> None:
    key = next(keys)
    assert server.ask(f"/late/{key}").text == "answered"
    wait_for(server, key, "background")


def wait_for(server: Server, key: str, state: str) -> None:
    wait_until(lambda: json.loads(server.ask(f"/seen/{key}").text)["seen"] == state)


def wait_until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.01)
