"""The beginning of a WebSocket: a request, which is accepted or refused (RFC 6455 §4)."""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import TYPE_CHECKING, Any

from ..lazy import lazy
from .disconnected import Disconnected
from .environ import from_scope

if TYPE_CHECKING:
    from .socket_context import SocketContext

HeaderList = list[tuple[str, str]]


class Handshake:
    """What the client asked for, and what became of it."""

    #: The request as an ASGI scope.
    scope: Any
    #: Whether it can be accepted with headers, and with a subprotocol.
    has_headers = has_subprotocols = True
    #: What handles it; ``None`` once that is over.
    context: SocketContext | None = None
    accepted = False
    subprotocol: str | None = None
    #: How the WebSocket ended.
    error: Disconnected | None = None
    _shaking: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Learn what the server can do."""

    async def refuse(self, status: int, headers: HeaderList, body: bytes) -> None:
        """Answer by HTTP."""
        raise NotImplementedError

    async def shake(self, subprotocol: str | None, headers: Any) -> None:
        """Accept the handshake once, whoever is the first to ask for it."""
        if self.error is not None:
            raise self.error.again()
        if self.accepted:
            return
        if self._shaking is None:
            if self.context is None:
                raise RuntimeError("This WebSocket is over.")
            self._shaking = asyncio.ensure_future(self.context.accept(subprotocol, headers))
        await asyncio.shield(self._shaking)

    def header(self, name: bytes) -> list[bytes]:
        """The values of a header of the handshake."""
        return [value for key, value in self.scope.get("headers", ()) if key == name]

    @lazy
    def environ(self) -> dict[str, Any]:
        """The handshake as a WSGI environ."""
        environ = from_scope(self.scope, BytesIO(), None)
        # What PEP 3333 knows; Werkzeug makes ws and wss of it where a URL is for a WebSocket.
        environ["wsgi.url_scheme"] = "https" if self.is_secure else "http"
        return environ

    @lazy
    def is_secure(self) -> bool:
        """Whether it came over TLS, as far as the server or a proxy that is believed knows."""
        return self.scope.get("scheme") in ("wss", "https")
