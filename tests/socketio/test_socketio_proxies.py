"""Socket.IO behind a proxy that the program believes (``TRUSTED_PROXIES``), by every gateway."""

from __future__ import annotations

from typing import Any

import pytest
from cases.entrance_rsgi import Rsgi
from cases.entrances import Asgi, Wsgi
from socketio_wire import WebSocket, run

from vial import Vial, request
from vial.socketio import SocketIO, emit

OPEN = "/socket.io/?EIO=4&transport=polling"
SAID = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.test"}


@pytest.mark.parametrize("entrance", [Wsgi(), Asgi(), Rsgi()], ids=lambda e: e.name)
def test_pages_of_the_believed_host_may_poll(app: Vial, socketio: SocketIO, entrance: Any) -> None:
    def status(origin: str, client: str = "10.0.0.1") -> int:
        headers = [*SAID.items(), ("Origin", origin)]
        asked = entrance.ask(app, OPEN, headers=headers, client=client, host="inner")
        return int(asked.status)

    assert status("https://shop.test") == 403
    app.config["TRUSTED_PROXIES"] = ["10.0.0.1"]
    assert status("https://shop.test") == 200
    assert status("http://shop.test") == status("https://inner") == 403
    assert status("https://shop.test", "9.9.9.9") == 403
    assert status("https://inner", "9.9.9.9") == 200


def test_handlers_see_the_client_that_the_proxy_names(app: Vial, socketio: SocketIO) -> None:
    app.config["TRUSTED_PROXIES"] = 1

    @socketio.on("who")
    def who() -> None:
        emit("told", [request.remote_addr, request.host_url])

    async def scenario() -> None:
        headers = {**SAID, "Origin": "https://shop.test"}
        client = await WebSocket.open(app, headers=headers)
        await client.send('42["who"]')
        assert await client.receive() == '42["told",["1.2.3.4","https://shop.test/"]]'
        refused = WebSocket(app, headers={**SAID, "Origin": "http://here.test"})
        assert (await refused.message())["type"] == "websocket.close"
        await client.leave()

    run(scenario)
