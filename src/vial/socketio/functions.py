"""Functions for handlers: they know which client and namespace the event came from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..ctx import has_request_context
from ..globals import current_app, request

if TYPE_CHECKING:
    from .plain import Sent
    from .server import SocketIO


def emit(
    event: str,
    *args: Any,
    namespace: str | None = None,
    to: Any = None,
    room: Any = None,
    broadcast: bool = False,
    include_self: bool = True,
    skip_sid: Any = None,
    callback: Callable[..., Any] | None = None,
    ignore_queue: bool = False,
) -> Sent:
    """Send an event to the client whose event is being handled, or to others.

    A plain call in sync and async handlers alike; awaiting what it returns does no harm.

    :param event: its name.
    :param args: its arguments: JSON, ``bytes``, or any nesting of the two.
    :param namespace: that of the event being handled, if not given; ``"/"`` is the global one.
    :param to: a room, several rooms, or the ``sid`` of a client.
    :param room: another name of ``to``.
    :param broadcast: to everyone in the namespace.
    :param include_self: False leaves out the client whose event is being handled.
    :param skip_sid: a client to leave out, or a list of them.
    :param callback: called with what the recipient acknowledges.
    :param ignore_queue: only to clients of this process.
    :raises TypeError: for arguments that are neither JSON nor bytes.
    """
    socketio = _socketio()
    return socketio.emit(
        event,
        *args,
        namespace=_namespace(namespace),
        to=_recipient(to, room, broadcast),
        include_self=include_self,
        skip_sid=skip_sid,
        callback=callback,
        ignore_queue=ignore_queue,
    )


def send(message: Any, *, json: bool = False, **kwargs: Any) -> Sent:
    """:func:`emit` the event ``"message"``, or ``"json"`` for ``json=True``."""
    return emit("json" if json else "message", message, **kwargs)


def call(
    event: str,
    *args: Any,
    namespace: str | None = None,
    to: str | None = None,
    room: str | None = None,
    timeout: float = 60,
    ignore_queue: bool = False,
) -> Any:
    """Send an event to a client and return its answer; in an async handler, ``await`` it.

    :param to: the client's ``sid``; by default the client whose event is being handled.
    :param timeout: seconds.
    :raises socketio.exceptions.TimeoutError: without an answer in time.
    """
    socketio = _socketio()
    to = _recipient(to, room, False)
    return socketio.call(event, *args, namespace=_namespace(namespace), to=to, timeout=timeout)


def join_room(room: Any, sid: str | None = None, namespace: str | None = None) -> None:
    """Put the client into a room.

    :param sid: another client.
    :raises ValueError: when it is not connected, or the room is the private one of a client.
    """
    _socketio().server.enter_room(sid or _sid(), room, _namespace(namespace))


def leave_room(room: Any, sid: str | None = None, namespace: str | None = None) -> None:
    """Take the client, or the one with ``sid``, out of a room."""
    _socketio().server.leave_room(sid or _sid(), room, _namespace(namespace))


def close_room(room: Any, namespace: str | None = None) -> None:
    """Take everyone out of a room."""
    _socketio().server.close_room(room, _namespace(namespace))


def rooms(sid: str | None = None, namespace: str | None = None) -> list[Any]:
    """The rooms the client is in, the one named by its own ``sid`` among them."""
    return _socketio().server.rooms(sid or _sid(), _namespace(namespace))


def disconnect(sid: str | None = None, namespace: str | None = None, silent: bool = False) -> Sent:
    """Disconnect the client, or the one with ``sid``, when the handler has ended.

    :param silent: does nothing; Flask-SocketIO has deprecated it.
    """
    return _socketio().server.disconnect(sid or _sid(), _namespace(namespace))


def _socketio() -> SocketIO:
    try:
        return current_app.extensions["socketio"]  # type: ignore[no-any-return]
    except KeyError:
        raise RuntimeError(
            f"The app {current_app.name!r} has no Socket.IO server: make one with SocketIO(app)."
        ) from None


def _sid() -> str:
    sid: str | None = getattr(request, "sid", None) if has_request_context() else None
    if sid is None:
        raise RuntimeError(
            "No Socket.IO event is being handled, so there is no client that this call could be"
            " about. Name one (to=..., sid=...), or send to everyone with broadcast=True."
        )
    return sid


def _namespace(namespace: str | None) -> str:
    if namespace is None and has_request_context():
        namespace = getattr(request, "namespace", None)
    return namespace or "/"


def _recipient(to: Any, room: Any, broadcast: bool) -> Any:
    to = room if to is None else to
    return _sid() if to is None and not broadcast else to
