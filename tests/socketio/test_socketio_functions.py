from __future__ import annotations

from typing import Any

import pytest
from socketio_wire import WebSocket, run, until

from vial import Vial, request
from vial.socketio import (
    SocketIO,
    call,
    close_room,
    disconnect,
    emit,
    join_room,
    leave_room,
    rooms,
    send,
)


def names(client: Any, namespace: str = "/") -> list[str]:
    return [event["name"] for event in client.get_received(namespace)]


class Three:
    """Three connected clients; `do` makes the first one's handler call a function."""

    def __init__(self, app: Vial, socketio: SocketIO, lane: Any) -> None:
        self.sids: list[str] = []
        self.todo: Any = None
        socketio.on("connect")(lambda: self.sids.append(request.sid))  # type: ignore[attr-defined]
        socketio.on("do")(lane(lambda *args: self.todo(*args)))
        self.clients = [socketio.test_client(app) for _ in range(3)]

    def do(self, function: Any) -> Any:
        self.todo = function
        return self.clients[0].emit("do", callback=True)

    def received(self) -> list[list[str]]:
        return [names(client) for client in self.clients]


@pytest.fixture
def three(app: Vial, socketio: SocketIO, lane: Any) -> Three:
    return Three(app, socketio, lane)


def test_emit_answers_the_sender(three: Three) -> None:
    three.do(lambda: emit("x"))
    assert three.received() == [["x"], [], []]


def test_emit_broadcasts(three: Three) -> None:
    three.do(lambda: emit("x", broadcast=True))
    assert three.received() == [["x"], ["x"], ["x"]]


def test_the_sender_can_be_left_out(three: Three) -> None:
    three.do(lambda: emit("x", broadcast=True, include_self=False))
    assert three.received() == [[], ["x"], ["x"]]


def test_others_can_be_left_out(three: Three) -> None:
    three.do(lambda: emit("x", broadcast=True, skip_sid=three.sids[1]))
    assert three.received() == [["x"], [], ["x"]]
    three.do(lambda: emit("x", broadcast=True, skip_sid=three.sids[:2]))
    assert three.received() == [[], [], ["x"]]


@pytest.mark.parametrize("argument", ["to", "room"])
def test_a_client_a_room_or_several_can_be_addressed(three: Three, argument: str) -> None:
    three.do(lambda: join_room("tea"))
    three.do(lambda: join_room("tea", sid=three.sids[1]))
    three.do(lambda: join_room("rum", sid=three.sids[2]))
    three.do(lambda: emit("client", **{argument: three.sids[2]}))
    three.do(lambda: emit("room", **{argument: "tea"}))
    three.do(lambda: emit("others", include_self=False, **{argument: "tea"}))
    three.do(lambda: emit("rooms", **{argument: ["tea", "rum"]}))
    assert three.received() == [["room", "rooms"], ["room", "others", "rooms"], ["client", "rooms"]]


def test_an_empty_room_name_is_not_everyone(three: Three) -> None:
    three.do(lambda: emit("x", to=""))
    three.do(lambda: emit("x", to=0))
    assert three.received() == [[], [], []]


def test_rooms_are_joined_and_left(three: Three) -> None:
    def tour() -> list[Any]:
        own = request.sid  # type: ignore[attr-defined]
        join_room("tea")
        join_room(("a", 1))
        both = rooms()
        leave_room("tea")
        leave_room("never entered")
        return [sorted(map(str, both)) == sorted(["tea", "('a', 1)", own]), len(rooms())]

    assert three.do(tour) == [True, 2]
    three.do(lambda: emit("x", to="tea"))
    assert three.received() == [[], [], []]


def test_a_room_can_be_closed(three: Three) -> None:
    for sid in three.sids:
        three.do(lambda sid=sid: join_room("tea", sid=sid))
    three.do(lambda: close_room("tea"))
    three.do(lambda: emit("x", to="tea"))
    assert three.received() == [[], [], []]


def test_rooms_of_nobody_and_of_others_cannot_be_joined(three: Three) -> None:
    with pytest.raises(ValueError, match="'nobody' is not connected to the namespace '/'"):
        three.do(lambda: join_room("tea", sid="nobody"))
    with pytest.raises(ValueError, match="'nobody' is not connected to the namespace '/x'"):
        three.do(lambda: join_room("tea", sid="nobody", namespace="/x"))
    with pytest.raises(ValueError, match="cannot enter a sid room"):
        three.do(lambda: join_room(three.sids[1]))


def test_send_sends_messages_and_json(three: Three) -> None:
    three.do(lambda: send("hello"))
    three.do(lambda: send({"a": 1}, json=True, broadcast=True))
    first, second, _ = [client.get_received() for client in three.clients]
    assert first == [
        {"name": "message", "args": "hello", "namespace": "/"},
        {"name": "json", "args": {"a": 1}, "namespace": "/"},
    ]
    assert second == first[1:]


def test_emit_takes_several_arguments_and_bytes(three: Three) -> None:
    three.do(lambda: emit("two", 1, b"\x02"))
    three.do(lambda: emit("tuple", ("a", "b")))
    three.do(lambda: emit("list", ["a", "b"]))
    three.do(lambda: emit("nested", {"a": [b"\x01", {"b": b"\x02"}]}))
    assert [event["args"] for event in three.clients[0].get_received()] == [
        [1, b"\x02"],
        ["a", "b"],
        [["a", "b"]],
        [{"a": [b"\x01", {"b": b"\x02"}]}],
    ]


