"""ASGI in process, through the validator of ``asgi_validator.py``."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import pytest
from asgi_validator import Breach, validator
from cases.apps import EACH_PLAN, of_plan, took
from cases.entrances import Answer, Asgi, Ask
from cases.gateway_apps import AppCases
from cases.gateway_streams import StreamCases
from cases.gateways import LARGE, SiteCases
from cases.proxies import ProxyCases
from cases.site import Site, make_site
from werkzeug.exceptions import RequestEntityTooLarge

from vial import Response, Vial, request, stream_with_context
from vial.gateways.body import SPOOL_THRESHOLD
from vial.server import serve

Message = dict[str, Any]


@pytest.fixture(scope="module")
def entrance() -> Asgi:
    return Asgi()


@pytest.fixture(scope="module", params=EACH_PLAN)
def ask(entrance: Asgi, request: pytest.FixtureRequest) -> Iterator[Any]:
    site = make_site(of_plan(request.param, Site))
    yield partial(entrance.ask, site)
    assert took(site, request.param)


class TestSite(SiteCases):
    pass


class TestApps(AppCases):
    pass


class TestProxies(ProxyCases):
    pass


class TestStreams(StreamCases):
    pass


@pytest.fixture
def app() -> Vial:
    return Vial("asgi", static_folder=None)


async def never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def exchange(
    app: Any,
    *messages: Message,
    then: Callable[[], Awaitable[Message]] = never,
    send: Callable[[Message], Awaitable[None]] | None = None,
    scope: Message | None = None,
) -> list[Message]:
    """Give the app these messages, then what ``then`` returns; what it sent."""
    waiting = list(messages)
    sent: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0) if waiting else await then()

    async def note(message: Message) -> None:
        sent.append(message)
        if send is not None:
            await send(message)

    await validator(app)(scope or Asgi().scope(Ask()), receive, note)
    return sent


def posted(**headers: str) -> Message:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    encoded = [(name.encode(), value.encode()) for name, value in pairs]
    return Asgi().scope(Ask(method="POST")) | {"headers": encoded}


def piece(body: bytes, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


GONE = {"type": "http.disconnect"}


# Messages.


def test_a_page_is_a_start_and_one_body(app: Vial) -> None:
    app.get("/")(lambda: "page")
    start, body = asyncio.run(exchange(app))
    assert (start["type"], start["status"]) == ("http.response.start", 200)
    assert body == {"type": "http.response.body", "body": b"page"}


def test_a_stream_is_sent_piece_by_piece_and_ended_by_an_empty_one(app: Vial) -> None:
    app.get("/")(lambda: iter(["a", "b"]))
    _, *bodies = asyncio.run(exchange(app))
    assert [(m["body"], m.get("more_body", False)) for m in bodies] == [
        (b"a", True),
        (b"b", True),
        (b"", False),
    ]


def test_a_get_reads_nothing_from_the_server(app: Vial) -> None:
    app.get("/")(lambda: "page")

    async def fail() -> Message:
        raise AssertionError("receive() was called")

    asyncio.run(exchange(app, then=fail))


def test_an_app_is_also_one_of_asgi_2(app: Vial) -> None:
    app.get("/")(lambda: "page")

    async def as_version_2(scope: Message, receive: Any, send: Any) -> None:
        await app(scope)(receive, send)

    assert asyncio.run(exchange(as_version_2))[1]["body"] == b"page"


def test_lifespan_is_answered(app: Vial) -> None:
    events = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = asyncio.run(exchange(app, *events, scope={"type": "lifespan"}))
    assert [m["type"] for m in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


def test_a_websocket_that_nothing_serves_is_refused(app: Vial) -> None:
    connect = {"type": "websocket.connect"}
    sent = asyncio.run(exchange(app, connect, scope={"type": "websocket", "path": "/"}))
    assert [m["type"] for m in sent] == ["websocket.close"]


def test_an_unknown_scope_is_named(app: Vial) -> None:
    with pytest.raises(ValueError, match="'quic'"):
        asyncio.run(exchange(app, scope={"type": "quic"}))


class CalledAsWsgi(Vial):
    def __call__(self, environ: Any, start_response: Any) -> Any:
        return super().__call__(environ | {"PATH_INFO": "/other"}, start_response)


class CalledAsAny(Vial):
    def __call__(self, *args: Any) -> Any:
        args[0]["path"] = "/other"
        return super().__call__(*args)


@pytest.mark.parametrize("cls", [CalledAsWsgi, CalledAsAny])
def test_the_server_calls_an_app_as_its_class_can_be_called(
    cls: type[Vial], monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[Any] = []

    class Server:
        def __init__(self, app: Any, *args: Any, **options: Any) -> None:
            served.append(app)

        def run(self) -> None:
            pass

    monkeypatch.setattr("vial.server.development.EmbeddedServer", Server)
    app = cls("asgi", static_folder=None)
    app.get("/other")(lambda: request.path)
    serve(app, "127.0.0.1", 0)
    assert Asgi().ask(served[0]).text == "/other"


# Bodies.


@pytest.fixture
def reading(app: Vial) -> list[bytes]:
    """What the view of ``/`` read."""
    read: list[bytes] = []
    app.post("/")(lambda: read.append(request.get_data()) or "read")
    return read


def test_a_body_comes_in_any_number_of_pieces(app: Vial, reading: list[bytes]) -> None:
    pieces = [piece(b"ab", True), piece(b"", True), {"type": "http.request", "more_body": True}]
    asyncio.run(exchange(app, *pieces, piece(b"c"), scope=posted(content_length="3")))
    assert reading == [b"abc"]


def test_chunks_count_and_a_length_beside_them_does_not(app: Vial, reading: list[bytes]) -> None:
    scope = posted(transfer_encoding="chunked", content_length="0")
    asyncio.run(exchange(app, piece(b"abc"), scope=scope))
    assert reading == [b"abc"]


def test_http_2_needs_no_announcement(app: Vial, reading: list[bytes]) -> None:
    scope = posted() | {"http_version": "2"}
    asyncio.run(exchange(app, piece(b"abc"), scope=scope))
    assert reading == [b"abc"]


@pytest.mark.parametrize("pieces", [[], [piece(b"ab", True)], [piece(b"x" * 700_000, True)]])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_client_that_leaves_while_sending_is_answered_400(
    app: Vial, reading: list[bytes], pieces: list[Message], chunked: bool
) -> None:
    scope = posted(transfer_encoding="chunked") if chunked else posted(content_length="1000000")
    start, _ = asyncio.run(exchange(app, *pieces, GONE, scope=scope))
    assert (start["status"], reading) == (400, [])


def test_a_server_that_ends_a_body_early_is_not_believed(app: Vial, reading: list[bytes]) -> None:
    start, _ = asyncio.run(exchange(app, piece(b"ab"), scope=posted(content_length="3")))
    assert (start["status"], reading) == (400, [])


@pytest.mark.parametrize("first", [b"", b"ab", b"x" * 700_000])
def test_a_body_that_takes_too_long_is_408(app: Vial, reading: list[bytes], first: bytes) -> None:
    app.config["BODY_TIMEOUT"] = 0.01
    start, _ = asyncio.run(
        exchange(app, piece(first, True), scope=posted(content_length="1000000"))
    )
    assert (start["status"], reading) == (408, [])


@pytest.mark.parametrize("version", ["1.0", "1.1", "2"])
def test_a_connection_with_the_rest_of_a_body_is_closed(
    app: Vial, reading: list[bytes], version: str
) -> None:
    scope = posted(content_length="3") | {"http_version": version}
    for first, close in ((piece(b"abc"), False), (piece(b"ab"), version < "2")):
        start, _ = asyncio.run(exchange(app, first, scope=scope))
        assert ((b"connection", b"close") in start["headers"]) == close


def test_a_body_may_take_for_ever_where_the_config_says_so(app: Vial, reading: list[bytes]) -> None:
    app.config["BODY_TIMEOUT"] = None

    async def late() -> Message:
        await asyncio.sleep(0.02)
        return piece(b"abc")

    asyncio.run(exchange(app, then=late, scope=posted(content_length="3")))
    assert reading == [b"abc"]


def test_an_endless_body_is_left_at_the_limit(app: Vial, reading: list[bytes]) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 100_000
    received = 0

    async def more() -> Message:
        nonlocal received
        received += 1000
        return piece(bytes(1000), True)

    start, _ = asyncio.run(exchange(app, then=more, scope=posted(transfer_encoding="chunked")))
    assert (start["status"], reading, received) == (413, [], 101_000)


def test_a_body_announced_over_the_limit_is_not_read_at_all(
    app: Vial, reading: list[bytes]
) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 100

    async def fail() -> Message:
        raise AssertionError("receive() was called")

    start, _ = asyncio.run(exchange(app, then=fail, scope=posted(content_length="101")))
    assert (start["status"], reading) == (413, [])


@pytest.fixture
def raising(app: Vial) -> list[bytes]:
    """What views read that raise the limit of their request from 5 bytes to 900 000."""
    read: list[bytes] = []
    app.config["MAX_CONTENT_LENGTH"] = 5

    def view() -> Any:
        request.max_content_length = 900_000
        read.append(request.get_data())
        return "read"

    async def async_view() -> Any:
        return view()

    def stream() -> Any:
        request.max_content_length = 900_000
        return stream_with_context(iter(lambda: request.stream.read(2), b""))

    for name, function in (("/", view), ("/async", async_view), ("/stream", stream)):
        app.add_url_rule(name, name, function, methods=["POST"])
    return read


ANNOUNCED, CHUNKED = {"content_length": "9"}, {"transfer_encoding": "chunked"}


@pytest.mark.parametrize("headers", [ANNOUNCED, CHUNKED], ids=["announced", "chunked"])
def test_a_body_over_the_limit_is_received_for_a_view_that_raises_it(
    app: Vial, raising: list[bytes], headers: dict[str, str]
) -> None:
    pieces = [piece(text, True) for text in (b"abc", b"", b"defg", b"h")]
    start, _ = asyncio.run(exchange(app, *pieces, piece(b"i"), scope=posted(**headers)))
    assert (start["status"], raising) == (200, [b"abcdefghi"])
    assert b"connection" not in dict(start["headers"])


def test_one_piece_over_the_limit_is_a_whole_body(app: Vial, raising: list[bytes]) -> None:
    start, _ = asyncio.run(exchange(app, piece(b"x" * 800_000), scope=posted(**CHUNKED)))
    assert (start["status"], raising) == (200, [b"x" * 800_000])


@pytest.mark.parametrize(
    ("status", "pieces"),
    [
        (400, [b"abcdefg", GONE]),
        (400, [b"abcdefg", b"hijkl", GONE]),
        (408, [b"abcdefg"]),
        (408, [b"abcdefg", b"hijkl"]),
    ],
)
def test_a_body_over_the_limit_is_whole_or_an_error(
    app: Vial, raising: list[bytes], status: int, pieces: list[Any]
) -> None:
    app.config["BODY_TIMEOUT"] = 0.01
    messages = [part if part is GONE else piece(part, True) for part in pieces]
    for headers in (CHUNKED, {"content_length": "899999"}):
        start, _ = asyncio.run(exchange(app, *messages, scope=posted(**headers)))
        assert (start["status"], raising) == (status, [])
        assert (b"connection", b"close") in start["headers"]


def test_a_raised_limit_is_one_too(app: Vial, raising: list[bytes]) -> None:
    for pieces, headers in (
        ([piece(b"abcdefg", True), piece(b"x" * 900_000, True)], CHUNKED),
        ([], {"content_length": "900001"}),
    ):
        start, _ = asyncio.run(exchange(app, *pieces, scope=posted(**headers)))
        assert (start["status"], raising) == (413, [])


def test_code_on_the_loop_cannot_wait_for_a_body_over_the_limit(
    app: Vial, raising: list[bytes]
) -> None:
    scope = posted(**ANNOUNCED) | {"path": "/async"}
    start, _ = asyncio.run(exchange(app, piece(b"abcdefghi"), scope=scope))
    assert (start["status"], raising) == (413, [])


def test_a_body_over_the_limit_is_not_received_while_the_response_is_sent(
    app: Vial, raising: list[bytes]
) -> None:
    for headers in (ANNOUNCED, CHUNKED):
        scope = posted(**headers) | {"path": "/stream"}
        with pytest.raises(RequestEntityTooLarge):
            asyncio.run(exchange(app, piece(b"abcdef", True), piece(b"ghi"), scope=scope))


@pytest.mark.parametrize("leaves", [True, False])
def test_a_large_body_is_on_disk_and_its_file_is_closed(app: Vial, leaves: bool) -> None:
    files: list[Any] = []

    @app.post("/")
    def view() -> Any:
        files.append(request.environ["wsgi.input"])
        return stream_with_context(iter(["a", "b"])) if leaves else "read"

    Asgi().ask(app, "/", "POST", body=LARGE[:SPOOL_THRESHOLD])
    Asgi().ask(app, "/", "POST", body=LARGE, leave_after=1 if leaves else None)
    in_memory, on_disk = files
    assert isinstance(in_memory, io.BytesIO) and not isinstance(on_disk, io.BytesIO)
    assert on_disk.closed


# Where things run.


def test_an_async_view_runs_on_the_servers_loop_and_a_sync_one_beside_it(app: Vial) -> None:
    seen: dict[str, Any] = {}

    @app.get("/async")
    async def on_loop() -> str:
        seen["async"] = asyncio.get_running_loop(), threading.current_thread()
        return ""

    @app.get("/sync")
    def in_pool() -> str:
        seen["sync"] = threading.current_thread()
        return ""

    async def main() -> None:
        for page in ("/async", "/sync"):
            await Asgi().ask_here(app, Ask(page))
        loop = asyncio.get_running_loop()
        assert seen["async"] == (loop, threading.current_thread())
        assert seen["sync"].name.startswith("vial-worker-")

    asyncio.run(main())


def test_sync_generators_run_beside_the_loop_and_async_ones_on_it(app: Vial) -> None:
    def pieces() -> Iterator[str]:
        yield threading.current_thread().name

    async def async_pieces() -> AsyncIterator[str]:
        yield threading.current_thread().name

    app.get("/sync")(lambda: pieces())
    app.get("/async", endpoint="async")(lambda: async_pieces())
    assert Asgi().ask(app, "/sync").text.startswith("vial-worker-")
    assert Asgi().ask(app, "/async").text == threading.current_thread().name


# Slow, leaving and cancelled clients.


def test_a_slow_reader_holds_the_generator_back(app: Vial) -> None:
    made: list[int] = []
    taken: list[int] = []

    def pieces() -> Iterator[str]:
        for number in range(5):
            made.append(number)
            yield str(number)

    app.get("/")(lambda: pieces())

    async def take(message: Message) -> None:
        if message.get("body"):
            await asyncio.sleep(0.002)
            taken.append(len(made))

    asyncio.run(exchange(app, send=take))
    assert taken == [1, 2, 3, 4, 5]


def test_a_reader_that_takes_too_long_is_given_up(app: Vial) -> None:
    app.config["RESPONSE_TIMEOUT"] = 0.01
    closed: list[bool] = []

    def pieces() -> Iterator[str]:
        try:
            while True:
                yield "piece"
        finally:
            closed.append(True)

    app.get("/")(lambda: pieces())

    async def take(message: Message) -> None:
        if message.get("body"):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        asyncio.run(exchange(app, send=take))
    assert closed == [True]


async def gone() -> Message:
    return GONE


def test_an_async_view_whose_client_left_is_cancelled_and_torn_down(app: Vial) -> None:
    done: list[str] = []

    @app.get("/")
    async def view() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            done.append("view")
        return ""

    app.teardown_request(lambda error: done.append(f"end {error!r}"))
    assert asyncio.run(exchange(app, then=gone)) == []
    assert done == ["view", "end CancelledError()"]


def test_an_async_view_that_is_done_when_its_client_leaves_is_answered(app: Vial) -> None:
    waited = []

    @app.get("/")
    async def view() -> str:
        for _ in range(3):
            await asyncio.sleep(0)
            waited.append(1)
        return "whole"

    async def later() -> Message:
        while len(waited) < 3:
            await asyncio.sleep(0)
        return GONE

    _, body = asyncio.run(exchange(app, then=later))
    assert body["body"] == b"whole"


def test_a_view_may_see_that_it_is_cancelled_and_what_it_raises_then_is_answered(
    app: Vial,
) -> None:
    @app.get("/")
    async def view() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "in spite of it"
        return ""

    _, body = asyncio.run(exchange(app, then=gone))
    assert body["body"] == b"in spite of it"


def test_a_question_whether_the_client_left_is_never_taken_back(app: Vial) -> None:
    # granian 2.8.7: after a cancelled one a receive() may say, falsely, that the client left.
    ended = False

    @app.get("/")
    async def view() -> Any:
        await asyncio.sleep(0)
        return iter(["a", "b"])

    async def receive() -> Message:
        try:
            return await never()
        except asyncio.CancelledError:
            if not ended:
                receive_is_cancelled.append(True)
            raise

    async def send(message: Message) -> None:
        nonlocal ended
        ended = message == {"type": "http.response.body", "body": b""}

    receive_is_cancelled: list[bool] = []
    sent = asyncio.run(exchange(app, then=receive, send=send))
    assert [message.get("body") for message in sent] == [None, b"a", b"b", b""]
    assert receive_is_cancelled == []


def test_a_sync_view_whose_client_left_runs_to_its_end(app: Vial) -> None:
    done: list[str] = []
    app.add_url_rule("/", "view", lambda: done.append("view") or "")
    app.teardown_request(lambda error: done.append(f"end {error}"))
    asyncio.run(exchange(app, then=gone))
    assert done == ["view", "end None"]


def test_a_cancellation_by_somebody_else_is_passed_on(app: Vial) -> None:
    @app.get("/")
    async def view() -> str:
        await asyncio.Event().wait()
        return ""

    async def cancelled() -> None:
        task = asyncio.ensure_future(exchange(app))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(cancelled())


@pytest.mark.parametrize("where", ["view", "sync view", "stream", "sync stream"])
def test_a_cancelled_request_is_torn_down_once(app: Vial, where: str) -> None:
    steps: list[str] = []
    started = threading.Event()
    app.teardown_request(lambda error: steps.append("end"))

    @app.get("/view")
    async def view() -> str:
        try:
            started.set()
            await asyncio.sleep(10)
        finally:
            steps.append("closed")
        return ""

    @app.get("/sync view")
    def sync_view() -> str:
        started.set()
        time.sleep(0.02)
        steps.append("closed")
        return ""

    @app.get("/stream")
    def stream() -> Response:
        @stream_with_context
        async def pieces() -> AsyncIterator[str]:
            try:
                yield "a"
                started.set()
                await asyncio.sleep(10)
            finally:
                steps.append("closed")

        return Response(pieces())

    @app.get("/sync stream")
    def sync_stream() -> Response:
        @stream_with_context
        def pieces() -> Iterator[str]:
            try:
                while True:
                    started.set()
                    yield "a"
            finally:
                steps.append("closed")

        return Response(pieces())

    async def main() -> None:
        task = asyncio.create_task(Asgi().ask_here(app, Ask("/" + where.replace(" ", "%20"))))
        while not started.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while len(steps) < 2:  # a thread cannot be cancelled
            await asyncio.sleep(0.001)

    asyncio.run(asyncio.wait_for(main(), 2))
    assert steps == ["closed", "end"]


# The validator itself.

START = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body", "body": b"abc"}
BREACHES: dict[str, list[Message]] = {
    "returned without an answer": [START],
    "before the start": [BODY],
    "two starts": [START, START],
    "after the last one": [START, BODY, BODY],
    "an unknown message 'http.end'": [{"type": "http.end"}],
    "body='abc'": [START, BODY | {"body": "abc"}],
    "status='200'": [START | {"status": "200"}],
    "no lower-case header name": [START | {"headers": [(b"X-A", b"1")]}],
    "has the value": [START | {"headers": [(b"x-a", b"1\r\n")]}],
    "not bytes": [START | {"headers": [("x-a", b"1")]}],
    "3 bytes, not 4": [START | {"headers": [(b"content-length", b"4")]}, BODY],
    "a 204 announced": [START | {"status": 204, "headers": [(b"content-length", b"0")]}],
    "where no body belongs": [START | {"status": 304}, BODY],
    "the server's business": [START | {"headers": [(b"transfer-encoding", b"chunked")]}],
}


@pytest.mark.parametrize("breach", BREACHES)
def test_the_validator_sees_a_breach_even_if_it_is_caught(breach: str) -> None:
    async def bad(scope: Message, receive: Any, send: Any) -> None:
        for message in BREACHES[breach]:
            try:
                await send(message)
            except AssertionError:
                return

    with pytest.raises(Breach, match=breach):
        asyncio.run(exchange(bad))


def test_the_validator_lets_a_good_app_pass() -> None:
    async def good(scope: Message, receive: Any, send: Any) -> None:
        await send(START | {"headers": [(b"content-length", b"3")]})
        await send(BODY)

    assert len(asyncio.run(exchange(good))) == 2


def test_the_harness_sees_a_task_that_is_left() -> None:
    tasks: list[Any] = []

    async def leaving(scope: Message, receive: Any, send: Any) -> None:
        tasks.append(asyncio.ensure_future(asyncio.sleep(60)))
        await send(START)
        await send(BODY)

    with pytest.raises(AssertionError, match="the gateway left"):
        Asgi().ask(leaving)


def test_the_harness_reads_an_answer() -> None:
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await send(START | {"headers": [(b"x-a", b"1")]})
        await send(BODY)

    assert Asgi().ask(app) == Answer(200, [("x-a", "1")], [b"abc"])
