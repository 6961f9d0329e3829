"""Writing to many WebSockets: order, at most one send under way, clients that do not read."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest
from socketio_wire import WebSocket, run, until

from vial import Vial
from vial.socketio import SocketIO, emit
from vial.socketio import peer as peers
from vial.socketio.fanout import DEEP, Pipe, Rounds, begun

pytestmark = pytest.mark.slow  # together, not each


class Sending:
    """A send that ends when the test says so; as granian's, it keeps one callback."""

    def __init__(self, frame: Any) -> None:
        self.frame = frame
        self.is_done = self.is_cancelled = False
        self._callback: Callable[[Any], None] | None = None

    def done(self) -> bool:
        return self.is_done

    def cancel(self) -> None:
        self.is_cancelled = True
        self.end()

    def end(self) -> None:
        self.is_done = True
        if self._callback is not None:
            asyncio.get_running_loop().call_soon(self._callback, self)

    def add_done_callback(self, callback: Callable[[Any], None], /) -> None:
        self._callback = callback
        if self.is_done:
            self.end()


class Socket:
    """A pipe, what waits for it, and what went into it."""

    def __init__(self, rounds: Rounds) -> None:
        self.started: list[Sending] = []
        self.waiting: list[Any] = []
        self.pipe = Pipe(self._start, rounds, self._take)

    def _start(self, frame: Any) -> Sending:
        assert all(s.is_done for s in self.started), "two sends at a time"
        self.started.append(Sending(frame))
        return self.started[-1]

    def _take(self) -> Any:
        return self.waiting.pop(0) if self.waiting else None

    def put(self, frame: Any) -> None:
        if self.waiting or not self.pipe.put(frame):
            self.waiting.append(frame)
            self.pipe.pull()

    def end(self) -> None:
        """The send under way ends, if there is one."""
        if self.started and not self.started[-1].is_done:
            self.started[-1].end()

    @property
    def sent(self) -> list[Any]:
        return [s.frame for s in self.started]


def test_frames_leave_in_order_and_one_at_a_time_whenever_sends_end() -> None:
    async def scenario() -> None:
        rounds, chance = Rounds(), random.Random(7)
        sockets = [Socket(rounds) for _ in range(20)]
        for number in range(200):
            for socket in sockets:
                socket.put(str(number))
                if chance.random() < 0.5:
                    socket.end()
            if chance.random() < 0.3:
                await asyncio.sleep(0)
        expected = [str(n) for n in range(200)]

        def all_sent() -> bool:
            for socket in sockets:
                socket.end()
            return all(socket.sent == expected for socket in sockets)

        await until(all_sent)

    run(scenario)


def test_what_waits_leaves_at_once_when_nothing_is_under_way() -> None:
    async def scenario() -> None:
        socket = Socket(Rounds())
        socket.waiting.append("a")
        socket.pipe.pull()
        assert socket.sent == ["a"]

    run(scenario)


def test_one_that_takes_nothing_holds_up_nobody() -> None:
    async def scenario() -> None:
        rounds = Rounds()
        stuck, *others = sockets = [Socket(rounds) for _ in range(5)]
        for number in range(50):
            for socket in [*sockets, stuck]:
                socket.put(str(number))

        def others_got_all() -> bool:
            for socket in others:
                socket.end()
            return all(len(socket.sent) == 50 for socket in others)

        await until(others_got_all)
        assert stuck.sent == ["0"]
        stuck.end()  # it reads again
        await until(lambda: stuck.end() or len(stuck.sent) == 100)

    run(scenario)


def test_a_pipe_is_finished_when_all_is_sent_and_sends_no_more() -> None:
    async def scenario() -> None:
        socket = Socket(Rounds())
        assert await socket.pipe.finish(5)  # nothing was sent
        socket = Socket(Rounds())
        socket.put("a")
        socket.put("b")
        finishing = asyncio.ensure_future(socket.pipe.finish(5))
        await asyncio.sleep(0.02)
        assert not finishing.done()
        await until(lambda: socket.end() or finishing.done())
        assert await finishing
        socket.put("c")
        assert socket.sent == ["a", "b"]

    run(scenario)


def test_what_a_client_does_not_read_in_time_is_given_up() -> None:
    async def scenario() -> None:
        socket = Socket(Rounds())
        socket.put("a")
        socket.put("b")
        assert not await socket.pipe.finish(0.05)
        assert socket.started[-1].is_cancelled
        socket.put("c")
        await asyncio.sleep(0.02)
        assert socket.sent == ["a"]

    run(scenario)


def test_a_call_that_fails_is_over_and_says_nothing() -> None:
    async def scenario() -> None:
        async def fail() -> None:
            raise OSError("gone")

        sending = begun(fail())
        await until(sending.done)
        future = asyncio.get_running_loop().create_future()
        assert begun(future) is future

    run(scenario)


def test_a_call_that_cannot_begin_fails_nobody_else() -> None:
    async def scenario() -> None:
        def start(frame: Any) -> Any:
            raise RuntimeError("the transport is closed")

        pipe = Pipe(start, Rounds(), lambda: None)
        assert pipe.put("a") and pipe.put("b")
        assert await pipe.finish(5)

    run(scenario)