def test_what_is_no_json_fails_where_it_is_emitted(three: Three) -> None:
    def attempt() -> str:
        with pytest.raises(TypeError, match="set is not JSON serializable"):
            emit("x", {1, 2}, broadcast=True)
        return "raised"

    assert three.do(attempt) == "raised"


def test_an_acknowledgement_that_is_no_json_fails_like_the_handler(three: Three) -> None:
    with pytest.raises(TypeError, match="set is not JSON serializable"):
        three.do(lambda: {1, 2})


def test_disconnect_ends_the_connection_after_the_handler(
    app: Vial, socketio: SocketIO, three: Three
) -> None:
    order: list[str] = []
    socketio.on("disconnect")(lambda reason: order.append(reason))

    def leave() -> None:
        disconnect()
        emit("bye")
        order.append("handled")

    three.do(leave)
    assert order == ["handled", "server disconnect"]
    assert not three.clients[0].is_connected()
    three.clients.pop(0)
    three.do(lambda: disconnect(three.sids[2]))
    assert [client.is_connected() for client in three.clients] == [True, False]


def test_a_namespace_is_that_of_the_event_unless_given(
    app: Vial, socketio: SocketIO, lane: Any
) -> None:
    @socketio.on("go", namespace="/a")
    @lane
    def go() -> None:
        emit("here")
        emit("there", namespace="/", broadcast=True)
        emit("there too", namespace="", broadcast=True)
        join_room("tea")
        emit("room", to="tea")

    client = socketio.test_client(app)
    client.connect("/a")
    client.emit("go", namespace="/a")
    assert names(client, "/a") == ["here", "room"]
    assert names(client) == ["there", "there too"]


def test_functions_work_in_views_where_the_recipient_is_named(
    app: Vial, socketio: SocketIO
) -> None:
    sids: list[str] = []
    socketio.on("connect")(lambda: sids.append(request.sid))  # type: ignore[attr-defined]

    @app.get("/")
    def view() -> str:
        emit("all", broadcast=True)
        join_room("tea", sid=sids[0], namespace="/")
        emit("room", to="tea", namespace="/")
        return str(len(rooms(sids[0], "/")))

    client = socketio.test_client(app)
    assert app.test_client().get("/").text == "2"
    assert names(client) == ["all", "room"]


def test_without_a_client_the_error_says_what_to_do(app: Vial, socketio: SocketIO) -> None:
    with app.test_request_context(), pytest.raises(RuntimeError, match=r"No Socket.IO event is"):
        emit("x")
    with app.app_context(), pytest.raises(RuntimeError, match=r"Name one \(to=..., sid=...\)"):
        join_room("x")
    with Vial("bare").app_context(), pytest.raises(RuntimeError, match=r"'bare' has no Socket.IO"):
        emit("x", broadcast=True)


def test_a_callback_gets_what_the_client_acknowledges(
    app: Vial, socketio: SocketIO, lane: Any
) -> None:
    seen: list[Any] = []

    @lane
    def answered(*args: Any) -> None:
        seen.append((*args, request.event))  # type: ignore[attr-defined]
        emit("thanks")

    socketio.on("go")(lambda: emit("question", 1, callback=answered))

    async def scenario() -> None:
        client = await WebSocket.open(app)
        await client.send('42["go"]')
        assert await client.receive() == '421["question",1]'
        await client.send('431["an","swer"]', '431["twice"]')
        assert await client.receive() == '42["thanks"]'

    run(scenario)
    assert seen == [("an", "swer", {"message": None, "args": ("an", "swer")})]


def test_a_callback_may_be_asked_for_outside_of_events(
    app: Vial, socketio: SocketIO, lane: Any
) -> None:
    seen: list[Any] = []

    async def scenario() -> None:
        client = await WebSocket.open(app)
        socketio.emit("question", callback=lane(lambda answer: seen.append(answer)))
        assert await client.receive() == '421["question"]'
        await client.send('431["answer"]')
        await until(lambda: seen)

    run(scenario)
    assert seen == ["answer"]


def test_call_returns_what_the_client_answers(app: Vial, socketio: SocketIO) -> None:
    socketio.on("sync")(lambda: call("question", 1, timeout=5))
    socketio.on("late")(lambda: call("question", timeout=0.01))

    @socketio.on("async")
    async def ask() -> Any:
        return await call("question", 2, timeout=5)

    @socketio.on_error_default
    def name(error: Exception) -> str:
        return type(error).__name__

    async def scenario() -> None:
        client = await WebSocket.open(app)
        await client.send('421["sync"]')
        assert await client.receive() == '421["question",1]'
        await client.send('431["one"]')
        assert await client.receive() == '431["one"]'
        await client.send('422["async"]')
        assert await client.receive() == '422["question",2]'
        await client.send('432["t","wo"]')
        assert await client.receive() == '432["t","wo"]'
        await client.send('423["late"]')
        assert await client.receive() == '423["question"]'
        assert await client.receive() == '433["TimeoutError"]'

    run(scenario)


def test_what_emit_returns_is_no_acknowledgement(three: Three) -> None:
    assert three.do(lambda: emit("x")) == []
