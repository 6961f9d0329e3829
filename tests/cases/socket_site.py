"""The application that tests of WebSockets talk to over real servers, which load it from here."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

from vial import Vial, abort, session, url_for, websocket
from vial.gateways.watch import watch_of
from vial.websockets import Disconnected

app = Vial("socket_site", static_folder=None)
app.secret_key = "key"
app.config.update(WEBSOCKET_SEND_TIMEOUT=1.0, WEBSOCKET_UNREAD_TIMEOUT=1.0)
#: How each view that ended was torn down.
ended: list[str] = []


@app.get("/sync/hello")
def hello() -> str:
    return "Hello"


@app.get("/state")
async def state() -> dict[str, Any]:
    """What is open, and what this process uses."""
    with open("/proc/self/statm") as statm:
        resident = int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    tasks = [repr(t) for t in asyncio.all_tasks() if not is_of_hypercorn(t)]
    return {
        "open": len(watch_of(asyncio.get_running_loop()).channels),
        "tasks": len(tasks),
        "which": tasks,
        "threads": sum(t.name.startswith("vial-websocket") for t in threading.enumerate()),
        "resident": resident,
        "ended": ended,
    }


def is_of_hypercorn(task: asyncio.Task[Any]) -> bool:
    """Whether it is one of those that hypercorn has for each connection, a while longer."""
    code: Any = getattr(task.get_coro(), "cr_code", None)
    return code is not None and ("hypercorn" in code.co_filename or code.co_name == "_handle")


@app.teardown_websocket
def note_end(error: BaseException | None) -> None:
    ended.append(f"{websocket.path} {type(error).__name__}")


@app.websocket("/")
async def echo() -> None:
    async for message in websocket:
        await websocket.send(message)


@app.websocket("/sync")
def sync_echo() -> None:
    for message in websocket:
        websocket.send(message)


@app.websocket("/impatient")
async def impatient_echo() -> None:
    while True:
        try:
            message = await asyncio.wait_for(websocket.receive(), 0.0007)
        except TimeoutError:
            continue
        await websocket.send(message)


@app.websocket("/sleep")
async def sleep() -> None:
    await websocket.accept()
    await asyncio.sleep(1000)


@app.websocket("/push")
async def push() -> None:
    while True:
        await websocket.send("tick")
        await asyncio.sleep(0.01)


@app.websocket("/flood")
async def flood() -> None:
    while True:
        await websocket.send(b"x" * 10_000)


@app.websocket("/crowd")
async def crowd() -> None:
    """Many tasks send at once, to a client that may not read."""
    await websocket.accept()

    async def write(number: int) -> None:
        await websocket.send(f"{number:06d}" + "x" * 10_000)

    results = await asyncio.gather(*map(write, range(50)), return_exceptions=True)
    if all(result is None for result in results):
        await websocket.send("all")
    assert all(result is None or isinstance(result, Disconnected) for result in results)


@app.websocket("/refuse/<int:code>")
async def refuse(code: int) -> None:
    abort(code)


@app.websocket("/close/<int:code>")
async def close(code: int) -> None:
    await websocket.accept()
    await websocket.close(code, "as asked")


@app.websocket("/fail")
async def fail() -> None:
    await websocket.accept()
    raise ZeroDivisionError("the view failed")


@app.websocket("/choose")
async def choose() -> None:
    await websocket.accept(websocket.requested_subprotocols[-1])
    await websocket.receive()


@app.websocket("/headers")
async def headers() -> None:
    session["chosen"] = 1
    await websocket.accept(headers={"X-A": "b"})


@app.websocket("/session")
async def change_session() -> None:
    session["chosen"] = 1
    await websocket.accept()


@app.websocket("/facts/<path:rest>")
async def facts(rest: str) -> None:
    await websocket.send_json(
        {
            "rest": rest,
            "path": websocket.path,
            "args": websocket.args.to_dict(),
            "scheme": websocket.scheme,
            "x": websocket.headers.get("X-Test"),
            "cookies": websocket.cookies.to_dict(),
            "asked": websocket.requested_subprotocols,
            "url": websocket.url,
            "link": url_for("facts", rest="a b"),
            "session": dict(session),
        }
    )
