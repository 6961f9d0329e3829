"""A request for a client of another worker, carried to that worker and its answer back.

Each request has a :class:`~vial.socketio.link.Link` of its own: the end of one is the end of the
other, a reader that is slow slows the writer down, and no client waits for another.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from io import BytesIO
from typing import Any

from .exchange import Environ, HeaderList, TooLarge
from .fanout import Sending, begun
from .link import BYTES, NOTE, TEXT, Link, Note, Part, unpack

#: What became of a body where it was read.
_WHOLE, _TOO_LARGE, _BROKEN = "whole", "too large", "broken"


class RemoteExchange:
    """A request or WebSocket that came to another worker, for the worker that has the client.

    As :class:`~vial.socketio.exchange.AsgiExchange`.
    """

    def __init__(self, link: Link, note: Note, parts: list[Part]) -> None:
        self.environ = _restored(note["environ"])
        self.can_upgrade: bool = note["can_upgrade"]
        self._body: str = note["body"]
        self._parts = parts
        self._link = link
        self._sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sent.set_result(None)

    async def read(self, limit: int) -> bytes:
        """The body, which the other worker has read, with the same bound."""
        if self._body == _TOO_LARGE:
            raise TooLarge
        if self._body == _BROKEN:
            raise OSError("the client left in the middle of its request")
        body = self._parts[0]
        return body if isinstance(body, bytes) else body.encode()

    async def reply(self, status: int, headers: HeaderList, body: bytes) -> None:
        self._link.send_note({"reply": status, "headers": headers}, [body])
        await self._link.drain()

    async def gone(self) -> None:
        """Return when the client, or the worker between, has gone."""
        with suppress(OSError):
            while True:
                await self._link.receive()

    async def accept(self) -> None:
        self._link.send_note({"accept": True})

    async def receive(self) -> str | bytes:
        kind, payload = await self._link.receive()
        return payload if kind == BYTES else payload.decode()

    def start(self, frame: str | bytes) -> Sending:
        """Begin to send a frame; it is sent when the other worker has room for more."""
        send_frame(self._link, frame)
        return begun(self._link.drain()) if self._link.is_full else self._sent

    async def send(self, frame: str | bytes) -> None:
        send_frame(self._link, frame)
        await self._link.drain()

    async def close(self, code: int) -> None:
        self._link.send_note({"close": code})


def send_frame(link: Link, frame: str | bytes) -> None:
    """Queue a message of a WebSocket."""
    if isinstance(frame, str):
        link.send(TEXT, frame.encode("utf-8", "replace"))
    else:
        link.send(BYTES, frame)


def _restored(environ: Environ) -> Environ:
    return {
        **environ,
        "wsgi.version": (1, 0),
        "wsgi.input": BytesIO(),
        "wsgi.errors": sys.stderr,
    }


def _portable(environ: Environ) -> Environ:
    return {key: value for key, value in environ.items() if isinstance(value, str | bool | int)}


async def forward(exchange: Any, link: Link, limit: int, patience: float) -> None:
    """Serve a request by asking the worker at the other end of ``link``, and close the link.

    :param exchange: one of :mod:`vial.socketio.exchange`.
    :param limit: most bytes of a body.
    :param patience: seconds that a body may take.
    :raises OSError: when that worker ended before anything was answered.
    """
    try:
        body, state = await _body(exchange, limit, patience)
        environ = _portable(exchange.environ)
        note = {"environ": environ, "can_upgrade": exchange.can_upgrade, "body": state}
        link.send_note({"forward": note}, [body])
        answer, parts = await _answer(exchange, link)
        if "accept" in answer:
            await exchange.accept()
            await _carry(exchange, link)
        elif answer:
            await exchange.reply(answer["reply"], [tuple(h) for h in answer["headers"]], parts[0])
    finally:
        link.close()


async def _body(exchange: Any, limit: int, patience: float) -> tuple[bytes, str]:
    if exchange.environ["REQUEST_METHOD"] != "POST":
        return b"", _WHOLE
    try:
        async with asyncio.timeout(patience):
            return await exchange.read(limit), _WHOLE
    except TooLarge:
        return b"", _TOO_LARGE
    except Exception:  # the servers differ in what they raise when a body is cut short
        return b"", _BROKEN


async def _answer(exchange: Any, link: Link) -> tuple[Note, list[Part]]:
    """The first note from the other worker; an empty one when the client left before."""
    if exchange.environ.get("HTTP_UPGRADE") == "websocket":
        return await link.note()
    answer = asyncio.ensure_future(link.note())
    gone = asyncio.ensure_future(exchange.gone())
    try:
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        return answer.result() if answer.done() else ({}, [])
    finally:
        answer.cancel()
        gone.cancel()
        await asyncio.gather(answer, gone, return_exceptions=True)


async def _carry(exchange: Any, link: Link) -> None:
    """Messages of a WebSocket in both directions, until one side ends."""
    ways = [asyncio.ensure_future(way(exchange, link)) for way in (_up, _down)]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _up(exchange: Any, link: Link) -> None:
    while True:
        send_frame(link, await exchange.receive())
        await link.drain()


async def _down(exchange: Any, link: Link) -> None:
    code = 1012  # "service restart": that worker has gone
    with suppress(OSError):
        while True:
            kind, payload = await link.receive()
            if kind == NOTE:
                code = unpack(payload)[0]["close"]
                break
            await exchange.send(payload if kind == BYTES else payload.decode())
    await exchange.close(code)
