"""Sync work beside a loop, async work beside threads.

Two bridges and nothing else: :func:`run_in_pool` is awaited on a loop and runs blocking code in
Vial's worker pool; :func:`run_on_loop` is called in a thread and runs a coroutine on the one
long-lived loop of the process, so that tasks and connection pools made there live on.
Both carry the caller's :mod:`contextvars` along.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Generator
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, NamedTuple, TypeVar
from weakref import WeakKeyDictionary, ref

T = TypeVar("T")
_MISSING: Any = object()

#: Threads that one pool may grow to (config ``WORKER_THREADS``). Views that wait on a database or
#: the network want more threads than there are cores; the figure is the one Starlette and FastAPI
#: users are used to.
DEFAULT_POOL_SIZE = 40
#: Requests that may wait for a thread (config ``WORKER_QUEUE``); more are answered 503.
DEFAULT_QUEUE = 1000
#: Threads beside those of the pool, for what requests need that have begun already.
RESERVE = 1000
#: Seconds after which a thread that had nothing to do ends.
IDLE = 30.0
#: Seconds in the queue that are worth a line in the log, and between two such lines.
LONG_WAIT, QUIET = 1.0, 60.0

log = logging.getLogger("vial.workers")


class PoolSaturated(RuntimeError):
    """More work waits for a worker thread than may."""


class PoolStats(NamedTuple):
    """What a worker pool does now."""

    threads: int
    #: Threads without work.
    idle: int
    #: Jobs that wait for a thread.
    waiting: int
    #: Seconds that the job begun last had waited.
    waited: float


class _Job(NamedTuple):
    function: Callable[..., Any]
    args: tuple[Any, ...]
    context: Context
    future: asyncio.Future[Any]
    outbox: _Outbox
    since: float


class _Outbox:
    """Results on their way back to one loop, handed over in batches.

    PERF: waking a loop from a thread costs a system call; results that arrive before the loop
    woke up share one (``benchmarks/dispatch.py`` does not see it, a loaded server does).
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # Weak: the loop is the key of the table that holds this object.
        self._loop = ref(loop)
        self._results: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._scheduled = False

    def put(self, future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        self._results.append((future, result, error))
        if not self._scheduled:
            self._scheduled = True
            loop = self._loop()
            # A loop that closed while the work ran has nobody waiting for the result any more.
            with suppress(RuntimeError):
                if loop is not None:
                    loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False
        while self._results:
            future, result, error = self._results.popleft()
            if future.done():
                continue
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)


