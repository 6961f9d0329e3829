"""The original Flask-SocketIO, in its threading mode, on a WSGI server with threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
import socketio as client_library
from ecosystem.running import running
from flask import Flask, current_app, request, session, url_for
from flask_socketio import (
    ConnectionRefusedError,
    Namespace,
    SocketIO,
    SocketIOTestClient,
    close_room,
    disconnect,
    emit,
    join_room,
    leave_room,
    rooms,
    send,
)
from werkzeug.serving import make_server


class Shop(Namespace):
    def on_connect(self, auth: Any) -> None:
        if auth == {"token": "wrong"}:
            raise ConnectionRefusedError("not you")

    def on_buy(self, item: str) -> tuple[str, int]:
        self.emit("bought", item)
        return item, 1


@dataclass
class Site:
    """An app with pages and events, and what is heard of its sockets."""

    app: Flask
    socketio: SocketIO
    heard: Queue[Any] = field(default_factory=Queue)

    def client(self, **options: Any) -> SocketIOTestClient:
        return self.socketio.test_client(self.app, **options)


def make(**options: Any) -> Site:
    app = Flask(__name__)
    app.secret_key = "k"
    site = Site(app, SocketIO(app, async_mode="threading", **options))
    add_pages(site)
    add_events(site)
    add_rooms(site)
    site.socketio.on_namespace(Shop("/shop"))
    return site


def add_pages(site: Site) -> None:
    @site.app.route("/login/<name>")
    def login(name: str) -> str:
        session["name"] = name
        return name

    @site.app.route("/me")
    def me() -> dict[str, Any]:
        return dict(session)

    @site.app.route("/tell/<text>")
    def tell(text: str) -> str:
        site.socketio.emit("told", {"text": text, "by": url_for("tell", text=text)})
        return "told"


def add_events(site: Site) -> None:
    @site.socketio.on("connect")
    def connect(auth: Any = None) -> None:
        site.heard.put(("connect", auth, request.args.get("from"), request.headers.get("X-From")))

    @site.socketio.on("disconnect")
    def disconnected(reason: str) -> None:
        site.heard.put(("disconnect", session.get("name"), reason))

    @site.socketio.on("say")
    def say(text: str) -> None:
        event = request.event["message"]  # type: ignore[attr-defined]
        emit("said", {"text": text, "by": session.get("name"), "event": event})

    @site.socketio.on("rename")
    def rename(name: str) -> None:
        session["name"] = name

    @site.socketio.event
    def add(a: int, b: int) -> int:
        return a + b

    @site.socketio.on("turn")
    def turn(data: bytes) -> bytes:
        return data[::-1]

    @site.socketio.on("ask")
    def ask() -> None:
        emit("question", 1, callback=lambda *answer: site.heard.put(("answer", *answer)))

    @site.socketio.on("work")
    def work(text: str) -> None:
        def in_background(sid: str) -> None:
            with site.app.app_context():
                site.socketio.emit("worked", f"{current_app.name} {text}", to=sid)

        site.socketio.start_background_task(in_background, request.sid).join()  # type: ignore[attr-defined]

    @site.socketio.on("broken")
    def broken() -> None:
        raise ValueError("broken")

    @site.socketio.on_error()
    def failed(e: Exception) -> str:
        emit("failed", f"{type(e).__name__} {request.event['message']}")  # type: ignore[attr-defined]
        return "failed"

    @site.socketio.on("go")
    def go() -> None:
        disconnect()


def add_rooms(site: Site) -> None:
    @site.socketio.on("join")
    def join(room: str) -> list[str]:
        join_room(room)
        send("joined", to=room)
        return sorted(r for r in rooms() if r != request.sid)  # type: ignore[attr-defined]

    site.socketio.on_event("leave", leave_room)
    site.socketio.on_event("close", close_room)

    @site.socketio.on("shout")
    def shout(text: str) -> None:
        emit("shouted", text, broadcast=True, include_self=False)


@pytest.fixture
def site() -> Site:
    return make()


def received(client: Any, namespace: str = "/") -> list[tuple[str, Any]]:
    return [(m["name"], m["args"]) for m in client.get_received(namespace)]


def test_events_are_answered_and_see_the_session_of_the_pages(site: Site, assert_fast: Any) -> None:
    pages = site.app.test_client()
    pages.get("/login/ada")
    client = site.client(flask_test_client=pages)
    client.emit("say", "hi")
    assert received(client) == [("said", [{"text": "hi", "by": "ada", "event": "say"}])]
    assert client.emit("add", 1, 2, callback=True) == 3
    assert client.emit("turn", b"abc", callback=True) == b"cba"
    client.emit("work", "done")
    assert received(client) == [("worked", ["test_socketio done"])]
    client.emit("go")
    assert not client.is_connected()
    assert_fast(site.app)


def test_who_connects_says_how_and_who_leaves_is_noticed(site: Site) -> None:
    headers = {"X-From": "header"}
    client = site.client(auth={"token": 1}, query_string="?from=query", headers=headers)
    assert site.heard.get_nowait() == ("connect", {"token": 1}, "query", "header")
    client.emit("rename", "bob")
    client.disconnect()
    assert site.heard.get_nowait() == ("disconnect", "bob", "client disconnect")


def test_a_socket_has_a_session_of_its_own_that_starts_as_the_one_of_the_pages(site: Site) -> None:
    pages = site.app.test_client()
    pages.get("/login/ada")
    one, two = (site.client(flask_test_client=pages) for _ in range(2))
    one.emit("rename", "bob")
    for client, name in ((one, "bob"), (two, "ada")):
        client.emit("say", "hi")
        assert received(client) == [("said", [{"text": "hi", "by": name, "event": "say"}])]
    assert pages.get("/me").json == {"name": "ada"}


def test_without_managed_sessions_each_event_has_the_one_the_socket_came_with() -> None:
    site = make(manage_session=False)
    pages = site.app.test_client()
    pages.get("/login/ada")
    client = site.client(flask_test_client=pages)
    client.emit("rename", "bob")
    client.emit("say", "hi")
    assert received(client) == [("said", [{"text": "hi", "by": "ada", "event": "say"}])]


def test_rooms_reach_those_who_are_in_them(site: Site) -> None:
    ada, bob = site.client(), site.client()
    assert ada.emit("join", "tea", callback=True) == ["tea"]
    bob.emit("join", "tea")
    assert received(ada) == [("message", "joined")] * 2
    bob.emit("leave", "tea")
    site.socketio.emit("news", 1, to="tea")
    assert received(ada) == [("news", [1])]
    assert received(bob) == [("message", "joined")]
    ada.emit("close", "tea")
    site.socketio.emit("news", 2, to="tea")
    assert received(ada) == []
    ada.emit("shout", "all")
    assert (received(ada), received(bob)) == ([], [("shouted", ["all"])])


def test_a_namespace_class_acknowledges_and_refuses(site: Site) -> None:
    client = site.client(namespace="/shop", auth={"token": "right"})
    assert client.emit("buy", "tea", namespace="/shop", callback=True) == ["tea", 1]
    assert received(client, "/shop") == [("bought", ["tea"])]
    refused = site.client(namespace="/shop", auth={"token": "wrong"})
    assert not refused.is_connected("/shop")


def test_an_error_handler_answers_for_an_event(site: Site) -> None:
    client = site.client()
    assert client.emit("broken", callback=True) == "failed"
    assert received(client) == [("failed", ["ValueError broken"])]


def test_a_page_tells_the_sockets_and_is_served_beside_them(
    site: Site, assert_fast: Any, over_asgi: Any
) -> None:
    client = site.client()
    assert site.app.test_client().get("/tell/news").text == "told"
    assert over_asgi(site.app, "/tell/more").text == "told"
    assert received(client) == [
        ("told", [{"text": text, "by": f"/tell/{text}"}]) for text in ("news", "more")
    ]
    assert over_asgi(site.app, "/nowhere").status == 404
    opened = over_asgi(site.app, "/socket.io/?EIO=4&transport=polling")
    assert opened.status == 200 and opened.text.startswith('0{"sid":"')
    assert_fast(site.app)


@pytest.fixture
def url(site: Site) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, site.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def connected(url: str, **options: Any) -> Iterator[tuple[client_library.Client, Queue[Any]]]:
    """A real client, and what was said to it."""
    client = client_library.Client()
    said: Queue[Any] = Queue()
    client.on("said", said.put)
    client.on("question", lambda number: number + 1)
    client.connect(url, **options)
    try:
        yield client, said
    finally:
        client.disconnect()


@pytest.mark.service
@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_a_real_client_talks_over(transport: str, url: str, site: Site) -> None:
    cookie = site.app.test_client().get("/login/ada").headers["Set-Cookie"].partition(";")[0]
    headers = {"Cookie": cookie}
    with connected(url, transports=[transport], headers=headers) as (client, said):
        client.emit("say", "hi")
        assert said.get(timeout=5) == {"text": "hi", "by": "ada", "event": "say"}
        assert client.call("join", "tea", timeout=5) == ["tea"]
        assert client.call("turn", b"abc", timeout=5) == b"cba"
        assert client.call("broken", timeout=5) == "failed"
        assert site.heard.get(timeout=5)[0] == "connect"
        client.emit("ask")
        assert site.heard.get(timeout=5) == ("answer", 2)
        assert client.transport() == transport
        client.emit("go")
        assert site.heard.get(timeout=5) == ("disconnect", "ada", "server disconnect")


PROGRAM = """
import os

