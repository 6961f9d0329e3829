"""An ASGI 3 application around another one that fails when either side breaks the protocol.

What ``wsgiref.validate`` is for WSGI. It knows HTTP (spec version 2.3) and lifespan; of WebSocket
it knows the refusal.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
#: The keys of each message that an application sends, with their types.
KEYS: dict[str, dict[str, type]] = {
    "http.response.start": {"status": int, "headers": list, "trailers": bool},
    "http.response.body": {"body": bytes, "more_body": bool},
    "lifespan.startup.complete": {},
    "lifespan.shutdown.complete": {},
    "websocket.close": {"code": int, "reason": str},
}


class Breach(AssertionError):
    """The application broke the protocol."""


def validator(app: Any) -> Any:
    """The application, watched."""

    async def watched(scope: Message, receive: Receive, send: Send) -> None:
        exchange = (Http if scope["type"] == "http" else Exchange)(scope, receive, send)
        await app(scope, exchange.receive, exchange.send)
        exchange.over()

    return watched


class Exchange:
    """One scope; a breach is raised where it happens and again at the end, if it was caught."""

    def __init__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.disconnected = False
        self.breach: Breach | None = None
        self._receive, self._send = receive, send
        self._receiving = False

    async def receive(self) -> Message:
        self.check(not self._receiving, "receive() was called while another call was waiting")
        self._receiving = True
        try:
            message = await self._receive()
        finally:
            self._receiving = False
        self.disconnected = self.disconnected or message["type"] == "http.disconnect"
        return message

    async def send(self, message: Message) -> None:
        kind = message.get("type")
        self.check(kind in KEYS, f"an unknown message {kind!r} was sent")
        for key, value in message.items():
            expected = str if key == "type" else KEYS[str(kind)].get(key)
            self.check(type(value) is expected, f"{kind} has {key}={value!r}")
        self.take(message)
        await self._send(message)

    def take(self, message: Message) -> None:
        """See a well-formed message that the application sends."""

    def over(self) -> None:
        """The application returned."""
        if self.breach is not None:
            raise self.breach

    def check(self, holds: bool, breach: str) -> None:
        if not holds:
            self.breach = Breach(breach)
            raise self.breach


class Http(Exchange):
    """A request: start, then bodies up to one without ``more_body``, as long as announced."""

    started = ended = False
    announced: int | None = None
    sent = 0

    def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start(message)
        else:
            self.check(message["type"] == "http.response.body", f"{message['type']} in HTTP")
            self.body(message)

    def start(self, message: Message) -> None:
        self.check(not self.started, "two starts were sent")
        self.started = True
        self.status = message.get("status", 0)
        self.check(200 <= self.status <= 599, f"the status is {self.status}")
        lengths = []
        for header in message.get("headers", ()):
            self.header(header)
            if header[0] == b"content-length":
                lengths.append(header[1])
        self.check(len(lengths) <= 1, f"several lengths: {lengths}")
        self.check(not lengths or self.status != 204, "a 204 announced a length")
        self.check(not lengths or lengths[0].isdigit(), f"the length is {lengths}")
        self.announced = int(lengths[0]) if lengths else None

    def header(self, header: Any) -> None:
        name, value = header
        self.check(type(name) is bytes and type(value) is bytes, f"{header} are not bytes")
        self.check(NAME.fullmatch(name) is not None, f"{name!r} is no lower-case header name")
        self.check(VALUE.fullmatch(value) is not None, f"{name!r} has the value {value!r}")
        self.check(name != b"transfer-encoding", "transfer-encoding is the server's business")

    def body(self, message: Message) -> None:
        self.check(self.started, "a body was sent before the start")
        self.check(not self.ended, "a body was sent after the last one")
        self.sent += len(message.get("body", b""))
        without = self.scope["method"] == "HEAD" or self.status in (204, 304)
        self.check(not (without and self.sent), f"{self.sent} bytes where no body belongs")
        self.ended = not message.get("more_body", False)
        if self.ended and self.announced is not None and not without:
            self.check(self.sent == self.announced, f"{self.sent} bytes, not {self.announced}")

    def over(self) -> None:
        super().over()
        self.check(self.ended or self.disconnected, "the application returned without an answer")