class WorkerPool:
    """Threads that run blocking functions for event loops; started on demand, daemonic.

    :param size: the most threads to start; further work waits in a queue.
    :param queue: the most jobs that may wait, of those that are refused above it.
    :param idle: seconds after which a thread without work ends.
    """

    def __init__(
        self, size: int = DEFAULT_POOL_SIZE, queue: int = DEFAULT_QUEUE, idle: float = IDLE
    ) -> None:
        if size < 1:
            raise ValueError(f"A worker pool needs at least one thread, not {size}.")
        self.size = size
        self.queue = queue
        self._end_after = idle
        self._waited = 0.0
        self._told = -QUIET
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        # Held to queue a job and to change these numbers, so that no job waits behind a view that
        # blocks while a thread could be started.
        self._lock = threading.Lock()
        self._threads = 0
        #: Jobs, and threads that wait for one; where a thread took a job out of the queue, both
        #: are counted until it has the lock.
        self._waiting = self._idle = 0
        self._outboxes: WeakKeyDictionary[asyncio.AbstractEventLoop, _Outbox] = WeakKeyDictionary()

    def submit(self, context: Context, function: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """Queue a call in ``context``; the future belongs to the running loop."""
        loop = asyncio.get_running_loop()
        outbox = self._outboxes.get(loop)
        if outbox is None:
            outbox = self._outboxes[loop] = _Outbox(loop)
        future: asyncio.Future[T] = loop.create_future()
        with self._lock:
            self._jobs.put(_Job(function, args, context, future, outbox, monotonic()))
            self._waiting += 1
            if self._waiting <= self._idle or self._threads == self.size:
                return future
            self._threads += 1
            self._idle += 1
        name = f"vial-worker-{self._threads}"
        threading.Thread(target=self._work, name=name, daemon=True).start()
        return future

    def check(self) -> None:
        """Refuse further work while too much of it waits.

        :raises PoolSaturated: naming how much waits.
        """
        waiting = self._jobs.qsize()
        if waiting >= self.queue:
            self._tell("%d requests wait for %d worker threads: more are refused", waiting)
            raise PoolSaturated(f"{waiting} requests wait for {self.size} worker threads.")

    def stats(self) -> PoolStats:
        """Threads and jobs of this moment."""
        return PoolStats(self._threads, self._idle, self._jobs.qsize(), self._waited)

    def _tell(self, message: str, figure: float) -> None:
        now = monotonic()
        if now - self._told >= QUIET:
            self._told = now
            log.warning(f"{message} (WORKER_THREADS, WORKER_QUEUE)", figure, self.size)

    def _work(self) -> None:
        job = None
        while True:
            job = job or self._wait()
            if job is None:
                return
            self._waited = waited = monotonic() - job.since
            if waited > LONG_WAIT:
                self._tell("a request waited %.1f s for one of %d worker threads", waited)
            outcome = None if job.future.cancelled() else _outcome(job)
            # Idle before the result is known: who waits for it may bring the next job.
            done, job = job, self._next()
            if outcome is not None:
                done.outbox.put(done.future, *outcome)
            del done, outcome  # an idle thread must not keep the last request alive

    def _wait(self) -> _Job | None:
        """The next job of an idle thread; ``None`` when the thread is to end."""
        job = None
        with suppress(Empty):
            job = self._jobs.get(timeout=self._end_after)
        with self._lock:
            if job is None:
                with suppress(Empty):
                    job = self._jobs.get_nowait()  # it came meanwhile
            self._idle -= 1
            if job is None:
                self._threads -= 1
            else:
                self._waiting -= 1
        return job

    def _next(self) -> _Job | None:
        """A waiting job; without one the thread is idle."""
        with self._lock:
            with suppress(Empty):
                job = self._jobs.get_nowait()
                self._waiting -= 1
                return job
            self._idle += 1
        return None


def _outcome(job: _Job) -> tuple[Any, BaseException | None]:
    try:
        return job.context.run(job.function, *job.args), None
    except StopIteration as e:
        # A future cannot carry StopIteration; PEP 479 wraps it the same way.
        error = RuntimeError(f"{job.function!r} raised StopIteration")
        error.__cause__ = e
        return None, error
    except BaseException as e:
        # Not with this frame, whose job has the future that will have the error: leave the
        # collector nothing.
        return None, e.with_traceback(e.__traceback__ and e.__traceback__.tb_next)


_pool: WorkerPool | None = None
_reserve: WorkerPool | None = None
_loop: asyncio.AbstractEventLoop | None = None
_start_lock = threading.Lock()


def worker_pool() -> WorkerPool:
    """The pool of this process."""
    global _pool
    if _pool is None:
        with _start_lock:
            _pool = _pool or WorkerPool()
    return _pool


def _reserved_pool() -> WorkerPool:
    global _reserve
    if _reserve is None:
        with _start_lock:
            _reserve = _reserve or WorkerPool(RESERVE)
    return _reserve


async def run_in_pool(
    function: Callable[..., T], *args: Any, to_end: bool = False, begun: bool = False
) -> T:
    """Run blocking code off the running loop and wait for it.

    It runs in a copy of the current context, and within the exception that is being handled;
    context variables that it set are set afterwards.

    :param to_end: wait for it also when cancelled: a thread goes on, and what comes next (teardown
        functions, the end of a generator) must not run beside it.
    :param begun: the next piece of a request (a chunk of a stream, a teardown function) that may
        hold what views in all threads of the pool wait for, such as a connection to a database. It
        does not wait for them, but has a thread beside the pool.
    """
    context, handled = copy_context(), sys.exception()
    if handled is not None:
        function, args = partial(_while_handling, handled, function), (args,)
    pool = _reserved_pool() if begun else worker_pool()
    future = pool.submit(context, function, *args)
    try:
        return await (asyncio.shield(future) if to_end else future)
    except asyncio.CancelledError:
        if to_end:
            await asyncio.wait({future})
        raise
    finally:
        del future, function, handled  # an error's traceback has this frame
        _adopt(context)


def _while_handling(
    handled: BaseException | None, function: Callable[..., T], args: tuple[Any, ...]
) -> T:
    assert handled is not None
    traceback = handled.__traceback__
    try:
        raise handled
    except BaseException as e:
        e.__traceback__ = traceback
        return function(*args)
    finally:
        handled = None


def _adopt(context: Context) -> None:
    for var, value in context.items():
        if var.get(_MISSING) is not value:
            var.set(value)


def background_loop() -> asyncio.AbstractEventLoop:
    """The long-lived loop of this process, in a daemon thread; started at first use."""
    global _loop
    if _loop is None or _loop.is_closed():
        with _start_lock:
            if _loop is None or _loop.is_closed():
                _loop = _start_loop()
    return _loop


def _start_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="vial-loop", daemon=True).start()
    return loop


