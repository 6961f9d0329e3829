"""Messages on their way to the client of one WebSocket."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from .disconnected import Disconnected, Over

Message = str | bytes


class Outgoing:
    """Sends one message at a time; who comes meanwhile waits in line, in the order of coming.

    granian 2.8 fails a second call on a WebSocket while one is under way.

    PERF: benchmarks/websocket_echo.py. Nobody waits for the last message: the next one does, and
    the end. So a view receives while what it answered is still on its way.

    :param start: the server's way of sending a message, see :func:`~vial.gateways.held.begun`.
    :param limit: bytes (characters of a text) that may wait in line.
    :param over: told when the client is gone or must go.
    """

    def __init__(
        self,
        start: Callable[[Message], Any],
        limit: float,
        over: Over,
    ) -> None:
        self._start = start
        self._limit = limit
        self._over = over
        #: Why nothing can be sent any more.
        self.error: Disconnected | None = None
        self._busy = False
        self._call: Any = None  # the server's, under way
        #: Whether a message was begun since somebody looked.
        self.is_fresh = False
        self._line: deque[asyncio.Future[None]] | None = None  # PERF: most need none
        self._size = 0

    async def send(self, message: Message) -> None:
        """Send a message once the one before is sent, waiting while the client is slow.

        Cancelled, it is sent nevertheless if it was begun: a message is never half sent.
        """
        if self.error is not None:
            raise self.error.again()
        if self._busy:
            await self.turn(len(message))
        self._busy = self.is_fresh = True
        try:
            call = self._call = self._start(message)
        except (OSError, RuntimeError):  # of granian: ProtocolClosed
            self._failed()
            assert self.error is not None
            raise self.error.again() from None
        except BaseException:
            self.next()
            raise
        if call.done():
            self._sent(call)
        else:
            call.add_done_callback(self._sent)

    def _sent(self, call: Any) -> None:
        try:
            call.result()
        except asyncio.CancelledError:
            self.next()
        except (OSError, RuntimeError):
            self._failed()
        else:
            self.next()

    def _failed(self) -> None:
        if self.error is None:
            self._over(Disconnected(1006))
        self.next()

    async def turn(self, size: int = 0) -> None:
        """Wait until everything before was sent; then it is the caller's turn, until ``next``."""
        if not self._busy:
            self._busy = True
            return
        if self._size + size > self._limit and self._line:
            self._over(Disconnected(1008, "too much is waiting to be sent"), True)
            assert self.error is not None
            raise self.error.again()
        line = self._line = deque() if self._line is None else self._line
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(place)
        self._size += size
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.next()
            raise
        finally:
            self._size -= size

    def next(self) -> None:
        """Let the next in line go on."""
        self._call = None
        self._busy = False
        while self._line:
            place = self._line.popleft()
            if not place.done():
                self._busy = True
                place.set_result(None)
                return

    @property
    def is_busy(self) -> bool:
        """Whether a message is under way."""
        return self._busy

    def end(self, error: Disconnected) -> None:
        """Send all away who wait, and give up what is under way."""
        self.error = error
        call, line = self._call, self._line
        if call is not None:
            call.cancel()  # else it keeps the connection while the client does not read
        while line:
            place = line.popleft()
            if not place.done():
                place.set_exception(error.again())

    def stop(self) -> None:
        """Give up what belongs to the server; :meth:`end` came before."""
        self._start = self._over = cast(Any, None)  # no cycle for the collector
