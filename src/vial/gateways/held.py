"""Waiting for a server without ever cancelling it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any


class Hold:
    """Waits for a call of a server; who waits may be cancelled or sent away, the call goes on.

    granian 2.8 loses the message that arrives while its ``receive()`` is cancelled: a quarter of
    them in a loop of ``wait_for(receive(), …)``.

    PERF: benchmarks/websocket_echo.py. What :func:`asyncio.shield` does, without a second future
    and a turn of the loop: it looks like a future to the task that awaits it.
    """

    __slots__ = ("_asyncio_future_blocking", "_callback", "_context", "_error", "call")

    def __init__(self, call: Any) -> None:
        #: An ``asyncio.Future``, or granian's, which keeps only the last callback it is given.
        self.call = call
        self._asyncio_future_blocking = True
        self._callback: Callable[[Any], Any] | None = None
        self._context: Context | None = None
        self._error: BaseException | None = None

    def __await__(self) -> Generator[Any, None, Any]:
        if not self.call.done():
            yield self
        return self.call.result()

    def send_away(self, error: BaseException) -> None:
        """Raise an error where this is awaited."""
        if self._callback is not None and not self.call.done():
            self._error = error
            callback, self._callback = self._callback, None
            self.call.remove_done_callback(self._done)
            self.get_loop().call_soon(callback, self, context=self._context)

    # What asyncio.Task calls (PEP 3156, Future).

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self.call.get_loop()  # type: ignore[no-any-return]

    def add_done_callback(
        self, callback: Callable[[Any], Any], /, *, context: Context | None = None
    ) -> None:
        self._callback, self._context = callback, context
        self.call.add_done_callback(self._done, context=context)

    def _done(self, call: Any) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:  # nobody was sent away
            callback(call)

    def cancel(self, msg: Any = None) -> bool:
        if self._callback is None or self.call.done():
            return False  # the task is about to go on; it cancels itself then
        self.send_away(asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg))
        return True

    def result(self) -> Any:
        error, self._error = self._error, None
        assert error is not None
        raise error


def begun(call: Any) -> Any:
    """What a server's ``receive`` or ``send`` returned, as something to hold."""
    if hasattr(call, "add_done_callback"):
        return call
    task = asyncio.ensure_future(call)
    task.add_done_callback(_hear)
    return task


def _hear(task: asyncio.Future[Any]) -> None:
    """Whoever waited may have been sent away: a failure that nobody hears of is none."""
    if not task.cancelled():
        task.exception()
