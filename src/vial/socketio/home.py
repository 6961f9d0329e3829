"""The one event loop that a Socket.IO server lives on, and how every other thread reaches it.

python-socketio keeps its clients in plain dicts and asyncio queues, so only one loop may touch
them. Which one is decided in :meth:`Home.settle`, by the first request that comes in.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future, wait
from contextvars import Context
from typing import Any, TypeVar

from ..concurrency import background_loop

T = TypeVar("T")


class Home:
    """Runs functions and coroutines on the server's loop, in the order in which they were given.

    While no loop is known nobody is connected and nothing can race, so functions run at once in
    the calling thread.
    """

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._posts: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._scheduled = False
        self._early: list[Callable[[], object]] = []

    def settle(self, is_busy: Callable[[], bool]) -> bool:
        """Make the running loop the home; return whether that is new.

        :param is_busy: whether connections depend on the present loop.
        :raises RuntimeError: when they do and that loop still runs: one server, one loop.
        """
        loop = asyncio.get_running_loop()
        if loop is self.loop:
            return False
        if self._runs() and is_busy():
            raise RuntimeError(
                "Clients are connected to this Socket.IO server through another event loop of"
                " this process. One SocketIO object serves one loop: run one server per process,"
                " or give each server an app and a SocketIO of its own."
            )
        self.loop = loop
        early, self._early = self._early, []
        for start in early:
            start()
        return True

    def post(self, function: Callable[..., object], *args: Any) -> None:
        """Call a function on the loop, without waiting for it; at once when already there."""
        if self._is_here():
            function(*args)
            return
        self._posts.append((function, args))
        self._wake()

    def ask(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function on the loop, after everything posted before, and return its result."""
        if self._is_here():
            return function(*args)
        answer: Future[T] = Future()
        self.post(_answer, answer, function, args)
        return answer.result()

    def start(self, function: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> Running:
        """Run a coroutine function on the loop as a task; before there is a loop it waits for one.

        It starts in an empty context: a task outlives the request that started it.
        """
        running = Running(self)

        def begin() -> None:
            task = asyncio.get_running_loop().create_task(function(*args), context=Context())
            task.add_done_callback(running.finish)

        if self._runs():
            self.post(begin)
        else:
            self._early.append(begin)
        return running

    def run(self, coroutine: Coroutine[Any, Any, T], context: Context | None = None) -> T:
        """Run a coroutine on the loop and block until it is done; without a loop, on the
        process's long-lived one.

        :raises RuntimeError: when called on the loop itself, which would wait for itself.
        """
        loop = self.loop
        if loop is None or not loop.is_running():
            loop = background_loop()
        if _running_loop() is loop:
            coroutine.close()
            raise RuntimeError(
                "A call that waits for the Socket.IO server was made on the server's own event"
                " loop. Make it in a thread, or in a handler that is not 'async def'."
            )
        # The context of the caller would otherwise become that of the task.
        context = Context() if context is None else context
        future = context.run(asyncio.run_coroutine_threadsafe, coroutine, loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def is_here(self) -> bool:
        """Whether the calling thread is the one that runs the loop."""
        return self.loop is not None and _running_loop() is self.loop

    def may_block(self) -> bool:
        """Whether the calling thread runs no loop, and the server's loop runs elsewhere."""
        return self._runs() and _running_loop() is None

    def _is_here(self) -> bool:
        return not self._runs() or _running_loop() is self.loop

    def _runs(self) -> bool:
        return self.loop is not None and self.loop.is_running()

    def _wake(self) -> None:
        # Posts that arrive before the loop woke up share one system call (as results of
        # the worker pool do). What a handler posts is done before its end is noticed, because
        # that takes one more turn of the loop.
        if not self._scheduled and self.loop is not None:
            self._scheduled = True
            # Tasks that begin there live on: they must not be inside of a request.
            self.loop.call_soon_threadsafe(self._work, context=Context())

    def _work(self) -> None:
        self._scheduled = False
        try:
            while self._posts:
                function, args = self._posts.popleft()
                function(*args)
        finally:
            if self._posts:
                self._wake()


class Running:
    """A coroutine that runs in the background: ``join()`` it in a thread, or ``await`` it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._end: Future[None] = Future()

    def finish(self, task: asyncio.Task[Any]) -> None:
        self._end.set_result(None)
        if not task.cancelled() and (error := task.exception()) is not None:
            task.get_loop().call_exception_handler(
                {"message": "A background task failed", "exception": error, "task": task}
            )

    def join(self, timeout: float | None = None) -> None:
        """Wait until it is over, at most ``timeout`` seconds.

        :raises RuntimeError: on the loop that runs it; there, ``await`` it.
        """
        if self._home.is_here():
            raise RuntimeError("join() would block the loop that runs the task: await the task.")
        wait([self._end], timeout)

    def __await__(self) -> Generator[Any, None, None]:
        return asyncio.wrap_future(self._end).__await__()


def _answer(answer: Future[T], function: Callable[..., T], args: tuple[Any, ...]) -> None:
    try:
        answer.set_result(function(*args))
    except BaseException as e:
        answer.set_exception(e)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
