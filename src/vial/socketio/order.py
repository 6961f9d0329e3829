"""The events of one client, begun in the order in which they came."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

#: Seconds after which the next event of a client no longer waits for the one before it. Long
#: enough for two quick messages to stay in order, short enough for a handler that runs for ever
#: ("start", then emit in a loop) to let the "stop" event through.
PATIENCE = 0.1

#: Events of one client that may wait. What it sends then stays in the network.
MOST = 1_000

#: Seconds that a disconnect handler waits for the events before it.
LAST_WAIT = 1.0

Work = Callable[[], Coroutine[Any, Any, None]]


class Line:
    """Starts the next event when the one before it is done, or has been running for a while.

    :param start: makes a task of a coroutine.
    :param patience: seconds; None waits for ever (``async_handlers=False``).
    """

    def __init__(
        self,
        start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        patience: float | None = PATIENCE,
    ) -> None:
        self._start = start
        self._patience = patience
        self._current: asyncio.Task[None] | None = None
        self._waiting: deque[Work] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._has_room: asyncio.Event | None = None

    async def room(self) -> None:
        """Return when fewer than :data:`MOST` wait."""
        while len(self._waiting) >= MOST:
            if self._has_room is None:
                self._has_room = asyncio.Event()
            await self._has_room.wait()

    def put(self, work: Work) -> None:
        if self._current is None:
            self._begin(work)
            return
        self._waiting.append(work)
        if self._timer is None:
            self._arm()

    async def turn(self) -> None:
        """Return when everything put before has had its turn, or after :data:`LAST_WAIT`."""
        if self._current is not None:
            reached = asyncio.Event()

            async def reach() -> None:
                reached.set()

            self.put(reach)
            with suppress(TimeoutError):
                await asyncio.wait_for(reached.wait(), LAST_WAIT)

    def _begin(self, work: Work) -> None:
        self._current = self._start(work())
        self._current.add_done_callback(self._next)
        if self._waiting:
            self._arm()

    def _arm(self) -> None:
        if self._patience is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._patience, self._next, self._current)

    def _next(self, ended: asyncio.Task[None] | None) -> None:
        if ended is not self._current:
            return  # one that was overtaken
        self._current = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            self._begin(self._waiting.popleft())
        if self._has_room is not None and len(self._waiting) < MOST:
            self._has_room.set()
            self._has_room = None
