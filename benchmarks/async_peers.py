"""The same three answers from each framework with a loop: ``/`` (async), ``/sync`` and ``/ws``.

``async_peers:NAME`` is an application for granian; ``python async_peers.py NAME PORT`` starts one
that has a server of its own. Each is written as its users write it.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

HELLO = "Hello"
#: What Vial sends as well; without a framework it is sent by hand.
HEADERS = [("content-type", "text/html; charset=utf-8"), ("x-content-type-options", "nosniff")]
#: Seconds that the sync view blocks, as a query of a database would.
PAUSE = float(os.environ.get("BENCH_PAUSE", "0"))


def pause() -> None:
    if PAUSE:
        time.sleep(PAUSE)


def vial() -> Any:
    from vial import Vial

    app = Vial("bench", static_folder=None)

    @app.get("/")
    async def hello() -> str:
        return HELLO

    @app.get("/sync")
    def in_thread() -> str:
        pause()
        return HELLO

    return app


def vial_socket() -> Any:
    from vial import Vial, websocket

    app = Vial("bench", static_folder=None)

    @app.websocket("/ws")
    async def echo() -> None:
        async for message in websocket:
            await websocket.send(message)

    return app


def bare_rsgi() -> Any:
    async def app(scope: Any, protocol: Any) -> None:
        if scope.proto == "http":
            headers = [*HEADERS]
            protocol.response_str(200, headers, HELLO)
            return
        transport = await protocol.accept()
        while (message := await transport.receive()).kind:
            await transport.send_str(message.data)

    return app


def bare_asgi() -> Any:
    start = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(name.encode(), value.encode()) for name, value in HEADERS],
    }
    body = {"type": "http.response.body", "body": HELLO.encode()}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send(start)
            await send(body)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (message := await receive())["type"] == "websocket.receive":
                await send({"type": "websocket.send", "text": message["text"]})

    return app


def starlette() -> Any:
    from starlette.applications import Starlette
    from starlette.responses import HTMLResponse
    from starlette.routing import Route, WebSocketRoute

    async def hello(request: Any) -> Any:
        return HTMLResponse(HELLO)

    def in_thread(request: Any) -> Any:
        pause()
        return HTMLResponse(HELLO)

    async def echo(websocket: Any) -> None:
        await websocket.accept()
        async for message in websocket.iter_text():
            await websocket.send_text(message)

    routes = [Route("/", hello), Route("/sync", in_thread), WebSocketRoute("/ws", echo)]
    return Starlette(routes=routes)


def fastapi() -> Any:
    from fastapi import FastAPI
    from fastapi.responses import HTMLResponse

    app = FastAPI(default_response_class=HTMLResponse)

    @app.get("/")
    async def hello() -> str:
        return HELLO

    @app.get("/sync")
    def in_thread() -> str:
        pause()
        return HELLO

    return app


def quart() -> Any:
    from quart import Quart

    app = Quart("bench", static_folder=None)

    @app.get("/")
    async def hello() -> str:
        return HELLO

    return app


def litestar() -> Any:
    from litestar import Litestar, MediaType, get

    @get("/", media_type=MediaType.HTML)
    async def hello() -> str:
        return HELLO

    return Litestar([hello])


def blacksheep() -> Any:
    from blacksheep import Application, html

    app = Application()

    @app.router.get("/")
    async def hello() -> Any:
        return html(HELLO)

    return app


def run_sanic(port: int) -> None:
    from sanic import Sanic
    from sanic.response import html

    app = Sanic("bench", configure_logging=False)
    app.config.ACCESS_LOG = False

    @app.get("/")
    async def hello(request: Any) -> Any:
        return html(HELLO)

    @app.websocket("/ws")
    async def echo(request: Any, ws: Any) -> None:
        async for message in ws:
            await ws.send(message)

    app.run("127.0.0.1", port, single_process=True, motd=False, access_log=False)


def run_aiohttp(port: int) -> None:
    from aiohttp import WSMsgType, web

    async def hello(request: Any) -> Any:
        return web.Response(text=HELLO, content_type="text/html")

    async def echo(request: Any) -> Any:
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        async for message in ws:
            if message.type == WSMsgType.TEXT:
                await ws.send_str(message.data)
        return ws

    app = web.Application()
    app.add_routes([web.get("/", hello), web.get("/ws", echo)])
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


def run_robyn(port: int) -> None:
    from robyn import Robyn

    app = Robyn(__file__)

    @app.get("/sync")
    def in_thread() -> str:
        pause()
        return HELLO

    app.start("127.0.0.1", port)


def __getattr__(name: str) -> Any:
    factory = vars(sys.modules[__name__]).get(name.removeprefix("app_"))
    if not name.startswith("app_") or factory is None:
        raise AttributeError(name)
    return factory()


if __name__ == "__main__":
    vars(sys.modules[__name__])[f"run_{sys.argv.pop(1)}"](int(sys.argv.pop(1)))
