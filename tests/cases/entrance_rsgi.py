"""RSGI 1.5 as granian 2.8 serves it, without the server."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote_to_bytes

from vial.globals import _cv

from .entrances import Answer, Asgi, Ask


class Headers:
    """Request headers; those that are not ASCII are left out, as granian does."""

    def __init__(self, ask: Ask) -> None:
        self._items = [(k.lower(), v) for k, v in ask.all_headers() if v.isascii()]

    def __contains__(self, name: str) -> bool:
        return bool(self.get_all(name))

    def items(self) -> list[tuple[str, str]]:
        return list(self._items)

    def get(self, name: str, default: Any = None) -> Any:
        return next(iter(self.get_all(name)), default)

    def get_all(self, name: str) -> list[str]:
        return [value for key, value in self._items if key == name]


class Pieces:
    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> Pieces:
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop(0)


class Protocol:
    """The server's half of one exchange: an answer is sent once, a stream while the client is
    there."""

    def __init__(self, ask: Ask) -> None:
        self.answer = Answer(0, [], [], whole=False)
        self._ask = ask
        self._left = asyncio.Event()
        if ask.cut or ask.leave_after == 0:
            self._left.set()

    def __aiter__(self) -> Pieces:
        pieces = [piece for piece in self._ask.pieces() if piece]
        # A broken body has a piece more, an empty one.
        return Pieces([*pieces, b"", b""] if self._ask.cut else [*pieces, b""])

    async def client_disconnect(self) -> None:
        await self._left.wait()

    def _start(self, status: int, headers: list[tuple[str, str]]) -> None:
        assert not self.answer.status, "the answer was sent twice"
        self.answer.status = status
        # On the wire it is UTF-8; the client reads latin-1.
        wire = [(k.lower(), v.encode("utf-8").decode("latin-1")) for k, v in headers]
        assert not any(c in k + v for k, v in wire for c in "\r\n\0")
        self.answer.headers = wire

    def response_empty(self, status: int, headers: list[tuple[str, str]]) -> None:
        self._start(status, headers)
        self.answer.whole = True

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        assert type(body) is bytes and body
        self._start(status, headers)
        self.answer.chunks.append(body)
        self.answer.whole = True

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> Any:
        self._start(status, headers)
        return SimpleNamespace(send_bytes=self._send_bytes)

    async def _send_bytes(self, data: bytes) -> None:
        assert type(data) is bytes
        await asyncio.sleep(0)  # as a server that waits for its socket
        self.answer.chunks.append(data)
        if len(self.answer.chunks) == self._ask.leave_after:
            self._left.set()


class Rsgi(Asgi):
    """RSGI, on a loop that must be empty at the end."""

    name = "rsgi"

    async def ask_here(self, app: Any, ask: Ask) -> Answer:
        protocol = Protocol(ask)
        await app.__rsgi__(self.rsgi_scope(ask), protocol)
        assert _cv.get(None) is None, "the gateway left a context"
        protocol.answer.whole |= protocol.answer.status != 0 and not protocol._left.is_set()
        return protocol.answer

    def rsgi_scope(self, ask: Ask) -> SimpleNamespace:
        path, _, query = ask.target.partition("?")
        return SimpleNamespace(
            proto="http",
            http_version=ask.version,
            rsgi_version="1.5",
            server="127.0.0.1:80",
            client=f"{ask.client}:1234" if ask.client else "unix:",
            scheme=ask.scheme,
            method=ask.method,
            path=unquote_to_bytes(path).decode("utf-8", "replace"),
            query_string=query,
            authority=None,
            headers=Headers(ask),
        )
