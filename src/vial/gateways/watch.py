"""Looking after the open WebSockets of a loop, all of them by one timer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from .disconnected import Disconnected

if TYPE_CHECKING:
    from ..app import Vial
    from .connection import Channel

#: Seconds between two looks: how much later than its limit says a WebSocket may be closed, and how
#: long a client may be gone before a view hears of it that does not receive.
INTERVAL = 0.5


class Watch:
    """The open WebSockets of a loop.

    PERF: benchmarks/websocket_echo.py. A timer for each message costs as much as sending it.
    """

    def __init__(self) -> None:
        self.channels: set[Channel] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, channel: Channel) -> None:
        self.channels.add(channel)
        if self._timer is None:
            self._timer = channel.loop.call_later(INTERVAL, self._look, channel.loop)

    def remove(self, channel: Channel) -> None:
        self.channels.discard(channel)
        if not self.channels and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for channel in tuple(self.channels):
            channel.check(now)
        self._timer = loop.call_later(INTERVAL, self._look, loop) if self.channels else None


def _open(app: Vial) -> list[Channel]:
    channels = watch_of(asyncio.get_running_loop()).channels
    return [c for c in channels if c.context is not None and c.context.app is app]


def end_all(app: Vial) -> None:
    """Close the WebSockets of an app on the running loop, because the server stops."""
    for channel in _open(app):
        channel.over(Disconnected(1001, "the server is stopping"), True)


async def all_ended(app: Vial, seconds: float) -> None:
    """Return when their views and teardown functions have ended, or after some seconds."""
    until = asyncio.get_running_loop().time() + seconds
    while _open(app) and asyncio.get_running_loop().time() < until:
        await asyncio.sleep(0.01)


_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, Watch] = WeakKeyDictionary()


def watch_of(loop: asyncio.AbstractEventLoop) -> Watch:
    """What looks after the WebSockets of a loop."""
    watch = _watches.get(loop)
    if watch is None:
        watch = _watches[loop] = Watch()
    return watch
