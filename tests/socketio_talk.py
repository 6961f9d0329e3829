"""Talks Engine.IO and Socket.IO to a server, frame by frame: one in memory, or a real one."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from typing import Any, Protocol

import aiohttp
import socketio_wire
from socketio_wire import Reply

SEPARATOR = "\x1e"
PATIENCE = 20.0
Headers = dict[str, str]


class Refused(Exception):
    """A WebSocket was not accepted."""


class Closed(Exception):
    """The session is over. For a WebSocket, with the close code."""


class Socket(Protocol):
    """One WebSocket."""

    async def send(self, *frames: str | bytes) -> None: ...

    async def receive(self) -> str | bytes:
        """
        :raises Closed:
        """
        ...

    async def leave(self) -> None: ...


class Talk(Protocol):
    """A server to talk to.

    :cvar has_websocket: False for WSGI.
    """

    path: str
    has_websocket: bool

    async def http(
        self,
        method: str = "GET",
        query: str = "EIO=4&transport=polling",
        body: str | bytes | None = None,
        headers: Headers | None = None,
    ) -> Reply: ...

    async def websocket(
        self,
        query: str = "EIO=4&transport=websocket",
        headers: Headers | None = None,
        compress: bool = False,
    ) -> Socket:
        """
        :raises Refused:
        """
        ...

    async def page(self, path: str) -> str: ...


async def until_page(talk: Talk, path: str, text: str) -> str:
    """Wait until a page of the app says something; all that it says."""
    async with asyncio.timeout(PATIENCE):
        while text not in (page := await talk.page(path)):
            await asyncio.sleep(0.01)
    return page


class Memory:
    """An app without a server."""

    has_websocket = True

    def __init__(self, app: Any, path: str = "/socket.io/") -> None:
        self._app = app
        self.path = path

    async def http(
        self,
        method: str = "GET",
        query: str = "EIO=4&transport=polling",
        body: str | bytes | None = None,
        headers: Headers | None = None,
    ) -> Reply:
        content = body.encode() if isinstance(body, str) else body or b""
        headers = {"content-length": str(len(content)), **(headers or {})}
        return await socketio_wire.http(
            self._app, method, query, [content], headers, path=self.path
        )

    async def websocket(
        self,
        query: str = "EIO=4&transport=websocket",
        headers: Headers | None = None,
        compress: bool = False,
    ) -> Socket:
        socket = socketio_wire.WebSocket(self._app, query, path=self.path, headers=headers)
        if (await socket.message())["type"] != "websocket.accept":
            await asyncio.wait_for(socket.task, PATIENCE)
            raise Refused
        return _MemorySocket(socket)

    async def page(self, path: str) -> str:
        return (await socketio_wire.http(self._app, path=path, query="")).text


class _MemorySocket:
    def __init__(self, socket: socketio_wire.WebSocket) -> None:
        self._socket = socket

    async def send(self, *frames: str | bytes) -> None:
        await self._socket.send(*frames)

    async def receive(self) -> str | bytes:
        message = await self._socket.message()
        if message["type"] == "websocket.close":
            raise Closed(message.get("code", 1000))
        data: str | bytes | None = message.get("bytes")
        return message["text"] if data is None else data  # type: ignore[no-any-return]

    async def leave(self) -> None:
        await self._socket.leave()


class Network:
    """A server that listens.

    :param url: ``http://127.0.0.1:<port>``.
    """

    def __init__(
        self, session: aiohttp.ClientSession, url: str, path: str, has_websocket: bool = True
    ) -> None:
        self._session = session
        self.url = url
        self.path = path
        self.has_websocket = has_websocket

    async def http(
        self,
        method: str = "GET",
        query: str = "EIO=4&transport=polling",
        body: str | bytes | None = None,
        headers: Headers | None = None,
    ) -> Reply:
        url = f"{self.url}{self.path}?{query}"
        data = body.encode() if isinstance(body, str) else body
        headers = {"content-type": "text/plain;charset=UTF-8", **(headers or {})}
        async with self._session.request(method, url, data=data, headers=headers) as reply:
            names = {name.lower(): value for name, value in reply.headers.items()}
            return Reply(reply.status, names, await reply.text())

    async def websocket(
        self,
        query: str = "EIO=4&transport=websocket",
        headers: Headers | None = None,
        compress: bool = False,
    ) -> Socket:
        url = f"{self.url}{self.path}?{query}"
        try:
            socket = await self._session.ws_connect(
                url, headers=headers or {}, compress=15 if compress else 0
            )
            return _NetworkSocket(socket)
        except aiohttp.WSServerHandshakeError as e:
            raise Refused(e.status) from None

    async def page(self, path: str) -> str:
        async with self._session.get(self.url + path) as reply:
            return await reply.text()


class _NetworkSocket:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send(self, *frames: str | bytes) -> None:
        for frame in frames:
            if isinstance(frame, str):
                await self._socket.send_str(frame)
            else:
                await self._socket.send_bytes(frame)

    async def receive(self) -> str | bytes:
        message = await self._socket.receive(PATIENCE)
        if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            return message.data  # type: ignore[no-any-return]
        raise Closed(self._socket.close_code)

    async def leave(self) -> None:
        await self._socket.close()


class Polling:
    """An Engine.IO session that polls.

    :ivar opened: what the server said in its handshake.
    """

    def __init__(self, talk: Talk, opened: dict[str, Any]) -> None:
        self.talk = talk
        self.opened = opened
        self.sid: str = opened["sid"]
        self.query = f"EIO=4&transport=polling&sid={self.sid}"

    @classmethod
    async def open(cls, talk: Talk) -> Polling:
        reply = await talk.http()
        assert reply.status == 200 and reply.text[0] == "0", reply
        return cls(talk, json.loads(reply.text[1:]))

    async def poll(self) -> Reply:
        async with asyncio.timeout(PATIENCE):
            return await self.talk.http(query=self.query)

    async def post(self, *packets: str, headers: Headers | None = None) -> Reply:
        return await self.talk.http("POST", self.query, SEPARATOR.join(packets), headers)

    def upgrading(self) -> Any:
        """A WebSocket for this session."""
        return self.talk.websocket(f"EIO=4&transport=websocket&sid={self.sid}")


class Client:
    """A Socket.IO client: packets without the ``4`` of Engine.IO, and its pings answered."""

    def __init__(self, sid: str) -> None:
        #: Of Engine.IO.
        self.sid = sid
        self._packets: deque[str | bytes] = deque()

    @staticmethod
    async def open(talk: Talk, transport: str) -> Client:
        if transport == "polling":
            return _PollingClient(await Polling.open(talk))
        socket = await talk.websocket()
        opened = await socket.receive()
        assert isinstance(opened, str) and opened[0] == "0"
        return _SocketClient(socket, json.loads(opened[1:])["sid"])

    async def connect(self, namespace: str = "", auth: str = "") -> str:
        """Join a namespace; the sid there."""
        prefix = namespace and f"{namespace},"
        await self.send(f"0{prefix}{auth}")
        answer = await self.receive()
        assert isinstance(answer, str) and answer.startswith(f"0{prefix}{{"), answer
        greeting = await self.receive()
        assert isinstance(greeting, str) and greeting.startswith(f'2{prefix}["auth"'), greeting
        return json.loads(answer[1 + len(prefix) :])["sid"]  # type: ignore[no-any-return]

    async def send(self, *packets: str | bytes) -> None:
        raise NotImplementedError

    async def receive(self) -> str | bytes:
        """The next packet.

        :raises Closed:
        """
        while not self._packets:
            await self._more()
        return self._packets.popleft()

    async def _more(self) -> None:
        raise NotImplementedError

    async def ended(self) -> None:
        """Return when the server has ended the session."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    await self.receive()
        except Closed:
            pass

    async def leave(self) -> None:
        raise NotImplementedError