def run_on_loop(coroutine: Coroutine[Any, Any, T], context: Context | None = None) -> T:
    """Run a coroutine on the process's long-lived loop and block until it is done.

    It runs in a copy of the current context, and context variables that it set are set
    afterwards; or in ``context``. An interrupted wait cancels it.

    :raises RuntimeError: when called on that loop itself, which would wait for itself for ever.
    """
    loop = background_loop()
    if running_loop() is loop:
        coroutine.close()
        raise RuntimeError(
            "Blocking code that waits for async work was called on the event loop itself."
            " Await the coroutine instead, or call the blocking code through run_in_pool()."
        )
    inside = context or copy_context()
    # run_coroutine_threadsafe() would make the task in the loop's context, not the caller's.
    guarded = _guarded(coroutine, sys.exception())
    future = asyncio.run_coroutine_threadsafe(_in_context(guarded, inside), loop)
    error = None
    try:
        try:
            result, error = future.result()
        except BaseException:
            future.cancel()
            raise
        if context is None:
            _adopt(inside)
        if error is not None:
            raise error
        return result  # type: ignore[return-value]
    finally:
        del future, error  # its traceback has this frame: leave the collector nothing


async def _in_context(coroutine: Coroutine[Any, Any, T], context: Context) -> T:
    return await asyncio.get_running_loop().create_task(coroutine, context=context)


async def _guarded(
    coroutine: Coroutine[Any, Any, T], handled: BaseException | None
) -> tuple[T | None, BaseException | None]:
    # A SystemExit, of sys.exit() in a view, would end the loop of all others if a task raised it.
    try:
        if handled is None:
            return await coroutine, None
        traceback = handled.__traceback__
        try:
            raise handled  # for logger.exception() and a bare raise in an async error handler
        except BaseException:
            handled.__traceback__ = traceback
            return await coroutine, None
    except asyncio.CancelledError:
        raise
    except BaseException as e:
        return None, e
    finally:
        handled = None  # it may be what is returned, whose traceback has this frame


def blocking(iterable: AsyncIterable[T]) -> Generator[T, None, None]:
    """Iterate an async iterable from a thread; closing it closes the async one."""
    iterator = aiter(iterable)
    context = copy_context()  # one for all steps: an async generator may push what it pops later
    try:
        while True:
            try:
                yield run_on_loop(_next(iterator), context)
            except StopAsyncIteration:
                return
    finally:
        end = getattr(iterator, "aclose", None)
        if end is not None:
            run_on_loop(end(), context)


async def _next(iterator: AsyncIterator[T]) -> T:
    return await anext(iterator)


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs in the calling thread, if there is one."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _forget_after_fork() -> None:
    # Threads do not survive a fork; a pre-forking server's children start their own.
    global _pool, _reserve, _loop, _start_lock
    _pool = _reserve = _loop = None
    _start_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
