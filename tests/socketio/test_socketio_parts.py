"""The small parts: options, the line of events, the home loop, namespaces, the test client."""

from __future__ import annotations

import asyncio
import json as std_json
import logging
from typing import Any

import pytest
from socketio_wire import WebSocket, run

import vial.json
from vial import Vial, request, session
from vial.socketio import ConnectionRefusedError, Namespace, SocketIO, emit
from vial.socketio.home import Home
from vial.socketio.order import Line

# Options


def test_an_unknown_option_is_refused_with_a_hint(app: Vial) -> None:
    with pytest.raises(TypeError, match=r"'cors_allowed_origin'. Did you mean 'cors_allowed_orig"):
        SocketIO(app, cors_allowed_origin="*")
    with pytest.raises(TypeError, match=r"'zzz'. There are allow_upgrades, always_connect, "):
        SocketIO(zzz=1)


def test_managers_of_python_socketio_are_refused_with_the_way(app: Vial) -> None:
    with pytest.raises(TypeError, match="give it the address of a Redis server"):
        SocketIO(app, client_manager=object())
    SocketIO(app, client_manager=None, message_queue=None)


def test_options_of_other_servers_are_ignored(app: Vial) -> None:
    socketio = SocketIO(app, async_mode="eventlet", cors_credentials=False)
    assert socketio.async_mode == "asgi"


def test_options_reach_the_server(app: Vial) -> None:
    socketio = SocketIO(
        app,
        ping_interval=3,
        ping_timeout=2,
        max_http_buffer_size=99,
        transports=["websocket"],
        allow_upgrades=False,
        namespaces=["/", "/b"],
        always_connect=True,
    )
    server = socketio.server
    assert (server.eio.ping_interval, server.eio.ping_timeout) == (3, 2)
    assert server.eio.max_http_buffer_size == 99
    assert (server.eio.transports, server.eio.allow_upgrades) == (["websocket"], False)
    assert (server.namespaces, server.always_connect) == (["/", "/b"], True)


class Upper:
    dumps = staticmethod(lambda data, **kwargs: std_json.dumps(data, **kwargs).upper())
    loads = staticmethod(std_json.loads)


def test_another_json_can_be_used_by_one_server_only(app: Vial) -> None:
    upper = SocketIO(app, json=Upper)
    upper.on("x")(lambda: emit("y", "text"))
    client = upper.test_client(app)
    client.emit("x")
    assert client.get_received()[0]["args"] == ["TEXT"]
    other = Vial("other", static_folder=None)
    plain = SocketIO(other)
    plain.on("x")(lambda: emit("y", "text"))
    client = plain.test_client(other)
    client.emit("x")
    assert client.get_received()[0]["args"] == ["text"]


def test_the_json_of_the_app_can_be_used(app: Vial) -> None:
    import uuid

    socketio = SocketIO(app, json=vial.json)
    socketio.on("x")(lambda: emit("y", uuid.UUID(int=1)))
    client = socketio.test_client(app)
    client.emit("x")
    assert client.get_received()[0]["args"] == [str(uuid.UUID(int=1))]


def test_loggers_can_be_given(app: Vial) -> None:
    logger = logging.getLogger("mine")
    socketio = SocketIO(app, logger=logger, engineio_logger=logger)
    assert socketio.server.logger is logger and socketio.server.eio.logger is logger


def test_logging_can_be_turned_on(app: Vial, monkeypatch: Any) -> None:
    logger = logging.getLogger("vial.socketio")
    monkeypatch.setattr(logger, "level", logging.NOTSET)
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "propagate", False)
    SocketIO(app)
    assert (logger.level, logger.handlers) == (logging.ERROR, [])
    SocketIO(app, logger=True)
    assert logger.level == logging.INFO and len(logger.handlers) == 1


# The line of events


def line(patience: float | None) -> tuple[Line, list[str], dict[str, asyncio.Event]]:
    return Line(asyncio.create_task, patience), [], {name: asyncio.Event() for name in "abc"}


def work(name: str, log: list[str], gates: dict[str, asyncio.Event]) -> Any:
    async def run() -> None:
        log.append(name)
        await gates[name].wait()
        log.append(name.upper())

    return run


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_line_begins_the_next_when_one_is_done() -> None:
    async def scenario() -> None:
        queue, log, gates = line(10)
        for name in "abc":
            queue.put(work(name, log, gates))
        await turns()
        assert log == ["a"]
        gates["a"].set()
        await turns()
        assert log == ["a", "A", "b"]
        gates["b"].set(), gates["c"].set()
        await queue.turn()
        await turns()
        assert log == ["a", "A", "b", "B", "c", "C"]

    run(scenario)


def test_a_line_does_not_wait_for_long() -> None:
    async def scenario() -> None:
        queue, log, gates = line(0.1)
        for name in "abc":
            queue.put(work(name, log, gates))
        while len(log) < 2:
            await asyncio.sleep(0)
        assert log == ["a", "b"]
        gates["a"].set()  # overtaken: it says nothing about c
        await turns()
        assert log == ["a", "b", "A"]
        while len(log) < 4:
            await asyncio.sleep(0)
        assert log == ["a", "b", "A", "c"]

    run(scenario)


