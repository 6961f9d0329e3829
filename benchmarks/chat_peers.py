"""The same chat for each Socket.IO server, as a user of that server would write it.

What a client says goes to all clients; a client may also join a table, and tell something to
those who sit there. Each builder returns an application and imports its framework only when called.
"""

from __future__ import annotations

import sys
from typing import Any


def vial() -> Any:
    from vial import Vial
    from vial.socketio import SocketIO, emit, join_room

    app = Vial(__name__, static_folder=None)
    socketio = SocketIO(app)

    @socketio.on("say")
    async def say(data: Any) -> None:
        emit("chat", data, broadcast=True)

    @socketio.on("join")
    async def join(table: int) -> None:
        join_room(table)

    @socketio.on("tell")
    async def tell(table: int, data: Any) -> None:
        emit("chat", data, to=table)

    return app


def vial_sync() -> Any:
    """The text of the chat for Flask-SocketIO."""
    from vial import Vial
    from vial.socketio import SocketIO, emit

    app = Vial(__name__, static_folder=None)
    socketio = SocketIO(app)

    @socketio.on("say")
    def say(data: Any) -> None:
        emit("chat", data, broadcast=True)

    return app


def python_socketio() -> Any:
    import socketio

    server = socketio.AsyncServer(async_mode="asgi")

    async def say(sid: str, data: Any) -> None:
        await server.emit("chat", data)

    async def join(sid: str, table: int) -> None:
        await server.enter_room(sid, table)

    async def tell(sid: str, table: int, data: Any) -> None:
        await server.emit("chat", data, to=table)

    for handler in (say, join, tell):
        server.on(handler.__name__, handler)
    return socketio.ASGIApp(server)


def flask_socketio(port: int) -> None:
    """On threads, the one way of Flask-SocketIO that needs no patched standard library."""
    from flask import Flask
    from flask_socketio import SocketIO, emit

    app = Flask(__name__, static_folder=None)
    socketio = SocketIO(app, async_mode="threading")

    @socketio.on("say")
    def say(data: Any) -> None:
        emit("chat", data, broadcast=True)

    socketio.run(app, port=port, allow_unsafe_werkzeug=True)


if __name__ == "__main__":
    globals()[sys.argv[1]](int(sys.argv[2]))
