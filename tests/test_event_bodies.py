"""How the generators of event streams run and end: stopped, abandoned, cancelled, failing."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from cases.apps import until
from cases.entrance_rsgi import Rsgi
from cases.entrances import Answer, Asgi, Ask, Wsgi

from vial import EventStream, Response, Vial, request
from vial.event_bodies import end_all, running_threads

pytestmark = pytest.mark.slow  # together, not each

ENTRANCES: list[Asgi] = [Asgi(), Rsgi()]


@pytest.fixture
def ends() -> list[Any]:
    return []


@pytest.fixture
def app(ends: list[Any]) -> Vial:
    app = Vial("bodies", static_folder=None)
    app.teardown_request(lambda error: ends.append(type(error)))
    return app


@pytest.fixture(params=ENTRANCES, ids=lambda entrance: entrance.name)
def entrance(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    until(lambda: running_threads() == 0, 20)
    assert running_threads() == 0


def serve(app: Vial, events: Any, **options: Any) -> None:
    app.add_url_rule("/", "events", lambda: EventStream(events, **options))


async def within(condition: Callable[[], Any], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.001)


# The end of a worker.


def test_a_worker_that_stops_ends_its_streams(entrance: Asgi, app: Vial, ends: list[Any]) -> None:
    app.on_stopping(lambda: ends.append("told"))
    waiting, release = [], threading.Event()

    @app.get("/async")
    async def from_task() -> EventStream:
        async def events() -> AsyncIterator[str]:
            try:
                waiting.append(request.path)
                await asyncio.Event().wait()
                yield "never"
            finally:
                ends.append("closed")

        return EventStream(events, heartbeat=None)

    @app.get("/thread")
    async def from_thread() -> EventStream:
        def events() -> Iterator[str]:
            waiting.append(request.path)
            release.wait(20)
            yield "never"

        return EventStream(events, heartbeat=None)

    async def live() -> list[Answer]:
        asks = [entrance.ask_here(app, Ask(path)) for path in ("/async", "/thread")]
        tasks = [asyncio.ensure_future(ask) for ask in asks]
        await within(lambda: len(waiting) == 2)
        app._get_life().begin_stop()
        return await asyncio.gather(*tasks)

    assert [(a.body, a.whole) for a in asyncio.run(live())] == [(b":\n\n", True)] * 2
    assert ends == ["told", "closed", asyncio.CancelledError]
    release.set()
    until(lambda: len(ends) == 4, 20)
    assert ends[3:] == [GeneratorExit]


def test_a_worker_that_stops_ends_streams_that_never_wait(entrance: Asgi, app: Vial) -> None:
    ticks: list[str] = []

    async def for_ever() -> AsyncIterator[str]:
        while True:
            ticks.append("async")
            yield "tick"

    def in_thread() -> Iterator[str]:
        while True:
            ticks.append("sync")
            yield "tick"

    async def live() -> list[Answer]:
        asks = [entrance.ask_here(app, Ask(path)) for path in ("/async", "/thread")]
        tasks = [asyncio.ensure_future(ask) for ask in asks]
        await within(lambda: min(map(ticks.count, ("async", "sync"))) > 2)
        end_all()
        return await asyncio.gather(*tasks)

    app.get("/async", endpoint="async")(lambda: EventStream(for_ever))
    app.get("/thread", endpoint="thread")(lambda: EventStream(in_thread))
    for answer in asyncio.run(live()):
        assert answer.whole
        assert set(answer.chunks[1:]) <= {b"data: tick\n\n"}


# Streams that nobody reads.


def test_a_response_that_is_thrown_away_ends_its_request(
    entrance: Asgi, app: Vial, ends: list[Any]
) -> None:
    async def events() -> AsyncIterator[str]:
        yield "never"

    serve(app, events)
    app.add_url_rule("/thread", "thread", lambda: EventStream(["never"]))
    app.after_request(lambda response: Response("other"))
    for path in ("/", "/thread"):
        assert entrance.ask(app, path).text == "other"
        gc.collect()
        until(lambda: ends, 20)
        assert ends == [type(None)]
        ends.clear()


def test_a_stream_that_is_dropped_in_the_middle_ends_its_thread(app: Vial, ends: list[Any]) -> None:
    serve(app, lambda: iter("abc"))
    response = app.test_client().get("/")
    chunks = iter(response.response)
    assert [next(chunks), next(chunks)] == [b":\n\n", b"data: a\n\n"]
    assert running_threads() == 1
    del response, chunks
    gc.collect()
    until(lambda: ends, 20)
    assert ends == [GeneratorExit]


def test_a_stream_that_is_left_before_its_task_began_ends_its_request(
    app: Vial, ends: list[Any]
) -> None:
    async def events() -> AsyncIterator[str]:
        ends.append("began")
        yield "never"

    async def live() -> None:
        with app.test_request_context():
            body: Any = app.make_response(EventStream(events)).response
        assert await anext(body) == b":\n\n"
        first = asyncio.ensure_future(anext(body))
        await asyncio.sleep(0)
        first.cancel()
        await body.aclose()

    asyncio.run(live())
    assert ends == [type(None)]


# Errors.


def test_a_generator_that_awaits_what_was_cancelled_has_failed(
    entrance: Asgi, app: Vial, caplog: pytest.LogCaptureFixture, ends: list[Any]
) -> None:
    async def events() -> AsyncIterator[str]:
        task = asyncio.ensure_future(asyncio.sleep(20))
        await asyncio.sleep(0)
        task.cancel()
        yield "first"
        await task
        yield "never"

    serve(app, events)
    answer = entrance.ask(app)
    assert answer.body == b":\n\ndata: first\n\n" and answer.whole
    assert "CancelledError" in caplog.text and len(caplog.records) == 1
    assert ends == [asyncio.CancelledError]


def test_a_generator_that_exits_does_not_take_the_worker_along(
    entrance: Asgi, app: Vial, caplog: pytest.LogCaptureFixture
) -> None:
    async def events() -> AsyncIterator[str]:
        yield "first"
        sys.exit(3)

    def in_thread() -> Iterator[str]:
        yield "first"
        sys.exit(3)

    serve(app, events)
    app.add_url_rule("/thread", "thread", lambda: EventStream(in_thread))
    for path in ("/", "/thread"):
        assert entrance.ask(app, path).body == b":\n\ndata: first\n\n"
    assert [("SystemExit: 3" in (r.exc_text or "")) for r in caplog.records] == [True, True]


def test_a_generator_that_does_not_end_is_an_error(
    app: Vial, caplog: pytest.LogCaptureFixture
) -> None:
    def stubborn() -> Iterator[str]:
        while True:
            try:
                yield "again"
            except GeneratorExit:
                yield "and again"
                return

    serve(app, stubborn, heartbeat=None)
    assert not Wsgi().ask(app, leave_after=2).whole
    assert "generator ignored GeneratorExit" in caplog.text


def test_the_function_that_reports_errors_may_fail(
    entrance: Asgi, app: Vial, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(exc_info: Any) -> None:
        raise OSError("no log")

    app.log_exception = fail  # type: ignore[method-assign]
    serve(app, lambda: (1 // n for n in (1, 0)))
    assert entrance.ask(app).body == b":\n\ndata: 1\n\n"
    assert "OSError: no log" in caplog.text


# What is left.


def test_streams_leave_nothing_to_the_collector(
    entrance: Asgi, app: Vial, caplog: pytest.LogCaptureFixture
) -> None:
    async def events() -> AsyncIterator[str]:
        yield "a"
        await asyncio.sleep(0)
        yield "b"

    logging.getLogger("bodies").disabled = True
    serve(app, events)
    app.add_url_rule("/thread", "thread", lambda: EventStream(lambda: iter("ab")))
    app.add_url_rule("/fail", "fail", lambda: EventStream(lambda: (1 // n for n in (1, 0))))

    async def waits() -> AsyncIterator[str]:
        await asyncio.Event().wait()
        yield "never"

    app.add_url_rule("/wait", "wait", lambda: EventStream(waits))

    async def ten(path: str) -> None:
        asks = [Ask(path, leave_after=1 if path == "/wait" else None) for _ in range(10)]
        await asyncio.gather(*(entrance.ask_here(app, ask) for ask in asks))
        await within(lambda: running_threads() == 0)

    async def many() -> None:
        for path in ("/", "/thread", "/fail", "/wait"):
            await ten(path)
            gc.collect()
            await ten(path)
            found = [o for o in unreachable() if is_ours(o)]
            assert found == [], path

    gc.disable()
    try:
        asyncio.run(many())
    finally:
        gc.enable()
        logging.getLogger("bodies").disabled = False


def unreachable() -> list[Any]:
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    gc.set_debug(0)
    found = list(gc.garbage)
    gc.garbage.clear()
    return found


def is_ours(thing: Any) -> bool:
    return type(thing).__module__.startswith("vial.event")
