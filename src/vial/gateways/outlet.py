"""The client's side of a request, as a gateway with a loop has it."""

from __future__ import annotations

from typing import Any


class ClientLeft(Exception):
    """There is nobody to send to any more."""


class Outlet:
    """Where a gateway sends one response to, and hears of the client. Header values are latin-1
    texts, as in WSGI."""

    async def receive(self) -> dict[str, Any]:
        """The next ASGI message from the client: a piece of the body, or that it left."""
        raise NotImplementedError

    async def begin(self, status: int, headers: list[tuple[str, str]]) -> None:
        """Begin a response whose body comes in chunks."""
        raise NotImplementedError

    async def chunk(self, data: bytes) -> None:
        """Send a chunk, waiting while the client is slow.

        :raises ClientLeft: where the server tells it so.
        """
        raise NotImplementedError

    async def end(self) -> None:
        """End the response that was begun."""
        raise NotImplementedError

    async def left(self) -> None:
        """Return when the client has left."""
        raise NotImplementedError
