"""What a client cannot make the server spend: memory, tasks, time; over a made-up ASGI server."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from socketio_wire import Polling, WebSocket, http, logged, run, scope, until

from vial import Vial, request
from vial.socketio import SocketIO, emit, join_room, leave_room, order, peer, wire
from vial.socketio import engine as engine_module
from vial.socketio.packets import Packet

pytestmark = pytest.mark.slow  # together, not each


@pytest.fixture
def ended(socketio: SocketIO) -> list[str]:
    """Reasons that the disconnect handler got."""
    reasons: list[str] = []
    socketio.on("disconnect")(reasons.append)
    return reasons


class Deaf:
    """A WebSocket that takes ``most`` messages and then no more."""

    def __init__(self, app: Any, most: int = 2) -> None:
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._most = most
        self.taken: list[dict[str, Any]] = []
        for message in ({"type": "websocket.connect"}, {"type": "websocket.receive", "text": "40"}):
            self._to_app.put_nowait(message)
        query = "EIO=4&transport=websocket"
        self.task = asyncio.ensure_future(
            app(scope("websocket", query, None), self._to_app.get, self._take)
        )

    async def _take(self, message: dict[str, Any]) -> None:
        if len(self.taken) > self._most:
            await asyncio.Event().wait()
        self.taken.append(message)


# Options


@pytest.mark.parametrize(
    "name",
    ["connect_timeout", "max_clients", "max_message_rate", "max_rooms", "max_send_queue"],
)
@pytest.mark.parametrize("value", [0, -1, "many", True])
def test_a_bound_that_is_none_is_refused_when_the_program_starts(
    app: Vial, name: str, value: Any
) -> None:
    with pytest.raises(ValueError, match=rf"SocketIO\({name}={value!r}\): give a number over 0"):
        SocketIO(app, **{name: value})


def test_none_is_no_bound_where_there_may_be_none(app: Vial) -> None:
    SocketIO(app, max_clients=None, max_message_rate=None, max_rooms=None)
    with pytest.raises(ValueError, match="max_send_queue=None"):
        SocketIO(app, max_send_queue=None)


# Slow readers


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "SLOW", 0.02)
    for module in (peer, wire):
        monkeypatch.setattr(module, "LINGER", 0.05)


def test_a_client_that_does_not_read_is_dropped_and_the_others_miss_nothing(
    app: Vial, impatient: None
) -> None:
    socketio = SocketIO(app, max_send_queue=20_000)
    ended: list[str] = []
    socketio.on("disconnect")(ended.append)

    async def scenario() -> None:
        reader, deaf = await WebSocket.open(app), Deaf(app)
        await until(lambda: len(deaf.taken) == 3)
        for number in range(100):
            socketio.emit("news", [number, "x" * 1000])
            assert json.loads((await reader.receive())[2:])[1][0] == number
        await asyncio.wait_for(deaf.task, 10)
        assert len(socketio.async_server.eio.sockets) == 1
        socketio.emit("news", "still here")
        assert await reader.receive() == '42["news","still here"]'
        assert ended == ["transport error"]
        await reader.leave()

    run(scenario)


def test_a_client_that_does_not_poll_is_dropped(app: Vial, impatient: None) -> None:
    socketio = SocketIO(app, max_send_queue=20_000)

    async def scenario() -> None:
        client = await Polling.open(app)
        for _ in range(30):  # small ones count as well
            socketio.emit("x")
        await until(lambda: not socketio.async_server.eio.sockets)
        assert (await client.poll()).status == 400

    run(scenario)


def test_a_client_that_reads_in_time_gets_a_long_history_at_once(app: Vial) -> None:
    socketio = SocketIO(app, max_send_queue=20_000)

    @socketio.on("history")
    def history() -> None:
        for number in range(500):
            emit("old", number)

    async def scenario() -> None:
        client = await WebSocket.open(app)
        await client.send('42["history"]')
        assert [await client.receive() for _ in range(500)] == [
            f'42["old",{n}]' for n in range(500)
        ]
        await client.leave()

    run(scenario)


def test_one_large_message_is_no_offence(app: Vial, impatient: None) -> None:
    socketio = SocketIO(app, max_send_queue=20_000)

    async def scenario() -> None:
        client = await Polling.open(app)
        socketio.emit("large", "x" * 100_000)
        await asyncio.sleep(0.1)
        assert len((await client.poll()).text) > 100_000

    run(scenario)


def test_far_too_much_at_once_is_not_kept(app: Vial) -> None:
    socketio = SocketIO(app, max_send_queue=1_000)
    ended: list[str] = []
    socketio.on("disconnect")(ended.append)

    async def scenario() -> None:
        client = await Polling.open(app)
        (session,) = socketio.async_server.eio.sockets.values()
        for _ in range(peer.BURST * 3):
            socketio.emit("x", "x" * 1000)
        assert session.take_now() == []
        await until(lambda: ended)
        assert (await client.poll()).status == 400

    run(scenario)


# Rooms, namespaces


def test_a_client_is_in_a_bounded_number_of_rooms(app: Vial) -> None:
    socketio = SocketIO(app, max_rooms=3)
    socketio.on("join")(join_room)
    socketio.on("leave")(leave_room)
    client = socketio.test_client(app)
    for room in ("a", "b", "c", "a"):
        client.emit("join", room)
    with pytest.raises(ValueError, match=r"is in 3 rooms .* SocketIO\(app, max_rooms=\.\.\.\)"):
        client.emit("join", "d")
    client.emit("leave", "a")
    client.emit("join", "d")
    assert set(socketio.server.rooms(client.eio_sid) or ()) <= {"b", "c", "d"}
    other = socketio.test_client(app)
    other.emit("join", "a")


def test_rooms_have_no_bound_for_those_who_want_none(app: Vial) -> None:
    socketio = SocketIO(app, max_rooms=None)
    sids: list[str] = []

    @socketio.on("join")
    def join() -> None:
        for number in range(1_200):
            join_room(number)
        sids.append(request.sid)  # type: ignore[attr-defined]

    socketio.test_client(app).emit("join")
    assert len(socketio.server.rooms(sids[0])) == 1_201


def test_a_client_joins_a_bounded_number_of_namespaces(app: Vial) -> None:
    SocketIO(app, namespaces="*")

    async def scenario() -> None:
        client = await WebSocket.open(app, connect=False)
        for number in range(100):
            await client.send(f"40/{number},")
            assert (await client.receive()).startswith(f"40/{number},")
        await client.send("40/100,")
        assert await client.end() == 1000

    run(scenario)


# Messages a second, events that wait


def test_messages_over_the_rate_wait_and_are_not_lost(app: Vial) -> None:
    socketio = SocketIO(app, max_message_rate=100)
    loop_time: list[float] = []

    async def scenario() -> None:
        client = await WebSocket.open(app)
        loop = asyncio.get_running_loop()
        begin = loop.time()
        socketio.on("x")(lambda number: loop_time.append(number))
        await client.send(*(f'42["x",{n}]' for n in range(119)), '421["x",119]')
        assert await client.receive() == "431[]"
        assert loop.time() - begin >= 0.19  # a second's worth at once, 20 more at 100 a second
        assert loop_time == list(range(120))
        await client.leave()

    run(scenario)


def test_a_flood_of_events_waits_in_the_network(
    app: Vial, socketio: SocketIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order, "MOST", 10)
    go_on = asyncio.Event()
    seen: list[int] = []

    @socketio.on("x")
    async def x(number: int) -> None:
        await go_on.wait()
        seen.append(number)

    async def scenario() -> None:
        socketio.async_server._patience = None  # async_handlers=False
        client = await WebSocket.open(app)
        await client.send(*(f'42["x",{n}]' for n in range(50)))
        await until(lambda: client._to_app.qsize() <= 40)
        for _ in range(20):
            await asyncio.sleep(0)
        assert client._to_app.qsize() >= 37  # ten wait, one runs, one is in hand
        go_on.set()
        await client.send('421["x",50]')
        assert await client.receive() == "431[]"
        assert seen == list(range(51))
        await client.leave()

    run(scenario)


# Sessions


def test_clients_over_the_bound_are_refused_and_the_log_says_what_to_do(
    app: Vial, caplog: Any
) -> None:
    SocketIO(app, max_clients=2)

    async def scenario() -> None:
        first, _ = await Polling.open(app), await WebSocket.open(app)
        for _ in range(3):
            reply = await http(app)
            assert reply.status == 503 and "Too many clients" in reply.text
        refused = WebSocket(app)
        assert (await refused.message())["type"] == "websocket.close"
        await first.post("1")
        await Polling.open(app)

    run(scenario)
    (record,) = logged(caplog)
    assert "SocketIO(app, max_clients=...)" in record.getMessage()


def test_of_many_handshakes_that_lead_to_nothing_the_oldest_make_room(
    app: Vial, socketio: SocketIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "MAX_STRANGERS", 10)

    async def scenario() -> None:
        member = await Polling.open(app)
        sockets = socketio.async_server.eio.sockets
        for _ in range(100):
            assert (await http(app)).status == 200
            assert len(sockets) <= 11
        assert (await member.post('42["x"]')).text == "ok"
        await until(lambda: len(socketio.async_server.environ) == 11)

    run(scenario)


def test_sessions_that_never_poll_are_reaped(app: Vial) -> None:
    socketio = SocketIO(app, ping_interval=0.02, ping_timeout=0.02)
    server = socketio.async_server

    async def scenario() -> None:
        for _ in range(50):
            assert (await http(app)).status == 200
        await until(lambda: not server.eio.sockets)
        await until(lambda: not server.eio._tasks)
        assert server.environ == {} and server.eio._strangers == {}

    run(scenario)


def test_a_client_that_is_not_monitored_is_pinged_and_may_be_silent(app: Vial) -> None:
    SocketIO(app, ping_interval=0.01, ping_timeout=0.01, monitor_clients=False)

    async def scenario() -> None:
        client = await WebSocket.open(app)
        for _ in range(5):
            assert await client.receive() == "2"
        await client.leave()

    run(scenario)


def test_a_client_has_its_time_to_join_a_namespace(app: Vial) -> None:
    SocketIO(app, connect_timeout=0.02)

    async def scenario() -> None:
        member = await WebSocket.open(app)
        stranger = await WebSocket.open(app, connect=False)
        assert await stranger.end() == 1000
        await member.send('421["x"]', "3")
        await member.leave()

    run(scenario)


def test_a_silent_websocket_ends_though_its_client_never_closes(app: Vial, impatient: None) -> None:
    socketio = SocketIO(app, ping_interval=0.02, ping_timeout=0.02)
    ended: list[str] = []
    socketio.on("disconnect")(ended.append)

    async def scenario() -> None:
        deaf = Deaf(app, most=1000)
        await until(lambda: ended)
        await asyncio.wait_for(deaf.task, 8)  # though no websocket.disconnect ever comes
        assert ended == ["ping timeout"]
        assert socketio.async_server.eio.sockets == {}

    run(scenario)


# Tasks, timers, memory


FLOODS = ["3", "40", "41", "431[]", '42["none"]', "40/none,"]


@pytest.mark.parametrize("packet", FLOODS)
def test_no_packet_makes_more_than_one_task_at_a_time(
    app: Vial, socketio: SocketIO, packet: str
) -> None:
    socketio.on("connect")(lambda: None)
    most: list[int] = []

    async def scenario() -> None:
        client = await WebSocket.open(app)
        before = len(asyncio.all_tasks())
        await client.send(*[packet] * 300)
        while not client.task.done() and client._to_app.qsize():
            most.append(len(asyncio.all_tasks()) - before)
            await asyncio.sleep(0)
        await client.leave()
        assert max(most, default=0) <= 3  # its event, its end, its disconnect handler
        await until(lambda: len(asyncio.all_tasks()) <= before)

    run(scenario)


def test_a_large_polled_body_lets_others_have_their_turn(app: Vial, socketio: SocketIO) -> None:
    turns: list[int] = []

    async def count() -> None:
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    async def scenario() -> None:
        client = await Polling.open(app)
        other = asyncio.ensure_future(count())
        turns.clear()
        assert (await client.post("\x1e".join(["3"] * 20_000))).text == "ok"
        assert len(turns) > 100
        other.cancel()

    run(scenario)


def packets_alive() -> int:
    gc.collect()
    # Not isinstance(): what others keep may be a proxy of what is gone.
    return sum(type(each) is Packet for each in gc.get_objects())


def test_nothing_of_a_binary_event_is_kept_when_it_is_handled(
    app: Vial, socketio: SocketIO
) -> None:
    socketio.on("x")(lambda data: len(data))

    async def scenario() -> None:
        client = await WebSocket.open(app)
        for _ in range(20):
            await client.send('451-1["x",{"_placeholder":true,"num":0}]', b"12345")
            assert await client.receive() == "431[5]"
        assert packets_alive() <= 1
        await client.leave()

    run(scenario)


def test_answers_that_never_come_are_forgotten_with_their_client(
    app: Vial, socketio: SocketIO
) -> None:
    async def scenario() -> None:
        client = await WebSocket.open(app)
        for _ in range(5):
            socketio.emit("x", callback=lambda: None)
        await until(lambda: socketio.async_server.manager.callbacks)
        await client.leave()
        assert socketio.async_server.manager.callbacks == {}

    run(scenario)


def is_empty(socketio: SocketIO) -> bool:
    server = socketio.async_server
    manager, engine = server.manager, server.eio
    kept: list[Any] = [
        server.environ,
        server.tasks,
        server._binary_packet,
        server._leaving,
        manager.rooms,
        manager.callbacks,
        manager.pending_connect,
        manager.pending_disconnect,
        manager._rooms_of,
        manager.opening,
        engine.sockets,
        engine._tasks,
        engine._strangers,
    ]
    return not any(kept)


async def come_and_go(app: Vial, cycle: int) -> None:
    """Connect, join, leave and drop, politely or not."""
    if cycle % 3 == 0:
        client = await Polling.open(app)
        await client.post(f'42["join",{cycle}]\x1e42["leave",{cycle}]\x1e42["join","x"]')
        await client.post(["1", "abc", '451-["x"]\x1e1'][cycle // 3 % 3])
        return
    socket = await WebSocket.open(app)
    await socket.send(f'42["join",{cycle}]', f'42["leave",{cycle}]', '42["join","x"]')
    await socket.send(*[["41", "1"], ["1"], ["40/none,"], ["xyz"], ['451-["x"]']][cycle % 5])
    await socket.leave()


def rounds(app: Vial, socketio: SocketIO, cycles: int) -> Iterator[int]:
    """Objects that are alive after each of two series of cycles."""

    @socketio.on("connect")
    async def connect() -> None:
        join_room("all")

    @socketio.on("join")
    async def join(room: Any) -> None:
        join_room(room)

    @socketio.on("leave")
    async def leave(room: Any) -> None:
        leave_room(room)

    async def scenario() -> None:
        for first in range(0, cycles, 20):
            await asyncio.gather(*(come_and_go(app, first + n) for n in range(20)))
        await until(lambda: is_empty(socketio))
        assert len(asyncio.all_tasks()) == 1
        # Those that were cancelled stay until they are half of all.
        timers: list[Any] = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
        assert [t for t in timers if not t.cancelled()] == []

    for _ in range(2):
        asyncio.run(scenario())
        gc.collect()
        yield len(gc.get_objects())


def test_clients_that_come_and_go_leave_nothing_behind(app: Vial, socketio: SocketIO) -> None:
    assert len(list(rounds(app, socketio, 60))) == 2


@pytest.mark.slow
def test_ten_thousand_clients_that_come_and_go_leave_nothing_behind(
    app: Vial, socketio: SocketIO
) -> None:
    first, second = rounds(app, socketio, 5_000)
    assert second - first < 500


# Anything at all


TYPES = st.sampled_from(["", *"0123456789", "b"])
SOCKETIO = st.sampled_from(["", *"01234567"])
PARTS = st.sampled_from(
    [
        "",
        "1-",
        "10-",
        "/",
        "/a,",
        "/custom,",
        "7",
        "[]",
        '["x"]',
        '["x",{"_placeholder":true,"num":0}]',
        '{"a":1}',
        "null",
        "[" * 2000,
        "\x1e",
        "\udc80",
        "é",
    ]
)
PACKETS = st.builds(
    lambda *parts: "".join(parts), TYPES, SOCKETIO, st.lists(PARTS, max_size=4).map("".join)
)
FRAMES = st.lists(st.one_of(PACKETS, st.text(max_size=20), st.binary(max_size=20)), max_size=12)


@given(FRAMES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_frames_make_the_server_stumble(
    app: Vial, caplog: Any, frames: list[str | bytes]
) -> None:
    socketio = SocketIO(app, namespaces=["/", "/custom"])
    socketio.on("x")(lambda *args: emit("x", args))

    async def scenario() -> None:
        client = await WebSocket.open(app)
        await client.send(*frames)
        await client.send("2")  # which no client sends: the end
        assert await client.end() in (1000, 1002)
        await until(lambda: is_empty(socketio))

    run(scenario)
    assert logged(caplog) == []


@given(st.lists(st.one_of(PACKETS, st.text(max_size=20)), max_size=12), st.binary(max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_bodies_make_the_server_stumble(
    app: Vial, caplog: Any, packets: list[str], tail: bytes
) -> None:
    socketio = SocketIO(app, namespaces=["/", "/custom"])
    socketio.on("x")(lambda *args: emit("x", args))

    async def scenario() -> None:
        client = await Polling.open(app)
        body = "\x1e".join(packets).encode(errors="surrogatepass") + tail
        reply = await client.post([body])
        assert (reply.status, reply.text) == (200, "ok") or reply.status == 400
        if reply.status == 200:
            with suppress(TimeoutError):
                await asyncio.wait_for(client.post("2"), 5)
        assert (await client.poll()).status == 400
        await until(lambda: is_empty(socketio))

    run(scenario)
    assert logged(caplog) == []
