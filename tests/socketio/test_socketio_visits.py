"""What pages do to the session, and what becomes of the visitor's sockets."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from socketio_wire import WebSocket, run, until

from vial import Vial, request, session
from vial.sessions import SecureCookieSession, SessionInterface
from vial.socketio import SocketIO
from vial.socketio.mesh import FOLDER_VARIABLE
from vial.socketio.visits import MOST_COOKIES, Change, Visits

pytestmark = pytest.mark.slow  # together, not each


@pytest.fixture(params=[True, False], ids=["managed", "unmanaged"])
def socketio(app: Vial, request: pytest.FixtureRequest) -> SocketIO:
    return SocketIO(app, manage_session=request.param)


@pytest.fixture(autouse=True)
def pages(app: Vial) -> None:
    @app.get("/set/<key>/<value>")
    def put(key: str, value: str) -> str:
        session[key] = value
        return ""

    @app.get("/pop/<key>")
    def pop(key: str) -> str:
        session.pop(key, None)
        return ""

    @app.get("/logout")
    def logout() -> str:
        session.clear()
        return ""

    @app.get("/read")
    def read() -> dict[str, Any]:
        return dict(session)

    @app.get("/other")
    def other() -> str:
        return "uses no session"

    @app.get("/permanent")
    def permanent() -> str:
        session.permanent = True
        return ""


class Visitor:
    """A browser: pages and a socket, with the same cookies."""

    def __init__(self, app: Vial, socketio: SocketIO, *paths: str) -> None:
        self.app = app
        self.socketio = socketio
        self.http = app.test_client()
        self.get(*paths)
        self.socket = self.connect()

    def get(self, *paths: str) -> None:
        for path in paths:
            assert self.http.get(path).status_code == 200

    def connect(self) -> Any:
        return self.socketio.test_client(self.app, flask_test_client=self.http)

    def whoami(self, socket: Any = None) -> Any:
        return (socket or self.socket).emit("whoami", callback=True)


@pytest.fixture(autouse=True)
def seen(socketio: SocketIO, lane: Any) -> list[Any]:
    """What the handlers have seen; an event that is not dispatched is not there."""
    seen: list[Any] = []

    @socketio.on("whoami")
    @lane
    def whoami() -> Any:
        seen.append(dict(session))
        return dict(session)

    return seen


def test_logging_out_by_a_page_closes_the_sockets_of_the_visitor(
    app: Vial, socketio: SocketIO, seen: list[Any]
) -> None:
    reasons: list[Any] = []
    socketio.on("disconnect")(lambda reason: reasons.append([reason, session["user"]]))
    ada, bob = Visitor(app, socketio, "/set/user/ada"), Visitor(app, socketio, "/set/user/bob")
    second = ada.connect()
    assert ada.whoami() == ada.whoami(second) == {"user": "ada"}
    ada.get("/logout")
    assert not ada.socket.is_connected() and not second.is_connected()
    assert bob.socket.is_connected()
    assert bob.whoami() == {"user": "bob"}
    assert [name for _, name in reasons] == ["ada", "ada"]
    assert ada.whoami(ada.connect()) == {}


def test_an_event_between_the_logout_and_the_close_is_not_dispatched(
    app: Vial, socketio: SocketIO, seen: list[Any], monkeypatch: Any
) -> None:
    ada = Visitor(app, socketio, "/set/user/ada")
    monkeypatch.setattr(Visits, "_end", lambda self, visit: None)  # the close is on its way
    assert ada.whoami() == {"user": "ada"}
    ada.get("/logout")
    assert ada.whoami() is None
    ada.socket.emit("whoami")
    assert seen == [{"user": "ada"}]


def test_what_a_page_takes_out_of_the_session_events_no_longer_have(
    app: Vial, socketio: SocketIO
) -> None:
    ada = Visitor(app, socketio, "/set/user/ada", "/set/theme/dark")
    early, late = ada.connect(), ada.connect()
    assert ada.whoami(early) == {"user": "ada", "theme": "dark"}
    ada.get("/pop/user")
    assert ada.whoami(early) == ada.whoami(late) == {"theme": "dark"}
    assert early.is_connected()


def test_what_a_page_adds_is_not_given_to_sockets_that_are_open(
    app: Vial, socketio: SocketIO
) -> None:
    """It could be that of another, who planted his cookie before the login."""
    ada = Visitor(app, socketio, "/set/theme/dark")
    ada.get("/set/user/ada")
    assert ada.whoami() == {"theme": "dark"}
    assert ada.whoami(ada.connect()) == {"theme": "dark", "user": "ada"}


def test_a_login_ends_the_transport_so_that_the_client_comes_back_with_it(
    app: Vial, socketio: SocketIO
) -> None:
    ada = Visitor(app, socketio, "/set/theme/dark")
    assert ada.whoami() == {"theme": "dark"}
    ada.get("/set/_user_id/1")
    assert not ada.socket.is_connected()
    ada.socket.connect()
    assert ada.whoami() == {"theme": "dark", "_user_id": "1"}
    ada.get("/set/_user_id/2")  # another user in the same browser
    assert not ada.socket.is_connected()


@pytest.mark.parametrize(
    "identity", ["name", ("name", "role"), lambda session: session.get("name", "").lower()]
)
def test_a_program_tells_where_it_keeps_the_login(
    app: Vial, socketio: SocketIO, identity: Any
) -> None:
    manage_session = socketio.manage_session
    socketio.init_app(app, session_identity=identity, manage_session=manage_session)
    ada = Visitor(app, socketio, "/set/theme/dark")
    ada.get("/set/theme/light", "/set/_user_id/1")
    assert ada.socket.is_connected()
    ada.get("/set/name/ada")
    assert not ada.socket.is_connected()


def test_a_session_is_followed_over_all_the_cookies_that_it_has_had(
    app: Vial, socketio: SocketIO
) -> None:
    ada = Visitor(app, socketio, "/set/user/ada")
    ada.get(*(f"/set/n/{number}" for number in range(MOST_COOKIES * 2)))
    assert ada.socket.is_connected()
    ada.get("/logout")
    assert not ada.socket.is_connected()


def test_requests_at_once_lead_to_several_cookies_of_one_session(
    app: Vial, socketio: SocketIO
) -> None:
    ada = Visitor(app, socketio, "/set/user/ada")
    name = app.config["SESSION_COOKIE_NAME"]
    cookie = ada.http.get_cookie(name)
    assert cookie is not None
    ada.get("/set/n/1")
    other = app.test_client()
    other.set_cookie(name, cookie.value)
    other.get("/set/n/2")  # began with the same cookie; the browser keeps the last answer's
    other.get("/logout")
    assert not ada.socket.is_connected()


def test_a_permanent_session_whose_cookie_is_only_refreshed_is_followed(
    app: Vial, socketio: SocketIO
) -> None:
    ada = Visitor(app, socketio, "/set/user/ada", "/permanent")
    ada.get("/other", "/logout")
    assert not ada.socket.is_connected()


def test_a_cookie_that_a_logout_ended_opens_no_socket(app: Vial, socketio: SocketIO) -> None:
    ada = Visitor(app, socketio, "/set/user/ada")
    name = app.config["SESSION_COOKIE_NAME"]
    cookie = ada.http.get_cookie(name)
    assert cookie is not None
    ada.get("/logout")
    for value in (cookie.value, cookie.value):
        # The client was quicker than the answer, or somebody has kept it.
        ada.http.set_cookie(name, value)
        ada.http.set_cookie("other", "kept")
        socketio.on("cookies")(lambda: dict(request.cookies))
        socket = ada.connect()
        assert ada.whoami(socket) == {}
        assert socket.emit("cookies", callback=True) == {"other": "kept"}


def test_a_cookie_from_before_a_key_was_taken_out_opens_a_socket_without_it(
    app: Vial, socketio: SocketIO
) -> None:
    ada = Visitor(app, socketio, "/set/user/ada", "/set/theme/dark")
    name = app.config["SESSION_COOKIE_NAME"]
    cookie = ada.http.get_cookie(name)
    assert cookie is not None
    ada.get("/pop/user")
    ada.http.set_cookie(name, cookie.value)
    assert ada.whoami(ada.connect()) == {"theme": "dark"}


def test_ended_cookies_are_remembered_within_bounds(
    app: Vial, socketio: SocketIO, monkeypatch: Any
) -> None:
    monkeypatch.setattr("vial.socketio.visits.MOST_ENDED", 3)
    for number in range(6):
        Visitor(app, socketio, f"/set/user/{number}", "/logout")
    assert len(socketio.async_server.visits._ended) == 3


def test_a_session_that_has_expired_ends_the_connection(
    app: Vial, socketio: SocketIO, seen: list[Any], monkeypatch: Any
) -> None:
    monkeypatch.setattr("vial.socketio.visits.RECHECK", -1)
    ada = Visitor(app, socketio, "/set/user/ada")
    assert ada.whoami() == {"user": "ada"}
    app.permanent_session_lifetime = timedelta(seconds=-1)
    if socketio.manage_session:
        assert ada.whoami() is None
        assert not ada.socket.is_connected()
        assert seen == [{"user": "ada"}]
    else:
        assert ada.whoami() == {}  # each event looks anew


def test_a_visitor_without_a_session_is_left_alone(app: Vial, socketio: SocketIO) -> None:
    ada = Visitor(app, socketio)
    ada.get("/read", "/logout", "/set/_user_id/1")
    assert ada.socket.is_connected()
    assert ada.whoami() == {}


def test_reading_the_session_by_a_page_changes_nothing(app: Vial, socketio: SocketIO) -> None:
    ada = Visitor(app, socketio, "/set/user/ada")
    visits = socketio.async_server.visits
    told: list[Change] = []
    visits.publish = told.append
    ada.get("/read", "/read")
    assert told == []
    assert ada.whoami() == {"user": "ada"}


def test_nothing_is_kept_of_those_who_have_gone(app: Vial, socketio: SocketIO) -> None:
    visits = socketio.async_server.visits
    ada = Visitor(app, socketio, "/set/user/ada")
    ada.get("/set/n/1", "/set/n/2")
    assert visits._by_cookie
    ada.socket.connect("/")  # while connected: the same transport
    ada.get("/logout")
    assert not ada.socket.is_connected()
    assert visits._by_cookie == {}


def test_changes_can_be_told_to_other_processes(app: Vial, socketio: SocketIO) -> None:
    """Two servers of one program; the page is answered by one, the socket is the other's."""
    told: list[Change] = []
    other = Vial("chat", static_folder=None)
    other.secret_key = app.secret_key
    elsewhere = SocketIO(other)
    elsewhere.on("whoami")(lambda: dict(session))
    socketio.async_server.visits.publish = told.append
    ada = Visitor(app, socketio, "/set/user/ada")
    socket = elsewhere.test_client(other, flask_test_client=ada.http)
    assert socket.emit("whoami", callback=True) == {"user": "ada"}
    ada.get("/set/n/1", "/logout")
    visits = elsewhere.async_server.visits
    for change in told:
        assert all(isinstance(field, str | list | None) for field in change)  # it goes by JSON
        visits.follow(change)
    assert not socket.is_connected()


