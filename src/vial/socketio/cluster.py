"""Clients of several worker processes as if they were clients of one.

A worker owns the clients that shook hands with it; the sids that it makes begin with its name. A
request for another's client is carried there (:mod:`vial.socketio.forward`). What is sent to a
room is told to all workers: those of the machine over Unix sockets (:mod:`vial.socketio.mesh`),
others through a broker, if there is one (:mod:`vial.socketio.bus`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from socketio import packet as socket_packet  # type: ignore[import-untyped]

from .bus import RedisBus, Seal
from .forward import RemoteExchange, forward
from .link import Link, Note, Part, pack, unpack
from .mesh import FOLDER_VARIABLE, Mesh, owner_of
from .packets import Packet
from .protocol import Manager, frames_from, frames_of
from .visits import Change

if TYPE_CHECKING:
    from ..app import Vial

#: Acknowledgements of other workers' clients that are waited for; the oldest is given up.
MAX_ASKED = 10_000
#: Seconds that a room's clients have for their acknowledgements when they are others' clients.
ASKED_FOR = 300.0


def make_manager(app: Vial | None, options: dict[str, Any]) -> Manager | None:
    """A manager that knows of other processes; None where there are none.

    :raises ValueError: for a ``message_queue`` that is no address of Redis.
    """
    url = options.get("message_queue")
    folder = os.environ.get(FOLDER_VARIABLE)
    if url is None and folder is None:
        return None
    manager = ClusterManager(Path(folder) if folder else None)
    if url is not None:
        channel = options.get("channel") or "vial-socketio"
        manager.use_redis(url, channel, lambda: _seal(app, options, channel))
    return manager


def _seal(app: Vial | None, options: dict[str, Any], channel: str) -> Seal:
    key = options.get("message_queue_key")
    if key:
        return Seal([key], channel)
    secret = app.config["SECRET_KEY"] if app is not None else None
    if not secret:
        raise RuntimeError(
            "Messages on the queue are signed, and there is no key: set the app's SECRET_KEY, or"
            " give SocketIO(message_queue=..., message_queue_key=...) the same key in every"
            " process. Outside of the app it is the app's SECRET_KEY, if that has no other."
        )
    return Seal([secret, *(app.config.get("SECRET_KEY_FALLBACKS") or ())] if app else [], channel)


class ClusterManager(Manager):
    """The clients of this worker; what is not for these alone is told to the others.

    :param folder: where the workers of this machine listen.
    """

    is_shared = True

    def __init__(self, folder: Path | None) -> None:
        super().__init__()
        self._folder = folder
        self._mesh: Mesh | None = None
        self._bus: RedisBus | None = None
        self._started: asyncio.Task[None] | None = None
        #: To workers that serve a request which came here.
        self._lent: set[Link] = set()
        self._asked: dict[int, tuple[float, Callable[..., Any]]] = {}
        self._last_asked = 0

    def use_redis(self, url: str, channel: str, seal: Callable[[], Seal]) -> None:
        """Also speak to other machines, and with processes that only send."""
        if url.partition("://")[0] not in ("redis", "rediss", "unix"):
            raise ValueError(
                f"message_queue={url!r} is not supported. Give the address of a Redis server:"
                " redis://host:6379/0, rediss:// for TLS, or unix:///path/of/socket."
            )
        if find_spec("redis") is None:
            raise RuntimeError(
                "SocketIO(message_queue=...) needs the package 'redis':"
                " pip install 'vial-web[redis]'."
            )
        log = partial(logger_of, self)
        self._bus = RedisBus(url, channel, seal, self._take_published, log)

    # -- the life of a worker ----------------------------------------------------------------

    async def start(self) -> None:
        """Return when the other workers know of this one; the first call on a loop does it.

        :raises RuntimeError: for a queue without a key.
        :raises OSError: when the workers' folder cannot be used.
        """
        task = self._started
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            self._started = task = asyncio.ensure_future(self._start())
        await asyncio.shield(task)

    async def _start(self) -> None:
        self.stop()
        mesh = Mesh(self._folder, self, self.server.spawn, logger_of(self))
        await mesh.start()
        self._mesh = mesh
        self._name_sids(mesh.id)
        if self._bus is not None:
            await self._bus.start()

    def stop(self) -> None:
        """Leave the others."""
        if self._mesh is not None:
            self._mesh.close()
            self._mesh = None
        if self._bus is not None:
            self._bus.close()

    def _name_sids(self, worker: str) -> None:
        engine = self.server.eio
        make_random = type(engine).generate_id
        engine.generate_id = lambda: f"{worker}.{make_random(engine)}"

    async def forward(self, exchange: Any) -> bool:
        """Have another worker serve a request, if it is for a client of that one."""
        await self.start()
        query = parse_qs(exchange.environ.get("QUERY_STRING", ""))
        owner = owner_of(query.get("sid", [None])[0])
        if owner is None or self._mesh is None:
            return False
        link = await self._mesh.link_to(owner)
        if link is None:
            return False  # it is gone: "unknown session", and the client connects anew
        engine = self.server.eio
        patience = engine.ping_interval + engine.ping_timeout
        self._lent.add(link)
        try:
            await forward(exchange, link, engine.max_http_buffer_size, patience)
        except OSError:
            return False
        finally:
            self._lent.discard(link)
        return True

    def let_go(self) -> None:
        for link in self._lent:
            link.abort()

    async def serve(self, link: Link, note: Note, parts: list[Part]) -> None:
        exchange: Any = RemoteExchange(link, note, parts)
        await self.server.eio.handle_request(exchange)

    # -- sending -----------------------------------------------------------------------------

    def deliver(self, frames: Any, namespace: str, room: Any, skip: Collection[Any]) -> None:
        super().deliver(frames, namespace, room, skip)
        if not self._is_here(namespace, room):
            self._tell_emit(frames, namespace, room, skip, None)

    def deliver_asking(
        self, packet: Any, room: Any, skip: Collection[Any], callback: Callable[..., Any]
    ) -> None:
        super().deliver_asking(packet, room, skip, callback)
        if not self._is_here(packet.namespace, room):
            asked = self._ask(callback)
            packet.id = None
            self._tell_emit(frames_of(packet), packet.namespace, room, skip, asked)

    def _is_here(self, namespace: str, room: Any) -> bool:
        """Whether a recipient is a client of this worker, and not a room with several."""
        return isinstance(room, str) and self.is_sid_room(namespace, room)

    def _ask(self, callback: Callable[..., Any]) -> int:
        if self._mesh is None:
            raise RuntimeError(
                "callback= and call() need a server to take the answer, and this process only"
                " sends."
            )
        now = time.monotonic()
        for number, (until, _) in list(self._asked.items()):
            if until > now and len(self._asked) < MAX_ASKED:
                break
            del self._asked[number]
        self._last_asked += 1
        self._asked[self._last_asked] = (now + ASKED_FOR, callback)
        return self._last_asked

    def _tell_emit(
        self, frames: Any, namespace: str, room: Any, skip: Collection[Any], asked: int | None
    ) -> None:
        skip = [sid for sid in skip if sid is not None]
        note = {"do": "emit", "namespace": namespace, "room": room, "skip": skip, "ask": asked}
        self._tell(note, [frame.data for frame in frames], owner_of(room))

    def _tell(self, note: Note, parts: Sequence[Part] = (), to: str | None = None) -> None:
        """Send a message to the other workers, or to the one that has a client."""
        mesh = self._mesh
        if mesh is not None and to == mesh.id:
            return  # a client of this worker, and it has gone
        note["by"], note["to"] = (mesh.id, to) if mesh is not None else (None, to)
        note["machine"] = mesh.machine if mesh is not None else None
        packed = pack(note, parts)
        if mesh is None:
            self._tell_blocking(packed)
        elif (not mesh.publish(packed, to) or to is None) and self._bus is not None:
            self._bus.publish(packed)

    def _tell_blocking(self, packed: bytes) -> None:
        if self._bus is not None:
            self._bus.publish_blocking(packed)

    # -- clients of other workers ------------------------------------------------------------

    def enter(self, sid: str, namespace: str, room: Any) -> None:
        if self._mesh is not None and owner_of(room) not in (None, self._mesh.id):
            raise ValueError(f"The room {room!r} is the private one of another client.")
        if self.is_of_another(sid, namespace):
            self._tell_about("enter", sid, namespace, room)
            return
        super().enter(sid, namespace, room)

    def leave(self, sid: str, namespace: str, room: Any) -> None:
        if self.is_of_another(sid, namespace):
            self._tell_about("leave", sid, namespace, room)
            return
        super().leave(sid, namespace, room)

    def close(self, room: Any, namespace: str) -> None:
        super().close(room, namespace)
        self._tell({"do": "close", "namespace": namespace, "room": room})

    async def can_disconnect(self, sid: str, namespace: str) -> bool:
        if self.is_of_another(sid, namespace):
            self.disconnect_elsewhere(sid, namespace)
            return False
        return bool(self.is_connected(sid, namespace))

    def disconnect_elsewhere(self, sid: str, namespace: str) -> None:
        self._tell_about("disconnect", sid, namespace)

    def is_of_another(self, sid: str, namespace: str) -> bool:
        """Whether a client is not of this worker, as far as its sid tells."""
        if self._mesh is None:
            return self._bus is not None and not self.is_sid_room(namespace, sid)
        return owner_of(sid) not in (None, self._mesh.id)

    def _tell_about(self, what: str, sid: str, namespace: str, room: Any = None) -> None:
        note = {"do": what, "sid": sid, "namespace": namespace, "room": room}
        self._tell(note, to=owner_of(sid))

    def tell_change(self, change: Change) -> None:
        self._tell({"do": "change", **change._asdict()})

    # -- receiving ---------------------------------------------------------------------------

    def _take_published(self, packed: bytes) -> None:
        mesh = self._mesh
        if mesh is None:
            return
        note, parts = unpack(packed)
        # From a worker of this machine it came by the mesh.
        is_known = note["by"] == mesh.id or (note["machine"] and note["machine"] == mesh.machine)
        if not is_known and note["to"] in (None, mesh.id):
            self.take(note, parts)

    def take(self, note: Note, parts: list[Part]) -> None:
        try:
            getattr(self, f"_do_{note['do']}")(note, parts)
        except Exception:
            # One of another version of Vial; what comes after it may be understood.
            logger_of(self).exception("A message of another worker could not be handled")

    def _do_emit(self, note: Note, parts: list[Part]) -> None:
        namespace, room, skip = note["namespace"], note["room"], note["skip"]
        if note["ask"] is None:
            super().deliver(frames_from(parts), namespace, room, skip)
        else:
            answer = partial(self._answer, note["by"], note["ask"])
            packet = self._packet(parts)
            packet.namespace = namespace
            super().deliver_asking(packet, room, skip, answer)

    def _answer(self, asker: str, asked: int, *args: Any) -> None:
        packet: Any = self.server.packet_class(socket_packet.ACK, list(args))
        note = {"do": "answer", "asked": asked}
        parts: list[Part] = [frame.data for frame in frames_of(packet)]
        self._tell(note, parts, asker)

    def _do_answer(self, note: Note, parts: list[Part]) -> None:
        found = self._asked.get(note["asked"])
        if found is not None:
            answer = found[1](*self._packet(parts).data)
            if asyncio.iscoroutine(answer):
                self.server.spawn(answer)

    def _packet(self, parts: list[Part]) -> Any:
        kind = self.server.packet_class
        if issubclass(kind, Packet):  # whose bounds are for clients
            kind = type("Packet", (kind,), {"decode": socket_packet.Packet.decode})
        packet = kind(encoded_packet=parts[0])
        for attachment in parts[1:]:
            packet.add_attachment(attachment)
        return packet

    def _do_enter(self, note: Note, parts: list[Part]) -> None:
        with suppress(ValueError):  # the client has gone
            super().enter(note["sid"], note["namespace"], note["room"])

    def _do_leave(self, note: Note, parts: list[Part]) -> None:
        super().leave(note["sid"], note["namespace"], note["room"])

    def _do_close(self, note: Note, parts: list[Part]) -> None:
        with suppress(ValueError):
            super().close(note["room"], note["namespace"])

    def _do_change(self, note: Note, parts: list[Part]) -> None:
        self.server.visits.follow(Change(*(note[name] for name in Change._fields)))

    def _do_disconnect(self, note: Note, parts: list[Part]) -> None:
        self.server.spawn(self.server.disconnect(note["sid"], note["namespace"], ignore_queue=True))


def logger_of(manager: Manager) -> logging.Logger:
    """The app's, which warns by default; a process that only sends may have no app."""
    app: Vial | None = manager.server.app
    return app.logger if app is not None else logging.getLogger("vial.socketio")