def test_a_strict_line_waits(monkeypatch: Any) -> None:
    monkeypatch.setattr("vial.socketio.order.LAST_WAIT", 0.02)

    async def scenario() -> None:
        queue, log, gates = line(None)
        queue.put(work("a", log, gates))
        queue.put(work("b", log, gates))
        await queue.turn()  # gives up
        assert log == ["a"]

    run(scenario)


def test_handlers_can_be_told_to_run_strictly_one_by_one(app: Vial) -> None:
    socketio = SocketIO(app, async_handlers=False)
    order: list[int] = []

    @socketio.on("n")
    async def handle(n: int) -> None:
        await asyncio.sleep(0.15 if n == 0 else 0)
        order.append(n)

    async def scenario() -> None:
        client = await WebSocket.open(app)
        await client.send('42["n",0]', '421["n",1]')
        assert await client.receive() == "431[]"

    run(scenario)
    assert order == [0, 1]


# The home loop


def test_waiting_for_the_loop_on_the_loop_is_an_error(app: Vial, socketio: SocketIO) -> None:
    @socketio.on("x")
    async def handle() -> None:
        socketio.test_client(app)

    with pytest.raises(RuntimeError, match="made on the server's own event loop"):
        socketio.test_client(app).emit("x")


def test_a_post_that_fails_does_not_lose_those_after_it() -> None:
    home, done, reported = Home(), [], []

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: reported.append(context["exception"]))
        home.settle(lambda: False)

        def from_thread() -> None:
            home.post(lambda: 1 / 0)
            home.post(done.append, 1)
            with pytest.raises(ZeroDivisionError):
                home.ask(lambda: 1 / 0)

        await asyncio.to_thread(from_thread)

    run(scenario)
    assert done == [1] and [type(e) for e in reported] == [ZeroDivisionError]


def test_a_background_task_that_fails_is_reported(app: Vial, socketio: SocketIO) -> None:
    reported: list[Any] = []

    async def fail() -> None:
        raise ValueError("oops")

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: reported.append(context["exception"]))
        await WebSocket.open(app)
        await socketio.start_background_task(fail)  # type: ignore[misc]

    run(scenario)
    assert [str(e) for e in reported] == ["oops"]


def test_a_background_task_has_no_context_of_the_event_that_started_it(
    app: Vial, socketio: SocketIO
) -> None:
    from vial import has_app_context

    seen: list[bool] = []

    async def task() -> None:
        seen.append(has_app_context())

    socketio.on("go")(lambda: socketio.start_background_task(task).join(5))
    socketio.test_client(app).emit("go")
    assert seen == [False]


# Namespaces


class Chat(Namespace):
    def on_connect(self, auth: Any) -> None:
        if auth == "no":
            raise ConnectionRefusedError("no")
        session["auth"] = auth

    def on_disconnect(self) -> None:
        self.emit("left")

    async def on_who(self) -> list[Any]:
        return [session["auth"], request.namespace, sorted(self.rooms(request.sid)) != []]  # type: ignore[attr-defined]

    def on_tea(self) -> list[str]:
        sid = request.sid  # type: ignore[attr-defined]
        self.enter_room(sid, "tea")
        self.emit("tea", "for you", room="tea")
        self.send("for all but you", include_self=False)
        self.leave_room(sid, "tea")
        self.emit("tea", "gone", to="tea")
        self.enter_room(sid, "rum")
        self.close_room("rum")
        return [room for room in self.rooms(sid) if room != sid]

    def on_kick(self, sid: str) -> None:
        self.disconnect(sid)


def test_a_class_handles_the_events_of_a_namespace() -> None:
    socketio = SocketIO()
    socketio.on_namespace(Chat("/chat"))
    app = Vial("chat", static_folder=None)
    socketio.init_app(app)
    client = socketio.test_client(app, "/chat", auth="ada")
    other = socketio.test_client(app, "/chat")
    assert not socketio.test_client(app, "/chat", auth="no").is_connected("/chat")
    assert client.emit("who", callback=True, namespace="/chat") == ["ada", "/chat", True]
    assert client.emit("tea", callback=True, namespace="/chat") == []
    got = [(e["name"], e["args"]) for e in client.get_received("/chat")]
    assert got == [("tea", ["for you"])]
    assert [e["args"] for e in other.get_received("/chat")] == ["for all but you"]
    assert client.emit("unknown", callback=True, namespace="/chat") is None
    other.disconnect("/chat")
    assert [e["name"] for e in client.get_received("/chat")] == ["left"]


def test_a_class_for_any_namespace(app: Vial) -> None:
    class Any_(Namespace):
        def on_where(self, x: int) -> list[Any]:
            return [request.namespace, x]  # type: ignore[attr-defined]

    socketio = SocketIO(app, namespaces="*")
    socketio.on_namespace(Any_("*"))
    client = socketio.test_client(app, "/a")
    assert client.emit("where", 1, callback=True, namespace="/a") == ["/a", 1]


