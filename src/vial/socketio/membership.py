"""Rooms with a bound, and the door of a namespace."""

from __future__ import annotations

from typing import Any

#: Rooms that one client may be in, in one namespace; ``SocketIO(max_rooms=...)``.
MAX_ROOMS = 1_000


class Rooms:
    """What is kept differently than in python-socketio's manager, which it is mixed into.

    A client's rooms are known by the client: upstream goes through all rooms of the namespace
    whenever one leaves. And a client that is still in its connect handler gets what is sent to it
    after the answer to its CONNECT, not before.
    """

    server: Any
    max_rooms: int | None = MAX_ROOMS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rooms_of: dict[tuple[str, str], dict[Any, None]] = {}
        #: What was sent to clients in their connect handlers.
        self.opening: dict[str, list[Any]] = {}

    def basic_enter_room(
        self, sid: str, namespace: str, room: Any, eio_sid: str | None = None
    ) -> None:
        """
        :raises ValueError: when the client is not connected, when the room is the private one of
            another, or when it is one too many.
        """
        mine = self._rooms_of.get((namespace, sid), {})
        # Its own room and the namespace's are none that it has joined.
        most = None if self.max_rooms is None else self.max_rooms + 2
        if most is not None and len(mine) >= most and room not in mine:
            raise ValueError(
                f"The client {sid!r} is in {self.max_rooms} rooms of {namespace!r}. If it may be"
                " in more: SocketIO(app, max_rooms=...)."
            )
        super().basic_enter_room(sid, namespace, room, eio_sid)  # type: ignore[misc]
        self._rooms_of.setdefault((namespace, sid), {})[room] = None

    def basic_leave_room(self, sid: str, namespace: str, room: Any) -> None:
        super().basic_leave_room(sid, namespace, room)  # type: ignore[misc]
        mine = self._rooms_of.get((namespace, sid))
        if mine is not None:
            mine.pop(room, None)
            if not mine:
                del self._rooms_of[namespace, sid]

    def basic_disconnect(self, sid: str, namespace: str, **kwargs: Any) -> None:
        self.opening.pop(sid, None)
        for room in tuple(self._rooms_of.get((namespace, sid), ())):
            self.basic_leave_room(sid, namespace, room)
        self.callbacks.pop(sid, None)
        for pending in (self.pending_connect, self.pending_disconnect):
            if sid in pending.get(namespace, ()):
                pending[namespace].remove(sid)
                if not pending[namespace]:
                    del pending[namespace]

    def get_rooms(self, sid: str, namespace: str) -> list[Any]:
        return [r for r in self._rooms_of.get((namespace, sid), ()) if r is not None]

    callbacks: dict[str, Any]
    pending_connect: dict[str, list[str]]
    pending_disconnect: dict[str, list[str]]

    async def pre_connect(self, eio_sid: str, namespace: str) -> str | None:
        sid: str | None = await super().pre_connect(eio_sid, namespace)  # type: ignore[misc]
        if sid is not None and not self.server.always_connect:
            self.opening[sid] = []
        return sid

    async def connect(self, sid: str, namespace: str) -> str | None:
        connected: str | None = await super().connect(sid, namespace)  # type: ignore[misc]
        frames = self.opening.pop(sid, None)
        if frames:
            self.server.put(self.eio_sid_from_sid(sid, namespace), frames)  # type: ignore[attr-defined]
        return connected
