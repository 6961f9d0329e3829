"""WebSockets of an app, by its test client."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from cases.entrances import Asgi
from werkzeug.exceptions import BadRequest

from vial import (
    Blueprint,
    Response,
    Vial,
    abort,
    after_this_request,
    copy_current_request_context,
    current_app,
    g,
    has_request_context,
    redirect,
    request,
    session,
    url_for,
    websocket,
)
from vial.concurrency import background_loop
from vial.gateways import threads, watch
from vial.gateways.watch import watch_of
from vial.globals import _cv
from vial.signals import got_request_exception
from vial.testing_websockets import Disconnected, WebSocketRefused
from vial.websockets import WebSocket

#: Seconds that anything may take on a busy machine.
SOON = 20.0


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vial]:
    monkeypatch.setattr(watch, "INTERVAL", 0.02)
    app = Vial("sockets", static_folder=None)
    app.secret_key = "k"
    app.testing = True
    yield app
    wait_for("WebSockets and threads to end", lambda: not left_behind())


def left_behind() -> list[Any]:
    names = [t.name for t in threading.enumerate() if t.name.startswith("vial-websocket")]
    return [*names, *watch_of(background_loop()).channels, *range(threads._threads)]


def wait_for(what: str, condition: Callable[[], object]) -> None:
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end, f"waited for {what}"
        time.sleep(0.005)


def opened(app: Vial, path: str = "/", **options: Any) -> Any:
    return app.test_client().websocket(path, **options)


def refused(app: Vial, path: str = "/", **options: Any) -> Any:
    with pytest.raises(WebSocketRefused) as refusal, opened(app, path, **options):
        pass
    return refusal.value.response


def tell(text: Callable[[], Any]) -> Callable[..., Any]:
    """A view that sends what a function returns."""

    async def view(**values: Any) -> None:
        await websocket.send(str(text(**values)))

    return view


def told(app: Vial, path: str = "/", **options: Any) -> str:
    with opened(app, path, **options) as ws:
        return str(ws.receive())


# -- talking ----------------------------------------------------------------------------------


def add_echoes(app: Vial) -> None:
    @app.websocket("/async")
    async def by_await() -> None:
        while True:
            await websocket.send(await websocket.receive())

    @app.websocket("/async-for")
    async def by_async_for() -> None:
        async for message in websocket:
            await websocket.send(message)

    @app.websocket("/sync")
    def by_calls() -> None:
        while True:
            websocket.send(websocket.receive())

    @app.websocket("/sync-for")
    def by_for() -> None:
        for message in websocket:
            websocket.send(message)


ECHOES = ("/async", "/async-for", "/sync", "/sync-for")


@pytest.mark.parametrize("path", ECHOES)
def test_text_and_bytes_go_both_ways(app: Vial, path: str) -> None:
    add_echoes(app)
    with opened(app, path) as ws:
        for message in ("text", "é€😀", "", b"\x00\xff", b""):
            ws.send(message)
            assert ws.receive() == message


@pytest.mark.parametrize("path", ECHOES)
def test_a_view_ends_when_its_client_leaves_and_is_torn_down_once(app: Vial, path: str) -> None:
    add_echoes(app)
    ended: list[Any] = []
    app.teardown_websocket(lambda e: ended.append(("websocket", e)))
    app.teardown_appcontext(lambda e: ended.append(("app", e)))
    with opened(app, path) as ws:
        ws.send("x")
        ws.receive()
        assert ended == []
        ws.close(4000, "bye")
    assert ended == [("websocket", None), ("app", None)]


def test_the_client_of_async_tests_is_awaited(app: Vial) -> None:
    add_echoes(app)

    async def talk() -> None:
        for path in ECHOES:
            async with opened(app, path) as ws:
                await ws.send("x")
                assert await ws.receive() == "x"
                await ws.close()
            assert ws.close_code == 1000
        with pytest.raises(RuntimeError, match="async with"), opened(app, "/sync"):
            pass

    asyncio.run(talk())


def test_json_goes_both_ways(app: Vial) -> None:
    @app.websocket("/async")
    async def by_await() -> None:
        await websocket.send_json({"got": await websocket.receive_json()})
        await websocket.send_json(a=1)

    @app.websocket("/sync")
    def by_calls() -> None:
        websocket.send_json({"got": websocket.receive_json()})
        websocket.send_json(1, 2)

    for path, last in (("/async", {"a": 1}), ("/sync", [1, 2])):
        with opened(app, path) as ws:
            ws.send_json([1, "é", None])
            assert ws.receive_json() == {"got": [1, "é", None]}
            assert ws.receive_json() == last


@pytest.mark.parametrize("text", ["{", "\ud800", "[" * 100_000])
def test_what_is_no_json_closes_with_1008_unless_the_view_catches_it(app: Vial, text: str) -> None:
    @app.websocket("/")
    async def view() -> None:
        try:
            await websocket.receive_json()
        except BadRequest:
            await websocket.send("no JSON")
        await websocket.receive_json()

    with opened(app) as ws:
        ws.send(text)
        assert ws.receive() == "no JSON"
        ws.send(text)
        with pytest.raises(Disconnected):
            ws.receive()
        assert (ws.close_code, ws.close_reason) == (1008, "Bad Request")


def test_only_text_and_bytes_can_be_sent(app: Vial) -> None:
    class Text(str):
        pass

    @app.websocket("/")
    async def view() -> None:
        for data in (bytearray(b"a"), memoryview(b"b"), Text("c")):
            await websocket.send(data)
        await websocket.send({"a": 1})  # type: ignore[arg-type]

    with (
        pytest.raises(TypeError, match=r"str or bytes, not dict: send_json\(\)"),
        opened(app) as ws,
    ):
        assert [ws.receive(), ws.receive(), ws.receive()] == [b"a", b"b", "c"]
        ws.receive()


def test_messages_that_were_sent_before_the_client_left_are_received(app: Vial) -> None:
    got: list[Any] = []
    may_read = threading.Event()

    @app.websocket("/")
    def view() -> None:
        websocket.accept()
        may_read.wait(SOON)
        got.extend(websocket)

    with opened(app) as ws:
        for number in range(5):
            ws.send(str(number))
        threading.Timer(0.05, may_read.set).start()
        ws.close()
    assert got == ["0", "1", "2", "3", "4"]


def test_two_tasks_cannot_receive_at_once_but_one_may_send(app: Vial) -> None:
    @app.websocket("/")
    async def view() -> None:
        # Neither of them accepts: whoever comes first does, the other waits for that.
        reading = asyncio.ensure_future(websocket.receive())
        await asyncio.gather(websocket.send("a"), websocket.send("b"))
        with pytest.raises(RuntimeError, match="Another task is receiving"):
            await websocket.receive()
        await websocket.send(await reading)

    with opened(app) as ws:
        assert [ws.receive(), ws.receive()] == ["a", "b"]
        ws.send("c")
        assert ws.receive() == "c"


def test_a_message_outlives_the_patience_of_who_waited_for_it(app: Vial) -> None:
    @app.websocket("/")
    async def view() -> None:
        await websocket.accept()
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(websocket.receive(), 0.01)
        await websocket.send("waited")
        await websocket.send(await websocket.receive())

    with opened(app) as ws:
        assert ws.receive() == "waited"
        ws.send("x")
        assert ws.receive() == "x"


# -- accepting and refusing -------------------------------------------------------------------


def test_the_handshake_is_accepted_by_the_first_receive_or_send_or_in_so_many_words(
    app: Vial,
) -> None:
    @app.websocket("/<how>")
    async def view(how: str) -> None:
        assert not websocket.accepted
        if how == "accept":
            await websocket.accept(headers={"X-A": "b"})
        elif how == "send":
            await websocket.send("x")
        else:
            await websocket.receive()
        assert websocket.accepted

    for how in ("accept", "send", "receive"):
        with opened(app, f"/{how}") as ws:
            assert ws.accepted
            assert ws.headers.get("X-A") == ("b" if how == "accept" else None)
            if how == "receive":
                ws.send("x")


def test_a_second_accept_is_an_error(app: Vial) -> None:
    @app.websocket("/")
    async def view() -> None:
        await websocket.accept()
        await websocket.accept()

    with pytest.raises(RuntimeError, match="accepted before"), opened(app):
        pass


def test_a_subprotocol_is_one_that_the_client_speaks(app: Vial) -> None:
    @app.websocket("/<name>")
    async def view(name: str) -> None:
        await websocket.send(" ".join(websocket.requested_subprotocols))

    @app.before_websocket
    async def choose() -> None:
        await websocket.accept(websocket.path[1:])
        assert websocket.subprotocol == websocket.path[1:]

    with opened(app, "/b", subprotocols=["a", "b"]) as ws:
        assert ws.receive() == "a b"
        assert ws.subprotocol == "b"
    with pytest.raises(ValueError, match=r"did not ask for the subprotocol 'c', but for \['a'\]"):
        refused(app, "/c", subprotocols=["a"])


@pytest.mark.parametrize("is_async", [True, False])
def test_a_view_refuses_by_an_ordinary_answer(app: Vial, is_async: bool) -> None:
    def view(how: str) -> Any:
        if how == "abort":
            abort(403)
        if how == "redirect":
            return redirect("/login")
        if how == "json":
            return {"why": "no"}, 409
        return None

    async def async_view(how: str) -> Any:
        return view(how)

    app.add_websocket("/<how>", "view", async_view if is_async else view)
    answer = refused(app, "/abort")
    assert answer.status_code == 403
    assert "Forbidden" in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert refused(app, "/redirect").location == "/login"
    assert (refused(app, "/json").json, refused(app, "/json").status_code) == ({"why": "no"}, 409)
    assert refused(app, "/nothing").status_code == 403


def test_closing_before_accepting_refuses(app: Vial) -> None:
    @app.websocket("/")
    async def view() -> None:
        await websocket.close()
        with pytest.raises(Disconnected):
            await websocket.send("x")

    assert refused(app).status_code == 403


def test_a_hook_refuses_and_the_view_is_not_called(app: Vial) -> None:
    called: list[str] = []
    app.websocket("/<how>")(lambda how: called.append(how))

    @app.before_websocket
    async def check() -> Any:
        if websocket.path == "/abort":
            abort(401)
        return "first a login", 403

    assert refused(app, "/abort").status_code == 401
    assert refused(app, "/x").text == "first a login"
    assert called == []


def test_a_view_that_returns_nonsense_is_an_error_as_in_http(app: Vial) -> None:
    app.websocket("/")(lambda: 3.5)
    with pytest.raises(TypeError, match="returned a float"):
        refused(app)


def test_what_a_view_returns_after_accepting_is_nothing(app: Vial) -> None:
    @app.websocket("/")
    async def view() -> Any:
        await websocket.send("x")
        return object()

    with opened(app) as ws:
        assert ws.receive() == "x"
        with pytest.raises(Disconnected):
            ws.receive()
    assert ws.close_code == 1000


# -- closing ----------------------------------------------------------------------------------


def test_a_view_closes_with_a_code_and_a_reason(app: Vial) -> None:
    @app.websocket("/<lane>")
    async def view(lane: str) -> None:
        await websocket.send("x")
        await websocket.close(4001, "enough")
        assert websocket.closed
        assert (websocket.close_code, websocket.close_reason) == (4001, "enough")
        with pytest.raises(Disconnected) as end:
            await websocket.send("y")
        assert (end.value.code, end.value.reason) == (4001, "enough")
        assert [message async for message in websocket] == []

    with opened(app, "/async") as ws:
        assert ws.receive() == "x"
        with pytest.raises(Disconnected, match=r"with code 4001 \(enough\)"):
            ws.receive()


@pytest.mark.parametrize(
    ("code", "reason", "message"),
    [
        *(
            (code, "", f"{code} is no close code")
            for code in (0, 999, 1005, 1006, 1015, 2000, 5000)
        ),
        (1000, "é" * 62, "longer than 123 bytes"),
    ],
)
def test_codes_and_reasons_that_cannot_be_sent_are_errors(
    app: Vial, code: int, reason: str, message: str
) -> None:
    @app.websocket("/")
    async def view() -> None:
        await websocket.close(code, reason)

    with pytest.raises(ValueError, match=message):
        refused(app)


def test_the_view_hears_how_the_client_left(app: Vial) -> None:
    heard: list[Any] = []

    @app.websocket("/async")
    async def by_await() -> None:
        try:
            await websocket.receive()
        except Disconnected as e:
            heard.append((e.code, e.reason, websocket.close_code))

    @app.websocket("/sync")
    def by_calls() -> None:
        try:
            websocket.receive()
        except Disconnected as e:
            heard.append((e.code, e.reason, websocket.close_code))

    for path in ("/async", "/sync"):
        with opened(app, path) as ws:
            ws.close(4002, "later")
    assert heard == [(4002, "later", 4002)] * 2


def test_an_async_view_that_waits_for_something_else_is_cancelled(app: Vial) -> None:
    ended: list[str] = []

    @app.websocket("/")
    async def view() -> None:
        await websocket.send("x")
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append("view")

    app.teardown_websocket(lambda e: ended.append(f"teardown {e}"))
    with opened(app) as ws:
        ws.receive()
    assert ended == ["view", "teardown None"]


def test_a_view_that_shrugs_off_its_cancellation_ends_as_it_likes(app: Vial) -> None:
    ended: list[str] = []

    @app.websocket("/")
    async def view() -> None:
        await websocket.accept()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(1000)
        await asyncio.sleep(0)
        ended.append("view")

    with opened(app):
        pass
    assert ended == ["view"]


def test_tasks_of_a_view_end_with_it(app: Vial) -> None:
    ended: list[str] = []

    async def write() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append("writer")

    async def read() -> None:
        async for message in websocket:
            await websocket.send(message)

    @app.websocket("/gather")
    async def by_gather() -> None:
        await websocket.accept()
        await asyncio.gather(read_all(), write())

    async def read_all() -> None:
        while True:
            await websocket.send(await websocket.receive())

    @app.websocket("/group")
    async def by_group() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(read_all())
            group.create_task(write())

    for path in ("/gather", "/group"):
        with opened(app, path) as ws:
            ws.send("x")
            assert ws.receive() == "x"
    assert ended == ["writer", "writer"]


def test_a_sync_view_in_the_midst_of_work_hears_of_the_end_from_its_next_call(app: Vial) -> None:
    ended: list[Any] = []
    has_left = threading.Event()

    @app.websocket("/")
    def view() -> None:
        websocket.accept()
        has_left.wait(SOON)
        try:
            while True:
                websocket.send("x")
        except Disconnected:
            ended.append(websocket.closed)

    with opened(app) as ws:
        threading.Timer(0.05, has_left.set).start()
        ws.close(4003)
    assert ended == [True]


# -- errors -----------------------------------------------------------------------------------


def fail(when: str) -> Any:
    if when == "before":
        raise ZeroDivisionError("oops")


@pytest.fixture
def failing(app: Vial) -> Vial:
    @app.websocket("/async/<when>")
    async def by_await(when: str) -> None:
        fail(when)
        await websocket.send("x")
        raise ZeroDivisionError("oops")

    @app.websocket("/sync/<when>")
    def by_calls(when: str) -> None:
        fail(when)
        websocket.send("x")
        raise ZeroDivisionError("oops")

    return app


@pytest.mark.parametrize("lane", ["async", "sync"])
def test_an_exception_is_logged_and_told_as_500_or_1011(
    failing: Vial, lane: str, caplog: pytest.LogCaptureFixture
) -> None:
    failing.testing = False
    seen: list[Any] = []
    failing.teardown_websocket(lambda e: seen.append(type(e)))
    with got_request_exception.connected_to(lambda app, exception: seen.append(exception.args)):
        assert refused(failing, f"/{lane}/before").status_code == 500
        with opened(failing, f"/{lane}/after") as ws:
            assert ws.receive() == "x"
            with pytest.raises(Disconnected):
                ws.receive()
    assert ws.close_code == 1011
    assert seen == [("oops",), ZeroDivisionError] * 2
    logged = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert logged == [f"Exception on /{lane}/{when} [GET]" for when in ("before", "after")]


@pytest.mark.parametrize("lane", ["async", "sync"])
def test_in_tests_an_exception_reaches_the_test(failing: Vial, lane: str) -> None:
    with pytest.raises(ZeroDivisionError):
        refused(failing, f"/{lane}/before")
    with pytest.raises(ZeroDivisionError), opened(failing, f"/{lane}/after") as ws:
        ws.receive()
    with pytest.raises(ZeroDivisionError), opened(failing, f"/{lane}/after") as ws:
        ws.receive()
        ws.receive()


def test_error_handlers_answer_before_and_are_told_after(failing: Vial) -> None:
    seen: list[Any] = []

    @failing.errorhandler(ZeroDivisionError)
    async def handle(e: ZeroDivisionError) -> Any:
        seen.append((websocket.path, websocket.accepted))
        return "divided", 418

    answer = refused(failing, "/async/before")
    assert (answer.status_code, answer.text) == (418, "divided")
    with opened(failing, "/sync/after") as ws:
        ws.receive()
        with pytest.raises(Disconnected):
            ws.receive()
    assert ws.close_code == 1011
    assert seen == [("/async/before", False), ("/sync/after", True)]


def test_an_error_handler_may_say_goodbye_itself(failing: Vial) -> None:
    @failing.errorhandler(ZeroDivisionError)
    async def handle(e: ZeroDivisionError) -> Any:
        await websocket.send("sorry")
        await websocket.close(4500, "divided")

    with opened(failing, "/async/after") as ws:
        assert [ws.receive(), ws.receive()] == ["x", "sorry"]
        with pytest.raises(Disconnected):
            ws.receive()
    assert ws.close_code == 4500


def test_an_error_handler_that_fails_is_an_error(failing: Vial) -> None:
    @failing.errorhandler(ZeroDivisionError)
    def handle(e: ZeroDivisionError) -> Any:
        raise KeyError("handler")

    with pytest.raises(KeyError, match="handler"):
        refused(failing, "/async/before")


def test_handlers_of_http_errors_answer_for_refusals(app: Vial) -> None:
    app.websocket("/no")(lambda: abort(403))
    app.register_error_handler(403, lambda e: ("keep out", 403))
    app.register_error_handler(404, lambda e: ("nobody", 404))
    assert refused(app, "/no").text == "keep out"
    assert refused(app, "/other").text == "nobody"


def test_an_http_error_after_accepting_closes_with_1008_or_1011(app: Vial) -> None:
    @app.websocket("/<int:code>")
    async def view(code: int) -> None:
        await websocket.accept()
        abort(code)

    for code, expected in ((403, (1008, "Forbidden")), (503, (1011, ""))):
        with opened(app, f"/{code}") as ws, pytest.raises(Disconnected):
            ws.receive()
        assert (ws.close_code, ws.close_reason) == expected


def test_an_exception_beside_the_end_is_no_end(app: Vial) -> None:
    @app.websocket("/")
    async def view() -> None:
        try:
            await websocket.receive()
        except Disconnected:
            raise ZeroDivisionError from None

    with pytest.raises(ZeroDivisionError), opened(app):
        pass


def test_the_end_of_another_websocket_is_an_exception(app: Vial) -> None:
    sockets: list[WebSocket] = []

    @app.websocket("/")
    async def view() -> None:
        sockets.append(websocket._get_current_object())  # type: ignore[attr-defined]
        await websocket.send("x")
        await sockets[0].send("y")

    with opened(app) as first:
        assert [first.receive(), first.receive()] == ["x", "y"]
    with pytest.raises(Disconnected), opened(app) as second:
        assert second.receive() == "x"
        second.receive()
        pytest.fail("the first WebSocket is over")


# -- what views and hooks see -----------------------------------------------------------------


def test_a_websocket_is_the_request_too(app: Vial) -> None:
    @app.websocket("/<room>")
    async def view(room: str) -> None:
        assert request == websocket
        assert (request.method, websocket.args["q"], websocket.path) == ("GET", "1", "/r")
        assert websocket.headers["X-A"] == "b"
        assert (websocket.url, websocket.host) == ("ws://localhost/r?q=1", "localhost")
        assert (websocket.scheme, websocket.is_secure) == ("ws", False)
        assert (websocket.endpoint, websocket.view_args) == ("view", {"room": "r"})
        assert websocket.environ["wsgi.url_scheme"] == "http"
        assert repr(websocket) == "<WebSocket 'ws://localhost/r?q=1'>"
        assert current_app.name == "sockets"
        await websocket.send("seen")

    assert told(app, "/r", query_string={"q": "1"}, headers={"X-A": "b"}) == "seen"


def test_a_secure_websocket_says_so(app: Vial) -> None:
    app.websocket("/", endpoint="view")(
        tell(lambda: f"{websocket.url} {websocket.is_secure} {url_for('view', _external=True)}")
    )
    assert told(app, base_url="https://x.example/") == ("wss://x.example/ True wss://x.example/")


def test_outside_of_one_the_proxy_says_what_to_do(app: Vial) -> None:
    message = "Working outside of WebSocket context"
    with pytest.raises(RuntimeError, match=message):
        websocket.path
    with app.test_request_context(), pytest.raises(RuntimeError, match=message):
        websocket.path


def test_converters_and_url_for_work_as_for_http(app: Vial) -> None:
    app.websocket("/n/<int:n>", endpoint="n")(tell(lambda n: repr(n)))
    app.get("/link")(lambda: url_for("n", n=3))
    assert told(app, "/n/5") == "5"
    assert refused(app, "/n/x").status_code == 404
    assert app.test_client().get("/link").text == "ws://localhost/n/3"


def test_http_and_websocket_rules_are_kept_apart(app: Vial) -> None:
    app.websocket("/both", endpoint="ws")(tell(lambda: "ws"))
    app.get("/both", endpoint="http")(lambda: "http")
    app.websocket("/ws", endpoint="only-ws")(tell(lambda: "ws"))
    app.get("/http", endpoint="only-http")(lambda: "http")
    client = app.test_client()
    assert (told(app, "/both"), client.get("/both").text) == ("ws", "http")
    assert (refused(app, "/http").status_code, client.get("/ws").status_code) == (400, 400)


def test_a_rule_without_the_slash_redirects(app: Vial) -> None:
    app.websocket("/a/", endpoint="a")(tell(lambda: "a"))
    assert refused(app, "/a").status_code == 308


def test_blueprints_have_websockets_and_hooks_of_their_own(app: Vial) -> None:
    seen: list[str] = []
    bp = Blueprint("bp", __name__)

    @bp.websocket("/ws")
    async def view() -> None:
        await websocket.send(f"{websocket.blueprint} {websocket.endpoint}")

    bp.before_websocket(lambda: seen.append("bp before"))
    bp.after_websocket(lambda response: seen.append("bp after"))
    bp.teardown_websocket(lambda e: seen.append("bp teardown"))
    bp.before_app_websocket(lambda: seen.append("app before"))
    bp.after_app_websocket(lambda response: seen.append("app after"))
    bp.teardown_app_websocket(lambda e: seen.append("app teardown"))
    bp.errorhandler(404)(lambda e: "never")
    app.register_blueprint(bp, url_prefix="/bp")
    app.websocket("/other")(tell(lambda: "other"))
    assert told(app, "/bp/ws") == "bp bp.view"
    assert seen == [
        *("app before", "bp before"),
        *("bp after", "app after"),
        *("bp teardown", "app teardown"),
    ]
    seen.clear()
    assert told(app, "/other") == "other"
    assert seen == ["app before", "app after", "app teardown"]


def test_hooks_of_http_are_not_those_of_websockets(app: Vial) -> None:
    seen: list[str] = []
    app.before_request(lambda: seen.append("request"))
    app.before_websocket(lambda: seen.append("websocket"))
    app.websocket("/ws")(tell(lambda: "x"))
    app.get("/")(lambda: "x")
    app.test_client().get("/")
    told(app, "/ws")
    assert seen == ["request", "websocket"]


def test_after_functions_get_the_refusal_and_may_replace_it(app: Vial) -> None:
    seen: list[Any] = []
    app.websocket("/no", endpoint="no")(lambda: abort(403))
    app.websocket("/yes", endpoint="yes")(tell(lambda: "yes"))

    @app.after_websocket
    async def replace(response: Response | None) -> Any:
        seen.append(response and response.status_code)
        return response and Response("replaced", 402)

    @app.after_websocket
    def nothing(response: Response | None) -> Any:
        seen.append("first")

    assert refused(app, "/no").text == "replaced"
    assert told(app, "/yes") == "yes"
    assert seen == ["first", 403, "first", None]


def test_url_value_preprocessors_run(app: Vial) -> None:
    @app.url_value_preprocessor
    def take(endpoint: str | None, values: Any) -> None:
        g.lang = values.pop("lang")

    app.websocket("/<lang>", endpoint="x")(tell(lambda: g.lang))
    assert told(app, "/de") == "de"


def test_g_is_one_for_hooks_view_and_teardown_and_no_other_socket(app: Vial) -> None:
    seen: list[str] = []

    @app.before_websocket
    def before() -> None:
        assert "user" not in g
        g.user = websocket.path

    app.websocket("/<x>")(tell(lambda x: g.user))
    app.teardown_websocket(lambda e: seen.append(g.user))
    with opened(app, "/a") as first, opened(app, "/b") as second:
        assert (first.receive(), second.receive()) == ("/a", "/b")
    assert sorted(seen) == ["/a", "/b"]


def test_a_copied_context_sees_the_websocket(app: Vial) -> None:
    @app.websocket("/<x>")
    async def view(x: str) -> None:
        @copy_current_request_context
        async def later() -> None:
            await websocket.send(f"{websocket.path} {websocket.endpoint} {session['a']}")

        @copy_current_request_context
        def in_thread() -> None:
            websocket.send(f"{request.path} {has_request_context()}")

        session["a"] = 1
        await asyncio.create_task(later())
        await asyncio.to_thread(in_thread)
        assert websocket.view_args == {"x": "x"}

    with opened(app, "/x") as ws:
        assert [ws.receive(), ws.receive()] == ["/x view 1", "/x True"]


def test_helpers_of_requests_work(app: Vial) -> None:
    @app.websocket("/")
    async def view() -> None:
        @after_this_request
        def add(response: Response) -> Response:
            response.set_cookie("seen", "1")
            return response

        await websocket.send("x")

    client = app.test_client()
    with client.websocket("/") as ws:
        ws.receive()
        assert "seen=1" in ws.headers["Set-Cookie"]
    assert client.get_cookie("seen").value == "1"  # type: ignore[union-attr]


def test_other_websockets_can_be_talked_to(app: Vial) -> None:
    room: set[WebSocket] = set()

    async def broadcast(text: str) -> None:
        for member in tuple(room):
            await member.send(text)

    @app.websocket("/async")
    async def by_await() -> None:
        me = websocket._get_current_object()  # type: ignore[attr-defined]
        await websocket.accept()
        room.add(me)
        try:
            async for message in websocket:
                await broadcast(message)
        finally:
            room.discard(me)

    @app.websocket("/sync")
    def by_calls() -> None:
        me = websocket._get_current_object()  # type: ignore[attr-defined]
        websocket.accept()
        room.add(me)
        try:
            for message in websocket:
                for member in tuple(room):
                    member.send(message)
        finally:
            room.discard(me)

    with opened(app, "/async") as a, opened(app, "/sync") as b:
        wait_for("both to be there", lambda: len(room) == 2)
        a.send("from a")
        assert (a.receive(), b.receive()) == ("from a", "from a")
        b.send("from b")
        assert (a.receive(), b.receive()) == ("from b", "from b")


# -- sessions ---------------------------------------------------------------------------------


def test_the_session_of_http_is_there(app: Vial) -> None:
    @app.get("/login")
    def login() -> str:
        session["user"] = "ada"
        return "in"

    app.websocket("/")(tell(lambda: session.get("user")))
    client = app.test_client()
    client.get("/login")
    with client.websocket("/") as ws:
        assert ws.receive() == "ada"
        assert "Set-Cookie" not in ws.headers
    assert told(app) == "None"


def test_a_session_is_saved_when_the_handshake_is_accepted_or_refused(app: Vial) -> None:
    @app.websocket("/<how>")
    async def view(how: str) -> None:
        session["how"] = how
        if how == "refuse":
            abort(403)
        await websocket.accept()

    app.get("/")(lambda: session.get("how", ""))
    client = app.test_client()
    with client.websocket("/accept"):
        pass
    assert client.get("/").text == "accept"
    with pytest.raises(WebSocketRefused), client.websocket("/refuse"):
        pass
    assert client.get("/").text == "refuse"


def test_a_change_that_comes_too_late_is_told(app: Vial, caplog: pytest.LogCaptureFixture) -> None:
    @app.websocket("/")
    async def view() -> None:
        session["a"] = 1
        await websocket.accept()
        session["b"] = 2

    with opened(app):
        pass
    assert "A session was changed after its WebSocket was accepted" in caplog.text


def test_a_session_that_is_kept_elsewhere_is_saved_late(
    app: Vial, caplog: pytest.LogCaptureFixture
) -> None:
    from vial.sessions import SecureCookieSession, SessionInterface

    kept: dict[str, Any] = {}

    class Store(SessionInterface):
        def open_session(self, app: Any, request: Any) -> Any:
            return SecureCookieSession(kept)

        def save_session(self, app: Any, session: Any, response: Any) -> None:
            kept.update(session)

    app.session_interface = Store()

    @app.websocket("/")
    async def view() -> None:
        await websocket.accept()
        session["late"] = 1

    with opened(app):
        pass
    assert kept == {"late": 1}
    assert caplog.text == ""


# -- pages of other sites ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "is_let_in"),
    [
        (None, True),
        ("http://localhost", True),
        ("HTTP://LocalHost", True),
        ("http://localhost:80", False),  # no browser writes a default port
        ("https://localhost", True),  # a proxy took the TLS off
        ("http://localhost:5000", False),
        ("http://evil.example", False),
        ("http://localhost.evil.example", False),
        ("http://evil.localhost", False),
        ("http://evil.example/localhost", False),
        ("null", False),
        ("", False),
        ("file://", False),
    ],
)
def test_only_pages_of_the_same_host_are_let_in(
    app: Vial, origin: str | None, is_let_in: bool, caplog: pytest.LogCaptureFixture
) -> None:
    app.websocket("/")(tell(lambda: "in"))
    headers = {} if origin is None else {"Origin": origin}
    if is_let_in:
        assert told(app, headers=headers) == "in"
        return
    assert refused(app, headers=headers).status_code == 403
    assert "name it in WEBSOCKET_ALLOWED_ORIGINS" in caplog.text


@pytest.mark.parametrize(
    ("base_url", "origin", "is_let_in"),
    [
        ("http://x.example:5000/", "http://x.example:5000", True),
        ("http://x.example:5000/", "https://x.example:5000", True),
        ("https://x.example/", "https://x.example", True),
        ("https://x.example/", "http://x.example", False),
        ("http://[::1]:5000/", "http://[::1]:5000", True),
    ],
)
def test_ports_and_schemes_count(app: Vial, base_url: str, origin: str, is_let_in: bool) -> None:
    app.websocket("/")(tell(lambda: "in"))
    options: dict[str, Any] = {"base_url": base_url, "headers": {"Origin": origin}}
    if is_let_in:
        assert told(app, **options) == "in"
    else:
        assert refused(app, **options).status_code == 403


@pytest.mark.parametrize(
    ("allowed", "is_let_in"),
    [
        ("*", True),
        (["*"], True),
        ("https://Other.example", True),
        ({"https://a.example", "https://other.example"}, True),
        (["https://a.example"], False),
        ("https://other.example.evil", False),
        ([], False),
        ("", False),
    ],
)
def test_other_origins_are_let_in_by_name(app: Vial, allowed: Any, is_let_in: bool) -> None:
    app.config["WEBSOCKET_ALLOWED_ORIGINS"] = allowed
    app.websocket("/")(tell(lambda: "in"))
    headers = {"Origin": "https://other.example"}
    if is_let_in:
        assert told(app, headers=headers) == "in"
    else:
        assert refused(app, headers=headers).status_code == 403
    assert told(app, headers={"Origin": "http://localhost"}) == "in"


def test_a_foreign_page_runs_no_hook_of_the_app(app: Vial) -> None:
    seen: list[str] = []
    app.websocket("/")(lambda: seen.append("view"))
    refused(app, headers={"Origin": "http://evil.example"})
    assert seen == []


def test_hosts_are_checked_as_for_http(app: Vial) -> None:
    app.websocket("/")(tell(lambda: "in"))
    assert refused(app, headers={"Host": "a b"}).status_code == 400
    app.config["TRUSTED_HOSTS"] = ["good.example"]
    assert refused(app, headers={"Host": "bad.example"}).status_code == 400
    assert told(app, headers={"Host": "good.example"}) == "in"


# -- limits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ECHOES)
def test_a_message_over_the_limit_closes_with_1009_and_reaches_no_view(
    app: Vial, path: str
) -> None:
    app.config["WEBSOCKET_MAX_MESSAGE_SIZE"] = 100
    add_echoes(app)
    for message in (b"x" * 100, "x" * 100, "é" * 50):
        with opened(app, path) as ws:
            ws.send(message)
            assert ws.receive() == message
            ws.send(message + message[:1])
            with pytest.raises(Disconnected):
                ws.receive()
        assert (ws.close_code, ws.close_reason) == (1009, "the message is too big")


def test_the_limit_of_a_message_is_a_mebibyte_unless_configured(app: Vial) -> None:
    add_echoes(app)
    with opened(app, "/async") as ws:
        ws.send(b"x" * 2**20)
        assert len(ws.receive()) == 2**20
        ws.send(b"x" * (2**20 + 1))
        with pytest.raises(Disconnected):
            ws.receive()
    app.config["WEBSOCKET_MAX_MESSAGE_SIZE"] = None
    with opened(app, "/async") as ws:
        ws.send(b"x" * 2**21)
        assert len(ws.receive()) == 2**21


def test_sync_views_beyond_the_number_of_threads_are_refused(
    app: Vial, caplog: pytest.LogCaptureFixture
) -> None:
    app.config["WEBSOCKET_THREADS"] = 2
    add_echoes(app)
    with opened(app, "/sync") as a, opened(app, "/sync") as b:
        for ws in (a, b):
            ws.send("x")
            assert ws.receive() == "x"
        assert refused(app, "/sync").status_code == 503
        assert "2 WebSockets with sync views are open" in caplog.text
        with opened(app, "/async") as ws:
            ws.send("x")
            assert ws.receive() == "x"
    with opened(app, "/sync") as ws:
        ws.send("x")
        assert ws.receive() == "x"


def test_open_sockets_with_sync_views_leave_the_worker_pool_to_requests(app: Vial) -> None:
    add_echoes(app)
    app.get("/page")(lambda: threading.current_thread().name)
    with ExitStack() as closing:
        for _ in range(60):
            closing.enter_context(opened(app, "/sync"))
        assert sum(t.name.startswith("vial-websocket") for t in threading.enumerate()) == 60
        assert Asgi().ask(app, "/page").text.startswith("vial-worker")


# -- setting up -------------------------------------------------------------------------------


def test_mistakes_are_told_where_they_are_made(app: Vial) -> None:
    async def view() -> None: ...

    with pytest.raises(TypeError, match="Were the parentheses forgotten"):
        app.websocket(view)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="takes no 'methods'"):
        app.add_websocket("/", view_func=view, methods=["POST"])
    app.websocket("/a")(view)
    with pytest.raises(AssertionError, match="already belongs"):
        app.websocket("/b", endpoint="view")(lambda: None)
    app.test_client().get("/")
    with pytest.raises(AssertionError, match="after it handled its first request"):
        app.websocket("/c")(view)


def test_a_subclass_may_have_a_websocket_class_of_its_own(app: Vial) -> None:
    class Own(WebSocket):
        @property
        def user(self) -> str:
            return self.args.get("user", "nobody")

    app.websocket_class = Own
    app.websocket("/")(tell(lambda: websocket.user))  # type: ignore[attr-defined]
    assert told(app, query_string={"user": "ada"}) == "ada"


def test_startup_functions_run_before_the_first_websocket(app: Vial) -> None:
    started: list[str] = []
    app.on_startup(lambda: started.append("x"))
    app.websocket("/")(tell(lambda: started))
    assert told(app) == "['x']"


def test_a_server_that_stops_closes_with_1001(app: Vial) -> None:
    ended: list[Any] = []
    add_echoes(app)

    @app.websocket("/sleeps")
    async def sleeps() -> None:
        await websocket.accept()
        await asyncio.sleep(1000)

    app.teardown_websocket(lambda e: ended.append(e))
    with opened(app, "/async") as a, opened(app, "/sync") as b, opened(app, "/sleeps") as c:
        background_loop().call_soon_threadsafe(app._get_life().begin_stop)
        for ws in (a, b, c):
            with pytest.raises(Disconnected):
                ws.receive()
            assert (ws.close_code, ws.close_reason) == (1001, "the server is stopping")
    assert ended == [None] * 3


@pytest.mark.parametrize("path", ECHOES)
def test_a_websocket_leaves_nothing_to_the_garbage_collector(app: Vial, path: str) -> None:
    add_echoes(app)
    app.websocket("/fails")(lambda: abort(403))
    client = app.test_client()

    def talk() -> None:
        with client.websocket(path) as ws:
            ws.send("x")
            ws.receive()

    talk()
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            talk()
        wait_for("the threads", lambda: not left_behind())
        kinds = {WebSocket.__name__, "SocketContext", "AsgiChannel", "Incoming", "Outgoing"}
        alive = [o for o in gc.get_objects() if type(o).__name__ in kinds]
    finally:
        gc.enable()
    assert alive == []
    assert _cv.get(None) is None


# -- the test client itself -------------------------------------------------------------------


def test_waiting_for_an_app_that_is_silent_ends(app: Vial) -> None:
    add_echoes(app)
    with opened(app, "/async") as ws, pytest.raises(TimeoutError, match=r"sent nothing in 0\.01"):
        ws.receive(timeout=0.01)


def test_sending_on_a_closed_websocket_is_an_error(app: Vial) -> None:
    @app.websocket("/")
    async def view() -> None:
        await websocket.close(4000) if websocket.accepted else await websocket.accept()

    with opened(app) as ws:
        with pytest.raises(Disconnected):
            ws.receive()
        with pytest.raises(Disconnected, match="1000"):
            ws.send("x")


def test_an_error_in_the_test_is_not_hidden_by_one_in_the_app(failing: Vial) -> None:
    with pytest.raises(LookupError), opened(failing, "/async/after"):
        raise LookupError
