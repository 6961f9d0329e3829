"""The life of a worker: what runs at its start and its end, and beside its requests."""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future, wait
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from .callables import is_async
from .concurrency import background_loop, run_in_pool, run_on_loop, running_loop
from .ctx import after_this_request, copy_current_request_context, has_request_context
from .gateways.watch import all_ended, end_all
from .globals import _under_test

if TYPE_CHECKING:
    from .app import Vial

Function = Callable[..., Any]

#: Seconds that background work gets to end when the worker stops; the rest is cancelled.
BACKGROUND_GRACE = 10.0


class Life:
    """One app in one process: started once, stopped once."""

    def __init__(self, app: Vial) -> None:
        self._app = app
        self.startup: list[Function] = []
        self.shutdown: list[Function] = []
        self.stopping: list[Function] = []
        #: What ends the streams that are open; called again for those that began since.
        self.endings: list[Function] = []
        self._works: set[_Work] = set()
        #: Work of requests of a test client, which closes no response by itself.
        self._held: list[Callable[[], None]] = []
        self._starting: asyncio.Future[None] | None = None
        self._lock = threading.Lock()
        self.is_started = False
        self._is_stopped = self._stops_at_exit = False

    async def start(self) -> None:
        """Run the startup functions, in the order of their registration, the first time.

        Whoever comes meanwhile waits.
        """
        if self.is_started:
            return
        if self._starting is None:
            self._starting = asyncio.ensure_future(self._start())
        await asyncio.shield(self._starting)

    async def _start(self) -> None:
        try:
            for function in self.startup:
                await self._call(function)
            self.is_started = True
        finally:
            self._starting = None  # a worker whose start failed tries again

    def start_in_thread(self) -> None:
        """As :meth:`start`, for servers without a loop; stopped at the exit of the process."""
        with self._lock:
            if not self.is_started:
                run_on_loop(self._start())
                self._stop_at_exit()

    def _stop_at_exit(self) -> None:
        if not self._stops_at_exit:
            self._stops_at_exit = True
            atexit.register(lambda: run_on_loop(self.stop()))

    async def stop(self) -> None:
        """Close the WebSockets, let the background work end, then run the shutdown functions, last
        registered first.

        A function that fails is logged, and the next one runs.
        """
        if self._is_stopped:
            return
        self._is_stopped = True
        end_all(self._app)
        await all_ended(self._app, self._app.config.get("BACKGROUND_GRACE", BACKGROUND_GRACE))
        await self._drain()
        for function in reversed(self.shutdown if self.is_started else []):
            try:
                await self._call(function)
            except Exception:
                self._app.logger.exception("A function of on_shutdown failed: %r", function)

    def begin_stop(self) -> None:
        """Close the WebSockets and call the functions of ``on_stopping``; the server calls this on
        its loop."""
        end_all(self._app)
        self.tell_stopping()

    def tell_stopping(self) -> None:
        """End the event streams and call the functions of ``on_stopping``; from any thread."""
        self._tell(self.endings)
        self._tell(self.stopping)

    def end_late(self, on_loop: bool) -> None:
        """End what clients began after the worker was told to stop, on connections that it had."""
        self._tell(self.endings)
        if on_loop:
            end_all(self._app)

    def _tell(self, functions: Iterable[Function]) -> None:
        for function in functions:
            try:
                function()
            except Exception:
                self._app.logger.exception("A function of on_stopping failed: %r", function)

    async def _drain(self) -> None:
        if not self._works:
            return
        grace = self._app.config.get("BACKGROUND_GRACE", BACKGROUND_GRACE)
        await _ended(self._works, grace)
        late = set(self._works)
        for work in late:
            work.cancel()
        if late:
            self._app.logger.error(
                "Background work was cancelled, %s s after the worker was told to stop: %s",
                grace,
                ", ".join(work.name for work in late),
            )
            await _ended(late, 1)

    async def _call(self, function: Function) -> None:
        def in_context() -> Any:
            with self._app.app_context():
                return function()

        if not is_async(function):
            await run_in_pool(in_context)
            return
        with self._app.app_context():
            await function()

    def begin(
        self, loop: asyncio.AbstractEventLoop | None, function: Function, call: Function
    ) -> None:
        """Start background work now, on ``loop`` or on the process's own."""
        if loop is None or loop.is_closed():
            loop = background_loop()
            self._stop_at_exit()
        work = _Work(loop, getattr(function, "__qualname__", repr(function)))
        self._works.add(work)
        work.ended.add_done_callback(lambda ended: self._works.discard(work))
        loop.call_soon_threadsafe(work.start, self._work(function, call), context=copy_context())

    def end_held(self) -> None:
        """Begin the background work of a test client's requests, and wait until it ended, unless
        a loop waits for the caller."""
        held, self._held = self._held, []
        for begin in held:
            begin()
        if held and running_loop() is None:
            wait([work.ended for work in self._works])

    def hold(self, begin: Callable[[], None]) -> None:
        """Wait for :meth:`end_held`."""
        self._held.append(begin)

    async def _work(self, function: Function, call: Function) -> None:
        try:
            if is_async(function):
                await call()
            else:
                await run_in_pool(call)
        except Exception:
            self._app.logger.exception("Background work failed: %r", function)


class _Work:
    """Background work that was given to a loop."""

    _task: asyncio.Task[None]

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str) -> None:
        self._loop = loop
        self.name = name
        self.ended: Future[None] = Future()

    def start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._task = self._loop.create_task(coroutine, name=self.name)
        self._task.add_done_callback(lambda task: self.ended.set_result(None))

    def cancel(self) -> None:
        self._loop.call_soon_threadsafe(lambda: self._task.cancel())


async def _ended(works: Iterable[_Work], timeout: float) -> None:
    await asyncio.wait([asyncio.wrap_future(work.ended) for work in works], timeout=timeout)


def in_background(app: Vial, life: Life, function: Function, *args: Any, **options: Any) -> None:
    """See :meth:`vial.Vial.background`."""
    loop = running_loop()
    if not has_request_context():
        life.begin(loop, function, partial(_in_app(app, function), *args, **options))
        return
    work = partial(copy_current_request_context(function), *args, **options)

    def begin() -> None:
        life.begin(loop, function, work)

    def start(response: Any) -> Any:
        if _under_test.get():
            life.hold(begin)
        else:
            response.call_on_close(begin)
        return response

    after_this_request(start)


def _in_app(app: Vial, function: Function) -> Function:
    def run(*args: Any, **options: Any) -> Any:
        with app.app_context():
            return function(*args, **options)

    async def run_async(*args: Any, **options: Any) -> Any:
        with app.app_context():
            return await function(*args, **options)

    return run_async if is_async(function) else run
