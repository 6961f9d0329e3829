"""Generators that go on after the view returned, and still see its request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import update_wrapper
from threading import Thread
from typing import Any

from .ctx import AppContext, RequestContext, _request_ctx_for
from .driver import drive
from .globals import _cv
from .teardown import close


def stream_with_context(generator_or_function: Any) -> Any:
    """Keep the request context for a generator that makes a response's body.

    Takes a generator, sync or async, or decorates a function that returns one. The teardown
    functions run when the generator ended and was closed; if the client left before, they get
    ``GeneratorExit``, as the generator does. The context is current only while
    the generator runs, so nothing leaks to what the server does between two chunks.
    """
    if hasattr(generator_or_function, "__aiter__"):
        return _AsyncStream(generator_or_function)
    if hasattr(generator_or_function, "__next__") or hasattr(generator_or_function, "__iter__"):
        return _Stream(iter(generator_or_function))
    return _decorated(generator_or_function)


def _decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    def decorator(*args: Any, **kwargs: Any) -> Any:
        return stream_with_context(function(*args, **kwargs))

    return update_wrapper(decorator, function)


class _AsyncStream:
    """An async generator with a share in its request context, given back at its end."""

    _ended = True
    _started = False

    def __init__(self, generator: AsyncIterator[Any], in_thread: bool = False) -> None:
        self._ctx: RequestContext = _request_ctx_for("stream_with_context")
        self._ctx._streams += 1
        #: What the generator sees; another one while it has pushed a context of its own.
        self._current: AppContext = self._ctx
        self._generator = generator
        self._in_thread = in_thread
        self._ended = False

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        self._started = True
        return await self._inside(self._generator.__anext__)

    async def aclose(self) -> None:
        """End the generator and the request."""
        await self._inside(self._close)

    async def _close(self) -> None:
        await self._end(GeneratorExit() if self._started else None)

    def __del__(self) -> None:
        if not self._ended:
            # Its response was replaced, by an after function or an error. The collector may run on
            # an event loop, where teardown functions must neither block nor wait for that loop.
            Thread(target=self._close_in_thread, daemon=True).start()

    def _close_in_thread(self) -> None:
        if self._in_thread:
            drive(self.aclose())
        else:
            self._ctx.app.async_to_sync(self.aclose)()

    async def _inside(self, call: Callable[[], Any]) -> Any:
        token = _cv.set(self._current)
        try:
            return await call()
        except StopAsyncIteration:
            await self._end(None)
            raise
        except BaseException as e:
            await self._end(e)
            raise
        finally:
            self._current = _cv.get()
            _cv.reset(token)

    async def _end(self, error: BaseException | None) -> None:
        if self._ended:
            return
        self._ended = True
        try:
            end = getattr(self._generator, "aclose", None)
            if end is not None:
                await end()
        except BaseException as e:
            error = e
            raise
        finally:
            await self._end_request(error)

    async def _end_request(self, error: BaseException | None) -> None:
        ctx = self._ctx
        ctx._streams -= 1
        if ctx._streams or not ctx._left:
            return
        if self._in_thread and ctx.plan.is_async:
            # The teardown functions of the loop lane cannot be awaited in a thread,
            ctx.plan = ctx.app._make_plan(None if ctx.url_rule is None else ctx.url_rule.endpoint)
        elif not self._in_thread:
            # nor those of the sync lane wait for the loop that runs this,
            ctx.plan = ctx.plan.on_loop or ctx.plan
        if ctx.plan.compatible and not self._in_thread:
            # nor the methods of an app.
            from .concurrency import run_in_pool

            await run_in_pool(drive, close(ctx, error), begun=True)
        else:
            await close(ctx, error)


class _SyncSteps:
    """A sync generator as an async one that never waits."""

    def __init__(self, generator: Iterator[Any]) -> None:
        self._generator = generator

    async def __anext__(self) -> Any:
        try:
            return next(self._generator)
        except StopIteration:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        end = getattr(self._generator, "close", None)
        if end is not None:
            end()


class _Stream:
    """As :class:`_AsyncStream`, for sync generators: the same, driven without a loop."""

    def __init__(self, generator: Iterator[Any]) -> None:
        steps: Any = _SyncSteps(generator)
        self._stream = _AsyncStream(steps, in_thread=True)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return drive(self._stream.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        """End the generator and the request."""
        drive(self._stream.aclose())