class Reader(WebSocket):
    """A client whose reading the test controls: by default it reads at once."""

    def __init__(self, app: Any, **more: Any) -> None:
        self.may_read = asyncio.Event()
        self.may_read.set()

        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            async def slow(message: Any) -> None:
                await self.may_read.wait()
                await send(message)

            await app(scope, receive, slow)

        super().__init__(wrapped, **more)

    async def take(self, count: int) -> list[Any]:
        return [await self.receive() for _ in range(count)]


def test_events_acknowledgements_attachments_and_pings_keep_their_order(
    app: Vial, socketio: SocketIO
) -> None:
    @socketio.on("go")
    async def go() -> str:
        emit("one", 1)
        emit("two", (b"a", b"b"))
        emit("three", broadcast=True)
        return "done"

    async def scenario() -> None:
        client = await Reader.open(app.asgi_app)
        peer = next(iter(socketio.async_server.eio.sockets.values()))
        client.may_read.clear()
        for _ in range(20):
            await client.send('421["go"]')
        await until(lambda: peer.depth == 20 * 6 - 1)
        peer._ping()
        socketio.emit("last")
        client.may_read.set()
        expected = ['42["one",1]', '452-["two",{"_placeholder":true,"num":0},', b"a", b"b"]
        for _ in range(20):
            one, two, a, b, three, ack = await client.take(6)
            assert [one, two[: len(expected[1])], a, b] == expected
            assert (three, ack) == ('42["three"]', '431["done"]')
        assert await client.take(2) == ["2", '42["last"]']
        await client.leave()

    run(scenario)


@pytest.mark.slow
def test_who_does_not_read_is_dropped_and_the_others_get_everything(
    app: Vial, socketio: SocketIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "SLOW", 0.1)
    ended: list[str] = []
    socketio.on("disconnect")(ended.append)

    async def scenario() -> None:
        slow = await Reader.open(app.asgi_app)
        quick = await Reader.open(app.asgi_app)
        slow.may_read.clear()
        for number in range(3_000):
            await socketio.emit("n", number)
            if number % 20 == 19:
                got = await quick.take(20)
                assert got == [f'42["n",{n}]' for n in range(number - 19, number + 1)]
        await until(lambda: ended)
        assert list(socketio.async_server.eio.sockets) != []  # quick is still there
        assert await asyncio.wait_for(asyncio.shield(slow.task), 5) is None
        await quick.leave()

    run(scenario)
    assert ended[0] == "transport error"


def test_a_burst_that_the_client_reads_in_the_end_drops_nobody(
    app: Vial, socketio: SocketIO
) -> None:
    async def scenario() -> None:
        client = await Reader.open(app.asgi_app)
        for number in range(5_000):
            socketio.emit("n", number)
        assert await client.take(5_000) == [f'42["n",{n}]' for n in range(5_000)]
        await client.leave()

    run(scenario)


def test_awaiting_emit_waits_for_clients_that_read_slowly(app: Vial, socketio: SocketIO) -> None:
    deepest = 0

    async def scenario() -> None:
        nonlocal deepest
        client = await Reader.open(app.asgi_app)
        peer = next(iter(socketio.async_server.eio.sockets.values()))
        reading = asyncio.ensure_future(client.take(1_000))
        for number in range(1_000):
            sent = socketio.emit("n", number)
            deepest = max(deepest, peer.depth)
            await sent
        assert await reading == [f'42["n",{n}]' for n in range(1_000)]
        await client.leave()

    run(scenario)
    assert deepest == DEEP + 1


def test_a_thread_that_emits_waits_too(app: Vial, socketio: SocketIO) -> None:
    async def scenario() -> None:
        client = await Reader.open(app.asgi_app)
        client.may_read.clear()
        sent = 0

        def flood() -> None:
            nonlocal sent
            for number in range(2_000):
                socketio.emit("n", number)
                sent += 1

        thread = threading.Thread(target=flood)
        thread.start()
        client.may_read.set()
        assert await client.take(2_000) == [f'42["n",{n}]' for n in range(2_000)]
        await until(lambda: not thread.is_alive())
        await client.leave()

    run(scenario)


def test_a_room_and_those_left_out_are_heeded(app: Vial, socketio: SocketIO) -> None:
    async def scenario() -> None:
        clients = [await Reader.open(app.asgi_app) for _ in range(4)]
        sids = [s for s in socketio.async_server.manager.rooms["/"] if s is not None]
        for sid in sids[:3]:
            socketio.server.enter_room(sid, "tea")
        socketio.emit("tea", to="tea", skip_sid=[sids[1]])
        socketio.emit("all")
        got = [await client.take(2 if at in (0, 2) else 1) for at, client in enumerate(clients)]
        tea, everyone = '42["tea"]', '42["all"]'
        assert got == [[tea, everyone], [everyone], [tea, everyone], [everyone]]
        for client in clients:
            await client.leave()

    run(scenario)
