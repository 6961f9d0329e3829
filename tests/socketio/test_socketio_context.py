from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest
from socketio_wire import WebSocket, http, logged, run, until

from vial import (
    Vial,
    copy_current_request_context,
    current_app,
    g,
    has_request_context,
    request,
    session,
    url_for,
)
from vial.sessions import SecureCookieSessionInterface
from vial.socketio import SocketIO, emit


def test_the_request_is_the_handshake(app: Vial, socketio: SocketIO, lane: Any) -> None:
    @socketio.on("who", namespace="/a")
    @lane
    def who(*args: Any) -> Any:
        return [
            request.args["q"],
            request.headers["X-Test"],
            request.remote_addr,
            request.namespace,  # type: ignore[attr-defined]
            request.event,  # type: ignore[attr-defined]
            current_app.name,
        ]

    client = socketio.test_client(app, "/a", query_string="?q=1", headers={"X-Test": "yes"})
    answer = client.emit("who", 1, "x", callback=True, namespace="/a")
    event = {"message": "who", "args": [1, "x"]}
    assert answer == ["1", "yes", None, "/a", event, "chat"]


def test_a_sid_stays_and_is_no_other_clients(app: Vial, socketio: SocketIO, lane: Any) -> None:
    socketio.on("who")(lane(lambda: request.sid))  # type: ignore[attr-defined]
    one, two = socketio.test_client(app), socketio.test_client(app)
    assert one.emit("who", callback=True) == one.emit("who", callback=True)
    assert one.emit("who", callback=True) != two.emit("who", callback=True)


def test_an_event_has_nothing_of_the_page_that_caused_it(
    app: Vial, socketio: SocketIO, lane: Any
) -> None:
    """In ``g`` is who is logged in, among other things: that of a page, for an event."""
    sids: list[str] = []
    seen: list[Any] = []

    @socketio.on("connect")
    @lane
    def came(*args: Any) -> None:
        sids.append(request.sid)  # type: ignore[attr-defined]

    @socketio.on("disconnect")
    @lane
    def gone(*args: Any) -> None:
        seen.append((g.get("user"), request.path))

    @app.get("/end")
    async def end() -> str:
        g.user = "Ada"
        socketio.server.disconnect(sids[0])
        return "ended"

    async def scenario() -> None:
        client = await WebSocket.open(app)
        assert (await http(app, path="/end")).text == "ended"
        await until(lambda: seen)
        await client.leave()

    run(scenario)
    assert seen == [(None, "/socket.io/")]


def test_each_event_has_a_g_of_its_own(app: Vial, socketio: SocketIO, lane: Any) -> None:
    @socketio.on("count")
    @lane
    def count() -> int:
        g.n = g.get("n", 0) + 1
        return g.n  # type: ignore[no-any-return]

    client = socketio.test_client(app)
    with app.app_context():
        g.n = 10  # of the test, not of the event
        assert [client.emit("count", callback=True) for _ in range(2)] == [1, 1]


def test_urls_can_be_built(app: Vial, socketio: SocketIO) -> None:
    app.add_url_rule("/room/<name>", "room", lambda name: name)
    socketio.on("url")(lambda: url_for("room", name="tea", _external=True))
    client = socketio.test_client(app, headers={"Host": "chat.test"})
    assert client.emit("url", callback=True) == "http://chat.test/room/tea"


def test_a_session_begins_as_the_http_session_and_then_goes_its_own_way(
    app: Vial, socketio: SocketIO, lane: Any
) -> None:
    @app.get("/")
    def page() -> dict[str, Any]:
        session.setdefault("user", "ada")
        return dict(session)

    @socketio.on("visit")
    @lane
    def visit() -> dict[str, Any]:
        session["visits"] = session.get("visits", 0) + 1
        return dict(session)

    http = app.test_client()
    http.get("/")
    client = socketio.test_client(app, flask_test_client=http)
    other = socketio.test_client(app, flask_test_client=http)
    assert client.emit("visit", callback=True) == {"user": "ada", "visits": 1}
    assert client.emit("visit", callback=True) == {"user": "ada", "visits": 2}
    assert other.emit("visit", callback=True) == {"user": "ada", "visits": 1}
    assert http.get("/").json == {"user": "ada"}


def test_a_copied_context_has_the_session_of_the_connection(
    app: Vial, socketio: SocketIO, lane: Any
) -> None:
    @socketio.on("set")
    @lane
    def set_x() -> None:
        @copy_current_request_context
        def work() -> None:
            session["sid"] = request.sid  # type: ignore[attr-defined]

        threading.Thread(target=work).run()
        socketio.start_background_task(work)

    socketio.on("get")(lambda: session["sid"] == request.sid)  # type: ignore[attr-defined]
    client = socketio.test_client(app)
    client.emit("set")
    assert client.emit("get", callback=True) is True


