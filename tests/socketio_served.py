"""The application that the conformance tests talk to; servers load it from here.

Three Socket.IO servers in one app: ``/socket.io/`` with the heartbeat of every day, for tests that
must not be hurried; ``/quick/`` with one whose end can be waited for; and ``/pinged/``, whose pings
come as fast, and whose clients have time to answer.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from vial import Vial, request
from vial.socketio import ConnectionRefusedError, SocketIO

PING_INTERVAL, PING_TIMEOUT, CONNECT_TIMEOUT = 0.3, 1.2, 1.0


class Gate:
    """A handler that waits until a test has seen it wait."""

    def __init__(self) -> None:
        self.waiting = 0
        self._open = threading.Event()

    def shut(self) -> None:
        self.waiting = 0
        self._open = threading.Event()

    def open(self) -> None:
        self._open.set()

    def wait(self) -> None:
        self.waiting += 1
        self._open.wait(20)


def make_app() -> Vial:
    app = Vial("served", static_folder=None)
    app.secret_key = "a key for tests only"
    gate = Gate()
    ended: list[str] = []
    everyday = SocketIO(app)
    fast: dict[str, Any] = {"ping_interval": PING_INTERVAL, "connect_timeout": CONNECT_TIMEOUT}
    quick = SocketIO(app, path="quick", ping_timeout=PING_TIMEOUT, **fast)
    pinged = SocketIO(app, path="pinged", **fast)
    for socketio in (everyday, quick, pinged):
        _add_handlers(socketio, gate, ended)

    @app.get("/waiting")
    def waiting() -> str:
        return str(gate.waiting)

    @app.get("/shut")
    def shut() -> str:
        gate.shut()
        return "shut"

    @app.get("/open")
    def open_gate() -> str:
        gate.open()
        return "open"

    @app.get("/ended")
    def how_it_ended() -> str:
        return "\n".join(ended)

    @app.get("/session/<sid>")
    def session(sid: str) -> str:
        peer = everyday.async_server.eio.sockets.get(sid)
        return "gone" if peer is None else "polling" if peer.polling else "here"

    return app


def _add_handlers(socketio: SocketIO, gate: Gate, ended: list[str]) -> None:
    # Not vial.socketio.emit, which speaks for the last SocketIO of an app.
    def reply(event: str, *args: Any, callback: Any = None) -> None:
        socketio.emit(
            event,
            *args,
            to=request.sid,  # type: ignore[attr-defined]
            namespace=request.namespace,  # type: ignore[attr-defined]
            callback=callback,
        )

    for namespace in ("/", "/custom"):

        @socketio.on("connect", namespace=namespace)
        def connect(auth: Any) -> None:
            reply("auth", auth or {})

        @socketio.on("disconnect", namespace=namespace)
        def leave(reason: str) -> None:
            ended.append(f"{request.sid} {reason}")  # type: ignore[attr-defined]

        @socketio.on("message", namespace=namespace)
        def message(*args: Any) -> None:
            reply("message-back", *args)

        @socketio.on("message-with-ack", namespace=namespace)
        def message_with_ack(*args: Any) -> Any:
            return args

        @socketio.on("ask", namespace=namespace)
        def ask(*args: Any) -> None:
            reply("question", *args, callback=lambda *answer: reply("answered", *answer))

        @socketio.on("kick", namespace=namespace)
        def kick() -> None:
            socketio.server.disconnect(request.sid, request.namespace)  # type: ignore[attr-defined]

        @socketio.on("flood", namespace=namespace)
        async def flood(count: int, size: int) -> None:
            for number in range(count):
                socketio.emit("flood", number, "x" * size)
                await asyncio.sleep(0.001)

        @socketio.on("count", namespace=namespace)
        def count(to: int) -> None:
            for number in range(to):
                reply("number", number)

    @socketio.on("connect", namespace="/refused")
    def refuse() -> None:
        raise ConnectionRefusedError("Not authorized")

    @socketio.on("connect", namespace="/slow")
    def slow() -> None:
        gate.wait()


app = make_app()
