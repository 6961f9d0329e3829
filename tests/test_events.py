"""Server-sent events: their format, and streams of them on every entrance."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest
from cases.apps import WithApp, as_async_generator, as_is, until
from cases.entrance_rsgi import Rsgi
from cases.entrances import Asgi, Entrance, Wsgi
from hypothesis import given
from hypothesis import strategies as st

from vial import (
    EventStream,
    Response,
    ServerSentEvent,
    Vial,
    current_app,
    g,
    got_request_exception,
    json,
    request,
    session,
)
from vial.event_bodies import Body, running_threads

EVERY: list[Entrance] = [Wsgi(), Asgi(), Rsgi()]
ON_LOOP: list[Entrance] = [Asgi(), Rsgi()]


# The format.


@dataclass
class Page:
    """What a browser makes of a stream: HTML Standard, "Interpreting an event stream"."""

    events: list[tuple[str, str, str]] = field(default_factory=list)
    last_id: str = ""
    retry: int | None = None

    def read(self, stream: bytes) -> Page:
        id_buffer, kind, data = self.last_id, "", ""
        text = stream.decode().removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        for line in text.split("\n")[:-1]:  # what has no end of line is not complete
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line:
                self.last_id = id_buffer
                if data:
                    self.events.append((kind or "message", data.removesuffix("\n"), self.last_id))
                kind = data = ""
            elif name == "event":
                kind = value
            elif name == "data":
                data += value + "\n"
            elif name == "id" and "\0" not in value:
                id_buffer = value
            elif name == "retry" and value.isascii() and value.isdigit():
                self.retry = int(value)
        return self


def sent(event: ServerSentEvent) -> bytes:
    return event.encode(json.dumps)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (ServerSentEvent("hello"), b"data: hello\n\n"),
        (ServerSentEvent(""), b"data: \n\n"),
        (ServerSentEvent("a\nb\rc\r\nd\n"), b"data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"),
        (ServerSentEvent("\n\r"), b"data: \ndata: \ndata: \n\n"),
        (ServerSentEvent("a\u2028b\x0b\x85c"), "data: a\u2028b\x0b\x85c\n\n".encode()),
        (ServerSentEvent(b"\xc3\xa9"), b"data: \xc3\xa9\n\n"),
        (ServerSentEvent({"a": [1]}), b'data: {"a": [1]}\n\n'),
        (ServerSentEvent([]), b"data: []\n\n"),
        (ServerSentEvent(0), b"data: 0\n\n"),
        (ServerSentEvent("x", event="tick"), b"event: tick\ndata: x\n\n"),
        (ServerSentEvent("x", id=7), b"id: 7\ndata: x\n\n"),
        (ServerSentEvent("x", id=""), b"id: \ndata: x\n\n"),
        (ServerSentEvent(retry=0), b"retry: 0\n\n"),
        (ServerSentEvent(comment="a\nb"), b": a\n: b\n\n"),
        (
            ServerSentEvent("x", "e", "i", 5, "c"),
            b": c\nevent: e\nid: i\nretry: 5\ndata: x\n\n",
        ),
    ],
)
def test_an_event_is_sent_in_the_standard_format(event: ServerSentEvent, expected: bytes) -> None:
    assert sent(event) == expected


LINE = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]))
TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.text("\r\n: a")


@given(st.lists(st.tuples(LINE, TEXT, LINE, TEXT)))
def test_a_page_gets_what_was_sent(events: list[tuple[str, str, str, str]]) -> None:
    stream = b":\n\n" + b"".join(
        sent(ServerSentEvent(data, event=kind, id=id_, comment=comment))
        for kind, data, id_, comment in events
    )
    assert Page().read(stream).events == [
        (kind or "message", data.replace("\r\n", "\n").replace("\r", "\n"), id_)
        for kind, data, id_, _ in events
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"data": "x", "event": "a\nb"}, r"The event of an event takes one line: 'a\\nb' has more"),
        ({"data": "x", "event": "a\r"}, "The event of an event takes one line"),
        ({"data": "x", "event": 5}, "The event of an event is text, not 5"),
        ({"data": "x", "id": "a\r\nb"}, "The id of an event takes one line"),
        ({"data": "x", "id": "a\0"}, "The id of an event takes one line, without NUL"),
        ({"data": "x", "id": 1.5}, r"The id of an event is text, not 1\.5"),
        ({"data": "x", "id": True}, "The id of an event is text, not True"),
        ({"retry": 1.5}, r"retry is a whole number of milliseconds, not 1\.5"),
        ({"retry": -1}, "retry is a whole number of milliseconds, not -1"),
        ({"retry": True}, "retry is a whole number"),
        ({"retry": "5"}, "retry is a whole number"),
        ({"event": "tick"}, "'tick' has no data: browsers drop such an event. Pass data=''"),
    ],
)
def test_what_the_format_cannot_carry_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ServerSentEvent(**fields)


async def coroutine() -> None: ...


@pytest.mark.parametrize("events", ["text", b"bytes", {"a": 1}, 5, None, coroutine, print])
def test_a_stream_is_made_of_something_that_yields(events: Any) -> None:
    with pytest.raises(TypeError, match="EventStream takes a generator, or a function that makes"):
        EventStream(events)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"retry": 0.5}, "retry is a whole number"),
        ({"heartbeat": 0}, "heartbeat is a number of seconds or None, not 0"),
        ({"heartbeat": -1}, "heartbeat is"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EventStream([], **options)


# Streams.


@pytest.fixture(params=EVERY, ids=lambda entrance: entrance.name)
def entrance(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=["sync", "async"])
def stream(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    """Makes a generator function async in the second run."""
    return as_is if request.param == "sync" else as_async_generator


@pytest.fixture
def app() -> Vial:
    app = Vial("events", static_folder=None)
    app.secret_key = "key"
    return app


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    until(lambda: running_threads() == 0, 20)
    assert running_threads() == 0


def asked(entrance: Entrance, app: Vial, events: Any, **options: Any) -> Any:
    app.get("/")(lambda: EventStream(events, **options))
    return entrance.ask(app)


class TestStreams(WithApp):
    """On both paths of a request, from sync and from async views."""

    def test_events_arrive_one_by_one_with_the_headers_of_a_stream(
        self, entrance: Entrance, app: Vial, lane: Any, stream: Any
    ) -> None:
        @stream
        def events() -> Iterator[Any]:
            yield "text"
            yield b"bytes"
            yield None
            yield {"json": 1}
            yield ServerSentEvent("x", event="tick", id=3)

        app.get("/")(lane(lambda: EventStream(events())))
        answer = entrance.ask(app)
        assert answer.chunks == [
            b":\n\n",
            b"data: text\n\n",
            b"data: bytes\n\n",
            b'data: {"json": 1}\n\n',
            b"event: tick\nid: 3\ndata: x\n\n",
        ]
        assert answer.status == 200 and answer.whole
        assert answer["content-type"] == "text/event-stream; charset=utf-8"
        assert answer["cache-control"] == "no-cache"
        assert answer["x-accel-buffering"] == "no"

    def test_the_request_is_there_in_all_of_the_stream(
        self, entrance: Entrance, app: Vial, lane: Any, stream: Any, ends: list[Any]
    ) -> None:
        def view() -> EventStream:
            session["user"], g.number = "ada", 5
            return EventStream(events)

        @stream
        def events() -> Iterator[Any]:
            yield current_app.name
            yield [request.path, request.args["q"]]
            g.number += 1
            assert ends == []
            yield f"{session['user']} {g.number}"

        app.get("/here")(lane(view))
        page = Page().read(entrance.ask(app, "/here?q=1").body)
        assert [data for _, data, _ in page.events] == ["cases", '["/here", "1"]', "ada 6"]
        assert ends == [None]

    def test_a_client_that_leaves_ends_the_generator_and_the_request(
        self, entrance: Entrance, app: Vial, lane: Any, stream: Any, ends: list[Any]
    ) -> None:
        steps: list[str] = []

        @stream
        def events() -> Iterator[str]:
            steps.append("started")
            try:
                while True:
                    yield "tick"
            finally:
                steps.append(f"closed at {request.path}")

        app.get("/")(lane(lambda: EventStream(events())))
        for leave_after in (0, 1, 2, 5):
            assert not entrance.ask(app, leave_after=leave_after).whole
            until(lambda: ends, 20)  # a thread that is in the middle of a step is not waited for
            assert steps in ([], ["started", "closed at /"]) and (steps or leave_after < 2)
            assert len(ends) == 1
            steps.clear()
            ends.clear()

    def test_head_does_not_start_the_generator(
        self, entrance: Entrance, app: Vial, lane: Any, stream: Any, ends: list[Any]
    ) -> None:
        @stream
        def events() -> Iterator[str]:
            ends.append("started")
            yield "tick"

        app.get("/")(lane(lambda: EventStream(events())))
        answer = entrance.ask(app, method="HEAD")
        assert answer.body == b"" and answer["content-type"].startswith("text/event-stream")
        assert ends == [None]

    def test_an_error_is_logged_once_and_ends_the_stream(
        self,
        entrance: Entrance,
        app: Vial,
        lane: Any,
        stream: Any,
        ends: list[Any],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        told: list[Any] = []

        @stream
        def events() -> Iterator[str]:
            yield "first"
            raise ZeroDivisionError

        @got_request_exception.connect_via(app)
        def tell(sender: Any, exception: Any, **extra: Any) -> None:
            told.append((type(exception), request.path, len(ends)))

        app.get("/")(lane(lambda: EventStream(events())))
        answer = entrance.ask(app)
        assert answer.body == b":\n\ndata: first\n\n" and answer.whole
        assert [r.getMessage() for r in caplog.records] == ["Exception on / [GET]"]
        assert told == [(ZeroDivisionError, "/", 0)]
        assert [type(end) for end in ends] == [ZeroDivisionError]

    def test_a_test_sees_the_error(
        self, entrance: Entrance, app: Vial, lane: Any, stream: Any
    ) -> None:
        app.testing = True
        app.get("/")(lane(lambda: EventStream(stream(lambda: iter([object()]))())))
        with pytest.raises(TypeError, match="not JSON serializable"):
            entrance.ask(app)

    def test_a_teardown_function_that_fails_is_logged(
        self,
        entrance: Entrance,
        app: Vial,
        lane: Any,
        stream: Any,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        @app.teardown_request
        def fail(error: Any) -> None:
            raise KeyError("gone")

        app.get("/")(lane(lambda: EventStream(stream(lambda: iter(["a"]))())))
        assert entrance.ask(app).body == b":\n\ndata: a\n\n"
        (record,) = caplog.records
        assert record.getMessage() == "An event stream did not end properly"
        assert "KeyError: 'gone'" in caplog.text

    def test_a_generator_may_push_contexts_around_what_it_yields(
        self, entrance: Entrance, app: Vial, lane: Any, stream: Any
    ) -> None:
        @stream
        def events() -> Iterator[Any]:
            with app.app_context():
                g.name = "inside"
                yield "a"
                yield g.name
            yield "name" in g

        app.get("/")(lane(lambda: EventStream(events())))
        assert entrance.ask(app).body.endswith(b"data: a\n\ndata: inside\n\ndata: false\n\n")


def test_heartbeats_fill_the_silence_and_the_generator_goes_on(
    entrance: Entrance, app: Vial, stream: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats: list[bytes] = []
    original = Body._next

    async def counting(self: Body, *args: Any) -> bytes:
        chunk = await original(self, *args)
        beats.append(chunk)
        return chunk

    async def waits() -> AsyncIterator[str]:
        while len(beats) < 4:
            await asyncio.sleep(0.001)
        yield "a"

    def waits_in_thread() -> Iterator[str]:
        while len(beats) < 4:
            threading.Event().wait(0.001)
        yield "a"

    monkeypatch.setattr(Body, "_next", counting)
    events = waits if stream is as_async_generator else waits_in_thread
    chunks = asked(entrance, app, events, heartbeat=0.01).chunks
    assert chunks[-1] == b"data: a\n\n" and set(chunks[:-1]) == {b":\n\n"}
    assert len(chunks) >= 5


def test_none_sends_nothing_and_does_not_keep_heartbeats_away(
    entrance: Entrance, app: Vial, stream: Any
) -> None:
    seen = []

    @stream
    def events() -> Iterator[Any]:
        while len(seen) < 3:
            seen.append(None)
            threading.Event().wait(0.02)
            yield None
        yield "a"

    chunks = asked(entrance, app, events, heartbeat=0.01).chunks
    assert chunks[-1] == b"data: a\n\n" and set(chunks[:-1]) == {b":\n\n"}
    assert len(chunks) >= 3


def test_without_heartbeats_only_events_are_sent(
    entrance: Entrance, app: Vial, stream: Any
) -> None:
    @stream
    def events() -> Iterator[str]:
        threading.Event().wait(0.05)
        yield "a"

    answer = asked(entrance, app, events, heartbeat=None, retry=2500)
    assert answer.chunks == [b"retry: 2500\n\n", b"data: a\n\n"]


@pytest.mark.parametrize("entrance", ON_LOOP, ids=lambda entrance: entrance.name)
def test_an_idle_stream_outlives_the_timeout_of_a_chunk(
    entrance: Entrance, app: Vial, stream: Any
) -> None:
    app.config["RESPONSE_TIMEOUT"] = 0.05

    async def events() -> AsyncIterator[str]:
        await asyncio.sleep(0.2)
        yield "a"

    def in_thread() -> Iterator[str]:
        threading.Event().wait(0.2)
        yield "a"

    chosen = events if stream is as_async_generator else in_thread
    assert asked(entrance, app, chosen, heartbeat=None).chunks[-1] == b"data: a\n\n"


def test_a_generator_that_waits_is_cancelled_when_its_client_leaves(app: Vial) -> None:
    ends: list[Any] = []

    @app.get("/")
    async def view() -> EventStream:
        async def events() -> AsyncIterator[str]:
            try:
                await asyncio.Event().wait()
                yield "never"
            except asyncio.CancelledError:
                ends.append("cancelled")
                raise
            finally:
                await asyncio.sleep(0)
                ends.append(request.path)

        return EventStream(events)

    app.teardown_request(lambda error: ends.append(type(error)))
    for entrance in ON_LOOP:
        assert entrance.ask(app, leave_after=1).chunks == [b":\n\n"]
        assert ends == ["cancelled", "/", asyncio.CancelledError]
        ends.clear()
    app.view_functions["view"] = lambda: EventStream(app_events(ends), heartbeat=0.01)
    assert Wsgi().ask(app, leave_after=3).chunks == [b":\n\n"] * 3
    assert ends == ["closed", asyncio.CancelledError]


async def app_events(ends: list[Any]) -> AsyncIterator[str]:
    try:
        await asyncio.Event().wait()
        yield "never"
    finally:
        ends.append("closed")


def test_a_thread_that_waits_ends_after_its_next_yield(entrance: Entrance, app: Vial) -> None:
    waits, ends = threading.Event(), []

    def events() -> Iterator[Any]:
        try:
            waits.wait(20)
            yield "late"
            ends.append("went on")
        finally:
            ends.append(f"closed at {request.path}")

    app.get("/")(lambda: EventStream(events, heartbeat=0.01))
    app.teardown_request(lambda error: ends.append(type(error)))
    assert not entrance.ask(app, leave_after=2).whole
    assert ends == []
    waits.set()
    until(lambda: len(ends) == 2, 20)
    assert ends == ["closed at /", GeneratorExit]


def test_one_thread_or_task_runs_the_generator_from_its_first_line_to_its_last(
    entrance: Entrance, app: Vial, stream: Any
) -> None:
    places: list[Any] = []
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    def here() -> Any:
        if stream is as_is:
            return threading.current_thread()
        return asyncio.current_task()

    @stream
    def events() -> Iterator[str]:
        places.append(here())
        try:
            variable.set(variable.get() + " then changed")
            for _ in range(5):
                yield variable.get()
                places.append(here())
        finally:
            places.append(here())

    @app.get("/")
    def view() -> EventStream:
        variable.set("of the view")
        return EventStream(events)

    answer = entrance.ask(app)
    assert {e[1] for e in Page().read(answer.body).events} == {"of the view then changed"}
    assert len(set(places)) == 1 and len(places) == 7
    places.clear()
    entrance.ask(app, leave_after=3)
    until(lambda: len(places) > 2, 20)
    assert len(set(places)) == 1
    assert "changed" not in variable.get()


def test_timeouts_and_groups_may_span_yields(entrance: Entrance, app: Vial) -> None:
    async def events() -> AsyncIterator[str]:
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            yield "first"
            task = group.create_task(asyncio.sleep(0, "second"))
            yield await task
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            yield "third"

    page = Page().read(asked(entrance, app, events).body)
    assert [data for _, data, _ in page.events] == ["first", "second", "third"]


def test_a_sync_generator_without_heartbeats_shares_the_thread_of_a_wsgi_view(app: Vial) -> None:
    def events() -> Iterator[str]:
        yield threading.current_thread().name

    name = threading.current_thread().name
    assert name in asked(Wsgi(), app, events, heartbeat=None).text


def test_sync_generators_take_no_worker_threads(app: Vial) -> None:
    release, names = threading.Event(), []

    def events() -> Iterator[str]:
        names.append(threading.current_thread().name)
        release.wait(20)
        yield "a"

    app.get("/")(lambda: EventStream(events, heartbeat=0.01))
    for entrance in ON_LOOP:
        assert not entrance.ask(app, leave_after=2).whole
    assert names == ["vial-events"] * 2 and running_threads() == 2
    release.set()
    until(lambda: running_threads() == 0, 20)
    assert running_threads() == 0


def test_streams_over_the_limit_of_threads_are_refused(
    app: Vial, caplog: pytest.LogCaptureFixture
) -> None:
    app.config["EVENT_THREADS"] = 0
    app.get("/async", endpoint="async")(lambda: EventStream(app_events([])))
    answer = asked(Asgi(), app, ["a"])
    assert answer.status == 503 and answer["retry-after"] == "5"
    assert "EVENT_THREADS" in caplog.text
    assert Asgi().ask(app, "/async", leave_after=1).status == 200


def test_a_view_may_add_a_status_and_headers(entrance: Entrance, app: Vial) -> None:
    app.get("/")(lambda: (EventStream(["a"]), 201, {"Cache-Control": "no-store", "X-A": "b"}))
    answer = entrance.ask(app)
    assert (answer.status, answer["cache-control"], answer["x-a"]) == (201, "no-store", "b")


def test_an_app_may_have_a_class_of_responses(entrance: Entrance, app: Vial) -> None:
    class Own(Response):
        def get_wsgi_headers(self, environ: Any) -> Any:
            headers = super().get_wsgi_headers(environ)
            headers["X-Own"] = "yes"
            return headers

    app.response_class = Own
    answer = asked(entrance, app, ["a"])
    assert answer["x-own"] == "yes" and answer.body == b":\n\ndata: a\n\n"


def test_reading_the_body_of_a_stream_in_a_hook_is_an_error(entrance: Entrance, app: Vial) -> None:
    app.testing = True

    @app.after_request
    def measure(response: Response) -> Response:
        response.headers["X-Length"] = str(len(response.get_data()))
        return response

    with pytest.raises(RuntimeError, match="implicit conversion was disabled"):
        asked(entrance, app, ["a"])


@pytest.mark.parametrize(
    ("header", "expected"), [(None, None), ("7", "7"), ("", None), ("Ã©", "é"), ("\xff", "\ufffd")]
)
@pytest.mark.parametrize("entrance", [Wsgi(), Asgi()], ids=["wsgi", "asgi"])
def test_the_last_id_is_what_the_browser_says(
    entrance: Entrance, app: Vial, header: str | None, expected: str | None
) -> None:
    app.get("/")(lambda: [EventStream.last_event_id()])
    headers = [] if header is None else [("Last-Event-ID", header)]
    assert json.loads(entrance.ask(app, headers=headers).text) == [expected]


def test_a_stream_outside_of_a_request_is_refused(app: Vial) -> None:
    with app.app_context(), pytest.raises(RuntimeError, match="'EventStream' can only be used"):
        app.make_response(EventStream(["a"]))


def test_a_test_client_reads_a_stream_as_it_comes(app: Vial, stream: Any) -> None:
    closed: list[str] = []

    @stream
    def events() -> Iterator[str]:
        try:
            for number in range(1000):
                yield str(number)
        finally:
            closed.append(request.path)

    app.get("/")(lambda: EventStream(events()))
    response = app.test_client().get("/")
    chunks = iter(response.response)
    assert [next(chunks) for _ in range(3)] == [b":\n\n", b"data: 0\n\n", b"data: 1\n\n"]
    response.close()
    response.close()
    assert closed == ["/"]


def test_many_streams_at_once_are_not_mixed(app: Vial) -> None:
    async def events() -> AsyncIterator[str]:
        for number in range(20):
            await asyncio.sleep(0)
            yield f"{request.args['n']} {g.n} {number}"

    def in_thread() -> Iterator[str]:
        for number in range(20):
            yield f"{request.args['n']} {g.n} {number}"

    @app.get("/<kind>")
    async def view(kind: str) -> EventStream:
        g.n = request.args["n"]
        return EventStream(events if kind == "async" else in_thread)

    async def all_of_them() -> list[Any]:
        from cases.entrances import Ask

        asks = [Ask(f"/{k}?n={n}") for k, n in product(("async", "sync"), range(30))]
        return await asyncio.gather(*(Asgi().ask_here(app, ask) for ask in asks))

    for n, answer in enumerate(asyncio.run(all_of_them())):
        expected = [f"{n % 30} {n % 30} {number}" for number in range(20)]
        assert [data for _, data, _ in Page().read(answer.body).events] == expected


def test_what_a_generator_does_after_its_client_left_is_logged(
    app: Vial, caplog: pytest.LogCaptureFixture
) -> None:
    async def events() -> AsyncIterator[str]:
        try:
            yield "a"
            await asyncio.Event().wait()
        finally:
            raise ValueError("clumsy")

    app.get("/")(lambda: EventStream(events))
    with caplog.at_level(logging.ERROR):
        assert not Asgi().ask(app, leave_after=2).whole
    assert len(caplog.records) == 1 and "ValueError: clumsy" in caplog.text
