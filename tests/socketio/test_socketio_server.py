from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from vial import Vial, current_app, request
from vial.socketio import ConnectionRefusedError, Namespace, SocketIO, emit


def names(received: list[Any]) -> list[tuple[str, Any]]:
    return [(event["name"], event["args"]) for event in received]


@pytest.mark.parametrize(
    ("value", "acknowledged"),
    [(None, []), (7, 7), ("a", "a"), (["a", "b"], ["a", "b"]), (("a", 2), ["a", 2]), ({}, {})],
)
def test_what_a_handler_returns_is_the_acknowledgement(
    app: Vial, socketio: SocketIO, lane: Any, value: Any, acknowledged: Any
) -> None:
    socketio.on("ask")(lane(lambda: value))
    assert socketio.test_client(app).emit("ask", callback=True) == acknowledged


def test_an_event_without_a_handler_is_not_acknowledged(app: Vial, socketio: SocketIO) -> None:
    assert socketio.test_client(app).emit("ask", callback=True) is None


def test_a_handler_gets_all_arguments(app: Vial, socketio: SocketIO, lane: Any) -> None:
    socketio.on("add")(lane(lambda *args: list(args)))
    sent = (1, "two", [3], {"four": b"\x04"}, b"\x05", None)
    assert socketio.test_client(app).emit("add", *sent, callback=True) == list(sent)


def test_the_event_decorator_takes_the_name_of_the_function(app: Vial, socketio: SocketIO) -> None:
    @socketio.event
    def plain() -> str:
        return "plain"

    @socketio.event(namespace="/a")
    def there() -> str:
        return request.namespace  # type: ignore[attr-defined, no-any-return]

    socketio.on_event("listed", lambda: "listed")
    client = socketio.test_client(app)
    client.connect("/a")
    assert plain() == "plain"  # the decorated function is still itself
    assert client.emit("plain", callback=True) == "plain"
    assert client.emit("listed", callback=True) == "listed"
    assert client.emit("there", callback=True, namespace="/a") == "/a"


def test_a_star_handles_events_without_a_handler(app: Vial, socketio: SocketIO, lane: Any) -> None:
    socketio.on("known")(lane(lambda: "known"))
    socketio.on("*")(lane(lambda *args: [*args, request.event["message"]]))  # type: ignore[attr-defined]
    client = socketio.test_client(app)
    assert client.emit("known", callback=True) == "known"
    assert client.emit("other", 1, callback=True) == ["other", 1, "other"]


def test_a_star_is_any_namespace(app: Vial, socketio: SocketIO) -> None:
    def where(*args: Any) -> list[Any]:
        return [request.namespace, *args]  # type: ignore[attr-defined]

    socketio = SocketIO(app, namespaces="*")
    socketio.on("where", namespace="*")(where)
    socketio.on("*", namespace="*")(where)
    client = socketio.test_client(app, namespace="/x")
    assert client.emit("where", 1, callback=True, namespace="/x") == ["/x", 1]
    assert client.emit("else", 1, callback=True, namespace="/x") == ["/x", "else", 1]


def test_a_connect_handler_gets_the_authentication_if_it_takes_it(
    app: Vial, socketio: SocketIO
) -> None:
    seen: list[Any] = []
    socketio.on("connect")(lambda auth: seen.append(auth))
    socketio.on("connect", namespace="/none")(lambda: seen.append("none"))
    socketio.on("connect", namespace="/default")(lambda auth="no": seen.append(auth))
    client = socketio.test_client(app, auth={"token": "t"})
    client.connect("/none", auth={"token": "t"})
    client.connect("/default")
    assert seen == [{"token": "t"}, "none", None]


@pytest.mark.parametrize("refuse", [lambda: False, lambda: refuse_with("banned")])
def test_a_connect_handler_refuses(app: Vial, socketio: SocketIO, lane: Any, refuse: Any) -> None:
    ended: list[Any] = []
    socketio.on("connect")(lane(refuse))
    socketio.on("disconnect")(lambda: ended.append(1))
    client = socketio.test_client(app)
    assert not client.is_connected()
    with pytest.raises(RuntimeError, match="not connected to the namespace '/'"):
        client.emit("x")
    assert ended == []


