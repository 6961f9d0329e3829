"""Socket.IO: events in both directions between pages and the app, with Flask-SocketIO's names.

Needs the extra: ``pip install vial-web[socketio]``.
"""

from socketio.exceptions import ConnectionRefusedError  # type: ignore[import-untyped]

from .functions import (
    call,
    close_room,
    disconnect,
    emit,
    join_room,
    leave_room,
    rooms,
    send,
)
from .namespace import Namespace
from .payloads import InvalidArguments
from .server import SocketIO
from .testing import SocketIOTestClient

__all__ = [
    "ConnectionRefusedError",
    "InvalidArguments",
    "Namespace",
    "SocketIO",
    "SocketIOTestClient",
    "call",
    "close_room",
    "disconnect",
    "emit",
    "join_room",
    "leave_room",
    "rooms",
    "send",
]
