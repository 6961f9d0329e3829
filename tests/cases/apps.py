"""What suites of apps need: an app, and functions in their sync and their async form."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import wraps
from typing import Any

import pytest

from vial import (
    Vial,
    g,
    request,
)
from vial.plans import CONTEXTS, STEPS


class ByMethods:
    """Mixed into a class of apps, overrides every step of a request by a call of the inherited
    one: its requests take the path that Flask's take."""


def _passing_on(name: str) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(super(ByMethods, self), name)(*args, **kwargs)

    return method


for _name in (*STEPS, *CONTEXTS):
    setattr(ByMethods, _name, _passing_on(_name))

#: The two paths of a request through an app, by what is mixed into its class.
PLANS: dict[str, tuple[type, ...]] = {"fast": (), "by methods": (ByMethods,)}
#: Every test runs on both; at a developer's desk the second waits for the whole suite.
EACH_PLAN = ["fast", pytest.param("by methods", marks=pytest.mark.slow)]


def of_plan(plan: str, cls: type[Vial] = Vial) -> type[Vial]:
    """A class of apps whose requests take one of the two paths."""
    return type(cls.__name__, (*PLANS[plan], cls), {})


def took(app: Vial, plan: str) -> bool:
    """Whether all requests of an app took that path."""
    return {compiled.compatible for compiled in app._plans.values()} <= {plan != "fast"}


class WithApp:
    """``entrance.ask(app, target, method, …)`` asks an app made by the test, on either path."""

    @pytest.fixture(params=EACH_PLAN)
    def app(self, request: pytest.FixtureRequest) -> Iterator[Vial]:
        app = of_plan(request.param)("cases", static_folder=None)
        app.secret_key = "a key for tests only"
        yield app
        assert took(app, request.param)

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
