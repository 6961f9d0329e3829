"""Socket.IO packets from clients that do what they should not; over a made-up ASGI server."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from socketio_wire import Polling, WebSocket, logged, run, until

from vial import Vial, request
from vial.socketio import ConnectionRefusedError, SocketIO, emit, join_room


@pytest.fixture
def ended(socketio: SocketIO) -> list[str]:
    """Reasons that the disconnect handler got."""
    reasons: list[str] = []
    socketio.on("disconnect")(reasons.append)
    return reasons


BAD_PACKETS = [
    '42{"not":"a list"}',
    "42[]",
    "42[1]",
    '42"text"',
    "42",
    "4z",
    "42/a",
    "49",
    '44{"message":"x"}',  # CONNECT_ERROR is for servers
    '42["connect"]',
    '42["disconnect","client disconnect"]',
    '42["newListener"]',
    "42" + "[" * 9000,
    "4" + "2" * 200,
    '451-["x"]',  # with text instead of the attachment
    '4511-["x",{"_placeholder":true,"num":0}]',
    '4599999999999-["x"]',
    '452-/none,["x"]',
]


@pytest.mark.parametrize("packet", BAD_PACKETS)
def test_a_bad_packet_ends_the_connection_quietly(
    app: Vial, socketio: SocketIO, ended: list[str], caplog: Any, packet: str
) -> None:
    connected: list[Any] = []
    socketio.on("connect")(lambda: connected.append(1))

    async def scenario() -> None:
        client = await WebSocket.open(app)
        await client.send(packet, '42["after"]', '42["after"]')
        assert await client.end() in (1000, 1002)

    run(scenario)
    assert len(ended) == 1 and connected == [1]
    assert logged(caplog) == []


def test_an_attachment_that_is_missing_or_not_announced_ends_the_connection(
    app: Vial, socketio: SocketIO, ended: list[str]
) -> None:
    socketio.on("message")(emit_back := lambda *args: emit("back", *args))
    assert emit_back

    async def scenario() -> None:
        client = await WebSocket.open(app)
        await client.send('451-["message",{"_placeholder":true,"num":0}]', b"\x01")
        assert [await client.receive() for _ in range(2)][1] == b"\x01"
        await client.send(b"\x02")
        assert await client.end() == 1000
        client = await WebSocket.open(app)
        await client.send('451-["message",{"_placeholder":true,"num":7}]', b"\x01")
        assert await client.end() == 1000

    run(scenario)
    assert ended == ["transport error"] * 2


def test_binary_before_a_connect_is_refused(app: Vial, socketio: SocketIO) -> None:
    async def scenario() -> None:
        client = await WebSocket.open(app, connect=False)
        await client.send('451-["x",{"_placeholder":true,"num":0}]')
        assert await client.end() == 1000
        assert socketio.async_server._binary_packet == {}

    run(scenario)


def test_ten_attachments_are_the_most(app: Vial, socketio: SocketIO) -> None:
    socketio.on("count")(lambda *args: len(args))

    async def scenario() -> None:
        client = await WebSocket.open(app)
        parts = ",".join(json.dumps({"_placeholder": True, "num": n}) for n in range(10))
        await client.send(f'4510-1["count",{parts}]', *[b"x"] * 10)
        assert await client.receive() == "431[10]"

    run(scenario)


def test_attachments_that_never_come_are_forgotten(app: Vial) -> None:
    socketio = SocketIO(app, ping_interval=0.02, ping_timeout=0.02)
    pending = socketio.async_server._binary_packet

    async def scenario() -> None:
        client = await WebSocket.open(app)
        await client.send('452-["x"]', b"1")
        await until(lambda: pending)
        await client.leave()
        assert pending == {}
        client = await WebSocket.open(app)
        await client.send('452-["x"]', b"1")
        await until(lambda: pending)
        while client.closed is None:
            message = await client.message()
            if message.get("text") == "2":
                await client.send("3")
        assert pending == {}

    run(scenario)


@pytest.mark.parametrize("packet", ['420["x"]', '42["x"]', "431[]", "41", "41/other,"])
def test_a_client_that_begins_with_anything_but_a_connect_is_cut_off(
    app: Vial, socketio: SocketIO, packet: str
) -> None:
    seen: list[Any] = []
    socketio.on("connect")(lambda: seen.append("connect"))
    socketio.on("x")(lambda: seen.append("x"))

    async def scenario() -> None:
        client = await WebSocket.open(app, connect=False)
        await client.send(packet, "40")
        assert await client.end() == 1000

    run(scenario)
    assert seen == []


def test_an_unknown_namespace_is_refused_by_name(app: Vial, socketio: SocketIO) -> None:
    socketio.on("x", namespace="/known")(lambda: "x")

    async def scenario() -> None:
        client = await WebSocket.open(app)
        await client.send("40/unknown,", "40/known,")
        assert await client.receive() == '44/unknown,{"message":"Invalid namespace"}'
        assert (await client.receive()).startswith("40/known,{")

    run(scenario)


@pytest.mark.parametrize(
    ("args", "packet"),
    [
        ((), '44{"message":"Connection rejected by server"}'),
        (("banned",), '44{"message":"banned"}'),
        (("banned", {"until": 1}), '44{"message":"banned","data":{"until":1}}'),
    ],
)
def test_a_refusal_tells_the_client_why(
    app: Vial, socketio: SocketIO, args: Any, packet: str
) -> None:
    @socketio.on("connect")
    def connect() -> None:
        raise ConnectionRefusedError(*args)

    async def scenario() -> None:
        client = await WebSocket.open(app, connect=False)
        await client.send("40")
        assert await client.receive() == packet

    run(scenario)


def test_a_client_that_leaves_while_it_connects_is_disconnected(
    app: Vial, socketio: SocketIO, ended: list[str]
) -> None:
    go_on = asyncio.Event()

    @socketio.on("connect")
    async def connect() -> None:
        join_room("tea")
        await go_on.wait()

    async def scenario() -> None:
        client = await Polling.open(app, connect=False)
        connecting = asyncio.ensure_future(client.post("40"))
        await asyncio.sleep(0.01)
        await client.post("1")
        go_on.set()
        await connecting
        assert ended == ["transport close"]
        assert socketio.async_server.manager.rooms == {}

    run(scenario)


def test_a_client_can_say_goodbye_and_its_last_words_are_heard(
    app: Vial, socketio: SocketIO, lane: Any
) -> None:
    order: list[Any] = []

    def slow(text: str) -> None:
        time.sleep(0.02)
        order.append(text)

    socketio.on("say")(lane(slow))
    socketio.on("disconnect")(lane(lambda reason: order.append(reason)))

    async def scenario() -> None:
        client = await Polling.open(app)
        await client.post('42["say","one"]\x1e42["say","bye"]\x1e41\x1e1')

    run(scenario)
    assert order == ["one", "bye", "client disconnect"]


def test_a_disconnect_is_handled_once_whoever_causes_it(
    app: Vial, socketio: SocketIO, ended: list[str]
) -> None:
    @socketio.on("kick")
    def kick() -> None:
        for _ in range(3):
            socketio.server.disconnect(request.sid)  # type: ignore[attr-defined]

    async def scenario() -> None:
        client = await WebSocket.open(app)
        await client.send('42["kick"]')
        assert await client.receive() == "41"
        await client.send("41", "1")
        await client.leave()
        await until(lambda: not socketio.async_server.tasks)

    run(scenario)
    assert len(ended) == 1


def test_events_of_one_client_are_handled_in_order(
    app: Vial, socketio: SocketIO, lane: Any
) -> None:
    seen: list[int] = []
    socketio.on("n")(lane(seen.append))
    socketio.on("end")(lane(lambda: None))

    async def scenario() -> None:
        client = await WebSocket.open(app)
        await client.send(*(f'42["n",{n}]' for n in range(300)), '421["end"]')
        assert await client.receive() == "431[]"

    run(scenario)
    assert seen == list(range(300))


def test_a_handler_that_runs_for_long_does_not_hold_up_the_next_event(
    app: Vial, socketio: SocketIO
) -> None:
    stopped = asyncio.Event()

    @socketio.on("start")
    async def start() -> None:
        await stopped.wait()

    socketio.on("stop")(lambda: socketio.async_server.home.post(stopped.set))

    async def scenario() -> None:
        client = await WebSocket.open(app)
        await client.send('421["start"]', '422["stop"]')
        assert {await client.receive(), await client.receive()} == {"431[]", "432[]"}

    run(scenario)


def test_clients_do_not_wait_for_each_other(app: Vial, socketio: SocketIO) -> None:
    go_on = asyncio.Event()

    @socketio.on("wait")
    async def wait() -> None:
        await go_on.wait()

    @socketio.on("go")
    async def go() -> None:
        go_on.set()

    async def scenario() -> None:
        one, two = await WebSocket.open(app), await WebSocket.open(app)
        start = time.monotonic()
        await one.send('421["wait"]')
        await two.send('421["go"]')
        assert [await one.receive(), await two.receive()] == ["431[]", "431[]"]
        assert time.monotonic() - start < 0.09

    run(scenario)


def test_what_a_client_sends_cannot_forge_lines_of_the_log(app: Vial, caplog: Any) -> None:
    for name in ("vial.socketio", "vial.socketio.engine"):
        caplog.set_level("INFO", logger=name)  # and back, from what logger=True makes of it
    socketio = SocketIO(app, logger=True, engineio_logger=True)
    socketio.on("*")(lambda *args: None)

    async def scenario() -> None:
        client = await WebSocket.open(app)
        await client.send('421["x\\nERROR \\u001b[31m"]')
        assert await client.receive() == "431[]"

    run(scenario)
    messages = [record.getMessage() for record in logged(caplog)]
    assert any("ERROR" in message for message in messages)
    assert all(message.isprintable() for message in messages)