from flask import Flask, session
from flask_socketio import SocketIO, emit

app = Flask(__name__)
app.secret_key = "k"
socketio = SocketIO(app, async_mode="threading")


@app.route("/login/<name>")
def login(name):
    session["name"] = name
    return name


@socketio.on("say")
def say(text):
    emit("said", f"{session['name']} {text}")


if __name__ == "__main__":
    socketio.run(app, port=int(os.environ["PORT"]), allow_unsafe_werkzeug=True)
"""


@pytest.mark.service
@pytest.mark.parametrize(
    "command",
    [
        "python chat.py",
        "python -m gunicorn --no-control-socket --threads 9 -b 127.0.0.1:{port} chat:app",
    ],
    ids=["socketio.run", "gunicorn"],
)
def test_a_program_is_started_as_its_users_start_it(command: str, tmp_path: Path) -> None:
    (tmp_path / "chat.py").write_text(PROGRAM)
    with running(tmp_path, *command.split(), ready="/login/ada", PORT="{port}") as program:
        cookie = program.ask("/login/ada").headers["Set-Cookie"].partition(";")[0]
        with connected(program.url, headers={"Cookie": cookie}) as (client, said):
            client.emit("say", "hi")
            assert said.get(timeout=5) == "ada hi"
        program.assert_on_vial()
