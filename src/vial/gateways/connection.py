"""A WebSocket from its handshake to its end."""

from __future__ import annotations

import asyncio
from asyncio.events import _get_running_loop
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .disconnected import Disconnected
from .handshake import Handshake, HeaderList
from .incoming import Incoming
from .limits import limits_of
from .outgoing import Outgoing
from .watch import watch_of

if TYPE_CHECKING:
    from ..app import Vial

Message = str | bytes

#: Seconds that a client may take for what is under way to it, and for its close frame.
CLOSE_TIMEOUT = 5.0


class Channel(Handshake):
    """One WebSocket; a subclass knows the server."""

    #: The task of an async view, which is cancelled when the client leaves.
    view: asyncio.Task[Any] | None = None
    #: Whether that was done.
    has_cancelled = False
    #: When something was heard, or taken by the view, and when a message was begun or none was
    #: under way: times of the loop's clock.
    _heard = _sent = 0.0
    _closing: asyncio.Task[None] | None = None

    def __init__(self, app: Vial, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        limits = self.limits = limits_of(app.config)
        room, size = limits.receive_queue, limits.max_message_size
        self.incoming = Incoming(receive, self._read, room, size, self.over)
        self.outgoing = Outgoing(send, limits.send_queue, self.over)
        self.loop = asyncio.get_running_loop()

    # What a server does.

    async def _accept(self, subprotocol: str | None, headers: HeaderList) -> None:
        raise NotImplementedError

    def _read(self, event: Any) -> Message:
        """The message that the server gave; raises :exc:`Disconnected` where it is the end."""
        raise NotImplementedError

    async def _close(self, code: int, reason: str) -> None:
        raise NotImplementedError

    # What all have in common.

    def done(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The work itself, for those on a loop, who await it; in a thread its result."""
        if _get_running_loop() is not None:
            return work
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    async def accept(self, subprotocol: str | None, headers: HeaderList) -> None:
        """Accept the handshake. From here on the client can be heard and talked to."""
        await self._accept(subprotocol, headers)
        self.accepted = True
        self.subprotocol = subprotocol
        self._heard = self._sent = self.loop.time()
        watch_of(self.loop).add(self)

    def over(self, error: Disconnected, ours: bool = False) -> None:
        """End it: who waits for it is sent away, and a view that waits for something else is
        cancelled.

        :param ours: the client does not know yet, and is told.
        """
        if self.error is not None:
            return
        self.error = error
        reader, view = self.incoming.reader, self.view
        self.incoming.end(error)
        self.outgoing.end(error)
        if view is not None and view is not reader and view is not asyncio.current_task():
            self.has_cancelled = True
            view.cancel()
        if ours and self.accepted:
            self._closing = asyncio.ensure_future(self._say(error))

    def check(self, now: float) -> None:
        """Look after the limits, at a time of the loop's clock."""
        limits, incoming, outgoing = self.limits, self.incoming, self.outgoing
        if incoming.is_fresh:
            incoming.is_fresh, self._heard = False, now
        if outgoing.is_fresh or not outgoing.is_busy:
            outgoing.is_fresh, self._sent = False, now
        if self._sent < now - limits.send_timeout:
            self.over(Disconnected(1008, "the client does not read"), True)
        elif not incoming.is_full:
            if self._heard < now - limits.idle_timeout:
                self.over(Disconnected(1008, "nothing was heard for too long"), True)
            incoming.look_ahead()
        elif self._heard < now - limits.unread_timeout:
            self.over(Disconnected(1008, "nobody reads what is sent"), True)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it, after what was sent before."""
        if not self.accepted:
            self.error = self.error or Disconnected(code, reason)  # it will be refused
        elif self.error is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await self.outgoing.turn()
            self.view = None  # it is not to be cancelled for that
            self.over(Disconnected(code, reason), True)
        if self._closing is not None:
            await asyncio.shield(self._closing)

    async def _say(self, error: Disconnected) -> None:
        with suppress(OSError, RuntimeError, TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._close(error.code, error.reason)

    async def finish(self) -> None:
        """Leave nothing behind."""
        if self._closing is not None:
            await self._closing
        self.over(Disconnected(1006))  # one that was not accepted
        self.incoming.stop()
        self.outgoing.stop()
        # The context of a task has the context of the WebSocket: leave the collector nothing.
        self.context = self.view = self._shaking = self._closing = None