def refuse_with(*args: Any) -> None:
    raise ConnectionRefusedError(*args)


def test_a_connect_handler_that_fails_lets_nobody_in(app: Vial, socketio: SocketIO) -> None:
    socketio.on("connect")(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        socketio.test_client(app)
    socketio.on_error_default(lambda error: None)
    assert not socketio.test_client(app).is_connected()


def test_a_disconnect_handler_gets_the_reason_if_it_takes_it(
    app: Vial, socketio: SocketIO, lane: Any
) -> None:
    seen: list[Any] = []
    socketio.on("disconnect")(lane(seen.append))
    socketio.on("disconnect", namespace="/a")(lambda: seen.append("none"))
    client = socketio.test_client(app)
    client.connect("/a")
    client.disconnect()
    assert not client.is_connected() and client.is_connected("/a")
    client.disconnect("/a")
    assert seen == ["client disconnect", "none"]


def test_error_handlers_take_what_handlers_raise(app: Vial, socketio: SocketIO, lane: Any) -> None:
    socketio.on_error("/a")(lane(lambda error: f"a: {error!r}"))
    socketio.on_error_default(lane(lambda error: f"{request.event['message']}: {error!r}"))  # type: ignore[attr-defined]
    for namespace in ("/", "/a"):
        socketio.on("sync", namespace)(lambda: 1 / 0)
        socketio.on("async", namespace)(raise_async)
    client = socketio.test_client(app)
    client.connect("/a")
    error = "ZeroDivisionError('division by zero')"
    assert client.emit("sync", callback=True) == f"sync: {error}"
    assert client.emit("async", callback=True) == f"async: {error}"
    assert client.emit("sync", callback=True, namespace="/a") == f"a: {error}"
    assert client.emit("async", callback=True, namespace="/a") == f"a: {error}"


async def raise_async() -> None:
    await asyncio.sleep(0)
    1 / 0


def test_a_plain_wrapper_of_an_async_handler_is_awaited(app: Vial, socketio: SocketIO) -> None:
    from functools import wraps

    async def inner(x: int) -> int:
        await asyncio.sleep(0)
        return x + 1

    @socketio.on("x")
    @wraps(inner)
    def outer(x: int) -> Any:
        return inner(x)

    assert socketio.test_client(app).emit("x", 1, callback=True) == 2


def test_sync_handlers_run_off_the_loop(app: Vial, socketio: SocketIO) -> None:
    socketio.on("sync")(lambda: threading.current_thread().name)

    @socketio.on("async")
    async def on_loop() -> str:
        return threading.current_thread().name

    client = socketio.test_client(app)
    assert client.emit("sync", callback=True).startswith("vial-worker")
    assert client.emit("async", callback=True) == "vial-loop"


def test_handlers_may_be_registered_before_and_after_the_app_is_known() -> None:
    socketio = SocketIO(cors_allowed_origins="*")
    socketio.on("before")(lambda: current_app.name)
    first, second = Vial("first", static_folder=None), Vial("second", static_folder=None)
    socketio.init_app(first)
    socketio.on("after")(lambda: current_app.name)
    assert socketio.test_client(first).emit("before", callback=True) == "first"
    assert socketio.test_client(first).emit("after", callback=True) == "first"
    socketio.init_app(second)  # as app factories do, once per test
    assert second.extensions["socketio"] is socketio
    assert socketio.test_client(second).emit("before", callback=True) == "second"
    assert socketio.test_client(second).emit("after", callback=True) == "second"


def test_without_an_app_the_error_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match=r"no app yet: pass one, SocketIO\(app\), or call init"):
        SocketIO().emit("x")


def test_only_callables_are_error_handlers(socketio: SocketIO) -> None:
    with pytest.raises(ValueError, match="must be callable, 3 is not"):
        socketio.on_error_default(3)  # type: ignore[type-var]
    with pytest.raises(ValueError, match="must be callable, 'x' is not"):
        socketio.on_error("/")("x")  # type: ignore[type-var]


def test_only_instances_are_namespaces(socketio: SocketIO) -> None:
    with pytest.raises(ValueError, match="is not an instance of a Namespace class"):
        socketio.on_namespace(Namespace)  # type: ignore[arg-type]


