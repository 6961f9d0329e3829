"""Generators that go on after the view returned, and still see its request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import update_wrapper
from typing import Any

from .ctx import RequestContext, _request_ctx_for
from .driver import drive
from .globals import _cv
from .teardown import close


def stream_with_context(generator_or_function: Any) -> Any:
    """Keep the request context for a generator that makes a response's body.

    Takes a generator, sync or async, or decorates a function that returns one. The teardown
    functions run when the generator ends or the client left. The context is current only while
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


class _Held:
    """One stream's share in a request context; given back once."""

    def __init__(self) -> None:
        self.ctx: RequestContext = _request_ctx_for("stream_with_context")
        self.ctx._streams += 1
        self.done = False

    def give_back(self) -> bool:
        """Whether this was the last use of the context, which is then to be closed."""
        if self.done:
            return False
        self.done = True
        self.ctx._streams -= 1
        return self.ctx._left and not self.ctx._streams


class _Stream:
    def __init__(self, generator: Iterator[Any]) -> None:
        self._held = _Held()
        self._generator = generator

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self._inside(self._generator.__next__)

    def close(self) -> None:
        """End the generator and the request."""
        end = getattr(self._generator, "close", None)
        if end is not None:
            self._inside(end)
        self._end(None)

    def _inside(self, call: Callable[[], Any]) -> Any:
        token = _cv.set(self._held.ctx)
        try:
            return call()
        except StopIteration:
            self._end(None)
            raise
        except BaseException as e:
            self._end(e)
            raise
        finally:
            _cv.reset(token)

    def _end(self, error: BaseException | None) -> None:
        ctx = self._held.ctx
        if self._held.give_back():
            if ctx.plan.is_async:
                # Between chunks a sync generator is in a thread: use the functions for those.
                ctx.plan = ctx.app._make_plan(ctx.url_rule and ctx.url_rule.endpoint)
            drive(close(ctx, error))


class _AsyncStream:
    def __init__(self, generator: AsyncIterator[Any]) -> None:
        self._held = _Held()
        self._generator = generator

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        return await self._inside(self._generator.__anext__)

    async def aclose(self) -> None:
        """End the generator and the request."""
        end = getattr(self._generator, "aclose", None)
        if end is not None:
            await self._inside(end)
        await self._end(None)

    async def _inside(self, call: Callable[[], Any]) -> Any:
        token = _cv.set(self._held.ctx)
        try:
            return await call()
        except StopAsyncIteration:
            await self._end(None)
            raise
        except BaseException as e:
            await self._end(e)
            raise
        finally:
            _cv.reset(token)

    async def _end(self, error: BaseException | None) -> None:
        if self._held.give_back():
            await close(self._held.ctx, error)
