"""What suites of apps need: an app, and functions in their sync and their async form."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from functools import wraps
from typing import Any

import pytest

from vial import (
    Vial,
    g,
    request,
)


class WithApp:
    """``entrance.ask(app, target, method, …)`` asks an app made by the test."""

    @pytest.fixture
    def app(self) -> Vial:
        app = Vial("cases", static_folder=None)
        app.secret_key = "a key for tests only"
        return app

    @pytest.fixture(params=["sync", "async"])
    def lane(self, request: pytest.FixtureRequest) -> Callable[[Any], Any]:
        """Makes a function async in the second run."""
        return as_is if request.param == "sync" else as_async

    @pytest.fixture
    def ends(self, app: Vial) -> list[Any]:
        """What the teardown functions were given: one entry per request."""
        ends: list[Any] = []

        @app.teardown_request
        def end(error: BaseException | None) -> None:
            g.setdefault("ended", request.path)  # the context is there
            ends.append(error)

        return ends


def until(happened: Callable[[], Any], seconds: float = 2) -> None:
    end = time.monotonic() + seconds
    while not happened() and time.monotonic() < end:
        time.sleep(0.001)


def as_is(function: Any) -> Any:
    return function


def as_async(function: Any) -> Any:
    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        return function(*args, **kwargs)

    return call


def as_async_generator(function: Any) -> Any:
    @wraps(function)
    async def generator() -> AsyncIterator[Any]:
        iterator = function()
        try:
            for item in iterator:
                await asyncio.sleep(0)
                yield item
        finally:
            if hasattr(iterator, "close"):
                iterator.close()

    return generator


def as_async_iterator(items: list[str]) -> AsyncIterator[str]:
    iterator: AsyncIterator[str] = as_async_generator(lambda: iter(items))()
    return iterator


def view_returning(value: Any) -> Any:
    return lambda: value


def view_raising(error: BaseException) -> Any:
    def view() -> Any:
        raise error

    return view
