"""Engine.IO packets as they go over the wire, and the WebSocket that carries them."""

from __future__ import annotations

import asyncio
import base64
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from engineio import packet  # type: ignore[import-untyped]
from engineio.exceptions import UnknownPacketError  # type: ignore[import-untyped]

from ..concurrency import run_in_pool
from ..gateways.forwarded import PEER
from .fanout import Pipe, Start, begun, cut

if TYPE_CHECKING:
    from .peer import Peer

#: Between the packets of a polled body.
SEPARATOR = "\x1e"
#: Seconds in which a probe must become an upgrade (engine.io's ``upgradeTimeout``).
UPGRADE_TIMEOUT = 10.0
#: Seconds that a WebSocket has to end well: for what is still to be sent, and for its close frame.
LINGER = 1.0

_TYPES = frozenset("0123456")


def read_packet(text: str) -> tuple[int, str | bytes]:
    """The type and the data of a packet in a polled body.

    :raises ValueError: for what is none.
    """
    if text[:1] == "b":
        return packet.MESSAGE, base64.b64decode(text[1:], validate=True)
    return _read_text(text)


def read_frame(frame: str | bytes) -> tuple[int, str | bytes]:
    """The same for a frame of a WebSocket, where bytes are sent as they are."""
    return _read_text(frame) if isinstance(frame, str) else (packet.MESSAGE, frame)


def _read_text(text: str) -> tuple[int, str]:
    kind = text[:1]
    # Only messages have data; "2probe" is read by upgrade().
    if kind not in _TYPES or not kind or (kind != "4" and len(text) > 1):
        raise ValueError("not an Engine.IO packet")
    return int(kind), text[1:]


class Socket(Protocol):
    """What :class:`Wire` needs of an exchange; see :mod:`vial.socketio.exchange`."""

    environ: dict[str, Any]

    async def accept(self) -> None: ...
    async def receive(self) -> str | bytes: ...
    async def send(self, frame: str | bytes) -> None: ...
    async def close(self, code: int) -> None: ...


def _start_of(socket: Any) -> Start:
    # An exchange that another worker carried here has no other way than send().
    return getattr(socket, "start", None) or (lambda frame: begun(socket.send(frame)))


class Wire:
    """One WebSocket.

    :param limit: most bytes of a frame.
    """

    def __init__(self, socket: Socket, limit: int) -> None:
        self._socket = socket
        self._limit = limit
        self._open = False
        self._pipe: Pipe | None = None
        self._closing: asyncio.Future[None] | None = None
        #: What the close frame is to say.
        self.code = 1000

    async def accept(self) -> None:
        await self._socket.accept()
        self._open = True

    async def receive(self) -> str | bytes:
        """The next frame.

        :raises OSError: when the connection is over, or is to be ended for a frame that is too
            large.
        """
        frame = await self._socket.receive()
        if _is_over(frame, self._limit):
            self.code = 1009
            raise OSError("a frame is too large")
        return frame

    async def send(self, frame: str | bytes) -> None:
        await self._socket.send(frame)

    def connect(self, peer: Peer) -> None:
        """Be the transport of a client from now on."""
        self._pipe = Pipe(_start_of(self._socket), peer.server.rounds, peer.next_frame)
        peer.use(self, self._pipe)

    async def close(self) -> None:
        """Close it once everything is sent."""
        if self._open:
            self._open = False
            self._closing = asyncio.ensure_future(self._close())
        if self._closing is not None:
            await asyncio.shield(self._closing)

    async def _close(self) -> None:
        pipe, is_read = self._pipe, True
        if pipe is not None:
            is_read = await pipe.finish(LINGER)
        with suppress(Exception):  # it may be closed already, servers differ in what they raise
            async with asyncio.timeout(LINGER):
                await self._socket.close(self.code)
        if not is_read:
            # granian would wait for the client to read everything before the close frame.
            environ = self._socket.environ
            await run_in_pool(
                cut, environ.get(PEER, environ["REMOTE_ADDR"]), environ["REMOTE_PORT"]
            )


def _is_over(data: str | bytes, limit: int) -> bool:
    size = len(data)
    # A character is at most four bytes: most texts need not be encoded to be measured.
    return size > limit or (
        size * 4 > limit and isinstance(data, str) and len(data.encode(errors="replace")) > limit
    )


async def upgrade(peer: Peer, wire: Wire) -> bool:
    """Move a client that polls to a WebSocket; false when it did not go through with it, and goes
    on polling."""
    peer.probing = True
    try:
        async with asyncio.timeout(UPGRADE_TIMEOUT):
            await wire.accept()
            if await wire.receive() == "2probe":
                peer.pause()
                await wire.send("3probe")
                peer.upgraded = await wire.receive() == "5" and not peer.closed
    except OSError:
        pass  # the WebSocket is over, or it took too long
    finally:
        peer.probing = False
        peer.resume()
        if not peer.upgraded:
            await wire.close()
    return peer.upgraded


async def serve(peer: Peer, wire: Wire) -> None:
    """Carry packets both ways until one side ends it."""
    reason = peer.server.reason.TRANSPORT_CLOSE
    wire.connect(peer)
    try:
        async with asyncio.timeout(None) as peer.reading:
            while not peer.closed:
                frame = await wire.receive()
                await peer.receive(*read_frame(frame))
    except (ValueError, UnknownPacketError):
        wire.code = 1002
        reason = peer.server.reason.TRANSPORT_ERROR
    except OSError:  # and TimeoutError, see Peer.close()
        if wire.code != 1000:
            reason = peer.server.reason.TRANSPORT_ERROR
    finally:
        peer.reading = None
        await peer.close(abort=True, reason=reason)
        await wire.close()
