"""Contexts never mix, and a client that leaves leaves nothing behind: 200 requests at once."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cases.entrance_rsgi import Rsgi
from cases.entrances import Asgi, Ask
from cases.isolation_site import KINDS, Site, count, make_site
from gateways.running import Server, start

from vial.sessions import SecureCookieSessionInterface

pytestmark = pytest.mark.slow  # together, not each

REQUESTS = 200
SOON = 30.0
ENTRANCES: list[Asgi] = [Asgi(), Rsgi()]


@pytest.fixture(params=ENTRANCES, ids=lambda entrance: entrance.name)
def entrance(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def site() -> Site:
    return make_site()


def cookie(site: Site, n: int) -> tuple[str, str]:
    """A header with a session of its own."""
    serializer = SecureCookieSessionInterface().get_signing_serializer(site)
    assert serializer is not None
    return "Cookie", f"session={serializer.dumps({'n': n})}"


def target(n: int) -> str:
    return f"/{KINDS[n % len(KINDS)]}/{n}?n={n}"


POINTS = {
    "sync": 6,
    "async": 10,
    "stream": 5,
    "sync-stream": 5,
    "events": 5,
    "sync-events": 5,
}


def check(n: int, text: str) -> None:
    """That each point of a request saw its own, and that there were as many as there are."""
    lines = [line.removeprefix("data: ") for line in text.split("\n")]
    lines = [line for line in lines if line.strip(": ")]
    whose = {line.partition(": ")[2] for line in lines}
    assert whose == {f"{n} {n} {n} {n} isolation"}
    assert len(lines) == POINTS[KINDS[n % len(KINDS)]]


def test_requests_at_once_see_only_their_own(entrance: Asgi, site: Site) -> None:
    asks = [Ask(target(n), headers=[cookie(site, n)]) for n in range(REQUESTS)]

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(*(entrance.ask_here(site, ask) for ask in asks))

    for n, answer in enumerate(asyncio.run(all_at_once())):
        assert answer.status == 200 and answer.whole
        assert answer["x-seen"] == f"after: {n} {n} {n} {n} isolation"
        check(n, answer.text)
    deadline = time.monotonic() + SOON
    while len(site.ends) < REQUESTS and time.monotonic() < deadline:
        time.sleep(0.001)
    check_ends(site.ends, site.most_in_flight)


def check_ends(ends: list[str], most: int) -> None:
    assert sorted(ends) == sorted(f"end: {n} {n} {n} {n} isolation" for n in range(REQUESTS))
    assert most >= 20  # they were in flight together, or nothing was tested


# What is left.

UPLOAD = {
    "method": "POST",
    "headers": [("Content-Type", "multipart/form-data; boundary=b")],
}
FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n%s\r\n--b--\r\n'
LARGE = FILE % (b"x" * 1_200_000)  # a body, and a file of it, that go to disk
#: Requests whose clients leave, and what they see before they do: a number of pieces of the answer.
LEAVING: dict[str, dict[str, Any]] = {
    "in an async view": {"target": "/wait", "leave_after": 0},
    "in an async view that has files": {
        "target": "/wait",
        "body": LARGE,
        "leave_after": 0,
        **UPLOAD,
    },
    "in a sync view": {"target": "/slow", "leave_after": 0},
    "in the body": {
        "target": "/wait",
        "chunks": [LARGE[:700_000]],
        "cut": True,
        **UPLOAD,
    },
    "in the body of a stream route": {
        "target": "/upload",
        "chunks": [b"x" * 1000],
        "cut": True,
        **UPLOAD,
    },
    "in an async stream": {"target": "/idle/stream", "leave_after": 1},
    "in a sync stream": {"target": "/idle/sync-stream", "leave_after": 1},
    "in async events": {"target": "/idle/events", "leave_after": 2},
    "in sync events": {"target": "/idle/sync-events", "leave_after": 2},
    "before async events": {"target": "/idle/events", "leave_after": 0},
    "before sync events": {"target": "/idle/sync-events", "leave_after": 0},
}


@pytest.mark.parametrize("left", LEAVING)
def test_clients_that_leave_leave_nothing_behind(entrance: Asgi, site: Site, left: str) -> None:
    async def leave(times: int) -> None:
        asks = [Ask(**LEAVING[left]) for _ in range(times)]
        await asyncio.gather(*(entrance.ask_here(site, ask) for ask in asks))

    async def live() -> None:
        await leave(2)  # what is made once: the pool's threads, an epoll
        gc.collect()
        before = await settled(lambda: True)
        await leave(10)
        after = await settled(lambda: more(count(), before) == {})
        assert more(after, before) == {}

    asyncio.run(live())


def more(after: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """What there is more of. There may be less: what other tests left ends at some time."""
    threads = Counter(after["threads"]) - Counter(before["threads"])
    found = {key: after[key] - before[key] for key in ("tasks", "busy", "files")}
    return {key: value for key, value in found.items() if value > 0} | (
        {"threads": dict(threads)} if threads else {}
    )


async def settled(is_settled: Callable[[], bool]) -> dict[str, Any]:
    """What there is once no worker is busy and this is so, or after some seconds."""
    deadline = time.monotonic() + SOON
    while time.monotonic() < deadline:
        if count()["busy"] == 0 and "vial-events" not in count()["threads"] and is_settled():
            break
        await asyncio.sleep(0.005)
    return count()


# Under a real server.


@pytest.fixture(scope="module", params=["granian-rsgi", "granian-asgi"])
def server(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Server]:
    server = start(request.param, tmp_path_factory.mktemp("server"), "cases.isolation_site:app")
    try:
        yield server
    finally:
        server.stop()
    assert "Traceback" not in server.log


async def asked(server: Server, target: str, *headers: tuple[str, str]) -> bytes:
    """One request on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    lines = [f"{name}: {value}" for name, value in headers]
    head = [f"GET {target} HTTP/1.1", "Host: localhost", "Connection: close", *lines, "", ""]
    writer.write("\r\n".join(head).encode())
    async with asyncio.timeout(SOON):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def told(server: Server, page: str) -> Any:
    return json.loads(server.ask(page).body)


