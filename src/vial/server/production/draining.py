"""The end of a worker: no request that was sent to it is lost.

1. It takes no more connections; the others do, from the same socket.
2. Each answer says ``Connection: close``, so that clients come back to another worker.
3. Connections on which no more requests came are closed, and requests in flight are finished.

An idle connection is not closed in the first moment: a request may be on its way (RFC 9112 §9.6).
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .listening import connections, take_no_more

if TYPE_CHECKING:
    from ...app import Vial

#: Seconds that clients of idle connections get to send a request and be told.
LINGER = 2.0


class Draining:
    """Whether this worker is at its end, and the way there."""

    is_begun = False
    #: Called, in the main thread, when it begins.
    on_begin: Callable[[], None]

    _over: Callable[[], None]
    _loop: asyncio.AbstractEventLoop | None

    def __init__(self, app: Vial, listener: socket.socket, stop_timeout: float) -> None:
        self._life = app._get_life()
        self._listener = listener
        self._address = listener.getsockname()
        self._linger = min(LINGER, stop_timeout / 4)

    def prepare(self, over: Callable[[], None], loop: asyncio.AbstractEventLoop | None) -> None:
        """Tell what to call once only requests in flight are left."""
        self._over, self._loop = over, loop

    def begin(self) -> None:
        """Begin it, the first time; returns at once."""
        if not self.is_begun:
            self.is_begun = True
            self.on_begin()
            threading.Thread(target=self._run, name="vial-draining", daemon=True).start()

    def _run(self) -> None:
        try:
            take_no_more(self._listener)
            if self._loop is None:
                self._life.tell_stopping()
            else:
                self._loop.call_soon_threadsafe(self._life.begin_stop)
            self._wait()
            self._end_late()
        finally:
            self._over()

    def _wait(self) -> None:
        until = time.monotonic() + self._linger
        while time.monotonic() < until and connections(self._address):
            time.sleep(0.02)

    def _end_late(self) -> None:
        """What was begun meanwhile, such as the stream of a page that has lost its own."""
        if self._loop is None:
            self._life.end_late(on_loop=False)
        else:
            self._loop.call_soon_threadsafe(self._life.end_late, True)
