"""WebSockets and the test client behind a proxy that the program believes (``TRUSTED_PROXIES``);
``cases/proxies.py`` has the requests of every gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from cases.entrance_rsgi import Rsgi
from cases.entrances import Asgi, Ask

from vial import Vial, request, url_for, websocket
from vial.gateways.forwarded import PEER, proxies_of

SAID = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.test"}
Told = tuple[int, str]


async def by_asgi(app: Vial, ask: Ask) -> Told:
    """The status of a handshake, and the first message."""
    scope = {**Asgi().scope(ask), "type": "websocket", "subprotocols": []}
    scope |= {"scheme": "ws", "extensions": {"websocket.http.response": {}}}
    sent: list[dict[str, Any]] = []
    waiting = [{"type": "websocket.connect"}]

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0].get("status", 101), next((m["text"] for m in sent if "text" in m), "")


class RsgiSocket:
    """The server's half of a WebSocket whose client listens."""

    def __init__(self) -> None:
        self.status, self.text = 0, ""

    async def accept(self) -> RsgiSocket:
        self.status = 101
        return self

    def send_str(self, text: str) -> Any:
        self.text = text
        sent = asyncio.get_running_loop().create_future()
        sent.set_result(None)
        return sent

    def receive(self) -> Any:
        return asyncio.get_running_loop().create_future()

    def close(self, status: int | None = None) -> None:
        self.status = self.status or status or 0


async def by_rsgi(app: Vial, ask: Ask) -> Told:
    scope = Rsgi().rsgi_scope(ask)
    socket = RsgiSocket()
    await app.__rsgi__(SimpleNamespace(**{**vars(scope), "proto": "ws"}), socket)
    return socket.status, socket.text


@pytest.fixture
def app() -> Vial:
    app = Vial("proxies", static_folder=None)

    @app.websocket("/")
    async def tell() -> None:
        link = url_for("tell", _external=True)
        await websocket.send(f"{websocket.remote_addr} {websocket.scheme} {websocket.url} {link}")

    return app


@pytest.mark.parametrize("talk", [by_asgi, by_rsgi])
def test_a_websocket_has_the_believed_client_host_and_scheme(
    app: Vial, talk: Callable[[Vial, Ask], Any]
) -> None:
    def ask(origin: str | None, client: str = "10.0.0.1") -> Told:
        headers = [*SAID.items(), *([("Origin", origin)] if origin else [])]
        return asyncio.run(talk(app, Ask(headers=headers, client=client, host="inner")))  # type: ignore[no-any-return]

    inner = "10.0.0.1 ws ws://inner/ ws://inner/"
    assert ask("https://inner") == (101, inner)
    app.config["TRUSTED_PROXIES"] = ["10.0.0.1"]
    believed = "1.2.3.4 wss wss://shop.test/ wss://shop.test/"
    assert ask(None) == ask("https://shop.test") == (101, believed)
    assert ask("http://shop.test") == ask("https://inner") == (403, "")
    assert ask("https://inner", "9.9.9.9") == (101, inner.replace("10.0.0.1", "9.9.9.9"))
    assert ask("https://shop.test", "9.9.9.9") == (403, "")
    app.config["TRUSTED_HOSTS"] = ["shop.test"]
    assert ask(None) == (101, believed)
    assert ask(None, "9.9.9.9")[0] == 400


def test_the_test_client_may_play_the_proxy(app: Vial) -> None:
    app.config["TRUSTED_PROXIES"] = ["127.0.0.1"]
    app.get("/")(lambda: f"{request.remote_addr} {request.url}")
    client = app.test_client()
    with client:
        assert client.get("/", headers=SAID).text == "1.2.3.4 https://shop.test/"
        assert request.remote_addr == "1.2.3.4"
    with client.websocket("/", headers=SAID) as ws:
        assert ws.receive().startswith("1.2.3.4 wss wss://shop.test/")


def test_believing_leaves_an_app_on_the_fast_path(app: Vial) -> None:
    app.config["TRUSTED_PROXIES"] = 1
    app.get("/")(lambda: "page")
    for _ in range(2):
        assert app.test_client().get("/", headers=SAID).text == "page"
    assert not any(plan.compatible for plan in app._plans.values())
    assert app._own_wsgi_app() is None and app._find_way() == "proxied"


def test_a_request_is_looked_at_once() -> None:
    proxies = proxies_of(["10.0.0.1"])
    assert proxies is not None
    environ = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "10.0.0.1", "wsgi.url_scheme": ""}
    believed = proxies.believed(environ)
    assert believed[PEER] == "10.0.0.1" and PEER not in environ
    assert proxies.believed(believed) is believed
