"""Socket.IO: what is said, deleted and seen, on every page that is open.

What a handler returns is the acknowledgement that the page waits for. What a person may not do is
answered with the reason.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from weakref import ref

from vial import Vial, current_app, request, session
from vial.login import current_user
from vial.socketio import ConnectionRefusedError, InvalidArguments, disconnect, emit, join_room

from ..extensions import socketio
from ..models import Message, Refused, chat
from ..models.chat import ALIVE, STALE

LISTED = 200
"""How many people are named; of the others there is the number."""
TOGETHER = 0.2
"""Seconds in which comings and goings are told together."""

Answer = dict[str, Any]


class LoggedOut(Refused):
    """The session that a page has is over."""


@socketio.on("connect")
def let_in() -> None:
    if not current_user.is_authenticated:
        raise ConnectionRefusedError("You are logged out.")


@socketio.on("join")
def join(room: str, since: int) -> Answer:
    """A page opened, or is back: it gets what changed since the last change that it has."""
    me = person()
    chat.check_member(me, room)
    join_room(room_channel(room))  # before the messages are read, so that none falls between
    messages, last, fresh = chat.catch_up(me, room, since)
    session["room"] = room
    presence().arrived(request.sid, room, me.id)
    people = people_in(room)
    return {"messages": plain(messages), "last": last, "fresh": fresh, **people}


@socketio.on("say")
def say(text: str, key: str) -> Answer:
    message = asdict(chat.say(person(), room_of_page(), text, key))
    emit("said", message, to=room_channel(message["room"]))
    return {"message": message}


@socketio.on("delete")
def delete(id: int) -> Answer:
    """Everybody sees at once that the message is gone."""
    message = asdict(chat.delete(person(), room_of_page(), id))
    emit("said", message, to=room_channel(message["room"]))
    return {"message": message}


@socketio.on("older")
def older(before: int) -> Answer:
    return {"messages": plain(chat.older(person(), room_of_page(), before))}


@socketio.on("disconnect")
def gone() -> None:
    if "room" in session:
        presence().left(request.sid, session["room"])


@socketio.on_error_default
def answer_error(error: Exception) -> Answer:
    if isinstance(error, LoggedOut):
        disconnect()
    if isinstance(error, Refused):
        return {"error": str(error)}
    if isinstance(error, InvalidArguments):
        return {"error": "This page does not fit the server any more. Please reload it."}
    current_app.logger.error("an event failed", exc_info=error)
    return {"error": "Something went wrong here. Please try again."}


def person() -> Any:
    """Who sent this event, as of now."""
    if not current_user.is_authenticated:
        raise LoggedOut("You are logged out.")
    return current_user


def room_of_page() -> str:
    if "room" not in session:
        raise Refused("This page is not in a room any more. Please reload it.")
    room: str = session["room"]
    return room


def room_channel(room: str) -> str:
    """The room of Socket.IO. Without the prefix somebody could name a room as a connection."""
    return f"room:{room}"


def plain(messages: list[Message]) -> list[Answer]:
    return [asdict(message) for message in messages]


# Who is here


def people_in(room: str) -> Answer:
    """By the number a page knows an older list that comes after a newer one."""
    number = time.time_ns() // 1000
    people = chat.here(room)
    return {"people": people[:LISTED], "count": len(people), "number": number}


def say_who_is_here(room: str) -> None:
    told = people_in(room)
    socketio.emit("people", told["people"], told["count"], told["number"], to=room_channel(room))


def presence() -> Presence:
    found: Presence = current_app.extensions["presence"]
    return found


class Presence:
    """Keeps the list of who is here true, for the pages of this worker process."""

    def __init__(self, app: Vial) -> None:
        self._app = ref(app)
        self._grace: float = app.config["GRACE"]
        self._pages: dict[str, str] = {}  # sid → room
        self._telling: set[str] = set()
        self._beating = False

    @property
    def worker(self) -> str:
        return f"{socket.gethostname()[:40]} {os.getpid()}"  # not yet known before a fork

    def arrived(self, sid: str, room: str, user: str) -> None:
        chat.store.arrive(sid, room, user, self.worker, time.time())
        self._pages[sid] = room
        socketio.start_background_task(self._tell_soon, room)
        if not self._beating:
            self._beating = True
            socketio.start_background_task(self._beat)

    def left(self, sid: str, room: str) -> None:
        self._pages.pop(sid, None)
        socketio.start_background_task(self._forget, sid, room)

    async def _forget(self, sid: str, room: str) -> None:
        await asyncio.sleep(self._grace)
        await self._do(lambda: chat.store.depart(sid))
        await self._tell_soon(room)

    async def _tell_soon(self, room: str) -> None:
        """Where a hundred come back at once, nobody needs a hundred lists."""
        if room in self._telling:
            return
        self._telling.add(room)
        await asyncio.sleep(TOGETHER)
        self._telling.discard(room)
        await self._do(lambda: say_who_is_here(room))

    async def _beat(self) -> None:
        """Say that this worker is alive, as long as it has pages; those of a dead one go."""
        while self._pages:
            await asyncio.sleep(ALIVE)
            await self._do(self._say_alive)
            await asyncio.gather(*map(self._tell_soon, set(self._pages.values())))
        self._beating = False

    def _say_alive(self) -> None:
        now = time.time()
        chat.store.beat(self.worker, now, now - STALE)

    async def _do(self, work: Callable[[], None]) -> None:
        """Run it in a thread, with the application; what fails is logged and no more."""
        app = self._app()
        if app is None:
            return

        def run() -> None:
            with app.app_context():
                try:
                    work()
                except Exception:
                    app.logger.exception("who is here could not be kept")

        await asyncio.to_thread(run)