class _SocketClient(Client):
    def __init__(self, socket: Socket, sid: str) -> None:
        super().__init__(sid)
        self._socket = socket

    async def send(self, *packets: str | bytes) -> None:
        await self._socket.send(*(p if isinstance(p, bytes) else f"4{p}" for p in packets))

    async def _more(self) -> None:
        frame = await self._socket.receive()
        if frame == "2":
            await self._socket.send("3")
        else:
            self._packets.append(frame[1:] if isinstance(frame, str) else frame)

    async def leave(self) -> None:
        await self._socket.leave()


class _PollingClient(Client):
    def __init__(self, polling: Polling) -> None:
        super().__init__(polling.sid)
        self._polling = polling

    async def send(self, *packets: str | bytes) -> None:
        await self._polling.post(
            *(
                "b" + base64.b64encode(p).decode() if isinstance(p, bytes) else f"4{p}"
                for p in packets
            )
        )

    async def _more(self) -> None:
        reply = await self._polling.poll()
        if reply.status == 400:
            raise Closed
        assert reply.status == 200, reply
        for packet in reply.text.split(SEPARATOR):
            if packet == "2":
                await self._polling.post("3")
            elif packet[0] == "b":
                self._packets.append(base64.b64decode(packet[1:]))
            elif packet[0] == "4":
                self._packets.append(packet[1:])

    async def leave(self) -> None:
        await self._polling.post("1")
