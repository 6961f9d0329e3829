"""Each argument of SocketIO() and what it does."""

from __future__ import annotations

import asyncio
import json as std_json
import logging
from typing import Any

import msgpack
import pytest
from socketio import packet as socket_packet
from socketio_kits import Wire
from socketio_wire import Polling, WebSocket, http, run

from vial import Vial
from vial.socketio import SocketIO, call, emit

EVERY_OPTION: dict[str, Any] = {
    "manage_session": True,
    "message_queue": None,
    "channel": "flask-socketio",
    "path": "socket.io",
    "resource": None,
    "client_manager": None,
    "logger": False,
    "serializer": "default",
    "json": None,
    "async_handlers": True,
    "always_connect": False,
    "namespaces": ["/"],
    "async_mode": "threading",
    "ping_interval": (25, 5),
    "ping_timeout": 20,
    "max_http_buffer_size": 1_000_000,
    "allow_upgrades": True,
    "http_compression": True,
    "compression_threshold": 1024,
    "cookie": None,
    "cors_allowed_origins": [],
    "cors_credentials": True,
    "monitor_clients": True,
    "transports": ["polling", "websocket"],
    "engineio_logger": False,
}


def test_every_documented_option_is_taken(app: Vial) -> None:
    SocketIO(app, **EVERY_OPTION).on("x")(lambda: 1)
    later = SocketIO()
    later.init_app(Vial("other", static_folder=None), **EVERY_OPTION)


@pytest.mark.parametrize("mode", ["threading", "eventlet", "gevent", "gevent_uwsgi", "asgi", None])
def test_async_modes_are_taken_and_mean_nothing(app: Vial, mode: Any) -> None:
    assert SocketIO(app, async_mode=mode).async_mode == "asgi"


# serializer


def pack(kind: int, **fields: Any) -> bytes:
    return msgpack.packb({"type": kind, "nsp": "/", **fields})  # type: ignore[no-any-return]


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_message_pack(app: Vial, transport: str) -> None:
    socketio = SocketIO(app, serializer="msgpack")

    @socketio.on("echo")
    def echo(*args: Any) -> Any:
        emit("back", args, broadcast=True)
        return len(args), b"\x00"

    socketio.on("ask")(lambda: emit("answered", call("question", 1, timeout=5)))

    async def scenario() -> None:
        client: Any = await opened(app, transport)
        assert set(client.connected) == {"type", "data", "nsp"}
        await client.send(pack(2, data=["echo", 1, b"\xff", {"a": None}], id=7))
        assert await client.receive() == {
            "type": 2,
            "data": ["back", 1, b"\xff", {"a": None}],
            "nsp": "/",
        }
        assert await client.receive() == {"type": 3, "data": [3, b"\x00"], "nsp": "/", "id": 7}
        await client.send(pack(2, data=["ask"], options={"compress": True}))
        question = await client.receive()
        assert question["data"] == ["question", 1]
        await client.send(pack(3, data=["yes"], id=question["id"]))
        assert (await client.receive())["data"] == ["answered", "yes"]

    run(scenario)


class Packed:
    """A client that speaks MessagePack by one of the transports."""

    def __init__(self, app: Vial, inner: Any) -> None:
        self.app = app
        self.inner = inner
        self.connected: Any = None
        self._waiting: list[Any] = []

    async def send(self, packed: bytes) -> None:
        if isinstance(self.inner, WebSocket):
            await self.inner.send(packed)
        else:
            from base64 import b64encode

            assert (await self.inner.post(f"b{b64encode(packed).decode()}")).text == "ok"

    async def receive(self) -> Any:
        if isinstance(self.inner, WebSocket):
            return msgpack.unpackb(await self.inner.receive())
        from base64 import b64decode

        while not self._waiting:
            frames = (await self.inner.poll()).text.split("\x1e")
            self._waiting += [msgpack.unpackb(b64decode(frame[1:])) for frame in frames]
        return self._waiting.pop(0)


async def opened(app: Vial, transport: str) -> Packed:
    kind: Any = WebSocket if transport == "websocket" else Polling
    client = Packed(app, await kind.open(app, connect=False))
    await client.send(pack(0))
    client.connected = await client.receive()
    return client


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\xc1",
        msgpack.packb([1, 2]),
        msgpack.packb({"type": 2}),
        pack(7, data=["x"]),
        pack(True, data=["x"]),
        pack(2, data="x"),
        pack(2, data=["connect"]),
        pack(2, data=[["x"]]),
        pack(2, data=["x"], id="1"),
        pack(2, data=["x"], id=-1),
        pack(2, data=["x"], nsp=["/"]),
        pack(2, data=["x"], nsp="x"),
        pack(3, data=["x"], id=99) + b"more",
        b"\x91" * 2_000,
    ],
)
def test_what_is_no_packet_of_message_pack_ends_the_connection(app: Vial, packed: bytes) -> None:
    socketio = SocketIO(app, serializer="msgpack")
    socketio.on("*")(lambda *args: pytest.fail("an event came out of that"))

    async def scenario() -> None:
        client = await opened(app, "websocket")
        await client.send(packed)
        await client.inner.end()

    run(scenario)


