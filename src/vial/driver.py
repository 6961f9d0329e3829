"""Running a coroutine that never waits, without an event loop."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")


@coroutine
def _driver() -> Generator[Any, Any, None]:
    result = None
    while True:
        result = yield from (yield result)


_drivers: list[Any] = []


def _new_driver() -> Any:
    driver: Any = _driver()
    driver.send(None)
    return driver


def begin(coroutine: Coroutine[Any, Any, T]) -> tuple[Any, Any]:
    """Run a coroutine until it waits. With ``None`` comes its result; with a driver, to be given
    to :func:`go_on`, what it waits for."""
    driver: Any
    try:
        driver = _drivers.pop()
    except IndexError:  # another thread may have taken the last one
        driver = _new_driver()
    result = driver.send(coroutine)
    if driver.gi_yieldfrom is None:
        _drivers.append(driver)
        return None, result
    return driver, result


@coroutine
def go_on(driver: Any, waits_for: Any) -> Generator[Any, Any, Any]:
    """Wait for the rest of a coroutine that was begun; its result."""
    while True:
        try:
            value = yield waits_for
        except GeneratorExit:
            driver.close()
            raise
        except BaseException as e:
            waits_for = driver.throw(e)
        else:
            waits_for = driver.send(value)
        if driver.gi_yieldfrom is None:
            _drivers.append(driver)
            return waits_for


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine of the sync lane, which never has to wait, and return its result.

    PERF: benchmarks/dispatch.py, hello. ``coroutine.send(None)`` gives its result as a
    ``StopIteration``; a generator that awaits one coroutine after the other gives it as a value,
    for half the cost. One is taken per call and put back, so threads and nested calls do not meet.
    """
    driver: Any
    try:
        driver = _drivers.pop()
    except IndexError:
        driver = _new_driver()
    result = driver.send(coroutine)  # an exception ends the driver, and it is not put back
    if driver.gi_yieldfrom is None:
        _drivers.append(driver)
        return result  # type: ignore[no-any-return]
    coroutine.close()
    raise RuntimeError(
        "A request of sync functions tried to wait on an event loop. A function that is not"
        " declared 'async def' must return a value, not an awaitable."
    )
