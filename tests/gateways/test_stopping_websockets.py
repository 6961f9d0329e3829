"""Open WebSockets when ``vial serve`` is told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from serving import SOON, Served
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

APP = """
import asyncio
from vial import Vial, websocket

app = Vial(__name__)

@app.get("/ready")
def ready():
    return "ready"

@app.websocket("/echo")
async def echo():
    async for message in websocket:
        await websocket.send(message)

@app.websocket("/sync")
def sync():
    for message in websocket:
        websocket.send(message)

@app.websocket("/sleep")
async def sleep():
    await websocket.send("awake")
    await asyncio.sleep(1000)

@app.teardown_websocket
def ended(error):
    print(f"ended {websocket.path} {error}\\n", end="", flush=True)  # threads share the line
"""
PATHS = ("/echo", "/sync", "/sleep")


@pytest.mark.service
@pytest.mark.slow
@pytest.mark.parametrize(("interface", "code"), [("asgi", 1001), ("rsgi", 1005)])
def test_they_are_closed_and_their_views_torn_down(
    interface: str, code: int, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(APP)
    server = Served(tmp_path, "app:app", "--interface", interface)
    try:
        server.wait()
        codes: list[int | None] = []
        with ExitStack() as stack:
            for path in PATHS:
                url = f"ws://127.0.0.1:{server.port}{path}"
                ws = stack.enter_context(connect(url, close_timeout=SOON))
                if path != "/sleep":
                    ws.send("x")
                ws.recv(SOON)
                threading.Thread(target=note_close, args=(ws.recv, codes)).start()
            began = time.monotonic()
            assert server.stop() == 0, server.output
            assert time.monotonic() - began < SOON
        assert codes == [code] * 3
        assert sorted(line for line in server.output.splitlines() if "ended" in line) == [
            f"ended {path} None" for path in sorted(PATHS)
        ]
    finally:
        server.process.kill()
        server.process.wait()


def note_close(receive: Callable[[], object], codes: list[int | None]) -> None:
    try:
        receive()
    except ConnectionClosed as e:
        codes.append(e.rcvd and e.rcvd.code)
