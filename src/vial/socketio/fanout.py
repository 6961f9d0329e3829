"""Writing to many WebSockets at once: a call of the server for each frame, no task and no wait.

A server's way of sending a frame is begun and not awaited. Each WebSocket has at most one such
call under way: granian 2.8 fails the second one on the same WebSocket (its RSGI transports take
their lock without waiting) and promises no order between two. What comes in the meantime waits
with the client, and the pipes that have something waiting are looked after together.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol, TypeAlias

#: Packets that may wait for a client before those who send more are slowed down.
DEEP = 64
#: Seconds until pipes are looked after though nothing was reported.
_LATEST = 0.005
#: Rounds after which a pipe that took nothing is left to report for itself.
_ROUNDS = 8


class Sending(Protocol):
    """A call under way: an ``asyncio.Task``, or the future of granian, which keeps only the last
    callback that it is given."""

    def done(self) -> bool: ...
    def cancel(self) -> Any: ...
    def add_done_callback(self, callback: Callable[[Any], None], /) -> Any: ...


Frame: TypeAlias = str | bytes
#: Begins to send a frame.
Start: TypeAlias = Callable[[Frame], Sending]


def begun(call: Any) -> Sending:
    """What a server's way of sending returned, as a call under way. How it ends is not said: the
    receiving end of a WebSocket tells that it is over."""
    return call if hasattr(call, "add_done_callback") else asyncio.ensure_future(_quiet(call))


async def _quiet(call: Awaitable[object]) -> None:
    with suppress(Exception):
        await call


class Pipe:
    """The sending end of one WebSocket.

    :param start: begins to send one frame.
    :param rounds: those of the server.
    :param take: gives the next frame that waits, or None.
    """

    __slots__ = ("_idle", "_missed", "_room", "_rounds", "_start", "_take", "is_listed", "sending")

    def __init__(self, start: Start, rounds: Rounds, take: Callable[[], Frame | None]) -> None:
        self._start = start
        self._rounds = rounds
        self._take = take
        self.sending: Sending | None = None
        #: It is in the rounds, or will report to them.
        self.is_listed = False
        self._missed = 0
        self._idle: asyncio.Future[None] | None = None
        self._room: list[asyncio.Future[None]] = []

    def put(self, frame: Frame) -> bool:
        """Send a frame unless one is under way; return whether it was taken.

        PERF: benchmarks/fanout.py. For a client that keeps up this is the whole way of a frame.
        """
        sending = self.sending
        if sending is None or sending.done():
            self._begin(frame)
            return True
        return False

    def _begin(self, frame: Frame) -> None:
        try:
            self.sending = self._start(frame)
        except Exception:  # the WebSocket is over, which its receiving end tells
            self.sending = _SENT

    def pull(self) -> None:
        """Take what waits, as soon as what is under way is sent."""
        if not self.is_listed:
            self._missed = 0
            is_free = self.sending is None or self.sending.done()
            self.is_listed = self._advance() if is_free else True
            if self.is_listed:
                self._rounds.add(self)

    def step(self) -> bool:
        """Send the next frame if the one before it is sent; return whether to come again."""
        sending = self.sending
        if sending is None or sending.done():
            self._missed = 0
            self.is_listed = self._advance()
            return self.is_listed
        self._missed += 1
        if self._missed < _ROUNDS:
            return True
        sending.add_done_callback(self._report)
        self.make_room()
        return False

    def _advance(self) -> bool:
        frame = self._take()
        if frame is not None:
            self._begin(frame)
            return True
        self.make_room()
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)
        return False

    def _report(self, sending: Any) -> None:
        self._missed = 0
        self._rounds.add(self)

    async def room(self) -> None:
        """Return after :meth:`make_room`, when nothing waits any more, or when the client takes
        nothing: nobody is to wait for that."""
        if self.is_listed and self._missed < _ROUNDS:
            self._room.append(asyncio.get_running_loop().create_future())
            await self._room[-1]

    def make_room(self) -> None:
        """Let those go on who wait because too much was waiting."""
        waiting, self._room = self._room, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def finish(self, seconds: float) -> bool:
        """Send everything, for some seconds, and nothing more then; return whether it was sent."""
        try:
            if self.is_listed or not (self.sending is None or self.sending.done()):
                self._idle = asyncio.get_running_loop().create_future()
                self.pull()
                async with asyncio.timeout(seconds):
                    await self._idle
        except TimeoutError:
            return False
        finally:
            self._abort()
        return True

    def _abort(self) -> None:
        self._start = _nowhere
        self._take = _nothing
        if self.sending is not None and not self.sending.done():
            # Else it would keep the connection open for as long as the client does not read.
            self.sending.cancel()
        self.sending = None
        self.make_room()


class _Sent:
    """The call of a WebSocket that is over."""

    def done(self) -> bool:
        return True

    def cancel(self) -> None:
        pass

    def add_done_callback(self, callback: Callable[[Any], None], /) -> None:
        pass


_SENT = _Sent()


def _nowhere(frame: Frame) -> Sending:
    return _SENT


def _nothing() -> None:
    return None


def cut(address: str, port: str) -> None:
    """End the TCP connections of this process to an address, which no server does for a program.

    It takes a system call or two for each file that is open.
    """
    for name in os.listdir("/dev/fd"):
        with suppress(OSError):  # it is closed by now, or no socket
            copy = os.dup(int(name))
            try:
                found = socket.socket(fileno=copy)
            except OSError:
                os.close(copy)
                continue
            with found:
                peer = found.getpeername()
                if isinstance(peer, tuple) and (peer[0], str(peer[1])) == (address, port):
                    found.shutdown(socket.SHUT_RDWR)


class Rounds:
    """Looks after the pipes of a server for which something waits.

    PERF: benchmarks/fanout.py. A turn of the loop for each frame sent would cost more than sending
    it does; so one pipe reports for all that were begun before it, and a timer makes up for one
    whose client does not read.
    """

    def __init__(self) -> None:
        self._pipes: list[Pipe] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, pipe: Pipe) -> None:
        self._pipes.append(pipe)
        if self._timer is None:
            self._arm(pipe)

    def _arm(self, pipe: Pipe) -> None:
        self._timer = asyncio.get_running_loop().call_later(_LATEST, self._go)
        if pipe.sending is not None:
            pipe.sending.add_done_callback(self._go)

    def _go(self, sending: Any = None) -> None:
        if self._timer is None:
            return  # a late report
        self._timer.cancel()
        self._timer = None
        pipes, self._pipes = self._pipes, []
        self._pipes += [pipe for pipe in pipes if pipe.step()]
        if self._pipes:
            self._arm(self._pipes[-1])
