"""Messages that came from the client of one WebSocket."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from .disconnected import Disconnected, Over
from .held import Hold
from .limits import is_longer

Message = str | bytes


class Incoming:
    """Receives from the server when it is asked to, and ahead of that while nobody asks.

    PERF: benchmarks/websocket_echo.py. A view that waits gets what the server received, by no queue
    and no task. Servers tell only those who receive that a client has left, so :meth:`look_ahead`
    is called now and then for a view that does something else.

    :param start: the server's way of receiving, see :func:`~vial.gateways.held.begun`.
    :param read: makes a message of what came.
    :param room: messages that may be received ahead.
    :param limit: bytes of a message, and of those received ahead.
    :param over: told when the client is gone or must go.
    """

    def __init__(
        self,
        start: Callable[[], Any],
        read: Callable[[Any], Message],
        room: float,
        limit: float,
        over: Over,
    ) -> None:
        self.start = start
        self._read = read
        self._room = room
        self._limit = limit
        self._over = over
        #: Why nothing comes any more.
        self.error: Disconnected | None = None
        #: Whether something came, or was taken, since somebody looked.
        self.is_fresh = True
        #: The task that waits for a message.
        self.reader: asyncio.Task[Any] | None = None
        self._hold: Hold | None = None
        self._ahead: Any = None  # the call under way
        self._is_looking = False  # _arrived() will hear of it
        self._inbox: deque[Message] | None = None  # PERF: most need none
        self._size = 0

    async def receive(self) -> Message:
        """The next message; raises :exc:`Disconnected` when there will be none."""
        if self._inbox or self._hold is not None or self.error is not None:
            return self._waiting()
        call = self._ahead
        if call is None:
            call = self._ahead = self.start()
        elif self._is_looking:
            self._is_looking = False
            call.remove_done_callback(self._arrived)
        self._hold = hold = Hold(call)
        self.reader = asyncio.current_task()
        try:
            await hold
        except (OSError, RuntimeError):
            pass  # _take() tells
        finally:
            self._hold = None
        message = self._take(call)
        self.reader = None
        return self._waiting() if message is None else message

    def _waiting(self) -> Message:
        """What can be said without waiting."""
        self.is_fresh = True
        if self._inbox:
            message = self._inbox.popleft()
            self._size -= len(message)
            return message
        if self.error is not None:
            raise self.error.again()
        raise RuntimeError(
            "Another task is receiving from this WebSocket already: one message goes to one task."
            " Let one task receive, and hand the messages on."
        )

    def _take(self, call: Any) -> Message | None:
        """The message of a call that is done; ``None`` if it is the end."""
        if self.error is not None:
            return None
        self._ahead = None
        self.is_fresh = True
        try:
            message = self._read(call.result())
        except (OSError, RuntimeError) as e:  # of granian: ProtocolClosed
            self._over(e.again() if isinstance(e, Disconnected) else Disconnected(1006))
            return None
        if len(message) > self._limit or is_longer(message, self._limit):
            self._over(Disconnected(1009, "the message is too big"), True)
            return None
        return message

    def look_ahead(self) -> None:
        """Receive though nobody asks, while there is room."""
        if self._hold is not None or self._is_looking or self.error is not None or self.is_full:
            return
        if self._ahead is None:
            self._ahead = self.start()
        self._is_looking = True
        self._ahead.add_done_callback(self._arrived)

    @property
    def is_full(self) -> bool:
        """Whether no more is received before somebody asks for what is there."""
        waiting = len(self._inbox or ())
        return waiting > 0 and (waiting >= self._room or self._size >= self._limit)

    def _arrived(self, call: Any) -> None:
        if not self._is_looking or self._ahead is not call:
            return  # somebody waits for it, or has it
        self._is_looking = False
        message = self._take(call)
        if message is not None:
            self._inbox = self._inbox or deque()
            self._inbox.append(message)
            self._size += len(message)
            self.look_ahead()

    def end(self, error: Disconnected) -> None:
        """Send who waits away."""
        self.error = error
        if self._hold is not None:
            self._hold.send_away(error.again())

    async def cancel(self) -> None:
        """Cancel the call that is under way."""
        call, self._ahead = self._ahead, None
        if call is not None and not call.done():
            call.cancel()
            if isinstance(call, asyncio.Task):
                await asyncio.wait({call})

    def stop(self) -> None:
        """Give up what belongs to the server, which leaves the collector no cycle."""
        self._ahead = self.start = self._read = self._over = cast(Any, None)