def soon(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SOON
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return value


@pytest.mark.slow
def test_requests_at_once_see_only_their_own_under_a_server(server: Server, site: Site) -> None:
    async def all_at_once() -> list[bytes]:
        asks = (asked(server, target(n), cookie(site, n)) for n in range(REQUESTS))
        return await asyncio.gather(*asks)

    for n, answer in enumerate(asyncio.run(all_at_once())):
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert f"x-seen: after: {n} {n} {n} {n} isolation".encode() in head.lower()
        check(n, unchunked(head, body).decode())
    assert soon(lambda: len(told(server, "/ends")["ends"]) == REQUESTS)
    check_ends(ends=told(server, "/ends")["ends"], most=told(server, "/ends")["most"])


def unchunked(head: bytes, body: bytes) -> bytes:
    if b"transfer-encoding: chunked" not in head.lower():
        return body
    data = b""
    while True:
        size, _, rest = body.partition(b"\r\n")
        if int(size, 16) == 0:
            return data
        data, body = data + rest[: int(size, 16)], rest[int(size, 16) + 2 :]


@pytest.mark.slow
@pytest.mark.parametrize("page", ["/wait", "/slow", *(f"/idle/{k}" for k in KINDS[2:])])
def test_clients_that_leave_a_server_leave_nothing_behind(server: Server, page: str) -> None:
    def leave(times: int) -> None:
        sent = f"GET {page} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        clients = [server.connect(sent, SOON) for _ in range(times)]
        for client in clients:
            if page.startswith("/idle"):
                received = b""
                while b"first" not in received:
                    received += client.recv(65536)
            client.close()

    def quiet() -> Any:
        counts = told(server, "/counts")
        counts.pop("files")  # connections of clients that ask this come and go
        return counts

    def files() -> int:
        return int(told(server, "/counts")["files"])

    before = quiet()
    open_before = files()
    leave(30)
    assert soon(lambda: quiet() == before), (quiet(), before)
    assert soon(lambda: files() <= open_before + 1), files()
