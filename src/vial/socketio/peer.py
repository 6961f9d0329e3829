"""One client as the Engine.IO server sees it: what waits to be sent, its heartbeat, its end.

Timers and no tasks: a client that is connected and silent costs one timer.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from engineio import packet  # type: ignore[import-untyped]
from engineio.exceptions import UnknownPacketError  # type: ignore[import-untyped]

from .fanout import DEEP
from .wire import LINGER, Wire

if TYPE_CHECKING:
    from .engine import Engine
    from .fanout import Pipe

#: Seconds that a client may leave more than ``max_send_queue`` bytes waiting: a handler that sends
#: a long history at once is no offence, a client that does not read is.
SLOW = 5.0
#: Times ``max_send_queue``, and the client is dropped at once.
BURST = 64
#: Bytes counted for a packet beside its data: 1,048 empty ones fill the default of
#: ``max_send_queue``.
OVERHEAD = 1_000

_SIZED = (str, bytes, bytearray)


class Peer:
    """A session, from its handshake to its end; python-engineio calls it a socket.

    :param sid: the session id.
    """

    #: Whether what it needs lives on the server's loop.
    needs_loop = True

    def __init__(self, server: Engine, sid: str) -> None:
        self.server = server
        self.sid = sid
        #: What ``get_session()`` of python-engineio gives out.
        self.session: dict[str, Any] = {}
        self.connected = False
        self.closed = False
        #: A WebSocket is its transport; is being tried; is about to be.
        self.upgraded = self.probing = self.upgrading = False
        #: A GET or a POST is being answered.
        self.polling = self.posting = False
        #: Ends the reader of its WebSocket, which only the client could end otherwise.
        self.reading: asyncio.Timeout | None = None
        #: The sending end of its WebSocket.
        self.pipe: Pipe | None = None
        self._wire: Wire | None = None
        self._queue: deque[Any] = deque()
        self._size = 0
        self._waiting: asyncio.Future[None] | None = None
        self._moved: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._slow: asyncio.TimerHandle | None = None
        self._pinged = False
        self._turn = 0.0

    # What is sent

    def put(self, pkt: Any) -> None:
        """Send a packet, or queue it. It is lost when the session is over, and the session is over
        when the client does not read."""
        pipe = self.pipe
        if pipe is not None and not self._queue and pipe.put(pkt.encode()):
            return
        if not self.closed:
            self._keep(pkt)

    def _keep(self, pkt: Any) -> None:
        self._queue.append(pkt)
        self._size += _size(pkt)
        if self._size > self.server.max_send_queue:
            self._overflow()
        if self.pipe is not None:
            self.pipe.pull()
        else:
            self._wake()

    async def send(self, pkt: Any) -> None:
        """:meth:`put`, by the name that python-engineio calls it."""
        self.put(pkt)

    def use(self, wire: Wire, pipe: Pipe) -> None:
        """Send by a WebSocket from now on, what waits first."""
        if not self.closed:
            self._wire, self.pipe = wire, pipe
            pipe.pull()

    def next_frame(self) -> str | bytes | None:
        """What waits longest, for a WebSocket."""
        if not self._queue:
            return None
        pkt = self._queue.popleft()
        self._size -= _size(pkt)
        if self._slow is not None and self._size <= self.server.max_send_queue:
            self._slow.cancel()
            self._slow = None
        if len(self._queue) == DEEP // 2 and self.pipe is not None:
            self.pipe.make_room()
        frame: str | bytes = pkt.encode()
        return frame

    @property
    def depth(self) -> int:
        """Packets that wait for a WebSocket to take them."""
        return 0 if self.pipe is None else len(self._queue)

    async def take(self) -> list[Any]:
        """For a poll: the packets that wait, once there are any; none at all when the session is
        over, or moves to a WebSocket, which gets them."""
        if not (self._queue or self.closed or self.upgrading or self.upgraded):
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        return [] if self.upgrading or self.upgraded else self.take_now()

    def take_now(self) -> list[Any]:
        """The packets that wait."""
        packets = list(self._queue)
        self._queue.clear()
        self._size = 0
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None
        return packets

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _overflow(self) -> None:
        if self._size > self.server.max_send_queue * BURST:
            self._give_up()
        elif self._slow is None and len(self._queue) > 1:  # one large packet may take its time
            self._slow = asyncio.get_running_loop().call_later(SLOW, self._give_up)

    def _give_up(self) -> None:
        self.server.logger.info("client %s does not read what is sent: dropped", self.sid)
        self.drop()

    # What is received

    async def receive(self, kind: int, data: str | bytes) -> None:
        """Handle one packet of the client.

        :raises UnknownPacketError: for one that only servers send, or that has no place here.
        """
        logger = self.server.logger
        if logger.isEnabledFor(logging.INFO):
            said = data if isinstance(data, str) else "<binary>"
            logger.info("%s: Received packet %s data %s", self.sid, packet.packet_names[kind], said)
        if kind == packet.MESSAGE:
            await self.pace()
            await self.server._trigger_event("message", self.sid, data)
        elif kind == packet.PONG:
            if self._pinged:  # more answers than pings make no more pings
                self.beat()
        elif kind == packet.CLOSE:
            if self.polling:
                self.put(packet.Packet(packet.NOOP))
            await self.close(abort=True, reason=self.server.reason.CLIENT_DISCONNECT)
        else:
            raise UnknownPacketError

    async def pace(self) -> None:
        """Wait for the turn of one more message, by ``max_message_rate``. What else the client
        sends waits in the network."""
        rate = self.server.max_message_rate
        if rate is None:
            return
        now = asyncio.get_running_loop().time()
        # What is allowed in a second may come at once (a token bucket, kept as a time).
        self._turn = max(self._turn, now - 1) + 1 / rate
        if self._turn > now:
            await asyncio.sleep(self._turn - now)

    # Heartbeat

    def beat(self) -> None:
        """Ping after the interval: the client has just come, or has answered."""
        self._pinged = False
        self._later(self.server.ping_interval, self._ping)

    def _ping(self) -> None:
        if self.server.monitors_clients:
            self._pinged = True
            self._later(self.server.ping_timeout, self._time_out)
        else:
            self.beat()
        self.put(packet.Packet(packet.PING))

    def _time_out(self) -> None:
        self.drop(self.server.reason.PING_TIMEOUT)

    def _later(self, seconds: float, function: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, function)

    # The way to a WebSocket

    def pause(self) -> None:
        """End a poll that waits and keep what is to be sent, until :meth:`resume`."""
        self._moved = asyncio.get_running_loop().create_future()
        self.upgrading = True
        self._wake()

    def resume(self) -> None:
        self.upgrading = False
        if self._moved is not None:
            self._moved.set_result(None)
            self._moved = None

    async def moved(self, timeout: float) -> None:
        """Return when the upgrade is over, whichever way it went, or after ``timeout`` seconds."""
        if self._moved is not None:
            await asyncio.wait({self._moved}, timeout=timeout)

    # The end

    async def close(
        self, wait: bool = True, abort: bool = False, reason: str | None = None
    ) -> None:
        """End the session and run its disconnect handlers, once.

        :param wait: python-engineio's; nothing is waited for here.
        :param abort: do not tell a client that polls.
        """
        if not self.closed:
            await asyncio.shield(self._end(reason or self.server.reason.SERVER_DISCONNECT, abort))

    async def abort(self, reason: str | None = None) -> None:
        """End the session without sending what waits to be sent."""
        ending = self.drop(reason)
        if ending is not None:
            await asyncio.shield(ending)

    def drop(self, reason: str | None = None) -> asyncio.Task[Any] | None:
        """As :meth:`abort`, at once: only the disconnect handlers are still to run."""
        self._queue.clear()
        self._size = 0
        if self.closed:
            return None
        return self._end(reason or self.server.reason.TRANSPORT_ERROR, False)

    def _end(self, reason: str, abort: bool) -> asyncio.Task[Any]:
        if self.polling and not abort:
            self.put(packet.Packet(packet.CLOSE))
        self.closed = True
        self.server.forget(self.sid)
        for timer in (self._timer, self._slow):
            if timer is not None:
                timer.cancel()
        self._wake()
        if self._wire is not None:
            self.pipe = None
            self.server.spawn(self._wire.close())
        if self.reading is not None:
            self._stop_reading(self.reading)
        # In a task of its own: a request that is cancelled must not take the handlers along.
        return self.server.spawn(self.server._trigger_event("disconnect", self.sid, reason))

    def _stop_reading(self, reading: asyncio.Timeout) -> None:
        # The close frame makes the client end it, if it still can.
        with suppress(RuntimeError):  # it has just ended
            reading.reschedule(asyncio.get_running_loop().time() + LINGER)

    def disown(self) -> None:
        """Forget the loop, which is no more, and everything that was to happen on it."""
        self._waiting = self._moved = self.reading = self.pipe = self._wire = None


def _size(pkt: Any) -> int:
    data = pkt.data
    return OVERHEAD + (len(data) if isinstance(data, _SIZED) else 0)
