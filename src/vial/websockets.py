"""WebSockets: what ``websocket`` is in the view of one.

The module has a plural name because ``vial.websocket`` is the current one, as ``vial.session`` is
beside ``vial.sessions``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .gateways.disconnected import Disconnected, check_close
from .lazy import lazy
from .wrappers import Request

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from .gateways.connection import Channel

__all__ = ["Disconnected", "WebSocket"]

Headers = Mapping[str, str] | Iterable[tuple[str, str]]


class WebSocket(Request):
    """A WebSocket, and the request that asked for it: ``headers``, ``args``, ``cookies``, ``path``.

    In an async function its methods are awaited: ``await websocket.receive()``. In a sync one they
    are plain calls that wait: ``websocket.receive()``. Made by ``app.websocket_class``.
    """

    is_websocket = True

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    @lazy
    def environ(self) -> WSGIEnvironment:
        """The handshake as a WSGI environ, whose ``wsgi.url_scheme`` is ``http`` or ``https``."""
        return self._channel.environ

    @lazy
    def scheme(self) -> str:
        """``ws`` or ``wss``."""
        return "wss" if self._channel.is_secure else "ws"

    @lazy
    def requested_subprotocols(self) -> list[str]:
        """The subprotocols that the client speaks, best first (RFC 6455 §1.9)."""
        header = self.headers.get("Sec-WebSocket-Protocol", "")
        return [name.strip() for name in header.split(",") if name.strip()]

    @property
    def subprotocol(self) -> str | None:
        """The one that it was accepted with."""
        return self._channel.subprotocol

    @property
    def accepted(self) -> bool:
        """Whether the handshake was accepted: until then the client can still be refused."""
        return self._channel.accepted

    @property
    def closed(self) -> bool:
        """Whether it is over."""
        return self._channel.error is not None

    @property
    def close_code(self) -> int | None:
        """How it ended: what the client said (1005 for nothing, 1006 where it vanished), or what
        was sent to it; ``None`` while it is open."""
        return None if self._channel.error is None else self._channel.error.code

    @property
    def close_reason(self) -> str:
        """The words beside :attr:`close_code`."""
        return "" if self._channel.error is None else self._channel.error.reason

    def accept(self, subprotocol: str | None = None, headers: Headers | None = None) -> Any:
        """Accept the handshake; the first ``receive`` or ``send`` does it as well.

        :param subprotocol: one of :attr:`requested_subprotocols`.
        :param headers: to be sent to the client beside the session's cookie.
        :raises RuntimeError: where it was accepted before, or the server cannot send those.
        """
        if self._channel.accepted:
            raise RuntimeError("This WebSocket was accepted before, perhaps by a receive or send.")
        if subprotocol is not None and subprotocol not in self.requested_subprotocols:
            raise ValueError(
                f"The client did not ask for the subprotocol {subprotocol!r}, but for"
                f" {self.requested_subprotocols!r}: choose one of these, or None."
            )
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        return self._channel.done(self._channel.shake(subprotocol, pairs))

    def receive(self) -> Any:
        """The next message: ``str`` for text, ``bytes`` for binary.

        :raises Disconnected: when the client has left. Not caught, it ends the view, as it should.
        """
        channel = self._channel
        return channel.done(channel.incoming.receive() if channel.accepted else self._first())

    async def _first(self) -> str | bytes:
        await self._channel.shake(None, None)
        return await self._channel.incoming.receive()

    def send(self, data: str | bytes | bytearray | memoryview) -> Any:
        """Send a message; waits while the client is slow.

        :raises Disconnected: when the client has left, or is too slow (``WEBSOCKET_SEND_TIMEOUT``).
        """
        if type(data) is not str and type(data) is not bytes:
            data = _checked(data)
        channel = self._channel
        return channel.done(channel.outgoing.send(data) if channel.accepted else self._begin(data))

    async def _begin(self, data: str | bytes) -> None:
        await self._channel.shake(None, None)
        await self._channel.outgoing.send(data)

    def receive_json(self) -> Any:
        """The next message, which is JSON.

        :raises werkzeug.exceptions.BadRequest: if it is not; not caught, the WebSocket is closed
            with code 1008.
        """
        return self._channel.done(self._receive_json())

    async def _receive_json(self) -> Any:
        message = await (self._first() if not self.accepted else self._channel.incoming.receive())
        try:
            return self.json_module.loads(message)
        except ValueError as e:
            return self.on_json_loading_failed(e)

    def send_json(self, *args: Any, **kwargs: Any) -> Any:
        """Send a value, or what :func:`~vial.jsonify` takes, as JSON text."""
        value = args[0] if len(args) == 1 and not kwargs else args or kwargs
        return self.send(self.json_module.dumps(value))

    def close(self, code: int = 1000, reason: str = "") -> Any:
        """Close the WebSocket; one that was not accepted is refused with 403.

        :param code: 1000 for a normal end, 4000 to 4999 for what the application means by them.
        :param reason: at most 123 bytes.
        """
        check_close(code, reason)
        return self._channel.done(self._channel.close(code, reason))

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        return self

    async def __anext__(self) -> str | bytes:
        channel = self._channel
        try:
            return await (channel.incoming.receive() if channel.accepted else self._first())
        except Disconnected:
            raise StopAsyncIteration from None

    def __iter__(self) -> Iterator[str | bytes]:
        try:
            while True:
                yield self.receive()
        except Disconnected:
            return

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url!r}>"


def _checked(data: Any) -> str | bytes:
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    if isinstance(data, str):
        return str(data)
    raise TypeError(
        f"A WebSocket sends str or bytes, not {type(data).__name__}: send_json() takes what JSON"
        " has."
    )