def test_namespaces_of_one_connection_share_the_session(app: Vial, socketio: SocketIO) -> None:
    socketio.on("set")(lambda: session.update(x=1))
    socketio.on("get", namespace="/a")(lambda: session["x"])
    client = socketio.test_client(app)
    client.connect("/a")
    client.emit("set")
    assert client.emit("get", callback=True, namespace="/a") == 1
    client.disconnect()
    client.disconnect("/a")
    client.connect("/a")  # a new connection
    with pytest.raises(KeyError):
        client.emit("get", namespace="/a")


def test_a_session_works_without_a_secret_key(socketio: SocketIO) -> None:
    app = Vial("bare", static_folder=None)
    socketio = SocketIO(app)
    socketio.on("set")(lambda: session.update(x=1))
    socketio.on("get")(lambda: session["x"])
    client = socketio.test_client(app)
    client.emit("set")
    assert client.emit("get", callback=True) == 1


def test_an_unmanaged_session_is_saved_by_the_app(app: Vial, lane: Any) -> None:
    saved: list[dict[str, Any]] = []

    class Interface(SecureCookieSessionInterface):
        def save_session(self, app: Any, session: Any, response: Any) -> None:
            saved.append(dict(session))

    app.session_interface = Interface()
    socketio = SocketIO(app, manage_session=False)

    @socketio.on("set")
    @lane
    def set_x() -> int:
        session["x"] = session.get("x", 0) + 1
        return session["x"]  # type: ignore[no-any-return]

    socketio.on("read")(lambda: session.get("x"))
    client = socketio.test_client(app)
    assert client.emit("set", callback=True) == 1
    assert client.emit("set", callback=True) == 1  # each event reads what the handshake sent
    client.emit("read")
    assert saved == [{"x": 1}, {"x": 1}]


def test_request_hooks_do_not_run_but_teardown_does(app: Vial, socketio: SocketIO) -> None:
    ran: list[Any] = []
    app.before_request(lambda: ran.append("before"))
    app.after_request(lambda response: ran.append("after") or response)
    app.teardown_request(lambda error: ran.append(type(error).__name__))

    @app.teardown_appcontext
    async def close(error: BaseException | None) -> None:
        await asyncio.sleep(0)
        ran.append("app")

    socketio.on("sync")(lambda: ran.append("event"))

    @socketio.on("async")
    async def handle() -> None:
        ran.append("async event")

    socketio.on("boom")(lambda: 1 / 0)
    client = socketio.test_client(app)
    client.emit("sync")
    client.emit("async")
    with pytest.raises(ZeroDivisionError):
        client.emit("boom")
    assert ran == [
        *("event", "NoneType", "app"),
        *("async event", "NoneType", "app"),
        *("ZeroDivisionError", "app"),
    ]


def test_contexts_of_handlers_that_run_at_once_stay_apart(
    app: Vial, socketio: SocketIO, lane: Any
) -> None:
    @socketio.on("mine")
    async def mine(number: int) -> list[Any]:
        g.number = session["number"] = number
        for _ in range(20):
            await asyncio.sleep(0)
        return [g.number, session["number"], request.event["args"][0]]  # type: ignore[attr-defined]

    async def scenario() -> None:
        clients = [await WebSocket.open(app) for _ in range(10)]
        for number, client in enumerate(clients):
            await client.send(f'421["mine",{number}]')
        for number, client in enumerate(clients):
            assert await client.receive() == f"431[[{number},{number},{number}]]"
        assert not has_request_context()

    run(scenario)


def test_an_unhandled_exception_is_logged_once_and_the_connection_lives_on(
    app: Vial, socketio: SocketIO, lane: Any, caplog: Any
) -> None:
    socketio.on("boom")(lane(lambda text: 1 / 0))
    socketio.on("ping")(lane(lambda: "pong"))

    async def scenario() -> None:
        client = await WebSocket.open(app)
        await client.send('421["boom","secret text"]', '422["ping"]')
        assert await client.receive() == '432["pong"]'  # no acknowledgement for 1

    run(scenario)
    (record,) = logged(caplog)
    assert record.name == "chat" and record.levelno == logging.ERROR
    assert "Socket.IO handler of the event 'boom' from client " in record.getMessage()
    assert record.exc_info[0] is ZeroDivisionError
    assert "secret text" not in record.getMessage()


def test_a_callback_that_fails_is_logged(app: Vial, socketio: SocketIO, caplog: Any) -> None:
    def failures() -> list[Any]:
        return [r for r in caplog.records if r.exc_info and r.exc_info[0] is ZeroDivisionError]

    socketio.on("go")(lambda: emit("q", callback=lambda: 1 / 0))

    async def scenario() -> None:
        client = await WebSocket.open(app)
        await client.send('42["go"]')
        assert await client.receive() == '421["q"]'
        socketio.emit("q", callback=lambda: 1 / 0)  # outside of any event
        assert await client.receive() == '422["q"]'
        await client.send("431[]", "432[]")
        await until(lambda: len(failures()) == 2)

    run(scenario)
    assert "handler of an acknowledgement" in caplog.text
