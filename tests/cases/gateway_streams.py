"""What every gateway must do alike with responses that are made while they are sent."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest

from vial import (
    Response,
    Vial,
    g,
    request,
    stream_with_context,
)

from .apps import WithApp, as_async_generator, as_is, until
from .entrances import Entrance


class StreamCases(WithApp):
    """Generators, sync and async, from sync and async views."""

    @pytest.fixture(params=["sync", "async"])
    def stream(self, request: pytest.FixtureRequest) -> Callable[[Any], Any]:
        """Makes a generator function async in the second run."""
        return as_is if request.param == "sync" else as_async_generator

    def test_a_client_that_leaves_ends_the_generator_and_the_request(
        self, entrance: Entrance, app: Vial, lane: Any, stream: Any, ends: list[Any]
    ) -> None:
        steps: list[str] = []

        @stream
        def pieces() -> Iterator[str]:
            steps.append("started")
            try:
                while True:
                    yield "piece"
            finally:
                steps.append("closed")

        app.get("/held", endpoint="held")(lane(lambda: stream_with_context(pieces())))
        app.get("/plain", endpoint="plain")(lane(lambda: pieces()))
        for path, leave_after in product(("/held", "/plain"), (0, 1, 5)):
            answer = entrance.ask(app, path, leave_after=leave_after)
            assert not answer.whole
            assert steps in ([], ["started", "closed"]) and (steps or not leave_after)
            assert len(ends) == 1
            steps.clear()
            ends.clear()

    def test_a_stream_ends_its_request_once(
        self, entrance: Entrance, app: Vial, lane: Any, stream: Any, ends: list[Any]
    ) -> None:
        @stream
        def pieces() -> Iterator[str]:
            assert ends == []
            yield request.path

        app.get("/")(lane(lambda: stream_with_context(pieces())))
        for method, text in (("GET", "/"), ("HEAD", "")):
            assert entrance.ask(app, method=method).text == text
            assert ends == [None]
            ends.clear()

    def test_async_teardown_functions_follow_a_stream(
        self, entrance: Entrance, app: Vial, lane: Any, stream: Any
    ) -> None:
        ends: list[Any] = []

        @app.teardown_request
        async def end(error: Any) -> None:
            ends.append(error)

        app.get("/")(lane(lambda: stream_with_context(stream(lambda: iter(["piece"]))())))
        assert entrance.ask(app).text == "piece"
        assert ends == [None]

    def test_a_stream_that_fails_does_not_look_complete(
        self, entrance: Entrance, app: Vial, lane: Any, stream: Any, ends: list[Any]
    ) -> None:
        @stream
        def pieces() -> Iterator[str]:
            yield "piece"
            raise ZeroDivisionError

        app.get("/")(lane(lambda: stream_with_context(pieces())))
        with pytest.raises(ZeroDivisionError):
            entrance.ask(app)
        assert [type(end) for end in ends] == [ZeroDivisionError]

    def test_a_stream_of_something_else_fails_where_it_is_met(
        self, entrance: Entrance, app: Vial, lane: Any, stream: Any
    ) -> None:
        wrong: list[Any] = [5, None, ["text"]]

        def view(n: int) -> Any:
            return stream(lambda: iter(["first", wrong[n], "last"]))()

        app.get("/<int:n>")(lane(view))
        for n in range(3):
            with pytest.raises((TypeError, AssertionError)):  # the latter from the WSGI validator
                entrance.ask(app, f"/{n}")

    def test_a_stream_that_is_thrown_away_ends_its_request(
        self, entrance: Entrance, app: Vial, lane: Any, stream: Any, ends: list[Any]
    ) -> None:
        app.get("/")(lane(lambda: stream_with_context(stream(lambda: iter(["piece"]))())))
        app.after_request(lambda response: Response("other"))
        assert entrance.ask(app).text == "other"
        gc.collect()
        until(lambda: ends)
        assert ends == [None]

    def test_a_generator_may_push_contexts_around_what_it_yields(
        self, entrance: Entrance, app: Vial, lane: Any, stream: Any
    ) -> None:
        @stream
        def pieces() -> Iterator[str]:
            with app.app_context():
                g.name = "inside"
                yield "a"
                yield g.name

        app.get("/")(lane(lambda: pieces()))
        assert entrance.ask(app).text == "ainside"
        assert not entrance.ask(app, leave_after=1).whole

    def test_the_request_is_gone_in_a_plain_stream(
        self, entrance: Entrance, app: Vial, lane: Any, stream: Any
    ) -> None:
        @stream
        def pieces() -> Iterator[str]:
            yield "a"
            yield request.path

        app.get("/")(lane(lambda: pieces()))
        with pytest.raises(RuntimeError, match="outside of request context"):
            entrance.ask(app)
