"""What happens to a request, on the fast path and on the one through the app's methods."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from cases.entrances import Asgi
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.test import EnvironBuilder

from vial import Vial, abort, g, request, session, signals
from vial.ctx import RequestContext
from vial.globals import _cv

LAZY = ("request", "_session", "g", "url_adapter", "environ_base", "_tokens")


class ByMethods(Vial):
    """An app that overrides a step, and so goes through all of them."""

    def preprocess_request(self) -> Any:
        return super().preprocess_request()


@pytest.fixture(params=[Vial, ByMethods])
def app(request: pytest.FixtureRequest) -> Vial:
    app: Vial = request.param("flow", static_folder=None)
    app.secret_key = "k"
    return app


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """The messages that were logged so far."""
    caplog.set_level(logging.DEBUG)
    return lambda: [record.getMessage() for record in caplog.records]


def ask(app: Vial, path: str = "/", **options: Any) -> Any:
    return app.test_client().open(path, **options)


def built(ctx: Any) -> set[str]:
    """What a request has built so far."""
    return set(LAZY) & set(vars(ctx))


# -- nothing is built that is not used ---------------------------------------------------------


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (lambda: None, set()),
        (lambda: g.get("x"), {"g"}),
        (lambda: request.path, {"request"}),
        (lambda: session.get("x"), {"request", "_session"}),
    ],
    ids=["nothing", "g", "request", "session"],
)
def test_a_view_builds_what_it_touches_and_no_more(
    use: Callable[[], Any], expected: set[str]
) -> None:
    app = Vial("flow", static_folder=None)
    app.secret_key = "k"
    found: list[Any] = []
    app.after_request(lambda response: found.append(built(_cv.get())) or response)

    @app.get("/<int:n>")
    def view(n: int) -> str:
        use()
        return "view"

    assert ask(app, "/1").text == "view"
    assert found == [expected]


def test_an_untouched_request_reads_neither_headers_nor_cookies_nor_body() -> None:
    app = Vial("flow", static_folder=None)
    app.secret_key = "k"
    app.add_url_rule("/", "i", lambda: "i", methods=["POST"])
    read: list[str] = []

    class Environ(dict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            read.append(key)
            return super().__getitem__(key)

        def get(self, key: str, default: Any = None) -> Any:
            read.append(key)
            return super().get(key, default)

    builder = EnvironBuilder("/?a=1", method="POST", data={"b": "2"}, headers={"X-A": "1"})
    environ = Environ(builder.get_environ())
    assert b"".join(app(environ, lambda *args: None)) == b"i"
    assert {key for key in read if key.startswith(("HTTP_", "CONTENT", "wsgi.", "QUERY"))} == {
        "HTTP_HOST"
    }


def test_a_request_attribute_is_read_without_the_others() -> None:
    app = Vial("flow", static_folder=None)
    found: list[Any] = []

    @app.get("/")
    def view() -> str:
        request.args
        found.extend(name for name in vars(request._get_current_object()) if name != "environ")  # type: ignore[attr-defined]
        return "view"

    ask(app)
    assert not {"headers", "cookies", "form", "files", "stream", "path"} & set(found)


def test_a_session_that_the_client_has_is_not_opened_for_views_that_do_not_ask() -> None:
    app = Vial("flow", static_folder=None)
    app.secret_key = "k"
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    opened: list[bool] = []

    @app.get("/set")
    def set_() -> str:
        session["a"] = 1
        return "set"

    app.add_url_rule("/", "i", lambda: "i")

    @app.after_request
    def look(response: Any) -> Any:
        opened.append("_session" in vars(_cv.get()))
        return response

    client = app.test_client()
    client.get("/set")
    client.get("/")
    assert opened == [True, False]


# -- errors ------------------------------------------------------------------------------------


def test_an_exception_is_logged_once_with_the_request_line(
    app: Vial, log: Callable[[], list[str]]
) -> None:
    app.add_url_rule("/a/<x>", "fail", lambda x: 1 / 0)  # type: ignore[arg-type, return-value]
    app.add_url_rule("/fine", "fine", lambda: "fine")
    client = app.test_client()
    assert client.post("/a/b?secret=1").status_code == 405
    assert client.get("/a/b?secret=1").status_code == 500
    assert log() == ["Exception on /a/b [GET]"]
    assert client.get("/fine").text == "fine"


def test_t119_a_path_cannot_write_lines_or_colours_into_the_log(
    app: Vial, log: Callable[[], list[str]]
) -> None:
    app.add_url_rule("/<x>", "fail", lambda x: 1 / 0)  # type: ignore[arg-type, return-value]
    app.test_client().get("/%1b[31m%0d%0aException on %c2%9b")
    app.test_client().get("/caf%c3%a9")
    assert log() == [
        r"Exception on /\x1b[31m\r\nException on \x9b [GET]",
        "Exception on /café [GET]",
    ]


def test_the_page_of_an_unhandled_exception_tells_nothing_about_it(app: Vial) -> None:
    app.add_url_rule("/", "fail", lambda: {}["the secret"])
    page = ask(app).text
    assert "secret" not in page
    assert "KeyError" not in page
    assert "Traceback" not in page


def test_concurrent_requests_do_not_see_each_other(app: Vial) -> None:
    barrier = threading.Barrier(2, timeout=5)

    @app.get("/<name>")
    def view(name: str) -> str:
        g.name = name
        barrier.wait()
        if name == "bad":
            raise KeyError
        return f"{g.name} {request.path}"

    answers: dict[str, Any] = {}

    def client(name: str) -> None:
        answers[name] = ask(app, f"/{name}")

    threads = [threading.Thread(target=client, args=(name,)) for name in ("bad", "good")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers["good"].text == "good /good"
    assert answers["bad"].status_code == 500


def test_an_error_of_a_session_store_is_a_500_and_may_be_handled(
    app: Vial, log: Callable[[], list[str]]
) -> None:
    class Store(type(app.session_interface)):  # type: ignore[misc]
        def open_session(self, app: Any, request: Any) -> Any:
            raise ConnectionError("the store is away")

    app.session_interface = Store()
    app.add_url_rule("/", "i", lambda: "i")
    assert ask(app).status_code == 500
    assert log() == ["Exception on / [GET]"]
    app.error_handler_spec[None][None][ConnectionError] = lambda e: (str(e), 503)
    assert ask(app).text == "the store is away"


def test_an_error_of_a_converter_may_be_handled(app: Vial) -> None:
    class Broken(app.url_map.converters["default"]):  # type: ignore[misc, name-defined]
        def to_python(self, value: str) -> Any:
            raise ConnectionError("no database")

    app.url_map.converters["broken"] = Broken
    app.add_url_rule("/<broken:x>", "i", lambda x: "i")
    app.errorhandler(ConnectionError)(lambda e: (str(e), 503))
    assert ask(app, "/1").status_code == 503


def test_a_trapped_http_error_keeps_its_code_out_of_the_answer(app: Vial) -> None:
    app.config["TRAP_HTTP_EXCEPTIONS"] = True
    app.add_url_rule("/", "i", lambda: abort(404))
    assert ask(app).status_code == 500


def test_the_after_functions_see_answers_of_every_kind(app: Vial) -> None:
    seen: list[int] = []
    app.after_request(lambda response: seen.append(response.status_code) or response)
    app.add_url_rule("/x/", "x", lambda: "x")
    app.add_url_rule("/fail", "fail", lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    client = app.test_client()
    for path in ("/x/", "/x", "/none", "/fail"):
        client.get(path)
    client.post("/x/")
    client.options("/x/")
    assert seen == [200, 308, 404, 500, 405, 200]


# -- teardown ----------------------------------------------------------------------------------


def teardown_app(app: Vial, *, fail: bool = False) -> list[str]:
    """Register two teardown functions of each kind; the first that runs fails if it is to."""
    ran: list[str] = []

    def function(name: str) -> Callable[[Any], None]:
        def run(e: BaseException | None) -> None:
            ran.append(f"{name} {type(e).__name__}")
            if fail and name.endswith("2"):
                raise LookupError(name)

        return run

    for n in "12":
        app.teardown_request(function(f"request {n}"))
        app.teardown_appcontext(function(f"app {n}"))
    return ran


def views_that_end(app: Vial) -> list[str]:
    """Views that end in all the ways that there are."""

    def ending(error: BaseException | None) -> Callable[[], str]:
        def view() -> str:
            if error is not None:
                raise error
            return "fine"

        return view

    ends = {
        "fine": None,
        "fail": ValueError(),
        "abort": NotFound(),
        "exit": SystemExit(),
        "interrupt": KeyboardInterrupt(),
        "cancelled": asyncio.CancelledError(),
    }
    for name, error in ends.items():
        app.add_url_rule(f"/{name}", name, ending(error))
    return list(ends)


def attempt(app: Vial, path: str) -> str:
    try:
        return str(ask(app, path).status_code)
    except BaseException as e:
        return type(e).__name__


def test_teardown_functions_run_however_a_request_ends(app: Vial) -> None:
    ran = teardown_app(app)
    for name in views_that_end(app):
        ran.clear()
        attempt(app, f"/{name}")
        assert [line.split()[0] for line in ran] == ["request", "request", "app", "app"], name
        assert len({line.split()[2] for line in ran}) == 1
    assert ran[0] == "request 2 CancelledError"


def test_a_teardown_function_that_fails_stops_no_other(app: Vial) -> None:
    ran = teardown_app(app, fail=True)
    views_that_end(app)
    assert attempt(app, "/fine") == "LookupError"
    assert [line.rpartition(" ")[0] for line in ran] == ["request 2", "request 1", "app 2", "app 1"]
    app.teardown_request_funcs[None].clear()
    app.teardown_appcontext_funcs.clear()
    assert attempt(app, "/fine") == "200"


def test_teardown_functions_run_when_an_after_function_or_a_handler_fails(app: Vial) -> None:
    ran = teardown_app(app)
    app.add_url_rule("/", "i", lambda: abort(404))

    @app.errorhandler(404)
    def handler(e: Any) -> Any:
        raise ValueError

    @app.after_request
    def after(response: Any) -> Any:
        raise KeyError

    assert ask(app).status_code == 500
    assert len(ran) == 4


def test_files_of_a_form_are_closed_at_the_end_of_the_request(app: Vial) -> None:
    kept: list[Any] = []

    @app.post("/")
    def view() -> str:
        kept.extend(request.files.values())
        return "view"

    ask(app, method="POST", data={"f": (BytesIO(b"x"), "name.txt")})
    assert kept[0].stream.closed


# -- hooks -------------------------------------------------------------------------------------


def test_an_after_function_that_returns_none_is_named(app: Vial) -> None:
    app.testing = True
    app.add_url_rule("/", "i", lambda: "i")

    @app.after_request
    def forgets(response: Any) -> Any:
        response.headers["X"] = "1"

    with pytest.raises(TypeError, match="'forgets' returned None"):
        ask(app)


@pytest.mark.parametrize("name", ["full_dispatch_request", "make_response", "handle_exception"])
def test_a_step_that_an_extension_sets_takes_effect_at_once_and_until_it_is_removed(
    name: str,
) -> None:
    app = Vial("flow", static_folder=None)
    app.add_url_rule("/", "i", lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    app.add_url_rule("/list", "list", lambda: ["a"])
    calls: list[str] = []
    original = getattr(app, name)
    ask(app)
    setattr(app, name, lambda *args: calls.append(name) or original(*args))
    ask(app)
    ask(app, "/list")
    assert calls
    delattr(app, name)
    calls.clear()
    ask(app)
    ask(app, "/list")
    assert not calls


def test_a_sync_function_that_returns_an_awaitable_is_told_what_is_wrong() -> None:
    app = Vial("flow", static_folder=None)
    app.testing = True

    async def work() -> str:
        return "work"

    app.add_url_rule("/", "i", lambda: work())  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match="Nothing awaits it"):
        ask(app)


def test_a_request_sends_signals_to_those_who_listen_to_its_app(app: Vial) -> None:
    heard: list[str] = []
    names = ("request_started", "appcontext_pushed", "appcontext_popped")
    receivers = {name: lambda sender, name=name, **extra: heard.append(name) for name in names}
    for name, receiver in receivers.items():
        getattr(signals, name).connect(receiver, app)
    app.add_url_rule("/", "i", lambda: "i")
    ask(app)
    other = type(app)("other", static_folder=None)
    ask(other)
    assert heard == ["appcontext_pushed", "request_started", "appcontext_popped"]


def test_the_methods_of_the_app_do_the_steps_one_by_one(app: Vial) -> None:
    done: list[str] = []
    app.before_request(lambda: done.append("before"))
    app.after_request(lambda response: done.append("after") or response)
    app.add_url_rule("/", "i", lambda: "i")
    app.add_url_rule("/fail", "fail", lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    with app.test_request_context("/"):
        assert app.preprocess_request() is None
        assert app.dispatch_request() == "i"
        assert app.process_response(app.make_response("x")).get_data() == b"x"
        assert app.finalize_request(("y", 201)).status_code == 201
    assert done == ["before", "after", "after"]
    with app.test_request_context("/none"), pytest.raises(NotFound):
        app.dispatch_request()
    with app.test_request_context("/fail"), pytest.raises(ZeroDivisionError):
        app.full_dispatch_request()


def test_handlers_are_called_by_the_methods_of_the_app(app: Vial) -> None:
    app.errorhandler(404)(lambda e: "handled")
    with app.test_request_context("/none"):
        assert app.handle_http_exception(NotFound()) == "handled"
        assert app.handle_user_exception(NotFound()) == "handled"
        error = HTTPException()
        assert app.handle_http_exception(error) is error
        with pytest.raises(KeyError):
            try:
                raise KeyError
            except KeyError as e:
                app.handle_user_exception(e)


# -- the loop lane -----------------------------------------------------------------------------


def test_async_views_run_on_the_long_lived_loop_under_wsgi() -> None:
    app = Vial("flow", static_folder=None)
    threads: dict[str, str] = {}
    loops: list[Any] = []

    @app.get("/")
    async def view() -> str:
        await asyncio.sleep(0)
        loops.append(asyncio.get_running_loop())
        threads["view"] = threading.current_thread().name
        return request.path

    app.before_request(lambda: threads.update(before=threading.current_thread().name))
    assert ask(app).text == "/"
    assert ask(app).text == "/"
    assert loops[0] is loops[1]
    assert threads == {"view": "vial-loop", "before": threading.current_thread().name}


def test_a_context_is_of_one_request_only(app: Vial) -> None:
    contexts: list[Any] = []

    @app.get("/")
    def view() -> str:
        contexts.append(_cv.get())
        return "view"

    ask(app)
    ask(app)
    assert contexts[0] is not contexts[1]
    assert all(isinstance(ctx, RequestContext) for ctx in contexts)
    assert _cv.get(None) is None


@pytest.mark.parametrize("name", ["handle_exception", "handle_user_exception"])
def test_a_replaced_handling_of_errors_leaves_async_views_on_the_loop(
    name: str, app: Vial, log: Any
) -> None:
    handled: list[Any] = []
    original = getattr(app, name)

    def own(e: Exception) -> Any:
        handled.append(
            (type(e).__name__, threading.current_thread() is loop_thread, sys.exc_info()[1] is e)
        )
        return original(e)

    setattr(app, name, own)
    loop_thread = threading.current_thread()

    @app.route("/<kind>")
    async def view(kind: str) -> str:
        await asyncio.sleep(0)
        if kind == "fine":
            return f"{threading.current_thread() is loop_thread}"
        raise KeyError(kind) if kind == "key" else ZeroDivisionError

    @app.errorhandler(KeyError)
    async def key(e: KeyError) -> Any:
        return f"no key {e}", 404

    assert Asgi().ask(app, "/fine").text == f"{not isinstance(app, ByMethods)}"
    answer = Asgi().ask(app, "/key")
    assert (answer.status, answer.text) == (404, "no key 'key'")
    assert Asgi().ask(app, "/zero").status == 500
    expected = {"handle_exception": 1, "handle_user_exception": 2}[name]
    assert handled[-1] == ("ZeroDivisionError", False, True) and len(handled) == expected
    assert "Exception on /zero [GET]" in log()
