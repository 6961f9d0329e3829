"""Pages and sockets of one app on a real server: who logs out is nobody to the next event."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from vial import Vial, session
from vial.server.embedded import EmbeddedServer
from vial.socketio import SocketIO

pytestmark = pytest.mark.service


@pytest.fixture
def address() -> Iterator[str]:
    app = Vial("chat", static_folder=None)
    app.secret_key = "key"
    app.add_url_rule("/in/<name>", "in", lambda name: session.update(user=name) or "")
    app.add_url_rule("/out", "out", lambda: session.clear() or "")
    socketio = SocketIO(app, session_identity="user")
    socketio.on("whoami")(lambda: session.get("user"))
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = EmbeddedServer(app, listener)  # which takes the listener over
    thread = threading.Thread(target=server.run)
    thread.start()
    yield f"127.0.0.1:{port}"
    server.stop()
    thread.join(20)
    assert not thread.is_alive()


class Browser:
    """Keeps the cookie that pages set, and opens sockets with it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.headers: dict[str, str] = {}

    async def get(self, path: str) -> None:
        request = Request(f"http://{self.address}{path}", headers=self.headers)
        response = await asyncio.to_thread(urlopen, request, None, 20)
        with response:
            cookie = (response.headers["Set-Cookie"] or "").partition(";")[0]
        self.headers = {} if cookie.endswith("=") else {"Cookie": cookie}

    async def open(self, headers: dict[str, str] | None = None) -> ClientConnection:
        url = f"ws://{self.address}/socket.io/?EIO=4&transport=websocket"
        client = await connect(url, additional_headers=headers or self.headers)
        await client.recv()
        await client.send("40")
        await client.recv()
        return client

    async def whoami(self, client: ClientConnection) -> Any:
        await client.send('421["whoami"]')
        return json.loads(str(await client.recv())[3:])


async def ended(client: ClientConnection) -> bool:
    with pytest.raises(ConnectionClosed):
        async with asyncio.timeout(20):
            await client.recv()
    return True


def test_a_logout_and_a_change_of_user_reach_open_sockets(address: str) -> None:
    async def scenario() -> None:
        browser = Browser(address)
        await browser.get("/in/ada")
        first, second = await browser.open(), await browser.open()
        assert await browser.whoami(first) == await browser.whoami(second) == ["ada"]
        await browser.get("/in/bob")
        assert await ended(first) and await ended(second)
        third, old = await browser.open(), browser.headers
        assert await browser.whoami(third) == ["bob"]
        await browser.get("/out")
        assert await ended(third)
        late = await browser.open(old)  # somebody has kept the cookie
        assert await browser.whoami(late) == []
        await late.close()

    asyncio.run(scenario())
