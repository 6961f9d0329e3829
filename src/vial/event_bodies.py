"""The bodies of event streams: a generator runs in a task or a thread of its own, from its first
line to its last, and a gateway waits for its chunks no longer than a heartbeat."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from contextvars import Context, copy_context
from time import monotonic
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from .concurrency import run_in_pool
from .driver import drive

if TYPE_CHECKING:
    from .events import _Source

BEAT = b":\n\n"
_NOTHING: Any = object()

_live: WeakSet[Body] = WeakSet()


def end_all() -> None:
    """End the streams of this process, as if their generators had ended: the browsers connect
    again, to another worker."""
    for body in list(_live):
        body.stop()


class _LoopEvent:
    """An event of the running loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self.set = self._event.set

    def set_from_thread(self) -> None:
        with suppress(RuntimeError):  # of a loop that has closed: nobody waits
            self._loop.call_soon_threadsafe(self.set)

    async def wait(self, timeout: float | None = None) -> None:
        """Wait until it is set, or for so many seconds, and clear it."""
        timer = None if timeout is None else self._loop.call_later(timeout, self.set)
        try:
            await self._event.wait()
        finally:
            if timer is not None:
                timer.cancel()
        self._event.clear()


class _ThreadEvent:
    """The same for threads, in coroutines that are driven."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.set = self._event.set

    async def wait(self, timeout: float | None = None) -> None:
        self._event.wait(timeout)
        self._event.clear()


class _Exchange:
    """Where a generator hands its chunks over, one each time it was asked.

    Between threads no word is lost: each side writes before it sets an event, and the other one
    clears it before it reads.

    :param asked: an event that the generator waits for.
    :param tell: sets the one that the gateway waits for.
    """

    chunk: Any = _NOTHING
    #: From the question until the chunk is taken.
    is_asked = is_leaving = False

    def __init__(self, asked: Any, tell: Callable[[], object]) -> None:
        self._asked = asked
        self._tell = tell

    def ask(self) -> None:
        if not self.is_asked:
            self.is_asked = True
            self._asked.set()

    def take(self) -> Any:
        chunk, self.chunk = self.chunk, _NOTHING
        if chunk is not _NOTHING:
            self.is_asked = False
        return chunk

    def leave(self) -> bool:
        """Ask for nothing more; whether the generator waits for questions now."""
        self.is_leaving = True
        self._asked.set()
        return not self.is_asked or self.chunk is not _NOTHING

    async def pump(self, source: _Source) -> None:
        """Run the generator."""
        chunk: Any = _NOTHING
        try:
            while chunk is not None and await self._wanted():
                chunk = await _next(source)
                self._put(chunk)
        finally:
            if self.chunk is _NOTHING:
                self._put(None)
            del chunk  # an error's traceback has this frame: leave the collector nothing
            await source.close()

    async def _wanted(self) -> bool:
        await self._asked.wait()
        return not self.is_leaving

    def _put(self, chunk: Any) -> None:
        self.chunk = chunk
        self._tell()


async def _next(source: _Source) -> Any:
    try:
        return await source.next()
    except asyncio.CancelledError as e:
        if _is_cancelled():
            raise
        return source.failed(e)  # of something that the generator awaited


def _is_cancelled() -> bool:
    # Not asked where it is needed: the error has that frame, and the task has the error.
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


class Body:
    """What gateways iterate."""

    _exchange: _Exchange | None = None
    _begun = _ended = False

    def __init__(self, source: _Source, start: bytes, heartbeat: float | None) -> None:
        self._source = source
        self._start = start
        self._heartbeat = heartbeat
        self._context = copy_context()

    async def _next(
        self, exchange: _Exchange, wait: Callable[[float | None], Awaitable[object]]
    ) -> bytes:
        if not self._begun:
            self._begun = True
            _live.add(self)
            return self._start
        due = left = None
        if self._heartbeat is not None:
            due, left = monotonic() + self._heartbeat, self._heartbeat
        while not self._ended:
            exchange.ask()
            await wait(left)
            chunk = exchange.take()
            if chunk and chunk is not _NOTHING:
                return self._sent(chunk)
            self._ended |= chunk is None
            if due is not None and (left := due - monotonic()) <= 0:
                return BEAT
        raise StopAsyncIteration

    def _sent(self, chunk: Any) -> bytes:
        try:
            if isinstance(chunk, BaseException):
                raise chunk
            return chunk  # type: ignore[no-any-return]
        finally:
            del chunk  # its traceback has this frame: leave the collector nothing

    def stop(self) -> None:
        """End the stream, also while it is waited for."""
        self._ended = True


class _Here(_Exchange):
    """Without a thread: a question is a step of the generator."""

    def __init__(self, source: _Source) -> None:
        self._source = source

    def ask(self) -> None:
        self.chunk = drive(self._source.next())

    async def wait(self, timeout: float | None = None) -> None:
        """There is nothing to wait for."""


class AsyncBody(Body):
    """Of an async generator, which runs in one task."""

    _task: asyncio.Task[None]
    _ready: _LoopEvent

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        exchange = self._exchange or self._open()
        return await self._next(exchange, self._ready.wait)

    def _open(self) -> _Exchange:
        self._ready = _LoopEvent()
        exchange = self._exchange = _Exchange(_LoopEvent(), self._ready.set)
        pump, loop = exchange.pump(self._source), asyncio.get_running_loop()
        self._task = loop.create_task(pump, name="vial-events", context=self._context)
        return exchange

    async def aclose(self) -> None:
        """End the generator: cancelled where it waits, closed where it yielded."""
        if self._exchange is not None:
            if not self._exchange.leave():
                self._task.cancel()
            await asyncio.wait({self._task})
        await self._source.close()  # a task that was cancelled before its first step closed nothing

    def stop(self) -> None:
        super().stop()
        self._ready.set_from_thread()


class ThreadBody(Body):
    """Of a sync generator, which runs in one thread; without heartbeats under WSGI in the thread
    of its view.

    A generator that waits cannot be woken: where its client has left, or the stream was stopped,
    it is closed at its next ``yield``.
    """

    _wait: Callable[[float | None], Awaitable[object]]
    #: Wakes who waits.
    _wake: Callable[[], object] = staticmethod(int)
    #: Done when the thread has ended, if there is one.
    _thread: Future[None] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        exchange = self._exchange or self._open_in_thread()
        try:
            return drive(self._next(exchange, self._wait))
        except StopAsyncIteration:
            raise StopIteration from None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        exchange = self._exchange or self._open_on_loop()
        return await self._next(exchange, self._wait)

    def _open_in_thread(self) -> _Exchange:
        if self._heartbeat is None:
            here = self._exchange = _Here(self._source)
            self._wait = here.wait
            return here
        ready = _ThreadEvent()
        self._wait, self._wake = ready.wait, ready.set
        return self._open()

    def _open_on_loop(self) -> _Exchange:
        ready = _LoopEvent()
        self._wait, self._wake = ready.wait, ready.set_from_thread
        return self._open()

    def _open(self) -> _Exchange:
        exchange = self._exchange = _Exchange(_ThreadEvent(), self._wake)
        self._thread = Future()
        _start_thread(self._context, exchange.pump(self._source), self._thread)
        return exchange

    def close(self) -> None:
        """End the generator in its thread; wait for it, unless it waits itself."""
        if self._exchange is None or self._thread is None:
            drive(self._source.close())
        elif self._exchange.leave():
            self._thread.result()

    async def aclose(self) -> None:
        """As :meth:`close`."""
        if self._exchange is None or self._thread is None:
            await run_in_pool(self.close, to_end=True)
        elif self._exchange.leave():
            await asyncio.wrap_future(self._thread)

    def stop(self) -> None:
        super().stop()
        self._wake()

    def __del__(self) -> None:
        if self._exchange is not None and self._thread is not None:
            self._exchange.leave()


_threads = 0
_lock = threading.Lock()


def running_threads() -> int:
    """How many generators run in threads of their own."""
    return _threads


def _start_thread(context: Context, pump: Any, ended: Future[None]) -> None:
    def run() -> None:
        try:
            # Not by drive(), whose generators keep what they returned last: a response, for as
            # long as this stream lives.
            with suppress(StopIteration):
                context.run(pump.send, None)
        finally:
            _count(-1)
            ended.set_result(None)

    _count(1)
    threading.Thread(target=run, name="vial-events", daemon=True).start()


def _count(change: int) -> None:
    global _threads
    with _lock:
        _threads += change