def test_emit_works_from_everywhere(app: Vial, socketio: SocketIO) -> None:
    @app.get("/sync")
    def view() -> str:
        socketio.emit("from", "view")
        return ""

    @app.get("/async")
    async def async_view() -> str:
        await socketio.emit("from", "async view")
        return ""

    client = socketio.test_client(app)
    socketio.emit("from", "main")
    app.test_client().get("/sync")
    app.test_client().get("/async")
    socketio.start_background_task(socketio.emit, "from", "thread").join()
    asyncio.run(from_another_loop(socketio))
    assert settled(client, 5) == [
        ("from", ["main"]),
        ("from", ["view"]),
        ("from", ["async view"]),
        ("from", ["thread"]),
        ("from", ["other loop"]),
    ]


async def from_another_loop(socketio: SocketIO) -> None:
    socketio.emit("from", "other loop")


def settled(client: Any, count: int) -> list[tuple[str, Any]]:
    """What a client received, once that is so many events."""
    got: list[tuple[str, Any]] = []
    deadline = time.monotonic() + 5
    while len(got) < count and time.monotonic() < deadline:
        got += names(client.get_received())
        time.sleep(0.001)
    return got


def test_emit_before_anybody_is_connected_is_nothing(app: Vial, socketio: SocketIO) -> None:
    socketio.emit("early", 1)
    socketio.close_room("nowhere")
    client = socketio.test_client(app)
    assert client.get_received() == []


def test_a_thread_keeps_the_order_of_what_it_emits(app: Vial, socketio: SocketIO) -> None:
    client = socketio.test_client(app)
    for number in range(500):
        socketio.emit("n", number)
    assert settled(client, 500) == [("n", [n]) for n in range(500)]


def test_an_acknowledgement_follows_what_the_handler_emitted(
    app: Vial, socketio: SocketIO, lane: Any
) -> None:
    @socketio.on("go")
    @lane
    def go() -> int:
        for number in range(20):
            emit("n", number)
        return 1

    client = socketio.test_client(app)
    order: list[str] = []
    client._sort = lambda packet: order.append(packet.packet_type)  # type: ignore[method-assign, assignment]
    client.emit("go", callback=True)
    assert order == [2] * 20 + [3]


def test_background_tasks_run_and_can_be_joined(app: Vial, socketio: SocketIO) -> None:
    seen: list[Any] = []
    socketio.start_background_task(lambda x, y: seen.append((x, y)), 1, y=2).join()
    assert seen == [(1, 2)]

    async def task(x: int) -> None:
        await socketio.sleep(0)
        seen.append(x)

    early = socketio.start_background_task(task, 3)  # no loop yet: it waits for the first request
    early.join(0.01)
    assert seen == [(1, 2)]
    client = socketio.test_client(app)
    early.join(5)
    socketio.start_background_task(task, 4).join(5)
    assert seen == [(1, 2), 3, 4]

    @socketio.on("await")
    async def waiting() -> int:
        await socketio.start_background_task(task, 5)  # type: ignore[misc]
        with pytest.raises(RuntimeError, match="await the task"):
            socketio.start_background_task(task, 6).join()
        return len(seen)

    assert client.emit("await", callback=True) == 4


def test_sleep_blocks_a_thread_and_is_awaited_on_a_loop(socketio: SocketIO) -> None:
    start = time.monotonic()
    socketio.sleep(0.01)
    asyncio.run(nap(socketio))
    assert time.monotonic() - start >= 0.02


async def nap(socketio: SocketIO) -> None:
    await socketio.sleep(0.01)


def test_run_serves_the_app(app: Vial, socketio: SocketIO, monkeypatch: Any) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(app, "run", lambda **kwargs: calls.append(kwargs))
    socketio.run(app, host="localhost", port=8000, debug=True, allow_unsafe_werkzeug=True)
    socketio.run(app, certfile="cert.pem", keyfile="key.pem")
    assert calls == [
        {"host": "localhost", "port": 8000, "debug": True},
        {"host": None, "port": None, "ssl_context": ("cert.pem", "key.pem")},
    ]


def test_stop_says_when_there_is_nothing_to_stop(socketio: SocketIO) -> None:
    with pytest.raises(RuntimeError, match=r"socketio.run\(\) started, and it started none"):
        socketio.stop()