# The test client


def test_the_test_client_waits_for_handlers_and_no_longer(app: Vial, socketio: SocketIO) -> None:
    release = asyncio.Event()

    @socketio.on("for ever")
    async def forever() -> None:
        await release.wait()

    client = socketio.test_client(app)
    client.timeout = 0.01
    with pytest.raises(TimeoutError, match=r"still running after 0.01 seconds"):
        client.emit("for ever")
    assert socketio.test_client(app).is_connected()  # others do not wait for it
    socketio.async_server.home.ask(release.set)


def test_the_test_client_can_come_back(app: Vial, socketio: SocketIO) -> None:
    socketio.on("hello")(lambda: emit("hello", broadcast=True))
    client = socketio.test_client(app)
    client.disconnect()
    with pytest.raises(RuntimeError, match="not connected to the namespace '/'"):
        client.get_received()
    with pytest.raises(RuntimeError, match="not connected"):
        client.disconnect()
    client.connect()
    client.emit("hello")
    assert client.get_received() == [{"name": "hello", "args": [], "namespace": "/"}]


def test_the_server_answers_plain_calls_and_knows_the_rest(app: Vial, socketio: SocketIO) -> None:
    sids: list[str] = []
    socketio.on("connect")(lambda: sids.append(request.sid))  # type: ignore[attr-defined]
    client = socketio.test_client(app)
    server = socketio.server
    server.enter_room(sids[0], "tea")
    assert set(server.rooms(sids[0])) == {"tea", sids[0]}
    server.emit("x", 1, to="tea")
    server.send("text", room="tea")
    server.leave_room(sids[0], "tea")
    server.emit("x", 2, room="tea")
    assert [e["args"] for e in client.get_received()] == [[1], "text"]
    assert server.get_environ(sids[0])["PATH_INFO"] == "/socket.io/"
    server.disconnect(sids[0])

    @socketio.on("later")
    async def later() -> None:
        await socketio.sleep(0)

    socketio.test_client(app).emit("later")
    assert not client.is_connected()


def test_what_the_program_keeps_for_a_client(app: Vial, socketio: SocketIO) -> None:
    class Chat(Namespace):
        def on_set(self) -> None:
            sid = request.sid  # type: ignore[attr-defined]
            self.save_session(sid, {"n": 1})
            with self.session(sid) as kept:
                kept["n"] += 1

        async def on_get(self) -> Any:
            return self.get_session(request.sid)  # type: ignore[attr-defined]

    socketio.on_namespace(Chat("/chat"))
    client, other = (socketio.test_client(app, "/chat") for _ in range(2))
    client.emit("set", namespace="/chat")
    assert client.emit("get", callback=True, namespace="/chat") == {"n": 2}
    assert other.emit("get", callback=True, namespace="/chat") == {}
    with pytest.raises(ValueError, match="'nobody' is not connected to the namespace '/chat'"):
        socketio.server.get_session("nobody", "/chat")


def test_a_dispatch_of_its_own_may_be_async(app: Vial, socketio: SocketIO) -> None:
    class Chat(Namespace):
        async def trigger_event(self, event: str, *args: Any) -> Any:
            if event == "boom":
                raise ZeroDivisionError
            return [await super().trigger_event(event, *args), event]

        def on_sync(self, x: int) -> int:
            return x

        async def on_async(self, x: int) -> int:
            await asyncio.sleep(0)
            return x

    class Threaded(Namespace):
        def trigger_event(self, event: str, *args: Any) -> Any:
            return [super().trigger_event(event, *args), event]

        async def on_async(self, x: int) -> int:
            await asyncio.sleep(0)
            return x

    socketio.on_namespace(Chat("/chat"))
    socketio.on_namespace(Threaded("/threaded"))
    client = socketio.test_client(app, "/chat")
    client.connect("/threaded")
    assert client.emit("sync", 1, callback=True, namespace="/chat") == [1, "sync"]
    assert client.emit("async", 2, callback=True, namespace="/chat") == [2, "async"]
    assert client.emit("async", 3, callback=True, namespace="/threaded") == [3, "async"]
    assert client.emit("none", callback=True, namespace="/chat") == [None, "none"]
    with pytest.raises(ZeroDivisionError):
        client.emit("boom", callback=True, namespace="/chat")


def test_a_class_calls_a_client(app: Vial, socketio: SocketIO) -> None:
    class Chat(Namespace):
        def on_ask(self) -> Any:
            return self.call("question", 1, to=request.sid, timeout=5)  # type: ignore[attr-defined]

    socketio.on_namespace(Chat())

    async def scenario() -> None:
        client = await WebSocket.open(app)
        await client.send('421["ask"]')
        assert await client.receive() == '421["question",1]'
        await client.send('431["yes"]')
        assert await client.receive() == '431["yes"]'

    run(scenario)
