"""Streams: their context, their teardown, and what a client that leaves does to them."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from vial import (
    Response,
    Vial,
    g,
    has_app_context,
    has_request_context,
    request,
    session,
    stream_with_context,
)
from vial.globals import _cv


@pytest.fixture
def app() -> Vial:
    app = Vial("app", static_folder=None)
    app.secret_key = "k"
    return app


@pytest.fixture
def ended(app: Vial) -> list[str]:
    """The teardown functions that ran so far."""
    ran: list[str] = []
    app.teardown_request(lambda e: ran.append(f"request {type(e).__name__}"))
    app.teardown_appcontext(lambda e: ran.append(f"app {type(e).__name__}"))
    return ran


def ask(app: Vial, path: str = "/") -> Any:
    return app.test_client().get(path, buffered=False)


def stream(app: Vial, generate: Any, path: str = "/") -> None:
    app.add_url_rule(path, path, lambda: stream_with_context(generate()))


def test_teardown_runs_once_when_the_stream_ends(app: Vial, ended: list[str]) -> None:
    def generate() -> Iterator[str]:
        yield request.path
        assert ended == []
        yield "end"

    stream(app, generate)
    answer = ask(app)
    assert ended == []
    assert answer.text == "/end"
    answer.close()
    assert ended == ["request NoneType", "app NoneType"]


def test_teardown_runs_once_when_the_client_leaves(app: Vial, ended: list[str]) -> None:
    closed: list[str] = []

    def generate() -> Iterator[str]:
        try:
            yield "one"
            yield "two"
        finally:
            closed.append(request.path)

    stream(app, generate)
    answer = ask(app)
    assert next(iter(answer.response)) == b"one"
    answer.close()
    answer.close()
    assert closed == ["/"]
    assert ended == ["request GeneratorExit", "app GeneratorExit"]


def test_teardown_runs_with_the_error_of_the_stream(app: Vial, ended: list[str]) -> None:
    def generate() -> Iterator[str]:
        yield "one"
        raise KeyError("broken")

    stream(app, generate)
    answer = ask(app)
    with pytest.raises(KeyError, match="broken"):
        list(answer.response)
    answer.close()
    assert ended == ["request KeyError", "app KeyError"]


def test_teardown_runs_when_the_stream_was_never_started(app: Vial, ended: list[str]) -> None:
    stream(app, lambda: iter("ab"))
    app.test_client().head("/", buffered=False).close()
    assert ended == ["request NoneType", "app NoneType"]


def test_teardown_runs_for_head_requests(app: Vial, ended: list[str]) -> None:
    stream(app, lambda: iter("ab"))
    app.test_client().head("/").close()
    assert ended == ["request NoneType", "app NoneType"]


def test_teardown_runs_when_the_response_of_a_stream_is_thrown_away(
    app: Vial, ended: list[str]
) -> None:
    @app.route("/")
    def index() -> str:
        stream_with_context(iter("ab"))
        return "another answer"

    assert ask(app).text == "another answer"
    deadline = time.monotonic() + 5
    while not ended and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.005)
    assert ended == ["request NoneType", "app NoneType"]


def test_teardown_waits_for_the_last_of_several_streams(app: Vial, ended: list[str]) -> None:
    @app.route("/")
    def index() -> Any:
        first, second = stream_with_context(iter("ab")), stream_with_context(iter("cd"))

        def both() -> Iterator[str]:
            yield from first
            assert ended == []
            yield from second

        return Response(both())

    answer = ask(app)
    assert answer.text == "abcd"
    assert ended == ["request NoneType", "app NoneType"]
    answer.close()


def test_between_two_chunks_no_context_is_current(app: Vial) -> None:
    def generate() -> Iterator[str]:
        yield f"{has_request_context()}"
        yield f"{has_app_context()}"

    stream(app, generate)
    chunks = iter(ask(app).response)
    assert next(chunks) == b"True"
    assert _cv.get(None) is None
    assert next(chunks) == b"True"
    assert next(chunks, None) is None
    assert _cv.get(None) is None


def test_streams_of_two_requests_take_turns(app: Vial) -> None:
    def generate() -> Iterator[str]:
        yield request.args["n"]
        g.n = request.args["n"]
        yield request.args["n"]
        yield g.n

    stream(app, generate)
    answers = [ask(app, f"/?n={n}") for n in "ab"]
    chunks = [iter(answer.response) for answer in answers]
    turns = [next(chunks[n]).decode() for n in (0, 1, 1, 0, 0, 1)]
    assert turns == ["a", "b", "b", "a", "a", "b"]
    for answer in answers:
        answer.close()


def test_a_stream_may_be_read_in_another_thread_than_its_view_ran_in(
    app: Vial, ended: list[str]
) -> None:
    stream(app, lambda: (request.path + c for c in "ab"))
    answer = ask(app)
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(answer.text))
    thread.start()
    thread.join()
    assert found == ["/a/b"]
    assert ended == ["request NoneType", "app NoneType"]
    answer.close()


def test_the_session_is_saved_before_the_stream_and_read_in_it(app: Vial) -> None:
    def generate() -> Iterator[str]:
        yield session["before"]
        session["late"] = "not kept"

    @app.route("/")
    def index() -> Any:
        session["before"] = "kept"
        return stream_with_context(generate())

    app.add_url_rule("/get", "get", lambda: str(sorted(session)))
    client = app.test_client()
    assert client.get("/").text == "kept"
    assert client.get("/get").text == "['before']"


def test_a_decorated_function_makes_a_stream_each_time(app: Vial) -> None:
    @stream_with_context
    def generate(word: str) -> Iterator[str]:
        yield word
        yield request.path

    app.add_url_rule("/<word>", "word", lambda word: generate(word))
    assert [ask(app, f"/{word}").text for word in ("a", "b")] == ["a/a", "b/b"]
    assert generate.__name__ == "generate"


def test_anything_that_is_iterated_can_be_a_stream(app: Vial) -> None:
    stream(app, lambda: ["a", "b"])
    assert ask(app).text == "ab"


def test_an_async_generator_is_a_body_under_wsgi_too(app: Vial, ended: list[str]) -> None:
    async def generate() -> AsyncIterator[str]:
        yield "a"
        yield request.path

    @app.route("/")
    async def index() -> Any:
        return stream_with_context(generate())

    answer = ask(app)
    assert answer.text == "a/"
    answer.close()
    assert ended == ["request NoneType", "app NoneType"]


def test_an_async_generator_that_the_client_leaves_is_closed(app: Vial) -> None:
    closed: list[str] = []

    async def generate() -> AsyncIterator[str]:
        try:
            yield "one"
            yield "two"
        finally:
            closed.append("closed")

    app.add_url_rule("/", "i", lambda: generate())
    answer = ask(app)
    assert next(iter(answer.response)) == b"one"
    answer.close()
    assert closed == ["closed"]


def test_a_stream_outside_of_a_request_is_refused(app: Vial) -> None:
    with pytest.raises(RuntimeError, match="'stream_with_context' can only be used while"):
        stream_with_context(iter("ab"))
    with app.app_context(), pytest.raises(RuntimeError, match="'stream_with_context'"):
        stream_with_context(iter("ab"))


def test_a_generator_is_closed_when_an_after_function_fails(
    app: Vial, ended: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream(app, lambda: iter("ab"))
    # A log record would keep the traceback, and that the stream.
    monkeypatch.setattr(app.logger, "disabled", True)

    @app.after_request
    def fail(response: Any) -> Any:
        raise KeyError

    assert ask(app).status_code == 500
    deadline = time.monotonic() + 5
    while not ended and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.005)
    assert [line.split()[0] for line in ended] == ["request", "app"]
