"""Users in async code, WebSockets and events of Socket.IO, on each gateway."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from cases.entrance_rsgi import Rsgi
from cases.entrances import Asgi, Entrance, Wsgi
from login_site import Site, User

from vial import Vial, session, websocket
from vial.login import (
    bearer_token,
    current_user,
    fresh_login_required,
    load_current_user,
    login_required,
    login_user,
    logout_user,
    reload_user,
)
from vial.socketio import SocketIO
from vial.testing_websockets import WebSocketRefused

EVERY: list[Entrance] = [Wsgi(), Asgi(), Rsgi()]


class AsyncSite(Site):
    """The same with async loaders."""

    def __init__(self) -> None:
        super().__init__()
        self.loops: list[Any] = []

        @self.manager.user_loader
        async def load(id: str) -> User | None:
            self.loops.append(asyncio.get_running_loop())
            await asyncio.sleep(0)
            return self.load(id)


@pytest.fixture(params=[Site, AsyncSite], ids=["sync-loader", "async-loader"])
def site(request: Any) -> Site:
    site: Site = request.param()

    async def a_view() -> str:
        return str(current_user.id)

    async def open_view() -> str:
        return str((await load_current_user()).is_authenticated)

    site.app.add_url_rule("/async", "async", login_required(a_view))
    site.app.add_url_rule("/async-pay", "async-pay", fresh_login_required(a_view))
    site.app.add_url_rule("/async-open", "async-open", open_view)
    return site


@pytest.fixture(params=EVERY, ids=lambda entrance: entrance.name)
def visit(request: Any, site: Site) -> Callable[..., Any]:
    """Ask on one gateway, with the cookies that came so far."""
    jar: dict[str, str] = {}

    def ask(target: str, method: str = "GET", headers: Any = (), **form: str) -> Any:
        pairs = [*headers, ("Cookie", "; ".join(f"{k}={v}" for k, v in jar.items()))]
        body = urlencode(form).encode()
        if form:
            pairs.append(("Content-Type", "application/x-www-form-urlencoded"))
        answer = request.param.ask(site.app, target, method, headers=pairs, body=body)
        for cookie in answer.all("set-cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            jar.pop(name, None)
            if value:
                jar[name] = value
        return answer

    ask.jar = jar  # type: ignore[attr-defined]
    return ask


def test_a_visit_of_a_user_is_the_same_on_every_gateway(visit: Any) -> None:
    for path in ("/me", "/async", "/async-pay"):
        assert visit(path)["location"] == f"/login?next={path.replace('/', '%2F')}"
    assert visit("/async-open").text == "False"
    assert visit("/login", "POST", id="ada", remember="yes").text == "True"
    for path in ("/me", "/async", "/async-pay", "/page"):
        answer = visit(path)
        assert (answer.text, answer["cache-control"], answer["vary"]) == (
            "ada",
            "private",
            "Cookie",
        )
    assert visit("/async-open").text == "True"
    del visit.jar["session"]
    assert visit("/async").text == "ada"
    assert visit("/async-pay").status == 401
    assert visit("/logout").text == "True"
    assert visit.jar == {}
    assert visit("/async").status == 302


def test_a_page_that_does_not_ask_varies_by_nothing(visit: Any) -> None:
    visit("/login", "POST", id="ada")
    answer = visit("/plain")
    assert answer.all("vary") == answer.all("cache-control") == answer.all("set-cookie") == []


def test_async_handlers_answer_strangers(site: Site, visit: Any) -> None:
    @site.manager.unauthorized_handler
    async def no() -> Any:
        await asyncio.sleep(0)
        return "no", 403

    assert visit("/async").text == visit("/me").text == "no"


def test_a_request_loader_may_be_async(site: Site, visit: Any) -> None:
    @site.manager.request_loader
    async def load(request: Any) -> User | None:
        return site.users.get(bearer_token() or "")

    headers = [("Authorization", "Bearer bob")]
    assert visit("/me", headers=headers).text == visit("/async", headers=headers).text == "bob"
    assert visit("/me").status == 302


def test_files_load_nobody() -> None:
    site = AsyncSite()
    site.app.add_url_rule("/static/<name>", "static", lambda name: name)
    client = site.logged_in()
    site.loads = 0
    assert client.get("/static/x").text == "x"
    assert site.loads == 0


def test_a_loader_beside_a_loop_does_not_hold_it_up() -> None:
    site = Site()
    threads: list[Any] = []
    site.manager.user_loader(lambda id: threads.append(threading.current_thread()) or site.load(id))

    async def view() -> str:
        return str(threads[-1] is not threading.current_thread())

    site.app.add_url_rule("/async", "async", login_required(view))
    client = site.logged_in()
    cookie = f"session={client.get_cookie('session').value}"
    assert Asgi().ask(site.app, "/async", headers=[("Cookie", cookie)]).text == "True"


def test_async_code_that_reads_a_user_too_early_is_told_what_to_do() -> None:
    site = AsyncSite()

    async def event() -> Any:
        with site.app.test_request_context():
            session["_user_id"] = "ada"
            return current_user.id

    with pytest.raises(RuntimeError, match="await load_current_user"):
        asyncio.run(event())


# -- WebSockets ----------------------------------------------------------------------------------


@pytest.fixture
def sockets(site: Site) -> Site:
    @site.app.websocket("/ws")
    @login_required
    async def ws() -> None:
        await websocket.send(current_user.id)
        async for _ in websocket:
            reload_user()
            user = await load_current_user()
            await websocket.send(str(user.is_authenticated))

    @site.app.websocket("/sync-ws")
    @login_required
    def sync_ws() -> None:
        websocket.send(current_user.id)

    return site


def refusal(client: Any, path: str) -> Any:
    with pytest.raises(WebSocketRefused) as refused, client.websocket(path):
        pass
    return refused.value.response


@pytest.mark.parametrize("path", ["/ws", "/sync-ws"])
def test_a_websocket_of_a_stranger_is_refused(sockets: Site, path: str) -> None:
    client = sockets.app.test_client()
    assert refusal(client, path).status_code == 401
    sockets.manager.unauthorized_handler(lambda: ("no", 403))
    assert refusal(client, path).status_code == 403
    with sockets.logged_in().websocket(path) as ws:
        assert ws.receive() == "ada"


def test_a_websocket_can_look_again_who_its_user_is(sockets: Site) -> None:
    with sockets.logged_in().websocket("/ws") as ws:
        assert ws.receive() == "ada"
        ws.send("?")
        assert ws.receive() == "True"
        sockets.users["ada"].password_hash = "another"
        ws.send("?")
        assert ws.receive() == "False"


def test_a_remembered_user_has_websockets(sockets: Site) -> None:
    with sockets.remembered().websocket("/ws") as ws:
        assert ws.receive() == "ada"


# -- Socket.IO -----------------------------------------------------------------------------------


class Chat:
    """Events of users only, which note who was there."""

    def __init__(self, site: Site, is_async: bool) -> None:
        self.app, self.seen = site.app, list[Any]()
        self.io = SocketIO(site.app)

        def say(text: str) -> str:
            self.seen.append((current_user.id, text))
            return f"{current_user.id}: {text}"

        async def say_async(text: str) -> str:
            return say(text)

        async def who() -> bool:
            return bool((await load_current_user()).is_authenticated)

        handler = say_async if is_async else say
        self.io.on("say")(login_required(handler))
        self.io.on("pay")(fresh_login_required(handler))
        self.io.on("who")(who)
        self.io.on("out")(lambda: logout_user())
        self.io.on("connect", namespace="/users")(login_required(lambda: None))

    def client(self, pages: Any, namespace: str | None = None) -> Any:
        return self.io.test_client(self.app, namespace, flask_test_client=pages)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def chat(request: Any, site: Site) -> Chat:
    return Chat(site, request.param)


def test_events_know_their_user(chat: Chat, site: Site) -> None:
    client = chat.client(site.logged_in())
    assert client.emit("say", "hello", callback=True) == "ada: hello"
    assert client.emit("pay", "1", callback=True) == "ada: 1"
    assert client.emit("who", callback=True) is True


def test_a_stranger_is_disconnected_by_an_event_for_users(chat: Chat, site: Site) -> None:
    client = chat.client(site.app.test_client())
    assert client.emit("who", callback=True) is False
    client.emit("say", "hello")
    assert not client.is_connected() and chat.seen == []


def test_a_stranger_does_not_get_into_a_namespace_for_users(chat: Chat, site: Site) -> None:
    assert not chat.client(site.app.test_client(), "/users").is_connected("/users")
    assert chat.client(site.logged_in(), "/users").is_connected("/users")


def test_a_logout_by_a_page_closes_the_sockets(chat: Chat, site: Site) -> None:
    pages = site.logged_in()
    one, two = chat.client(pages), chat.client(pages)
    other = chat.client(site.logged_in("bob"))
    pages.get("/logout")
    assert not one.is_connected() and not two.is_connected()
    assert other.emit("say", "still here", callback=True) == "bob: still here"


def test_a_login_as_somebody_else_closes_the_sockets(chat: Chat, site: Site) -> None:
    pages = site.logged_in()
    client = chat.client(pages)
    site.logged_in("bob", pages)
    assert not client.is_connected()


def test_a_logout_by_an_event_counts_for_the_events_that_follow(chat: Chat, site: Site) -> None:
    client = chat.client(site.logged_in())
    client.emit("out")
    assert client.is_connected()
    client.emit("say", "hello")
    assert not client.is_connected() and chat.seen == []


def test_a_new_password_elsewhere_counts_for_the_next_event(chat: Chat, site: Site) -> None:
    client = chat.client(site.logged_in())
    site.users["ada"].password_hash = "another"
    client.emit("say", "hello")
    assert not client.is_connected() and chat.seen == []


def test_a_socket_is_opened_by_a_session_and_not_by_the_remember_cookie(
    chat: Chat, site: Site
) -> None:
    pages = site.remembered()
    assert chat.client(pages).emit("who", callback=True) is False
    pages.get("/me")
    assert chat.client(pages).emit("who", callback=True) is True


def test_a_login_in_one_request_is_not_seen_by_another() -> None:
    app = Vial("site", static_folder=None)
    site = Site(app)
    barrier = threading.Barrier(2, timeout=30)

    def meet(id: str) -> str:
        login_user(site.users[id])
        barrier.wait()
        return str(current_user.id)

    app.add_url_rule("/meet/<id>", "meet", meet)
    got: dict[str, str] = {}
    visits = [
        threading.Thread(
            target=lambda id=id: got.update({id: app.test_client().get(f"/meet/{id}").text})
        )
        for id in ("ada", "bob")
    ]
    for thread in visits:
        thread.start()
    for thread in visits:
        thread.join()
    assert got == {"ada": "ada", "bob": "bob"}