def test_text_where_message_pack_is_spoken_ends_the_connection(app: Vial) -> None:
    SocketIO(app, serializer="msgpack")

    async def scenario() -> None:
        client = await opened(app, "websocket")
        await client.inner.send('42["x"]')
        await client.inner.end()

    run(scenario)


def test_the_test_client_speaks_message_pack_too(app: Vial) -> None:
    socketio = SocketIO(app, serializer="msgpack")
    socketio.on("x")(lambda *args: [*args])
    assert socketio.test_client(app).emit("x", b"\x01", 2, callback=True) == [b"\x01", 2]
    with pytest.raises(TypeError, match="can not serialize 'set' object"):
        socketio.emit("x", {1})


def test_a_serializer_of_the_program(app: Vial) -> None:
    class Shouting(socket_packet.Packet):  # type: ignore[misc]
        def encode(self) -> Any:
            encoded = super().encode()
            return encoded.replace("tea", "TEA")

    socketio = SocketIO(app, serializer=Shouting)
    socketio.on("x")(lambda: "tea")
    assert socketio.test_client(app).emit("x", callback=True) == "TEA"


@pytest.mark.parametrize("serializer", ["pickle", "cbor", "json"])
def test_other_serializers_are_refused(app: Vial, serializer: str) -> None:
    with pytest.raises(ValueError, match=r"There are 'default' and 'msgpack', or give a subclass"):
        SocketIO(app, serializer=serializer)


def test_message_pack_that_is_not_installed_is_named(app: Vial, monkeypatch: Any) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "vial.socketio.packed", None)
    with pytest.raises(RuntimeError, match="needs the package msgpack: pip install msgpack"):
        SocketIO(app, serializer="msgpack")


# What the transports are told


def test_upgrades_and_transports(app: Vial) -> None:
    SocketIO(app, transports=["polling"])

    async def scenario() -> None:
        reply = await http(app)
        assert std_json.loads(reply.text[1:])["upgrades"] == []
        client = WebSocket(app)
        assert (await client.message())["type"] != "websocket.accept"

    run(scenario)


@pytest.mark.parametrize(("allow", "upgrades"), [(True, ["websocket"]), (False, [])])
def test_upgrades_may_be_forbidden(app: Vial, allow: bool, upgrades: list[str]) -> None:
    SocketIO(app, allow_upgrades=allow)

    async def scenario() -> None:
        assert std_json.loads((await http(app)).text[1:])["upgrades"] == upgrades

    run(scenario)


def test_a_cookie_may_have_attributes_that_are_computed(app: Vial) -> None:
    SocketIO(app, cookie={"name": "io", "Path": lambda: "/chat", "HttpOnly": True, "Secure": False})
    wire = Wire(app)
    (cookie,) = wire.reply.headers.getlist("Set-Cookie")
    assert cookie == f"io={wire.handshake['sid']}; Path=/chat; HttpOnly"


def test_messages_over_the_limit_end_the_connection(app: Vial) -> None:
    SocketIO(app, max_http_buffer_size=20)

    async def scenario() -> None:
        client = await WebSocket.open(app)
        await client.send("42" + std_json.dumps(["x", "y" * 30]))
        assert await client.end() == 1009

    run(scenario)


@pytest.mark.parametrize("monitored", [True, False])
def test_silent_clients_are_sent_away_where_they_are_monitored(app: Vial, monitored: bool) -> None:
    socketio = SocketIO(app, monitor_clients=monitored, ping_interval=0.1, ping_timeout=0.1)
    socketio.on("x")(lambda: None)

    async def scenario() -> None:
        client = await WebSocket.open(app)
        if monitored:
            await client.end()
        else:
            await asyncio.sleep(0.4)
            await client.send('421["x"]')
            while (await client.receive()) != "431[]":
                pass

    run(scenario)


# Logging


def test_the_loggers_of_both_protocols(app: Vial, caplog: Any) -> None:
    mine, engine = logging.getLogger("mine"), logging.getLogger("mine.engine")
    SocketIO(app, logger=mine, engineio_logger=engine).on("x")(lambda: None)

    async def scenario() -> None:
        client = await WebSocket.open(app)
        await client.send("nonsense")
        await client.end()

    with caplog.at_level(logging.INFO, "mine"):
        run(scenario)
    assert {record.name for record in caplog.records} >= {"mine.engine"}