class Store(SessionInterface):
    """Sessions on the server."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}

    def open_session(self, app: Vial, request: Any) -> SecureCookieSession:
        return Stored(self.kept.get(request.cookies.get("session", ""), {}))

    def save_session(self, app: Vial, session: Any, response: Any) -> None:
        sid = request.cookies.get("session", "sid-1")
        self.kept[sid] = dict(session)
        response.set_cookie("session", sid)


class Stored(dict[str, Any]):
    modified = False
    accessed = new = permanent = False

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self.modified = True

    def clear(self) -> None:
        super().clear()
        self.modified = True


def test_sessions_on_a_server(app: Vial, socketio: SocketIO) -> None:
    app.session_interface = Store()
    ada = Visitor(app, socketio, "/set/user/ada", "/set/theme/dark")
    assert ada.whoami()["user"] == "ada"
    ada.get("/set/theme/light")
    live = {"user": "ada", "theme": "light"}
    fork = {"user": "ada", "theme": "dark"}
    assert ada.whoami() == (fork if socketio.manage_session else live)
    ada.get("/logout")
    if socketio.manage_session:
        assert not ada.socket.is_connected()
    else:
        assert ada.whoami() == {}
    assert ada.whoami(ada.connect()) == {}


def test_a_login_by_an_event_is_seen_by_pages_where_the_session_is_on_a_server(
    app: Vial, socketio: SocketIO, lane: Any
) -> None:
    app.session_interface = Store()

    @socketio.on("login")
    @lane
    def login() -> None:
        session["user"] = "ada"

    ada = Visitor(app, socketio, "/set/theme/dark")
    ada.socket.emit("login")
    expected = {"theme": "dark"} if socketio.manage_session else {"theme": "dark", "user": "ada"}
    assert ada.http.get("/read").json == expected


def test_a_real_connection_is_closed_by_a_logout(app: Vial, socketio: SocketIO) -> None:
    http = app.test_client()
    http.get("/set/user/ada")
    cookie = http.get_cookie(app.config["SESSION_COOKIE_NAME"])
    assert cookie is not None
    headers = {"cookie": f"{cookie.key}={cookie.value}"}

    async def scenario() -> None:
        client = await WebSocket.open(app, headers=headers)
        await client.send('421["whoami"]')
        assert await client.receive() == '431[{"user":"ada"}]'
        await asyncio.to_thread(http.get, "/logout")
        await client.end()
        await until(lambda: not socketio.async_server.visits._by_cookie)

    run(scenario)


def test_a_logout_by_one_worker_closes_the_socket_of_another(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))

    def worker() -> tuple[Vial, SocketIO]:
        app = Vial("chat", static_folder=None)
        app.secret_key = "key"
        app.add_url_rule("/in", "in", lambda: session.update(user="ada") or "")
        app.add_url_rule("/out", "out", lambda: session.clear() or "")
        socketio = SocketIO(app)
        socketio.on("whoami")(lambda: session.get("user"))
        return app, socketio

    async def scenario() -> None:
        (pages, here), (sockets, there) = worker(), worker()
        await here.async_server.join()
        await there.async_server.join()
        http = pages.test_client()
        await asyncio.to_thread(http.get, "/in")
        cookie = http.get_cookie("session")
        assert cookie is not None
        client = await WebSocket.open(sockets, headers={"cookie": f"session={cookie.value}"})
        await client.send('421["whoami"]')
        assert await client.receive() == '431["ada"]'
        await asyncio.to_thread(http.get, "/out")
        await client.end()
        await here.async_server.part()
        await there.async_server.part()

    run(scenario)
